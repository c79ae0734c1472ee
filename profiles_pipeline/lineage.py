"""Column lineage: which columns of its parents decide the values of a model's columns.

Known from the project alone; conditions count as much as values do. Says nothing about columns that nobody names, such
as those of an input that are passed on untouched: `passed_on` adds them once they are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from profiles_pipeline import sql
from profiles_pipeline.compile import Compilation, Statement, compile_model
from profiles_pipeline.compile.join_vars import home
from profiles_pipeline.compile.statement import beside
from profiles_pipeline.compile.var_columns import column_order, taken_over, var_table
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.cohort_filters import filter_texts
from profiles_pipeline.resolve.model import (
    Cohort,
    ColumnUnion,
    EntityVar,
    FeatureTable,
    FeatureView,
    Input,
    InputVarTable,
    Model,
    Source,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.past import past_ref
from profiles_pipeline.resolve.readings import VarKey
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.spec.model import Text


@dataclass(frozen=True, order=True, slots=True)
class ColumnSource:
    """A column of another model, by the model's path."""

    path: str
    column: str


ColumnLineage = Mapping[str, tuple[ColumnSource, ...]]
"""Column -> the columns it comes from, in order of path and name."""


def column_lineage(c: Compilation) -> dict[str, ColumnLineage]:
    """Return path -> lineage of every model of a compilation; inputs have none."""
    found: dict[str, ColumnLineage] = {}
    for path, model in c.graph.models.items():
        columns = {name: tuple(sorted(set(sources))) for name, sources in _of_model(c, model, found)}
        found[path] = {name: sources for name, sources in columns.items() if sources}
    return found


def passed_on(model: Model, known: Iterable[str], columns: Iterable[str]) -> ColumnLineage:
    """Return the lineage of the columns that a built model took over from its source as they were.

    Args:
        model: the model; only the rows of a source, and unions of several, pass columns on.
        known: names of columns whose lineage is known already.
        columns: names of all its columns.
    """
    if isinstance(model, ColumnUnion):
        return {name: tuple(ColumnSource(path, name) for path in sorted(model.united)) for name in columns}
    if not isinstance(model, InputVarTable):
        return {}
    named = {name.lower() for name in known} | {"input_row_id"}
    return {name: (ColumnSource(model.source, name),) for name in columns if name.lower() not in named}


Columns = Iterator[tuple[str, Iterable[ColumnSource]]]
PathOf = Callable[[exp.Table], str | None]


def _of_model(c: Compilation, model: Model, found: Mapping[str, ColumnLineage]) -> Columns:
    match model:
        case SqlModel():
            yield from _of_sql(c, model)
        case SessionTable():
            yield from _of_session_table(c, model)
        case Stitcher():
            yield from _of_stitcher(c, model)
        case InputVarTable():
            yield from _of_rows(c, model)
        case Cohort():
            yield from _of_cohort(c, model)
        case VarTable():
            yield from _of_var_table(c, model)
        case FeatureView() if model.id_type is not None:
            yield from _of_view_by_id(c, model, found)
        case FeatureTable() | FeatureView():
            yield from _of_features(c, model)


def _id_column(c: Compilation, entity: str) -> str:
    return c.project.entities[entity].id_column


# --- identity and rows --------------------------------------------------------------------------------------------


def _of_stitcher(c: Compilation, model: Stitcher) -> Columns:
    ids: list[ColumnSource] = []
    times: list[ColumnSource] = []
    for source in model.sources:
        origin = c.graph.models[source.path]
        for row_id in source.ids:
            ids += _named(c, row_id.select, source.path)
        occurred_at = getattr(origin, "occurred_at", None)
        if occurred_at:
            times += _named(c, occurred_at, source.path)
    yield from ((name, ids) for name in (model.id_column, "other_id"))
    yield from ((name, times) for name in ("valid_at", "first_seen_at"))
    if model.log_direct_edge_info or model.log_node_metadata:
        yield "metadata", [*ids, *times]


