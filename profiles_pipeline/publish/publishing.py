"""Publishes: finds the difference, stops where a guard says so, writes it and hands it on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Check, Problem, RunError, did_you_mean, fail
from profiles_pipeline.events import Observer
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.publish.delivery import Delivered, check_sink, deliver, followed
from profiles_pipeline.publish.difference import Difference, find_difference
from profiles_pipeline.publish.ledger import Counts, Publication
from profiles_pipeline.publish.writing import write
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session, open_session


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a publisher has done.

    Attributes:
        publication: what was written; None when nothing had changed.
        published: number of the newest publication, whether it was made now or before.
        counts: of the difference that was found.
        relation: the table, as SQL names it.
        seq_no: the run that is published.
        checks: the guards, and how a sync went that was started.
        delivered: what was handed on, what earlier publications had left included.
        mapping: the query to give to the destination, where it wants one.
    """

    publisher: Publisher
    publication: Publication | None
    published: int
    counts: Counts
    relation: str
    seq_no: int
    checks: tuple[Check, ...]
    delivered: Delivered
    mapping: str | None


def find_publisher(project: ProfilesProject, name: str) -> Publisher:
    """Return the publisher of a name, with or without ``publish/`` before it.

    Raises:
        ProjectError: the project has none of that name.
    """
    wanted = name.strip().removeprefix("publish/").lower()
    found = next((p for p in project.publishers if p.name.lower() == wanted), None)
    if found is None:
        hint = (
            did_you_mean(wanted, [p.name for p in project.publishers]) or "declare it under 'publish' of pipeline.yaml"
        )
        fail("unknown-publisher", f"there is no publisher '{name}'", hint=hint)
    return found


@contextmanager
def preview(
    project: ProfilesProject,
    output: Output,
    name: str,
    observe: Observer = lambda _: None,
    timeout: float | None = None,
) -> Iterator[Difference]:
    """Yield what a publisher would write; nothing is written, and what was found is forgotten when the block ends.

    Raises:
        ProjectError: there is no such publisher, or what it publishes is not as it has to be.
    """
    publisher = find_publisher(project, name)
    with open_session(project, output, f"profiles publish {publisher.name} --plan", observe, timeout) as session:
        yield find_difference(session, publisher)


def publish(
    project: ProfilesProject,
    output: Output,
    name: str,
    *,
    approve: bool = False,
    observe: Observer = lambda _: None,
    timeout: float | None = None,
) -> Outcome:
    """Publish what the plain views show and return what was done.

    Raises:
        ProjectError: there is no such publisher, or what it publishes is not as it has to be; nothing was written.
        RunError: a guard tripped, and nothing was written; or not all of it could be handed on, which is noted.
    """
    publisher = find_publisher(project, name)
    with open_session(project, output, f"profiles publish {publisher.name}", observe, timeout) as session:
        made = publish_in(session, publisher, approve=approve)
    done = with_what_follows(made)
    if failed := next((check for check in done.checks if check.stops), None):
        problem = Problem("sync-failed", f"'{publisher.name}' is written. {failed.description}", publisher.span)
        raise RunError(problem, publisher.path, done.seq_no, checks=done.checks)
    return done


def with_what_follows(outcome: Outcome) -> Outcome:
    """Return an outcome with the check of what it has started elsewhere, once that has ended."""
    return replace(outcome, checks=(*outcome.checks, *followed(outcome.publisher, outcome.delivered)))


def publish_in(session: Session, publisher: Publisher, *, approve: bool = False, seq_no: int | None = None) -> Outcome:
    """Publish in a session that is open. See `publish`.

    Args:
        session: the project, open on its warehouse.
        publisher: one of its publishers.
        approve: publish even where guards trip, this once.
        seq_no: the run to publish; None for the one that the plain views show.
    """
    check_sink(publisher)
    left = deliver(session, publisher)  # what earlier publications have left comes first: order is kept
    difference = find_difference(session, publisher, seq_no)
    if difference.tripped and not approve:
        raise tripped(difference)
    made = None if difference.is_empty and not difference.tripped else write(session, difference, approved=approve)
    arrived = deliver(session, publisher) if made is not None else Delivered()
    mapping = publisher.destination.mapping
    dialect = session.warehouse.dialect
    return Outcome(
        publisher=publisher,
        publication=made,
        published=made.number if made else difference.last.number if difference.last else 0,
        counts=difference.counts,
        relation=render(difference.relations.table, dialect),
        seq_no=difference.window.seq_no,
        checks=tuple(guard.approved if approve else guard.check for guard in difference.guards),
        delivered=left.and_then(arrived),
        mapping=render(mapping(difference.relations), dialect) if mapping else None,
    )


def tripped(difference: Difference) -> RunError:
    """Return the error of a difference that a guard stops."""
    name = difference.publisher.name
    told = "; ".join(str(guard.told) for guard in difference.tripped)
    message = f"'{name}' was not published: {told}. Nothing was written, what was published before stands"
    hint = f"look at it with `profiles publish {name} --plan`; if it is right, `profiles publish {name} --approve`"
    problem = Problem("guard-tripped", message, difference.publisher.span, hint)
    checks = [guard.check for guard in difference.guards]
    return RunError(problem, difference.publisher.path, difference.window.seq_no, checks=checks)
