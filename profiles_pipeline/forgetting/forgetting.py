"""Forgets people: writes down that they are, takes them out of what is published and built, and looks for them.

The order makes every cut harmless. Once a request is written down, no run reads these people and no publisher sends
them. The deletions are published, the last run is made again without them, what earlier runs hold of them is taken out,
and only when nothing is found of them any more are their identifiers given up, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from profiles_pipeline import cleanup, run
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import fail
from profiles_pipeline.events import Observer
from profiles_pipeline.forgetting import certificate as certificates
from profiles_pipeline.forgetting.people import (
    People,
    main_ids_by_run,
    of_others,
    parsed,
    people_behind,
)
from profiles_pipeline.forgetting.published import TakenOut, published_keys, with_its_end
from profiles_pipeline.forgetting.published import take_out as take_out_of_published
from profiles_pipeline.forgetting.requests import Id, Request, Requests
from profiles_pipeline.forgetting.tables import Whom, take_out, what_is_left
from profiles_pipeline.names import ACCUMULATOR
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.publish.standing import standing
from profiles_pipeline.registry import SeqNo
from profiles_pipeline.resolve.model import Entity
from profiles_pipeline.session import Session, open_session

PURPOSE = "profiles forget"

BUILT = "built"
"""Under which name it is noted what was taken out of what runs have left."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What forgetting would do.

    Attributes:
        people: whom it is about.
        known: requests by which those are forgotten already whom it is about besides.
        rows: publisher -> how many rows it has of them.
        runs: how many runs there are that are looked through.
    """

    people: People
    known: tuple[Request, ...]
    rows: dict[str, int]
    runs: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A request that is done, where its certificate lies, and what became of them at publishers."""

    request: Request
    certificate: dict[str, object]
    files: tuple[Path, ...]
    published: tuple[TakenOut, ...]

    @property
    def is_verified(self) -> bool:
        """True when nothing was found of them afterwards."""
        return bool(self.certificate["verified"])

    @property
    def failed_syncs(self) -> tuple[str, ...]:
        """Publishers whose destinations were told to fetch the deletions, and failed to."""
        return tuple(each.publisher for each in self.published if each.fetched is not None and each.fetched.stops)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to forget, as it is written.

    Attributes:
        ids: each ``TYPE:VALUE``.
        entity: name of the entity, where several have such ids.
        reason: why, for people.
        unknown: also those whom no run has seen, in case that they come.
    """

    ids: tuple[str, ...]
    entity: str | None = None
    reason: str | None = None
    unknown: bool = False


def foresee(session: Session, asked: Asked) -> Foreseen:
    """Return whom forgetting would be about; nothing is written.

    Raises:
        ProjectError: an identifier is none, or is not known.
    """
    entity, ids = parsed(session, asked.ids, asked.entity)
    people = people_behind(session, entity, ids)
    known = {each: Requests(session).about(entity.name, [each]) for each in people.unknown}
    people = replace(people, unknown=tuple(each for each, requests in known.items() if not requests))
    if people.unknown and not asked.unknown:
        named = ", ".join(map(str, people.unknown))
        hint = "look for it with `profiles show entity-lookup`; to keep it out should it ever come: --even-unknown"
        fail("unknown-id", f"the last run has not seen {named}; nothing was done", hint=hint)
    request = Request("", entity.name, asked.reason, people.ids, 0, people.main_ids, datetime.now(UTC))
    rows = {
        publisher.name: len(published_keys(session, publisher, request, people.main_ids))
        for publisher in standing(session, entity)
    }
    runs = len([each for each in session.registry.seq_nos(session.project.name) if each.is_run])
    earlier = {request.number: request for requests in known.values() for request in requests}
    return Foreseen(people, tuple(earlier.values()), rows, runs)


def ask(session: Session, asked: Asked) -> Request | None:
    """Write down a request; return None where all whom it is about are forgotten already."""
    people = foresee(session, asked).people
    ids = ids_of(people)
    if not ids:
        return None
    by_run = main_ids_by_run(session, people.entity, ids)
    ever = frozenset().union(people.main_ids, *by_run.values())
    own = people.main_ids | (ever - of_others(session, people.entity, ever, ids))
    return Requests(session).record(people.entity.name, people.entities, ids, own, asked.reason)


def forget(
    project: ProfilesProject,
    output: Output,
    asked: Asked | None,
    observe: Observer = lambda _: None,
    timeout: float | None = None,
    *,
    accept: bool = False,
) -> tuple[Forgotten, ...]:
    """Forget people, and finish what earlier requests have left; return what was done.

    A request of which something is left stays open, so that it can be looked for again.

    Args:
        project: the project.
        output: where it is built.
        asked: whom to forget; None to go on with what was asked before.
        observe: is told what the run without them does.
        timeout: seconds to wait for others that write to the warehouse.
        accept: take requests for done although something is left; their certificates say what.

    Raises:
        ProjectError: an identifier is none, or is not known; nothing was done.
        RunError: the run without them failed. They stay out of all later ones; forgetting goes on the next time.
    """
    with open_session(project, output, PURPOSE, observe, timeout) as session:
        if asked is not None:
            ask(session, asked)
        requests = Requests(session).open()
        published = {each.number: _unpublished(session, each) for each in requests}
    if not requests:
        return ()
    seq_no = _built_without(project, output, requests, observe, timeout)
    published = {number: _with_their_ends(taken) for number, taken in published.items()}
    with open_session(project, output, PURPOSE, observe, timeout) as session:
        return tuple(_finished(session, each, published[each.number], seq_no, accept) for each in requests)


def undo(
    project: ProfilesProject,
    output: Output,
    asked: Asked,
    observe: Observer = lambda _: None,
    timeout: float | None = None,
) -> tuple[Request, ...]:
    """Let later runs read people again who were forgotten; return the requests that hold no more.

    What was taken out of earlier runs is not brought back.

    Raises:
        ProjectError: nobody of these is forgotten.
    """
    with open_session(project, output, f"{PURPOSE} --undo", observe, timeout) as session:
        entity, ids = parsed(session, asked.ids, asked.entity)
        found = Requests(session).about(entity.name, ids)
        if not found:
            fail("not-forgotten", f"{', '.join(map(str, ids))} was not forgotten", hint="profiles forget --list")
        Requests(session).undo(found)
        return found


def _unpublished(session: Session, request: Request) -> tuple[TakenOut, ...]:
    """Take people out of what is published."""
    entity = _entity(session, request)
    return tuple(
        take_out_of_published(session, publisher, request, request.main_ids) for publisher in standing(session, entity)
    )


def _with_their_ends(taken: Iterable[TakenOut]) -> tuple[TakenOut, ...]:
    """Wait for the syncs that were started. They go on while the last run is made again, so that is done before."""
    return tuple(map(with_its_end, taken))


def _built_without(
    project: ProfilesProject,
    output: Output,
    requests: Sequence[Request],
    observe: Observer,
    timeout: float | None,
) -> int | None:
    """Make the last finished run again, without those who are not read any more; return its number, None if none is.

    It is as of the same moment, so that nothing else changes. One that was begun for these requests is gone on with.
    """
    with open_session(project, output, PURPOSE, observe, timeout) as session:
        known = session.registry.seq_nos(project.name)
    last = max((each for each in known if each.complete), key=lambda each: (each.end, each.number), default=None)
    if last is None:
        return None
    asked_at = max(each.asked_at for each in requests).replace(tzinfo=UTC)
    if last.created >= asked_at:
        return last.number
    begun = _begun(known, last, asked_at)
    options = run.Options(begin=last.begin, end=last.end, seq_no=begun or "new", lock_timeout=timeout)
    return run.run(project, output, options, observe).window.seq_no


def _begun(known: Iterable[SeqNo], last: SeqNo, asked_at: datetime) -> int | None:
    """Return the number of a run that was begun without these people and not finished."""
    found = [
        e for e in known if not e.complete and (e.begin, e.end) == (last.begin, last.end) and e.created >= asked_at
    ]
    return max((each.number for each in found if each.is_run), default=None)


def _finished(
    session: Session, request: Request, published: Sequence[TakenOut], seq_no: int | None, accept: bool
) -> Forgotten:
    """Take people out of what earlier runs have left, look whether anything is left of them, and certify that."""
    entity = _entity(session, request)
    by_run = main_ids_by_run(session, entity, request.ids)
    ever = frozenset().union(request.main_ids, *by_run.values())
    whom = Whom(request.ids, request.main_ids, ever, by_run)
    _drop_what_no_run_goes_on_from(session)
    requests = Requests(session)
    take_out(session, whom, lambda rows: requests.add(request, BUILT, rows))
    left = what_is_left(session, whom)
    now = datetime.now(UTC).replace(tzinfo=None)
    done = certificates.Done(seq_no, requests.taken(request)[BUILT], published, left, now)
    found = certificates.certificate(request, session.project.name, done)
    files = certificates.write(session.project.folder / "output" / "forgotten", found)
    if left and not accept:
        return Forgotten(request, found, files, tuple(published))
    requests.finish(request, found, now)
    return Forgotten(replace(request, done_at=now), found, files, tuple(published))


def _drop_what_no_run_goes_on_from(session: Session) -> None:
    """Drop tables that older definitions have kept from run to run: no run takes people out of them any more."""
    fates = cleanup.fates(session, cleanup.Rules())
    condemned = [f for f in fates if f.dropped and f.material.name.lower().startswith(ACCUMULATOR.lower())]
    if condemned:
        cleanup.drop(session, condemned)


def _entity(session: Session, request: Request) -> Entity:
    found = next((e for e in session.project.project.entities.values() if e.name == request.entity), None)
    if found is None:
        message = f"request {request.number} is about the entity '{request.entity}', which the project has no more"
        fail("unknown-entity", message, hint="put it back until the request is done")
    return found


def ids_of(people: People) -> tuple[Id, ...]:
    """Return the identifiers that are forgotten with some people: all of theirs, and those that nobody has seen."""
    return (*people.ids, *people.unknown)
