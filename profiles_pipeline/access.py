"""Tries whether a project may do what a run has to: connect, read its inputs, write to its output schema.

Every table made on the way is gone again afterwards. A DuckDB file that is not there yet is made, and stays empty.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline import run
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier, render
from profiles_pipeline.errors import Problem, ProjectError, WarehouseError, at
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that was tried.

    Attributes:
        name: what a run needs, for people.
        problem: why it is not possible; None when it is.
        note: what else there is to know, such as where the rows of an input are found.
    """

    name: str
    problem: Problem | None = None
    note: str = ""

    @property
    def passed(self) -> bool:
        """True when it is possible."""
        return self.problem is None


def try_access(
    project: ProfilesProject, output: Output, observe: run.Observer = lambda _: None, lock_timeout: float | None = None
) -> Iterator[Trial]:
    """Yield each trial as soon as it is known; when the connection fails, there is nothing else to try.

    Raises:
        LockTimeoutError: another run kept the warehouse for too long.
    """
    place = "a database in memory" if output.settings.is_in_memory else output.settings.place
    connect = f"connect to {place}"
    try:
        with run.open_session(project, output, "profiles validate access", observe, lock_timeout) as session:
            yield Trial(connect)
            for model in project.graph.models.values():
                if isinstance(model, Input):
                    yield _reading(session, model)
            yield _tried(f"make and drop a table in schema {output.schema}", lambda: _write(session))
    except WarehouseError as error:
        hint = error.hint or "mend the connection in the siteconfig"
        yield Trial(connect, Problem("no-connection", str(error), hint=hint))


def _reading(session: run.Session, model: Input) -> Trial:
    """Return whether a row of an input can be read."""
    name = f"read {model.path} ({model.table})"
    if model.csv is not None:
        return Trial(name, note="a file of the project")

    def read() -> str:
        source = session.sources.of_input(model)
        dialect = session.warehouse.dialect
        session.warehouse.query(render(exp.select("*").from_(source).limit(1), dialect))
        found = session.warehouse.source(str(model.table))
        # Where names or texts have to be put right, what is selected from is a query.
        is_query = found.kind == "relation" and not isinstance(source, exp.Table)
        return f"from {found.origin if is_query else render(source, dialect, pretty=False)}"

    trial = _tried(name, read)
    if trial.problem is not None and model.is_optional and trial.problem.code == "missing-table":
        return Trial(name, note="not there, and its contract says that it is optional")
    if trial.problem is not None:
        return Trial(name, at(trial.problem, getattr(model.table, "span", None) or model.span))
    return trial


def _write(session: run.Session) -> str:
    """Make, fill, read and drop a table of a name that nobody else uses."""
    warehouse = session.warehouse
    name = exp.table_(f"profiles_access_{uuid.uuid4().hex[:12]}", db=session.output.schema, quoted=True)
    table, schema = render(name, warehouse.dialect), identifier(session.output.schema, warehouse.dialect)
    missing = _schema_is_missing(session)
    warehouse.ensure_schema(session.output.schema)
    warehouse.execute(f"CREATE TABLE {table} AS SELECT 1 AS one")
    warehouse.query(f"SELECT one FROM {table}")
    warehouse.execute(f"DROP TABLE {table}")
    if missing:
        warehouse.execute(f"DROP SCHEMA {schema} CASCADE")
    return "the schema is yet to be made" if missing else ""


def _schema_is_missing(session: run.Session) -> bool:
    """True when the output schema does not exist yet."""
    found = session.warehouse.scalar(
        """SELECT COUNT(*) FROM information_schema.schemata
        WHERE catalog_name = CURRENT_DATABASE() AND LOWER(schema_name) = LOWER(?)""",
        [session.output.schema],
    )
    return found == 0


def _tried(name: str, work: Callable[[], str]) -> Trial:
    try:
        return Trial(name, note=work())
    except ProjectError as error:
        return Trial(name, error.problems[0])
    except WarehouseError as error:
        hint = error.hint or "grant the role of the connection this right"
        return Trial(name, Problem("access-denied", str(error), hint=hint))
