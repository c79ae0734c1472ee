"""Answers questions about who is who, on a warehouse that is opened for reading only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiles_pipeline import run
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries import lookup, stitching
from profiles_pipeline.queries.id_graph import SeqNoAsked, open_graph, stitcher_named, stitcher_of, stitchers
from profiles_pipeline.queries.lookup import Explanation, Person
from profiles_pipeline.queries.reading import open_for_reading
from profiles_pipeline.queries.stitching import StitchingReport


@dataclass(frozen=True, slots=True)
class View:
    """Which time context to look at, and how long to wait for it.

    Attributes:
        seq_no: its number, a moment for the last that was finished as of it, or None for the newest that is finished.
        observe: told when the warehouse is not free.
        lock_timeout: seconds to wait for a run to finish.
    """

    seq_no: SeqNoAsked = None
    observe: run.Observer = lambda _: None
    lock_timeout: float | None = None


def stitching_reports(
    project: ProfilesProject,
    output: Output,
    model: str | None = None,
    largest: int = stitching.LARGEST,
    view: View = View(),
    seeds: Sequence[tuple[str, str]] = (),
) -> tuple[StitchingReport, ...]:
    """Return the report of one stitcher, or of every one that has been built; see `stitching_report`.

    Raises:
        ProjectError: the stitcher does not exist, nothing has been built, or none of the seeds is there.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    with open_for_reading(project, output, "profiles audit id_stitcher", view.observe, view.lock_timeout) as session:
        _fail_unless_built(session)
        chosen = (stitcher_named(session, model),) if model else stitchers(session)
        graphs = [open_graph(session, stitcher, view.seq_no) for stitcher in chosen]
        reports = tuple(stitching.stitching_report(graph, largest, seeds) for graph in graphs)
    if seeds and not any(report.largest for report in reports):
        value, id_type = seeds[0]
        fail("unknown-id", f"there is no {id_type} '{value}', nor any other of the seeds", hint="columns: id, id_type")
    return reports


def look_up(
    project: ProfilesProject,
    output: Output,
    value: str,
    entity: str | None = None,
    view: View = View(),
) -> tuple[Person, ...]:
    """Return everybody who has an id; several when it is an id of several types.

    Raises:
        ProjectError: the entity or the id is unknown, or nothing has been built.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    with open_for_reading(project, output, "profiles show entity-lookup", view.observe, view.lock_timeout) as session:
        _fail_unless_built(session)
        return lookup.people(open_graph(session, stitcher_of(session, entity), view.seq_no), value)


def explain(
    project: ProfilesProject,
    output: Output,
    ids: tuple[str, str],
    entity: str | None = None,
    view: View = View(),
) -> Explanation:
    """Return why two ids are one, or are not.

    Raises:
        ProjectError: the entity or an id is unknown, or nothing has been built.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    with open_for_reading(project, output, "profiles show entity-lookup", view.observe, view.lock_timeout) as session:
        _fail_unless_built(session)
        return lookup.explain(open_graph(session, stitcher_of(session, entity), view.seq_no), *ids)


def _fail_unless_built(session: run.Session) -> None:
    if not session.registry.exists():
        fail("nothing-built", "there is no graph yet: the project has not been run here", hint="profiles run")
