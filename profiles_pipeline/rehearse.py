"""Rehearses a plan on empty tables, so that what would fail half-way is known before anything is touched.

The sources' columns and types are looked up (no row is read), empty tables like them are made in an in-memory DuckDB,
and the whole plan is executed there. Everything that fails is reported at once, with the var to blame.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from sqlglot import exp

from profiles_pipeline import blame, graph, plan, rejection, sql, steps, versions
from profiles_pipeline.compile import Script, Statement, Step
from profiles_pipeline.defaults import unfit_defaults
from profiles_pipeline.dialects import identifier, render
from profiles_pipeline.errors import Problem, Problems, ProjectError, WarehouseError, at, did_you_mean, fail, nearest
from profiles_pipeline.events import Observer, Rehearsing
from profiles_pipeline.patterns import without_wrong_patterns
from profiles_pipeline.plan import Sources
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, Model, SqlModel, VarTable
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.row_texts import RowTexts
from profiles_pipeline.row_texts import refused_texts, without_refused
from profiles_pipeline.stages import BuildMaterial, EnsureSchema, Plan, ReuseMaterial, State
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings
from profiles_pipeline.windows import Window


@dataclass(frozen=True, slots=True)
class Piece:
    """What to rehearse: these models and all above them, in a schema, for a window; and what was built before."""

    models: tuple[str, ...]
    schema: str
    window: Window
    state: State = field(default_factory=State)


def piece_of(planned: Plan) -> Piece:
    """Return what a plan builds or reuses."""
    models = tuple(dict.fromkeys(stage.model.path for stage in planned.materials))
    window = replace(planned.window, coarser=())  # its columns are the same at any time
    return Piece(models, planned.schema, window, planned.state)


def rehearse(
    project: ProfilesProject,
    piece: Piece,
    warehouse: Warehouse,
    sources: Sources,
    observe: Observer = lambda _: None,
) -> tuple[Problem, ...]:
    """Return warnings when every statement of the plan would be accepted for the sources as they are.

    `observe` is told of each model before it is tried.

    Raises:
        ProjectError: with every model and var that would fail, and why.
    """
    problems = Problems()
    project = without_wrong_patterns(project, problems)
    while found := _attempt(project, piece, (warehouse, sources), problems, observe):
        faulty, refused = found
        project = without_refused(project, refused)
        project = project.lacking(faulty) if faulty else project
        piece = replace(piece, models=tuple(path for path in piece.models if path in project.graph.models))
    problems.raise_errors()
    return problems.warnings


def _attempt(
    project: ProfilesProject,
    piece: Piece,
    real: tuple[Warehouse, Sources],
    problems: Problems,
    observe: Observer,
) -> tuple[set[graph.Node], RowTexts] | None:
    """Execute the plan on empty tables; add what is wrong to `problems`.

    Returns: the models and vars it is about, and the texts of sources that are refused; None when nothing is wrong.
    """
    paths = project.graph.with_upstream(piece.models)
    stage_settings = DuckDBSettings(path=MEMORY, base=project.folder, external_access=real[0].external_access)
    with connect_duckdb(stage_settings, purpose="rehearsal", confined=True) as stage:
        stand_ins = _StandIns(project, real[0], stage, real[1], problems)
        for path in project.graph.models:
            model = project.graph.models[path]
            if path in paths and isinstance(model, Input) and model.csv is None:
                rows = stand_ins.of_input(model)
                if path not in stand_ins.lost:
                    stand_ins.try_texts(model, rows)
        if stand_ins.lost or stand_ins.refused:
            return stand_ins.lost, stand_ins.refused
        copy = plan.build(
            project,
            piece.state,
            piece.window,
            Sources(of_input=stand_ins.of_input, of_table=stand_ins.of_table, of_past=stand_ins.of_past),
            schema=piece.schema,
            request=plan.Request(piece.models, only=True, force=True),
        )
        faulty = _performed(project, copy, stand_ins, observe)
        if faulty or stand_ins.refused:
            return faulty, stand_ins.refused
        for path in paths:
            problems.found += stand_ins.ids_that_are_no_text(project.graph.models[path])
            problems.found += stand_ins.times_that_are_none(project.graph.models[path])
        return None


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
        self.lost: set[graph.Node] = set()
        """Inputs whose tables are not found."""
        self.refused: dict[str, Collection[str]] = {}
        """Source -> those of its texts that its rows refuse."""
        self.lacking: dict[str, set[str]] = {}
        """SQL model that is refused -> names that it does not find; its rows are there without them."""
        self.absent: dict[str, tuple[tuple[str, ...], Problem]] = {}
        """Stand-in for a table that SQL text names and that is not found -> its name, what is said of it."""

    def of_input(self, model: Input) -> exp.Expr:
        """Return the stand-in of an input; a table that is not there becomes a problem at its place in the YAML."""
        try:
            rows = self._stand_in(str(model.table), self.sources.of_input(model)).copy()
        except ProjectError as error:
            span = getattr(model.table, "span", None) or model.span
            self.problems.found += [at(problem, span) for problem in error.problems]
            self.lost.add(model.path)
            return exp.table_("missing")
        self.problems.found += self._broken_promises(model, rows)
        return rows

    def columns_of(self, path: str) -> tuple[str, ...]:
        """Return the columns of an input's table; nothing for any other model."""
        model = self.project.graph.models.get(path)
        return self._columns(self.of_input(model)) if isinstance(model, Input) and model.csv is None else ()

    def _columns(self, rows: exp.Expr) -> tuple[str, ...]:
        text = render(exp.select("*").from_(rows.copy()), self.stage.dialect)
        return tuple(column.name for column in self.stage.describe(text))

    def look_at(self, model: Model, rows: exp.Table) -> None:
        """Add a problem for whatever would go wrong with the rows of a model although its statements are accepted."""
        if isinstance(model, SqlModel):
            self.try_texts(model, rows)
        elif isinstance(model, VarTable):
            self.problems.found += unfit_defaults(self.project, model, rows, self.stage)

    def try_texts(self, model: Input | SqlModel, rows: exp.Expr) -> None:
        """Add a problem for each text of a source that says what its rows carry and that they refuse."""
        if found := refused_texts(self.project, model, rows, self.stage):
            self.refused[model.path] = found.keys()
            self.problems.found += [
                p for p in found.values() if not _follows(self.project, model.path, p, self.problems)
            ]

    def is_there_without(self, item: BuildMaterial | ReuseMaterial, copy: Plan, problems: Collection[Problem]) -> bool:
        """Whether a query that is refused for columns it does not find has its rows, NULL for these columns."""
        model = item.model
        if not isinstance(model, SqlModel) or model.spec.single_sql is None:
            return False
        rows = exp.select("*").from_(exp.table_(item.material, db=copy.schema, quoted=True))
        try:
            self.stage.describe(render(rows, self.stage.dialect))
        except WarehouseError:
            return False
        self.lacking[model.path] = {str(problem.about) for problem in problems}
        return True

    def lacking_above(self, path: str) -> set[str]:
        """Return the names that models above one do not find."""
        above = self.project.graph.with_upstream([path])
        return {name for model, names in self.lacking.items() if model in above for name in names}

    def _broken_promises(self, model: Input, rows: exp.Table) -> Iterable[Problem]:
        """Yield a problem for every column that the contract of an input promises and its table does not have."""
        if model.path in self.kept or not model.required_columns:
            return
        self.kept.add(model.path)
        columns = self._columns(rows)
        for name in model.required_columns:
            if name.strip('"').lower() not in map(str.lower, columns):
                message = f"table '{model.table}' has no column '{name}', which the contract of '{model.name}' promises"
                near = did_you_mean(name, columns)
                hint = "; ".join(filter(None, (near, "if it may be missing, mark it is_optional: true")))
                yield Problem("contract-broken", message, name.span or model.span, hint)

    def of_table(self, table: exp.Table) -> exp.Expr:
        """Return the stand-in of a table that SQL text names."""
        bare = exp.Table(**{k: table.args[k] for k in ("this", "db", "catalog") if table.args.get(k)}).copy()
        try:
            found = self._stand_in(sql.written_name(table), self.sources.of_table(bare))
        except ProjectError as error:
            found = exp.table_(f"absent_{len(self.absent)}", quoted=True)
            name = tuple(part.name for part in table.parts)
            self.absent[found.name] = name, replace(error.problems[0], about=table.name)
        return plan.renamed(found.copy(), table)

    def of_past(self, table: exp.Table) -> exp.Expr:
        """Return the stand-in of a material of an earlier window."""
        return self._stand_in(sql.written_name(table), table).copy()

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
            found = self._type_of(query)
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
        found = self._type_of(query)
        if not found.startswith(("TIMESTAMP", "DATE", "VARCHAR", "NULL", '"NULL"')):
            message = (
                f"occurred_at_col '{model.occurred_at}' of input '{model.name}' is of type {found}, which holds no time"
            )
            yield Problem("wrong-type", message, model.occurred_at.span or model.span, "name a column of timestamps")

    def _type_of(self, query: exp.Select) -> str:
        """Return the type of the only column of a query; that of NULL when what is wrong with it is told already."""
        try:
            return self.stage.describe(render(query, self.stage.dialect, pretty=False))[0].type
        except WarehouseError:
            if not self.problems.errors:
                raise
            return "NULL"

    def _stand_in(self, name: str, item: exp.Expr) -> exp.Table:
        if name not in self.made:
            text = render(exp.select("*").from_(item), self.warehouse.dialect)
            try:
                columns = self.warehouse.describe(text)
            except WarehouseError as error:
                reason = str(error).splitlines()[0]
                fail("unreadable-source", f"'{name}' cannot be read: {reason}", hint="mend the file, or name another")
            table = exp.table_(f"source_{len(self.made)}", quoted=True)
            listed = ", ".join(f"{_null_of(c.type)} AS {identifier(c.name, 'duckdb')}" for c in columns)
            self.stage.execute(f"CREATE VIEW {render(table, 'duckdb')} AS SELECT {listed} WHERE FALSE")
            self.made[name] = table
        return self.made[name]


