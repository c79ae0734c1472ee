"""Funnels: how many sessions and visitors reached each stage, as the last run built it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from profiles_pipeline import run
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import fail
from profiles_pipeline.funnels import ReachedStage
from profiles_pipeline.names import normalise_path
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.answer import Question, run_query
from profiles_pipeline.resolve.session_models import SessionTable


@dataclass(frozen=True, slots=True)
class Funnel:
    """The stages of the sessions of a name, in order."""

    path: str
    name: str
    stages: tuple[ReachedStage, ...]


def funnels(
    project: ProfilesProject,
    output: Output,
    wanted: str | None = None,
    seq_no: int | Literal["latest"] | None = None,
    observe: run.Observer = lambda _: None,
) -> tuple[Funnel, ...]:
    """Return the funnels of a project as the last run built them, or that of `seq_no`.

    Args:
        project: the project.
        output: where it is built.
        wanted: path or name of the sessions, or of their funnel; None for all.
        seq_no: the time context to look at.
        observe: is told when somebody else has the warehouse.

    Raises:
        ProjectError: there is no such funnel, or it has not been built.
    """
    tables = _tables(project, wanted)
    return tuple(_read(project, output, table, seq_no, observe) for table in tables)


def _tables(project: ProfilesProject, wanted: str | None) -> list[SessionTable]:
    found = [m for m in project.graph.models.values() if isinstance(m, SessionTable) and m.kind == "funnel"]
    if wanted is not None:
        path = normalise_path(wanted)
        paths = {path, f"models/{path}"}
        found = [m for m in found if paths & {m.path, m.sessions.paths["sessions"]}]
    if not found:
        what = f"'{wanted}' has no funnel" if wanted is not None else "the project has no funnel"
        fail("no-funnel", what, hint="give a model of type sessions some 'stages': names and conditions of events")
    return found


def _read(
    project: ProfilesProject,
    output: Output,
    table: SessionTable,
    seq_no: int | Literal["latest"] | None,
    observe: run.Observer,
) -> Funnel:
    columns = "stage, sessions, visitors, mean_seconds"
    text = f"select {columns} from {{{{this.DeRef('{table.path}')}}}} order by stage_number"
    rows = run_query(project, output, Question(text, seq_no, dialect="duckdb"), observe).rows.rows
    return Funnel(table.path, table.sessions.name, tuple(map(_stage, rows)))


def _stage(row: Sequence[object]) -> ReachedStage:
    seconds = None if row[3] is None else float(str(row[3]))
    return ReachedStage(str(row[0]), int(str(row[1])), int(str(row[2])), seconds)