def _of_session_table(c: Compilation, model: SessionTable) -> Columns:
    if model.kind in ("sessions", "mapped_tracks") and not model.sessions.is_as_published:
        yield from _of_events(c, model)
        return
    script = compile_model(c, model)
    assert script is not None
    first = script.steps[0]
    assert isinstance(first, Statement)
    paths = {c.relation(path).name: path for path in c.graph.models}
    for path in model.parents:
        parent = c.graph.models[path]
        if isinstance(parent, Input) and isinstance(found := c.source(parent), exp.Table):
            paths[found.name] = path
        elif isinstance(parent, Stitcher):
            paths[beside(c.relation(path), "_mappings").name] = path
    for name, sources in _of_query(first.tree.args["expression"], lambda table: paths.get(table.name)):
        yield name, [_by_own_name(c, source) for source in sources]


def _of_events(c: Compilation, model: SessionTable) -> Columns:
    """Yield the columns of a relation that is made of events by the main id."""
    s = model.sessions
    graph = c.graph.models[str(s.stitcher)]
    assert isinstance(graph, Stitcher)
    visitor = [ColumnSource(graph.path, graph.id_column)]
    known: dict[str, list[ColumnSource]] = {"event_id": [], "event": [], "timestamp": [], "source": []}
    for source in s.sources:
        known["event_id"] += _named(c, source.event_id, source.path)
        known["event"] += _named(c, source.event, source.path)
        known["timestamp"] += _named(c, str(getattr(c.graph.models[source.path], "occurred_at", "")), source.path)

    def of(*texts: Text | None) -> list[ColumnSource]:
        """Return the columns of the sources behind those of events that texts name."""
        trees = [c.reader.expression(text, model.path).tree for text in texts if text is not None]
        names = {name.lower() for tree in trees for name in sql.columns_of_rows(tree)}
        found = [column for name in names & known.keys() for column in known[name]]
        for name in names - known.keys():
            for source in s.sources:
                given = dict(source.columns).get(name)
                found += [ColumnSource(source.path, name)] if given is None else _named(c, given, source.path)
        return found

    times, ids = [*known["timestamp"], *visitor], known["event_id"]
    if model.kind == "mapped_tracks":
        yield from ((name, known[name]) for name in ("event_id", "timestamp", "event"))
        yield from ((s.visitor, visitor), ("idle_time_minutes", times))
        return
    yield from (("session_id", [*times, *ids]), (s.visitor, visitor))
    for name in ("session_start_at", "session_sequence_number", "next_session_start_at", "ended_at"):
        yield name, times
    yield from (("number_of_events", [*times, *ids]), ("duration_seconds", times))
    yield from ((name, [*times, *known["event"]]) for name in ("entry_event", "exit_event"))
    yield from ((fact.name, [*times, *of(fact.select, fact.where)]) for fact in s.facts)
    yield from ((stage.column, [*times, *of(stage.condition)]) for stage in s.stages)
    if s.stages:
        yield "furthest_stage", [*times, *of(*(stage.condition for stage in s.stages))]


def _by_own_name(c: Compilation, source: ColumnSource) -> ColumnSource:
    """Return the column of an id graph that a column of its mappings is."""
    stitcher = c.graph.models[source.path]
    if not isinstance(stitcher, Stitcher) or source.column in ("other_id", "other_id_type"):
        return source
    return ColumnSource(source.path, stitcher.id_column)


def _named(c: Compilation, text: str, path: str) -> Iterator[ColumnSource]:
    """Yield the columns of a source that an expression over its rows names."""
    tree = c.reader.expression(text, path).tree
    yield from (ColumnSource(path, name) for name in sql.columns_of_rows(tree))
    yield from (ColumnSource(path, name.rpartition("/")[2]) for name in sql.symbols(tree).get("row", ()))


