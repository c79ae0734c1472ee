"""Tries a plan where it will run: every statement over no rows, in one transaction that is taken back.

The rehearsal in memory finds what is wrong with a project. A server that speaks another dialect may refuse what is
right there, and is asked before the first table is made. What it has taken before it need not be asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar, cast

from sqlglot import exp

from profiles_pipeline import blame, plan, rejection, steps, untranslated
from profiles_pipeline.dialects import capabilities, render
from profiles_pipeline.errors import Problem, Problems, WarehouseError
from profiles_pipeline.events import Observer, Rehearsing
from profiles_pipeline.plan import Sources
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.rehearse import Piece
from profiles_pipeline.resolve.model import Input, Model
from profiles_pipeline.stages import AuditMaterial, BuildMaterial, Plan
from profiles_pipeline.warehouse.base import Column, Rows, Warehouse

Result = TypeVar("Result")

_SCHEMA = "pg_temp"
"""Where everything is made that is made for the trial: it is seen by this session alone, and needs no rights."""


def rehearse_there(
    project: ProfilesProject,
    piece: Piece,
    warehouse: Warehouse,
    sources: Sources,
    observe: Observer = lambda _: None,
) -> None:
    """Try what of a plan this warehouse has never built, where it is not the one in memory.

    One that cannot take things back is not asked: what cannot be said in its dialect is found by writing it.

    Raises:
        ProjectError: with every model and var that it refuses, and why.
        WarehouseError: the output schema cannot be made.
    """
    able = capabilities(warehouse.dialect)
    built = {kept.fingerprint for kept in piece.state.built}
    fresh = tuple(path for path in piece.models if project.fingerprints[path] not in built)
    if able.sqlglot_dialect == "duckdb" or not fresh:
        return
    copy = plan.build(
        project,
        piece.state,
        piece.window,
        _without_rows(sources),
        schema=_SCHEMA,
        request=plan.Request(tuple(project.graph.with_upstream(fresh)), only=True, force=True),
    )
    if not able.transactional_ddl:
        untranslated.refuse(project, copy, warehouse.dialect)
        return
    problems = Problems()
    with suppress(_TakenBackError), warehouse.transaction():
        warehouse.execute("SET TRANSACTION READ WRITE")  # in a session that otherwise only reads, too
        warehouse.ensure_schema(piece.schema)
        problems.found += _refused(project, copy, _Forgiving(warehouse), observe)
        raise _TakenBackError
    problems.raise_errors()


class _TakenBackError(Exception):
    """Ends a transaction that is to have had no effect."""


def _without_rows(sources: Sources) -> Sources:
    """Return sources that have the same columns and no rows."""

    def none_of(item: exp.Expr) -> exp.Expr:
        name = item.alias or "nothing"
        rows = exp.select("*").from_(item).where(exp.false())
        return rows.subquery(exp.to_identifier(name, quoted=True))

    def of_input(model: Input) -> exp.Expr:
        return none_of(sources.of_input(model))

    return Sources(
        of_input=of_input,
        of_table=lambda table: none_of(sources.of_table(table)),
        dialect=sources.dialect,
        of_past=lambda table: none_of(sources.of_past(table)),
        structs=sources.structs,
    )


def _refused(project: ProfilesProject, copy: Plan, stage: _Forgiving, observe: Observer) -> list[Problem]:
    """Take every step of a plan; return what is refused. Models after one that is refused are left out."""
    found: list[Problem] = []
    failed: set[str] = set()
    total = len(copy.materials)
    tried = cast(Warehouse, stage)
    for number, item in enumerate((s for s in copy.stages if isinstance(s, BuildMaterial)), start=1):
        path = item.model.path
        observe(Rehearsing(item.model, number, total))
        if failed & set(project.graph.parents[path]):
            failed.add(path)
            continue
        problems = _steps_refused(project, item, tried)
        problems = problems or _audits_refused(project, copy, item.model, tried)
        if problems:
            failed.add(path)
            found += problems
    return found


def _steps_refused(project: ProfilesProject, item: BuildMaterial, stage: Warehouse) -> list[Problem]:
    for step in item.script.steps:
        try:
            steps.take(stage, step, lambda tree: render(tree, stage.dialect, pretty=False))
        except WarehouseError as error:
            if error.hint:  # it is not for what the statement says that it was refused
                return [Problem("access-denied", str(error), blame.place_of_model(item.model), error.hint)]
            blamed = rejection.blamed(project, item.model, step, error, stage, lambda _: ())
            return [problem for said in blamed.values() for problem in said]
    return []


def _audits_refused(project: ProfilesProject, copy: Plan, model: Model, stage: Warehouse) -> list[Problem]:
    audits = [s for s in copy.stages if isinstance(s, AuditMaterial) and s.model.path == model.path]
    for tree in [tree for stage_ in audits for tree in (*(a.tree for a in stage_.audits), stage_.count)]:
        try:
            stage.query(render(tree, stage.dialect, pretty=False))
        except WarehouseError as error:
            place = blame.places(project, model, ())
            return [Problem("sql-rejected", f"a check of {model.path} is not accepted: {error}", place)]
    return []


class _Forgiving:
    """A warehouse within a transaction, in which a statement that is refused is as if nothing had been asked."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.dialect = warehouse.dialect

    def execute(self, text: str, params: Sequence[object] | None = None) -> None:
        self._guarded(lambda: self._warehouse.execute(text, params))

    def query(self, text: str, params: Sequence[object] | None = None) -> Rows:
        return self._guarded(lambda: self._warehouse.query(text, params))

    def scalar(self, text: str, params: Sequence[object] | None = None) -> object:
        return self._guarded(lambda: self._warehouse.scalar(text, params))

    def describe(self, select_sql: str) -> tuple[Column, ...]:
        return self._guarded(lambda: self._warehouse.describe(select_sql))

    def _guarded(self, work: Callable[[], Result]) -> Result:
        self._warehouse.execute("SAVEPOINT trial")
        try:
            made = work()
        except WarehouseError:
            self._warehouse.execute("ROLLBACK TO SAVEPOINT trial")
            raise
        self._warehouse.execute("RELEASE SAVEPOINT trial")
        return made