def _null_of(data_type: str) -> str:
    """Return NULL of a type; a column without any value has no type, and so does its stand-in."""
    return "NULL" if data_type.strip('"') == "NULL" else f"CAST(NULL AS {data_type})"


def _performed(project: ProfilesProject, copy: Plan, stand_ins: _StandIns, observe: Observer) -> set[graph.Node]:
    """Execute every script on the empty tables and return what fails; models downstream of that are left out."""
    stage = stand_ins.stage
    failed: set[str] = set()
    faulty: set[graph.Node] = set()
    number, total = 0, len(copy.materials)
    for item in copy.stages:
        if isinstance(item, EnsureSchema):
            stage.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(item.schema, 'duckdb')}")
        if not isinstance(item, BuildMaterial | ReuseMaterial):
            continue
        number += 1
        observe(Rehearsing(item.model, number, total))
        path = item.model.path
        if (failed | stand_ins.refused.keys()) & set(project.graph.parents[path]):
            failed.add(path)
        elif found := _failures(project, item.model, item.script, stand_ins):
            lacking = stand_ins.lacking_above(path)
            found = {node: own for node, said in found.items() if (own := _own_problems(said, lacking))}
            faulty |= found.keys()
            said = [(node, problem) for node, own in found.items() for problem in own]
            told = [problem for node, problem in said if not _follows(project, node, problem, stand_ins.problems)]
            stand_ins.problems.found += told
            if lacking or not stand_ins.is_there_without(item, copy, told):
                failed.add(path)
        else:
            stand_ins.look_at(item.model, exp.table_(item.material, db=copy.schema, quoted=True))
    return faulty


