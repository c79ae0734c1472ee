"""Time contexts: which window a run works in, which its time grains need, and what was built in earlier ones."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from profiles_pipeline import grains, history, sql
from profiles_pipeline.errors import fail
from profiles_pipeline.events import Options
from profiles_pipeline.partitions import partitions_of
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import GRAIN, SeqNo
from profiles_pipeline.resolve.model import SqlModel
from profiles_pipeline.resolve.past import PastRef
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.session import Session
from profiles_pipeline.stages import State
from profiles_pipeline.view_reads import readers, views_of
from profiles_pipeline.windows import Window, used_grains

DAGSTER = "dagster:"
"""How the invocation of a Dagster run begins. Such a run may still be at work, so nobody else takes it up."""

AHEAD = timedelta(days=1)
"""How far a window may reach beyond now: clocks and time zones differ."""

RESUME_WITHIN = timedelta(hours=24)
"""A run without arguments takes up an unfinished one that was begun no longer ago than this, in the same partition."""


def choose_seq_no(session: Session, options: Options) -> tuple[SeqNo, bool]:
    """Return the time context to work in, and whether it is one that is recorded already."""
    known = session.registry.seq_nos(session.project.name)
    wanted = options.seq_no
    if isinstance(wanted, int) or wanted == "latest":
        found = next((s for s in known if wanted == s.number or (wanted == "latest" and s.is_run)), None)
        if found is None:
            numbers = ", ".join(str(s.number) for s in known[:8]) or "none yet"
            fail("unknown-seq-no", f"there is no seq_no {wanted}", hint=f"known: {numbers}")
        if options.end is not None and options.end != found.end:
            fail(
                "seq-no-clash",
                f"seq_no {found.number} ends at {found.end:%Y-%m-%dT%H:%M:%SZ}",
                hint="leave out --end_time",
            )
        return found, True
    if options.invocation is not None:
        mine = next((s for s in known if s.invocation == options.invocation), None)
        if mine is not None:
            return mine, True
    if wanted is None:
        resumable = _resumable(session.project, known, options)
        if resumable is not None:
            return resumable, True
    now = datetime.now(UTC).replace(microsecond=0)
    end = options.end or now
    if end > now + AHEAD:
        fail(
            "future-end-time", f"end_time {end:%Y-%m-%dT%H:%M:%SZ} lies in the future", hint=f"it is {now:%Y-%m-%d} now"
        )
    if options.begin is not None and options.begin >= end:
        begin, last = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (options.begin, end))
        fail("empty-window", f"begin_time {begin} is not before end_time {last}", hint="swap them")
    invocation = options.invocation or uuid.uuid4().hex
    return session.registry.next_seq_no(options.begin, end, invocation), False


def _resumable(project: ProfilesProject, known: tuple[SeqNo, ...], options: Options) -> SeqNo | None:
    """Return the unfinished run to go on with.

    One that was begun in an earlier partition is not: tonight's run would then be as of last night.
    """
    if options.end is not None:
        return next((s for s in known if (s.begin, s.end) == (options.begin, options.end)), None)
    newest = next((s for s in known if s.is_run), None)
    if newest is None or newest.complete or newest.begin != options.begin or newest.invocation.startswith(DAGSTER):
        return None
    now = datetime.now(UTC)
    found = partitions_of(project, now)
    if found is not None and found.main.at(newest.created) != found.main.at(now):
        return None
    return newest if now - newest.created < RESUME_WITHIN else None


def remembered(session: Session) -> State:
    """Return what the registry remembers of the project, as far as it is still there."""
    known = session.registry.seq_nos(session.project.name)
    finished = tuple(_window(session.project, seq_no, known) for seq_no in known if seq_no.complete)
    held = session.registry.held(session.project.name, examined=True)
    kept = session.registry.kept(session.project.name)
    altered = [part for each in held for part in each.altered]
    reading = readers(views_of(session.warehouse, session.output.schema), altered) if altered else frozenset()
    sound = tuple(each for each in kept if each.name.lower() not in reading)
    lost = frozenset(each.name for each in kept) - frozenset(each.name for each in sound)
    return State(sound, finished, held=held, built=sound, lost=lost)


def window_of(session: Session, seq_no: SeqNo) -> Window:
    """Return the window of a time context, with those of the time grains that the project has.

    A window that is not recorded yet has the number that it is going to have.
    """
    return _window(session.project, seq_no, session.registry.seq_nos(session.project.name))


def _window(project: ProfilesProject, seq_no: SeqNo, known: Sequence[SeqNo]) -> Window:
    numbers = {(s.begin, s.end): s.number for s in reversed(known)} | {(seq_no.begin, seq_no.end): seq_no.number}
    free = max([seq_no.number, *(s.number for s in known)]) + 1
    coarser: list[tuple[str, Window]] = []
    for grain in used_grains(project):
        end = grains.floor(seq_no.end, grain)
        if (seq_no.begin, end) not in numbers:
            numbers[seq_no.begin, end], free = free, free + 1
        if end != seq_no.end:
            coarser.append((grain, Window(numbers[seq_no.begin, end], end, seq_no.begin)))
    return Window(seq_no.number, seq_no.end, seq_no.begin, tuple(coarser))


def record_coarser(session: Session, window: Window) -> None:
    """Make sure that the windows of time grains are recorded."""
    known = {s.number for s in session.registry.seq_nos(session.project.name)}
    for grain, coarser in window.coarser:
        if coarser.seq_no not in known:
            known.add(coarser.seq_no)
            made = SeqNo(coarser.seq_no, coarser.begin, coarser.end, datetime.now(UTC), False, f"{GRAIN}{grain}")
            session.registry.record_seq_no(session.project.name, made)


def with_what_it_needs(session: Session, seq_no: SeqNo) -> Session:
    """Return the session with the project cut down to what finds in earlier windows what it cannot do without.

    A model that reads its own earlier state without asking whether there is one could never be built, and stays in.
    """
    project, window = session.project, window_of(session, seq_no)
    kept = session.registry.kept(project.name) if project.graph.past else ()
    missing: dict[str, str] = {}
    for path, refs in project.graph.past.items():
        context = window.of(project.graph.models[path].time_grain)
        found = history.found(project, kept, window, context, path)
        absent = [ref for ref in refs if ref.address not in found]
        if lacking := next((ref for ref in absent if ref.is_needed), None):
            missing[path] = f"it needs an earlier state of '{lacking.path}', and there is none yet"
        elif lacking := _read_regardless(project, path, absent, context):
            missing[path] = (
                f"it reads an earlier state of '{lacking.path}', and there is none yet; it could ask with IsEnabled()"
            )
    return replace(session, project=project.without(missing))


def _read_regardless(project: ProfilesProject, path: str, absent: Sequence[PastRef], context: Window) -> PastRef | None:
    """Return what the text of an SQL model reads of other models' earlier states although it is not there."""
    model = project.graph.models[path]
    others = {
        f"ref:{ref.address}": ref for ref in absent if ref.kind == "material" and project.graph.find(ref.path) != path
    }
    if not others or not isinstance(model, SqlModel) or model.spec.single_sql is None:
        return None
    gone = {ref.address for ref in absent}
    reader = Reader(project.project, context.end, context.begin).with_past(lambda ref: ref.address not in gone)
    read = sql.symbols(reader.query(model.spec.single_sql, path).tree).get("ref", frozenset())
    return next((others[name] for name in sorted(read) if name in others), None)
