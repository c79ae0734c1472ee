"""Rehearses a plan on empty tables, so that what would fail half-way is known before anything is touched.

The sources' columns and types are looked up (no row is read), empty tables like them are made in an in-memory DuckDB,
and the whole plan is executed there. Everything that fails is reported at once, with the var to blame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlglot import exp

from profiles_pipeline import blame, identity, plan, sql, versions
from profiles_pipeline.compile import Script, SolveComponents, Statement
from profiles_pipeline.dialects import identifier, render
from profiles_pipeline.errors import Problem, Problems, ProjectError, Span, WarehouseError, at, did_you_mean
from profiles_pipeline.plan import BuildMaterial, EnsureSchema, Plan, ReuseMaterial, Sources, Window
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import FeatureTable, Input, InputVarTable, Model, SqlModel, Stitcher
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings

_MISSING_COLUMN = re.compile(r'(?:Referenced column|column) "([^"]+)" (?:not found|that does not exist)', re.IGNORECASE)
_CANDIDATES = re.compile(r'"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Piece:
    """What to rehearse: these models and all above them, in a schema, for a window."""

    models: tuple[str, ...]
    schema: str
    window: Window


def piece_of(planned: Plan) -> Piece:
    """Return what a plan builds or reuses."""
    return Piece(tuple(stage.model.path for stage in planned.materials), planned.schema, planned.window)


def rehearse(project: ProfilesProject, piece: Piece, warehouse: Warehouse, sources: Sources) -> tuple[Problem, ...]:
    """Return warnings when every statement of the plan would be accepted for the sources as they are.

    Raises:
        ProjectError: with every model and var that would fail, and why.
    """
    problems = Problems()
    paths = project.graph.with_upstream(piece.models)
    with connect_duckdb(DuckDBSettings(path=MEMORY, base=project.folder), purpose="rehearsal") as stage:
        stand_ins = _StandIns(project, warehouse, stage, sources, problems)
        for path in project.graph.models:
            model = project.graph.models[path]
            if path in paths and isinstance(model, Input) and model.csv is None:
                stand_ins.of_input(model)
        problems.raise_errors()
        try:
            copy = plan.build(
                project,
                plan.State(),
                piece.window,
                Sources(of_input=stand_ins.of_input, of_table=stand_ins.of_table),
                schema=piece.schema,
                request=plan.Request(piece.models, only=True),
            )
        except ProjectError as error:
            raise ProjectError([*problems.errors, *error.problems]) from error
        problems.found += _performed(project, copy, stage)
        problems.raise_errors()
        for path in paths:
            problems.found += stand_ins.ids_that_are_no_text(project.graph.models[path])
            problems.found += stand_ins.times_that_are_none(project.graph.models[path])
        problems.raise_errors()
    return problems.warnings


class _StandIns:
    """Empty tables with the columns of the real sources."""

    def __init__(
        self, project: ProfilesProject, warehouse: Warehouse, stage: Warehouse, sources: Sources, problems: Problems
    ) -> None:
        self.project = project
        self.warehouse = warehouse
        self.stage = stage
        self.sources = sources
        self.problems = problems
        self.made: dict[str, exp.Table] = {}
        self.kept: set[str] = set()

    def of_input(self, model: Input) -> exp.Expr:
        """Return the stand-in of an input; a table that is not there becomes a problem at its place in the YAML."""
        try:
            rows = self._stand_in(str(model.table), self.sources.of_input(model)).copy()
        except ProjectError as error:
            span = getattr(model.table, "span", None) or model.span
            self.problems.found += [at(problem, span) for problem in error.problems]
            self.made[str(model.table)] = exp.table_("missing")
            return self.made[str(model.table)].copy()
        self.problems.found += self._broken_promises(model, rows)
        return rows

    def _broken_promises(self, model: Input, rows: exp.Table) -> Iterable[Problem]:
        """Yield a problem for every column that the contract of an input promises and its table does not have."""
        if model.path in self.kept or not model.required_columns:
            return
        self.kept.add(model.path)
        columns = [c.name for c in self.stage.describe(render(exp.select("*").from_(rows.copy()), self.stage.dialect))]
        for name in model.required_columns:
            if name.lower() not in map(str.lower, columns):
                message = f"table '{model.table}' has no column '{name}', which the contract of '{model.name}' promises"
                hint = f"{did_you_mean(name, columns)}; if it may be missing, mark it is_optional: true"
                yield Problem("contract-broken", message, name.span or model.span, hint)

    def of_table(self, table: exp.Table) -> exp.Expr:
        """Return the stand-in of a table that SQL text names."""
        bare = exp.Table(**{k: table.args[k] for k in ("this", "db", "catalog") if table.args.get(k)}).copy()
        found = self._stand_in(plan.written_name(table), self.sources.of_table(bare))
        return plan.renamed(found.copy(), table)

    def ids_that_are_no_text(self, model: Model) -> Iterable[Problem]:
        """Yield a warning for every identifier of an input that has to be cast to text."""
        if not isinstance(model, Input) or model.csv is not None:
            return
        reader = Reader(self.project.project, versions.ANY_TIME)
        rows = self.of_input(model)
        for row_id in model.ids:
            value = reader.expression(row_id.select, model.path, "id").tree
            if sql.symbols(value):
                continue
            query = exp.select(exp.alias_(value.copy(), "id")).from_(rows.copy())
            found = self.stage.describe(render(query, self.stage.dialect, pretty=False))[0].type
            if found not in ("VARCHAR", '"NULL"', "NULL"):
                message = f"id '{row_id.select}' of input '{model.name}' is of type {found}; it is read as text"
                span = getattr(row_id.select, "span", None) or model.span
                yield Problem("id-not-text", message, span, f"write cast({row_id.select} as text)", severity="warning")

    def times_that_are_none(self, model: Model) -> Iterable[Problem]:
        """Yield a problem when the event time of an input is of a type that holds no time."""
        if not isinstance(model, Input) or model.occurred_at is None or model.csv is not None:
            return
        time = Reader(self.project.project, versions.ANY_TIME).expression(model.occurred_at, model.path).tree
        query = exp.select(exp.alias_(time.copy(), "time")).from_(self.of_input(model))
        found = self.stage.describe(render(query, self.stage.dialect, pretty=False))[0].type
        if not found.startswith(("TIMESTAMP", "DATE", "VARCHAR", "NULL", '"NULL"')):
            message = (
                f"occurred_at_col '{model.occurred_at}' of input '{model.name}' is of type {found}, which holds no time"
            )
            yield Problem("wrong-type", message, model.occurred_at.span or model.span, "name a column of timestamps")

    def _stand_in(self, name: str, item: exp.Expr) -> exp.Table:
        if name not in self.made:
            text = render(exp.select("*").from_(item), self.warehouse.dialect)
            columns = self.warehouse.describe(text)
            table = exp.table_(f"source_{len(self.made)}", quoted=True)
            listed = ", ".join(f"{_null_of(c.type)} AS {identifier(c.name, 'duckdb')}" for c in columns)
            self.stage.execute(f"CREATE VIEW {render(table, 'duckdb')} AS SELECT {listed} WHERE FALSE")
            self.made[name] = table
        return self.made[name]


def _null_of(data_type: str) -> str:
    """Return NULL of a type; a column without any value has no type, and so does its stand-in."""
    return "NULL" if data_type.strip('"') == "NULL" else f"CAST(NULL AS {data_type})"


def _performed(project: ProfilesProject, copy: Plan, stage: Warehouse) -> list[Problem]:
    """Execute every script on the empty tables; models downstream of one that fails are left out."""
    found: list[Problem] = []
    failed: set[str] = set()
    for item in copy.stages:
        if isinstance(item, EnsureSchema):
            stage.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(item.schema, 'duckdb')}")
        if not isinstance(item, BuildMaterial | ReuseMaterial):
            continue
        path = item.model.path
        if failed & set(project.graph.parents[path]):
            failed.add(path)
            continue
        problems = list(_problems_of(project, item.model, item.script, stage))
        found += problems
        if problems:
            failed.add(path)
    return found


def _problems_of(project: ProfilesProject, model: Model, script: Script, stage: Warehouse) -> Iterable[Problem]:
    for step in script.steps:
        try:
            if isinstance(step, SolveComponents):
                identity.solve(stage, step)
            else:
                stage.execute(render(step.tree, stage.dialect, pretty=False))
        except WarehouseError as error:
            yield from _blamed(project, model, step, error, stage)
            return


def _blamed(
    project: ProfilesProject, model: Model, step: Statement | SolveComponents, error: WarehouseError, stage: Warehouse
) -> Iterable[Problem]:
    """Return a problem for each var of the statement that fails by itself, or one for the model."""
    culprits = [
        _problem(str(own), f"var '{name}'", blame.place_of_var(project, model, name))
        for name, own in blame.culprits(step, stage, same=lambda _: True).items()
    ]
    if not culprits:
        problem = _problem(str(error), f"{_noun(model)} '{model.name}'", blame.place_of_model(model))
        culprits = [replace(problem, span=_span_in_source(project, model, str(error)) or problem.span)]
    return culprits


def _span_in_source(project: ProfilesProject, model: Model, message: str) -> Span | None:
    """Return the place where a source of the model names the column that is missing, if one does."""
    missing = _MISSING_COLUMN.search(message)
    for path in project.graph.parents[model.path] if missing else ():
        source = project.graph.models[path]
        if missing and isinstance(source, Input):
            for text in (source.occurred_at, source.where, *(row_id.select for row_id in source.ids)):
                if text and re.search(rf"\b{re.escape(missing[1])}\b", text, re.IGNORECASE):
                    return text.span
    return None


def _problem(message: str, what: str, span: Span | None) -> Problem:
    missing = _MISSING_COLUMN.search(message)
    if missing:
        rest = message[missing.end() :]
        candidates = _CANDIDATES.findall(rest)
        plain = [candidate.rpartition(".")[2] for candidate in candidates]
        hint = did_you_mean(missing[1], plain)
        return Problem(
            "unknown-column", f"{what} uses column '{missing[1]}', which its source does not have", span, hint
        )
    first, *more = [line for line in message.partition(" Candidate functions:")[0].splitlines() if line.strip()]
    return Problem("sql-rejected", f"{what} is not accepted: {first}", span, excerpt="\n".join(more) or None)


def _noun(model: Model) -> str:
    nouns = {
        Stitcher: "id stitcher",
        SqlModel: "SQL model",
        InputVarTable: "the rows of",
        FeatureTable: "feature table",
    }
    return next((noun for kind, noun in nouns.items() if isinstance(model, kind)), "model")