def _own_problems(problems: Iterable[Problem], lacking: Collection[str]) -> tuple[Problem, ...]:
    """Return the problems of a model that do not follow from columns that the models above it lack by mistake."""
    if not lacking:
        return tuple(problems)
    return tuple(p for p in problems if p.code == "unknown-column" and not nearest(str(p.about), lacking))


def _follows(project: ProfilesProject, node: graph.Node, problem: Problem, problems: Problems) -> bool:
    """Whether a problem may follow from another that is told already."""
    var = project.project.entity_vars.get(node[0], {}).get(node[1]) if isinstance(node, tuple) else None
    main_ids = {"main_id", *(entity.id_column.lower() for entity in project.project.entities.values())}
    if str(problem.about).lower() in main_ids and (problems.errors or project.errors):
        return True
    read = (node, var.source if var else None)
    doubtful = not project.graph.doubtful.isdisjoint(read)
    return doubtful or f"var/{problem.about}".lower() in project.project.broken.names


def _failures(
    project: ProfilesProject, model: Model, script: Script, stand_ins: _StandIns
) -> dict[graph.Node, tuple[Problem, ...]]:
    """Return what of a model would fail, and why."""
    for step in script.steps:
        if absent := _absent_tables(project, model, step, stand_ins):
            return absent
        try:
            steps.take(stand_ins.stage, step, lambda tree: render(tree, stand_ins.stage.dialect, pretty=False))
        except WarehouseError as error:
            return rejection.blamed(project, model, step, error, stand_ins.stage, stand_ins.columns_of)
    return {}


def _absent_tables(
    project: ProfilesProject, model: Model, step: Step, stand_ins: _StandIns
) -> dict[graph.Node, tuple[Problem, ...]]:
    """Return the problems of a statement with tables that are not found, by the model or var whose SQL names them."""
    named = step.tree.find_all(exp.Table) if isinstance(step, Statement) and stand_ins.absent else ()
    found: dict[graph.Node, tuple[Problem, ...]] = {}
    for stand_in in dict.fromkeys(table.name for table in named if table.name in stand_ins.absent):
        name, problem = stand_ins.absent[stand_in]
        var, origin = blame.writer_of(project, model, name)
        place = origin.span if origin else blame.place_of_model(model)
        node = rejection.node_of(model, var)
        found[node] = (*found.get(node, ()), at(problem, place))
    return found