def _of_rows(c: Compilation, model: InputVarTable) -> Columns:
    own = c.project.input_vars.get(model.source, {})
    entities = [c.project.entities[key] for key in model.entities]
    ids = {e.id_column: ColumnSource(e.stitcher, e.id_column) for e in entities}
    yield from ((name, [source]) for name, source in ids.items())
    resolved = _resolved({name: _of_input_var(c, model, name, ids) for name in own}, model.path)
    yield from ((own[name].name, sources) for name, sources in resolved.items())
    named = {column for var in own.values() for column in c.reader.input_var(var).columns}
    named |= {
        column
        for variables in c.project.entity_vars.values()
        for var in variables.values()
        if var.source == model.source
        for column in c.reader.entity_var(var).columns
    }
    known = {*own, *(name.lower() for name in ids), "main_id", "input_row_id"}
    yield from ((name, [ColumnSource(model.source, name)]) for name in sorted(named - known))


def _of_input_var(
    c: Compilation, model: InputVarTable, name: str, ids: Mapping[str, ColumnSource]
) -> set[ColumnSource]:
    """Return what an input var is made of; other input vars of the same rows stand as columns of `model` itself."""
    var = c.project.input_vars[model.source][name]
    read = c.reader.input_var(var)
    own = c.project.input_vars[model.source]
    by_name = {id_name.lower(): source for id_name, source in ids.items()}
    by_name.setdefault("main_id", ids.get(_id_column(c, var.entity), ColumnSource(model.source, "main_id")))
    outside = {by_name.get(name, ColumnSource(model.source, name)) for name in read.columns - own.keys()}
    inside = {ColumnSource(model.path, name) for name in read.columns & own.keys()}
    return inside | outside | _vars(c, read.vars)


def _resolved(needs: Mapping[str, set[ColumnSource]], path: str) -> dict[str, set[ColumnSource]]:
    """Return `needs` with columns of the model itself replaced by what those are made of."""
    done: dict[str, set[ColumnSource]] = {}

    def of(name: str, above: frozenset[str]) -> set[ColumnSource]:
        if name not in done:
            inner = [s for s in needs[name] if s.path == path and s.column in needs and s.column not in above]
            outer = {s for s in needs[name] if s.path != path}
            found = outer.union(*(of(s.column, above | {name}) for s in inner))
            if above:
                return found
            done[name] = found
        return done[name]

    return {name: of(name, frozenset()) for name in needs}


# --- cohorts and vars ---------------------------------------------------------------------------------------------


def _vars(c: Compilation, keys: Iterable[VarKey]) -> set[ColumnSource]:
    return {ColumnSource(home(c, key), _var_name(c, key)) for key in keys}


def _var_name(c: Compilation, key: VarKey) -> str:
    var = c.project.entity_vars.get(key[0], {}).get(key[1])
    return var.name if var else key[1]


def _of_cohort(c: Compilation, model: Cohort) -> Columns:
    column = _id_column(c, model.entity)
    parent = model.parent or c.project.entities[model.entity].stitcher
    deciding = {ColumnSource(parent, column)}
    for text in filter_texts(model):
        deciding |= _vars(c, c.reader.expression(text, model.path, "filter").vars)
    yield column, deciding


def _of_var_table(c: Compilation, model: VarTable) -> Columns:
    cohort = c.graph.models[model.cohort]
    assert isinstance(cohort, Cohort)
    column = _id_column(c, cohort.entity)
    yield column, [ColumnSource(model.cohort, column)]
    own = {var.name.lower(): var for var in model.vars}
    for path, names in taken_over(c, model).items():
        yield from ((name, [ColumnSource(path, name)]) for name in names)
    for path in model.coarser:
        yield from ((name, [ColumnSource(path, name)]) for name in column_order(c, var_table(c, path)))
    needs = {name: _of_entity_var(c, var, model.path) for name, var in own.items()}
    yield from ((own[name].name, sources) for name, sources in _resolved(needs, model.path).items())


