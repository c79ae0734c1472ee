"""Drops materials, and tables kept from run to run, that nobody needs any more, and nothing else.

What goes and what stays is decided purely, from what the registry remembers and what the schema holds; a material that
any view of the database reads stays, whoever made the view. Dropping and forgetting happen in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlglot import exp

from profiles_pipeline import durations, history, time_contexts
from profiles_pipeline.compile import versioned
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import capabilities, render, spelled
from profiles_pipeline.events import Observer
from profiles_pipeline.names import ACCUMULATOR, STATES, tables_of_held
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import Entry, SeqNo
from profiles_pipeline.session import Session, open_session
from profiles_pipeline.spec.model import Text
from profiles_pipeline.view_reads import View, views_of
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.windows import Held

USUAL_PERIOD = timedelta(days=30)
"""How long materials are kept when neither the project nor its model says so."""

MATERIAL_RELATION = re.compile(
    r"(?P<material>Material_(?P<model>.+?)_(?P<hash>[0-9a-f]{8})_(?P<seq_no>\d+))"
    r"(?:_internal_edges|_mappings|_raw_edges|_rejected|_quarantined|_\w+_CARDINALITY_AUDIT)?",
    re.IGNORECASE,
)
_KEPT = re.compile(rf"{ACCUMULATOR}[0-9a-f]{{12}}(?:_\w+)?", re.IGNORECASE)
_PARTS = ("internal_edges", "mappings", "raw_edges", "rejected", "quarantined")


@dataclass(frozen=True, slots=True)
class Rules:
    """What to drop.

    Attributes:
        period: keep what is younger than this; None for what the project says.
        only_expired: leave superseded definitions and unfinished builds alone until they are old as well.
        thinned: names of materials of which a later one says enough: they go before they are old.
    """

    period: timedelta | None = None
    only_expired: bool = False
    thinned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of the output schema."""

    name: str
    kind: Literal["table", "view"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A material of the project, or a table kept from run to run, as it stands in the schema.

    Attributes:
        path: the model; None for a build that was never finished.
        seq_no: the time context it is of; 0 for a table that nobody has written down.
        created: when it was built; None where nobody has written it down.
        relations: the material itself and the tables that belong to it, as far as they are there.
    """

    name: str
    path: str | None
    fingerprint: str
    seq_no: int
    created: datetime | None
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """Whether a material is dropped, and why or why not."""

    material: Candidate
    dropped: bool
    reason: str


@dataclass(frozen=True)
class Context:
    """What decides besides the materials.

    Attributes:
        fingerprints: path -> fingerprint of the models as they are defined now.
        periods: path -> how long to keep materials of a model.
        period: how long to keep those of any other.
        seq_nos: the project's time contexts by number.
        now: the moment from which ages count.
        only_expired: leave superseded definitions and unfinished builds alone until they are old as well.
        thinned: names of materials of which a later one says enough.
        gone_on_from: names of materials that the next run goes on from, or reads as an earlier state.
    """

    fingerprints: Mapping[str, str]
    periods: Mapping[str, timedelta]
    period: timedelta
    seq_nos: Mapping[int, SeqNo]
    now: datetime
    only_expired: bool = False
    thinned: frozenset[str] = frozenset()
    gone_on_from: frozenset[str] = frozenset()


# --- deciding -----------------------------------------------------------------------------------------------------


def decide(
    candidates: Iterable[Candidate], views: Iterable[View], context: Context, others: Iterable[Fate] = ()
) -> tuple[Fate, ...]:
    """Return the fate of every material, in the order given, and those of others that nothing reads behind them."""
    found = list(candidates)
    newest: dict[str, str] = {}
    for each in sorted(found, key=lambda c: (context.seq_nos[c.seq_no].end, c.seq_no)):
        if each.path and _is_current(each, context):
            newest[each.path] = each.name
    fates = [*(_by_itself(c, newest, context) for c in found), *others]
    return _with_what_is_read(fates, tuple(views))


def _is_current(candidate: Candidate, context: Context) -> bool:
    return context.fingerprints.get(candidate.path or "") == candidate.fingerprint


def _by_itself(candidate: Candidate, newest: Mapping[str, str], context: Context) -> Fate:
    """Return the fate of a material that nothing reads."""
    needed = _needed(candidate, newest, context)
    if needed is not None:
        return Fate(candidate, False, needed)
    period = context.periods.get(candidate.path or "", context.period)
    old = context.now - (candidate.created or context.seq_nos[candidate.seq_no].created) >= period
    superseded = _superseded(candidate, context)
    if superseded is not None and not context.only_expired:
        return Fate(candidate, True, f"older than {shown(period)}" if old and candidate.path else superseded)
    if candidate.name in context.thinned:
        return Fate(candidate, True, "there is a later one of its day")
    if old:
        return Fate(candidate, True, f"older than {shown(period)}" if candidate.path else str(superseded))
    return Fate(candidate, False, f"younger than {shown(period)}")


def _needed(candidate: Candidate, newest: Mapping[str, str], context: Context) -> str | None:
    """Return why a material stays at any age; None where nothing speaks for it."""
    seq_no = context.seq_nos[candidate.seq_no]
    if not seq_no.complete and context.now - seq_no.created < time_contexts.RESUME_WITHIN:
        return f"the run of seq_no {seq_no.number} can still be continued"
    if candidate.path is not None and newest.get(candidate.path) == candidate.name:
        return "the newest of its definition"
    return "the next run goes on from it" if candidate.name in context.gone_on_from else None


def _superseded(candidate: Candidate, context: Context) -> str | None:
    """Return why nobody would build a material like this again; None where somebody would."""
    if candidate.path is None:
        return "its build was never finished"
    if _is_current(candidate, context):
        return None
    gone = candidate.path not in context.fingerprints
    return "its model is not built any more" if gone else "its definition has been superseded"


def _with_what_is_read(fates: list[Fate], views: tuple[View, ...]) -> tuple[Fate, ...]:
    """Return the fates with everything kept that a view, or something kept, reads."""
    owner = {relation.name.lower(): n for n, fate in enumerate(fates) for relation in fate.material.relations}
    part_of = {view.name: owner.get((view.relation or "").lower()) for view in views}
    dropped = {number for number, fate in enumerate(fates) if fate.dropped}
    todo = [view for view in views if part_of[view.name] not in dropped]
    while todo:
        view = todo.pop()
        for number in sorted({owner[name] for name in view.mentions & owner.keys()}):
            if fates[number].dropped:
                fates[number] = replace(fates[number], dropped=False, reason=f"view '{view.name}' reads it")
                todo += [other for other in views if part_of[other.name] == number]
    return tuple(fates)


def shown(period: timedelta) -> str:
    """Return a length of time for people: ``30 days``, ``90 minutes``."""
    seconds = int(period.total_seconds())
    for noun, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {noun}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


# --- looking ------------------------------------------------------------------------------------------------------


def fates(session: Session, rules: Rules) -> tuple[Fate, ...]:
    """Return the fate of every material of the project; nothing is changed."""
    context = _context(session, rules)
    entries = session.registry.entries()
    relations = _relations(session.warehouse, session.output.schema)
    views = views_of(session.warehouse, session.output.schema)
    goes_on = session.project.pipeline.incremental != "never"
    held = _of_held(session.registry.held(session.project.name), relations, context, goes_on)
    lost = () if rules.only_expired else _lost(session.registry.held_names(), relations)
    return decide(_candidates(session, entries, relations, context), views, context, (*held, *lost))


def may_drop(session: Session, rules: Rules) -> bool:
    """True when something would go if nothing read it. Asks the registry alone, which is cheap on any warehouse."""
    context = _context(session, rules)
    found = _candidates(session, session.registry.entries(), (), context)
    goes_on = session.project.pipeline.incremental != "never"
    held = _of_held(session.registry.held(session.project.name), (), context, goes_on)
    return any(fate.dropped for fate in decide(found, (), context, held))


def _context(session: Session, rules: Rules) -> Context:
    spec, graph = session.project.project.spec, session.project.graph
    given = {f"models/{m.name.lower()}": getattr(m.body, "retention_period", None) for m in spec.models}
    periods = {path: _period(text) for path, text in given.items() if text is not None}
    usual = _period(spec.retention_period) if spec.retention_period is not None else USUAL_PERIOD
    usual = session.project.pipeline.retention.period or usual
    return Context(
        fingerprints={path: session.project.fingerprints[path] for path in graph.models},
        periods=periods if rules.period is None else {},
        period=usual if rules.period is None else rules.period,
        seq_nos={s.number: s for s in session.registry.seq_nos(session.project.name)},
        now=datetime.now(UTC),
        only_expired=rules.only_expired,
        thinned=rules.thinned,
        gone_on_from=_gone_on_from(session),
    )


def _gone_on_from(session: Session) -> frozenset[str]:
    """Return the materials that the next run goes on from, or reads as earlier states of models.

    That run may be as of now, or of a moment right after the last one.
    """
    project, registry = session.project, session.registry
    names = {held.material for held in registry.held(project.name)}
    last = next((seq_no for seq_no in registry.seq_nos(project.name) if seq_no.complete), None)
    if not project.graph.past or last is None:
        return frozenset(names)
    kept = registry.kept(project.name)
    for end in (last.end + timedelta(microseconds=1), datetime.now(UTC)):
        window = time_contexts.window_of(session, registry.next_seq_no(last.begin, end, ""))
        for path in project.graph.past:
            context = window.of(project.graph.models[path].time_grain)
            found = history.found(project, kept, window, context, path)
            names |= {meant.material.name for meant in found.values()}
    return frozenset(names)


def _period(text: Text) -> timedelta:
    period = durations.duration(text)
    assert period  # a project with one that is none does not load
    return period


def _candidates(
    session: Session, entries: Iterable[Entry], relations: Iterable[Relation], context: Context
) -> list[Candidate]:
    """Return the project's materials in the order of building, unfinished builds last."""
    belonging: dict[str, list[Relation]] = {}
    short = shortened(session, entries)
    for relation in relations:
        if relation.name in short:
            belonging.setdefault(short[relation.name], []).append(relation)
            continue
        match = MATERIAL_RELATION.fullmatch(relation.name)
        if match and int(match["seq_no"]) in context.seq_nos:
            belonging.setdefault(match["material"].lower(), []).append(relation)
    registered = [
        Candidate(
            name=entry.material.name,
            path=entry.material.model_path,
            fingerprint=entry.material.fingerprint,
            seq_no=entry.material.seq_no,
            created=entry.created,
            relations=tuple(belonging.pop(entry.material.name.lower(), ())),
        )
        for entry in entries
        if entry.project == session.project.name
    ]
    unfinished = [
        Candidate(match["material"], None, match["hash"].lower(), int(match["seq_no"]), None, tuple(found))
        for found in belonging.values()
        if (match := MATERIAL_RELATION.fullmatch(found[0].name)) is not None
    ]
    return registered + unfinished


def shortened(session: Session, entries: Iterable[Entry]) -> dict[str, str]:
    """Return what the relations of materials are called whose names are too long there -> the material."""
    dialect, found = session.warehouse.dialect, dict[str, str]()
    for name in (entry.material.name for entry in entries):
        for relation in (name, *(f"{name}_{part}" for part in _PARTS)):
            called = spelled(relation, dialect)
            if len(called) != len(relation):
                found[called] = name.lower()
    return found


def _of_held(held: Collection[Held], relations: Iterable[Relation], context: Context, goes_on: bool) -> Iterable[Fate]:
    """Yield the fate of every table kept from run to run: those that a model went on from last are still needed."""
    there = {relation.name.lower(): relation for relation in relations}
    last = {path: max(h.seq_no for h in held if h.path == path) for path in {h.path for h in held}}
    for each in held:
        own = tuple(there[name.lower()] for name in tables_of_held(each.name) if name.lower() in there)
        made = context.seq_nos[each.seq_no].created
        candidate = Candidate(each.name, each.path, "", each.seq_no, made, own)
        period = context.periods.get(each.path, context.period)
        if context.only_expired and context.now - made < period:
            yield Fate(candidate, False, f"younger than {shown(period)}")
        elif not goes_on:
            yield Fate(candidate, True, "pipeline.yaml says that nothing is kept from run to run")
        elif each.path not in context.fingerprints:
            yield Fate(candidate, True, "its model is not built any more")
        elif each.seq_no < last[each.path]:
            yield Fate(candidate, True, "no run goes on from it any more")
        else:
            yield Fate(candidate, False, "the next run goes on from it")


def _lost(held: Collection[str], relations: Iterable[Relation]) -> Iterable[Fate]:
    """Yield the fate of every table that was kept from run to run and that no project knows of any more.

    Where definitions cannot be taken back, a table is forgotten before it is dropped or made anew: a process that is
    killed in between leaves it behind.
    """
    for relation in relations:
        if relation.kind == "table" and _KEPT.fullmatch(relation.name) and relation.name.lower() not in held:
            yield Fate(Candidate(relation.name, None, "", 0, None, (relation,)), True, "no run knows of it any more")


def _relations(warehouse: Warehouse, schema: str) -> list[Relation]:
    views = warehouse.views(schema)
    return [Relation(name, "view" if name in views else "table") for name in sorted(warehouse.relations(schema))]


# --- dropping -----------------------------------------------------------------------------------------------------


def clean(
    project: ProfilesProject,
    output: Output,
    rules: Rules,
    agreed: Collection[str],
    observe: Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> tuple[Fate, ...]:
    """Drop the agreed materials that the rules still condemn now that nobody else is at work; return their fates.

    Their relations and their rows in the registry are gone, or, if anything fails, all still there.

    Raises:
        LockTimeoutError: another run kept the warehouse for too long.
        WarehouseError: the warehouse refused.
    """
    with open_session(project, output, "profiles cleanup", observe, lock_timeout) as session:
        condemned = tuple(fate for fate in fates(session, rules) if fate.dropped and fate.material.name in agreed)
        drop(session, condemned)
        return condemned


def drop(session: Session, condemned: Sequence[Fate]) -> None:
    """Drop materials: their relations and their rows in the registry are gone, or, if anything fails, all still there.

    Raises:
        WarehouseError: the warehouse refused.
    """
    relations = [relation for fate in condemned for relation in fate.material.relations]
    with session.warehouse.transaction():
        # First the rows: where a drop cannot be rolled back, a row that says complete would stay without its table.
        session.registry.forget(fate.material.name for fate in condemned)
        session.registry.let_go(fate.material.name for fate in condemned)
        for kind in ("view", "table"):  # views before what they read
            names = [exp.table_(r.name, db=session.output.schema, quoted=True) for r in relations if r.kind == kind]
            _drop(session.warehouse, kind, names)
        _forget_states(session)


def _forget_states(session: Session) -> None:
    """Take rows out of tables of many states that none of the states has which a material shows, or a run goes on from.

    What was begun and not finished shows the state that the next run goes on from.
    """
    held = session.registry.held(session.project.name)
    entries = [entry.material for entry in session.registry.entries() if entry.project == session.project.name]
    needed = {each.version for each in held} | {each.version for each in entries if each.version is not None}
    trees = []
    for each in held:
        if each.name.endswith(STATES):
            table = exp.table_(each.name, db=session.output.schema, quoted=True)
            trees.append(versioned.without_states(table, needed))
    with session.registry.changing_held(session.project.name):
        for tree in trees:
            session.warehouse.execute(render(tree, session.warehouse.dialect))


def _drop(warehouse: Warehouse, kind: str, names: Sequence[exp.Table]) -> None:
    """Drop tables or views: all at once where a view cannot be dropped before another one that reads it."""
    together = [list(names)] if capabilities(warehouse.dialect).cascade_on_drop and names else [[n] for n in names]
    for some in together:
        listed = ", ".join(render(name, warehouse.dialect) for name in some)
        warehouse.execute(f"DROP {kind.upper()} {listed}")