def _of_entity_var(c: Compilation, var: EntityVar, path: str) -> set[ColumnSource]:
    """Return what a var is made of; vars of the same table stand as columns of `path` in lower case."""
    read = c.reader.entity_var(var)
    found = {ColumnSource(s.path, s.column.lower()) if s.path == path else s for s in _vars(c, read.vars)}
    if var.source is None:
        return found
    source = var.source
    has_rows = isinstance(c.graph.models[source], Source)
    if has_rows and (var.cohort, var.name.lower()) in c.graph.through_tables:
        source = f"{source}/{VAR_TABLE}"
    id_column = _id_column(c, var.entity)
    return found | {ColumnSource(source, id_column if name == "main_id" else name) for name in read.columns}


# --- what users read ----------------------------------------------------------------------------------------------


def _of_features(c: Compilation, model: FeatureTable | FeatureView) -> Columns:
    script = compile_model(c, model)
    assert script is not None
    last = script.steps[-1]
    assert isinstance(last, Statement)
    paths = {c.relation(path).name: path for path in c.graph.models}
    yield from _of_query(last.tree.args["expression"], lambda table: paths.get(table.name))


def _of_view_by_id(c: Compilation, model: FeatureView, found: Mapping[str, ColumnLineage]) -> Columns:
    cohort = c.graph.models[model.cohort]
    assert isinstance(cohort, Cohort)
    assert model.base is not None
    assert model.id_type is not None
    stitcher = c.project.entities[cohort.entity].stitcher
    yield model.id_type, [ColumnSource(stitcher, "other_id")]
    yield from ((name, [ColumnSource(model.base, name)]) for name in found[model.base])


def _of_sql(c: Compilation, model: SqlModel) -> Columns:
    if model.spec.single_sql is None:
        return
    tree = c.reader.query(model.spec.single_sql, model.path).tree

    def path_of(table: exp.Table) -> str | None:
        kind, path = sql.split_symbol(table.name)
        past = past_ref(path)
        if past is not None:
            return past.path if past.path in c.graph.models else None
        return c.graph.find(path) if kind == "ref" else None

    yield from _of_query(tree, path_of)


def _of_query(tree: exp.Expr, path_of: PathOf) -> Columns:
    """Yield each named column of a query with the columns of models it is made of, looked up through sub-queries."""
    scope = build_scope(sql.copied(tree))
    if scope is None or not isinstance(scope.expression, exp.Query):
        return
    trace = _Trace(path_of)
    for name in scope.expression.named_selects:
        if name and name != "*":
            yield name, trace.behind(scope, name)


class _Trace:
    """Looks up what is behind the columns of a query and its sub-queries."""

    def __init__(self, path_of: PathOf) -> None:
        self.path_of = path_of
        self.values: dict[Scope, Mapping[str, exp.Expr]] = {}
        """Query -> its output columns by their names in lower case."""

    def behind(self, scope: Scope, name: str) -> set[ColumnSource]:
        """Return the columns of models behind an output column of a query."""
        if scope.set_operation_scopes:
            return set().union(*(self.behind(part, name) for part in scope.set_operation_scopes))
        found: set[ColumnSource] = set()
        for table, column in self._columns(scope, name):
            source = scope.sources.get(table) if table else _only(scope)
            if isinstance(source, Scope):
                found |= self.behind(source, column)
            elif isinstance(source, exp.Table) and (path := self.path_of(source)) is not None:
                found.add(ColumnSource(path, column))
        return found

    def _columns(self, scope: Scope, name: str) -> list[tuple[str, str]]:
        """Return qualifier and name of each column that an output column of one query is made of."""
        selects = scope.expression.selects if isinstance(scope.expression, exp.Query) else []
        if scope not in self.values:
            self.values[scope] = {s.alias_or_name.lower(): s for s in reversed(selects)}
        value = self.values[scope].get(name.lower())
        if value is not None:
            return [(c.table, c.name) for c in value.find_all(exp.Column)]
        return [("", name)] if any(s.is_star for s in selects) else []


def _only(scope: Scope) -> exp.Table | Scope | None:
    """Return the one source of a query; None when there are several, so that a bare column may be any one's."""
    selected = [source for _, source in scope.selected_sources.values()]
    return selected[0] if len(selected) == 1 else None
