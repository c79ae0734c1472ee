"""Rows of a source: those visible in the time context, their identifiers, and the main ids behind these."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.statement import Compilation, beside
from profiles_pipeline.errors import fail
from profiles_pipeline.graph import locate
from profiles_pipeline.resolve.model import IdType, Input, Model, RowId, SqlModel, Stitcher
from profiles_pipeline.spec.model import IdFilter


def quoted(name: str) -> exp.Identifier:
    """Return `name` as an identifier that keeps its spelling."""
    return exp.to_identifier(name, quoted=True)


def col(name: str, table: str | None = None) -> exp.Column:
    """Return a column reference."""
    return exp.column(quoted(name), table=table)


def alias(tree: exp.Expression, name: str) -> exp.Alias:
    """Return ``tree AS name``."""
    return exp.alias_(tree, quoted(name))


def text(value: str) -> exp.Literal:
    """Return a string literal."""
    return exp.Literal.string(value)


def timestamp(c: Compilation) -> exp.Expression:
    """Return end_time as a literal."""
    return moment(c.reader.end_time.replace(tzinfo=None).isoformat(sep=" "))


def moment(iso: str) -> exp.Expression:
    """Return a timestamp literal."""
    return exp.cast(text(iso), "TIMESTAMP")


def visible_rows(c: Compilation, model: Model) -> exp.Select:
    """Return ``SELECT *`` of the rows of an input or SQL model that the time context can see.

    Rows at or after end_time are invisible, as are rows before begin_time; rows without a time are always visible.
    """
    if isinstance(model, Input):
        source = c.source(model)
    elif isinstance(model, SqlModel):
        source = c.relation(model.path)
    else:
        return exp.select("*").from_(c.relation(model.path))
    rows = exp.select("*").from_(source)
    if isinstance(model, Input) and model.where is not None:
        rows = rows.where(resolve_symbols(c, c.reader.expression(model.where, model.path, "where").tree))
    return rows.where(in_window(c, model.occurred_at, model.path)) if model.occurred_at else rows


def in_window(c: Compilation, occurred_at: str, this: str) -> exp.Expression:
    """Return the condition that a row's time lies in [begin_time, end_time) or is unknown."""
    time = occurred(c, occurred_at, this)
    condition: exp.Expression = exp.LT(this=time, expression=timestamp(c))
    if c.reader.begin_time is not None:
        begin = moment(c.reader.begin_time.replace(tzinfo=None).isoformat(sep=" "))
        condition = exp.and_(exp.GTE(this=time.copy(), expression=begin), condition)
    return exp.or_(condition, exp.Is(this=time.copy(), expression=exp.Null()))


def occurred(c: Compilation, occurred_at: str, this: str) -> exp.Expression:
    """Return the time of a row as a timestamp."""
    return exp.cast(c.reader.expression(occurred_at, this, "occurred_at_col").tree.copy(), "TIMESTAMP")


def resolve_symbols(c: Compilation, tree: exp.Expression) -> exp.Expression:
    """Return the tree with symbols of models, cohort membership and source columns replaced by what they stand for.

    ``ref:`` tables become relations; ``row:`` and ``rows:`` columns become columns of the rows at hand.
    Entity var symbols are left for whoever joins the vars.
    """

    def replace(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Table):
            return _relation(c, node)
        if isinstance(node, exp.Column):
            return _column(c, node)
        return node

    return tree.copy().transform(replace)


def _relation(c: Compilation, node: exp.Table) -> exp.Expression:
    kind, _, path = node.name.partition(":")
    if kind not in ("ref", "rows"):
        return node
    if kind == "rows":
        path = locate_rows(c, path)
    found = c.graph.find(path)
    model = c.graph.models[found]
    table: exp.Expression = c.source(model) if isinstance(model, Input) else c.relation(found)
    name = node.alias or model.name
    if isinstance(table, exp.Table):
        table = table.copy()
        table.set("alias", exp.TableAlias(this=quoted(name)))
        for key in ("joins", "pivots", "laterals", "sample"):
            if node.args.get(key):
                table.set(key, [part.copy() for part in node.args[key]])
        return table
    return exp.alias_(table.copy(), quoted(name), table=True)


def locate_rows(c: Compilation, name: str) -> str:
    """Return the path of the source that a template name means."""
    for head in ("inputs", "models"):
        if f"{head}/{name}" in c.project.models:
            return f"{head}/{name}"
    return name


def _column(c: Compilation, node: exp.Column) -> exp.Expression:
    kind, _, rest = node.name.partition(":")
    if kind == "row":
        return col(rest.rpartition("/")[2])
    if kind == "member":
        return _membership(c, rest)
    kind, _, path = node.table.partition(":")
    if kind == "rows":
        return exp.column(node.this.copy())
    if kind == "ref":
        model = c.graph.models[c.graph.find(path)]
        return exp.column(node.this.copy(), table=quoted(model.name))
    return node


def _membership(c: Compilation, path: str) -> exp.Expression:
    found = locate(c.project, path)
    cohort = c.graph.models[found] if isinstance(found, str) else None
    entity = c.project.entities.get(getattr(cohort, "entity", ""))
    if entity is None:
        fail("unknown-model", f"'{path}' is not a cohort")
    members = exp.select(col(entity.id_column)).from_(c.relation(str(found)))
    return exp.In(this=col(entity.id_column), query=members.subquery())


# --- identifiers --------------------------------------------------------------------------------------------------


def id_value(c: Compilation, row_id: RowId, id_type: IdType, this: str) -> exp.Expression:
    """Return the identifier on a row as text, or NULL when it is missing, blank or filtered out."""
    value = exp.cast(resolve_symbols(c, c.reader.expression(row_id.select, this, "id").tree), "TEXT")
    blank = exp.NEQ(this=exp.Trim(this=value.copy()), expression=text(""))
    conditions = [blank, *(_keeps(c, rule, value) for rule in id_type.filters)]
    return exp.Case().when(exp.and_(*conditions), value.copy())


def _keeps(c: Compilation, rule: IdFilter, value: exp.Expression) -> exp.Expression:
    """Return the condition under which a filter keeps the (non-null) value."""
    if rule.value is not None:
        match: exp.Expression = exp.EQ(this=value.copy(), expression=text(str(rule.value)))
    elif rule.regex is not None:
        match = exp.Anonymous(this="REGEXP_FULL_MATCH", expressions=[value.copy(), text(str(rule.regex))])
    elif rule.sql is not None:
        match = exp.In(this=value.copy(), query=_listed(c, rule).subquery())
    else:
        fail("missing-key", "an id type filter says neither value, regex nor sql", rule.span)
    return match if rule.type == "include" else exp.Not(this=exp.paren(match))


def _listed(c: Compilation, rule: IdFilter) -> exp.Select:
    assert rule.sql is not None
    path = c.graph.find(rule.sql.from_, rule.span)
    value = exp.cast(c.reader.expression(rule.sql.select, path).tree.copy(), "TEXT")
    rows = visible_rows(c, c.graph.models[path])
    listed = exp.select(alias(value, "id")).from_(rows.subquery("rows"))
    return exp.select("id").from_(listed.subquery("listed")).where("NOT id IS NULL")


# --- main ids -----------------------------------------------------------------------------------------------------


def identified_rows(c: Compilation, source: Model, entities: Iterable[str], *, row_id: bool = False) -> exp.Select:
    """Return the visible rows of a source with one main id column per entity.

    The first identifier of the entity that a row has decides, in the order in which the source lists them. Where the
    source is an edge source, all identifiers of a row are one entity and a single look-up is enough.
    """
    rows = visible_rows(c, source)
    if row_id:
        rows = exp.select(alias(_row_number(), "input_row_id"), "source_rows.*").from_(rows.subquery("source_rows"))
    query = exp.select("r.*").from_(rows.subquery("r"))
    for entity in entities:
        query = _with_main_id(c, query, source, entity)
    return query


def _row_number() -> exp.Expression:
    return exp.Window(this=exp.RowNumber())


def _with_main_id(c: Compilation, query: exp.Select, source: Model, entity_key: str) -> exp.Select:
    entity = c.project.entities[entity_key]
    ids = [i for i in getattr(source, "ids", ()) if i.entity == entity_key]
    stitcher = c.project.models[entity.stitcher]
    assert isinstance(stitcher, Stitcher)
    direct = [i for i in ids if i.id_type is None]
    if direct:
        value = exp.cast(c.reader.expression(direct[0].select, source.path, "id").tree.copy(), "TEXT")
        return query.select(alias(value, entity.id_column))
    types = {t.name: t for t in stitcher.id_types}
    typed = [(i, types.get(str(i.id_type)) or c.project.id_types[str(i.id_type)]) for i in ids]
    values = [(t.name, id_value(c, i, t, source.path)) for i, t in typed]
    same_ids = any(s.path == source.path and set(ids) <= set(s.ids) for s in stitcher.sources)
    groups = [values] if same_ids else [[value] for value in values]
    found = []
    for number, group in enumerate(groups):
        name = f"{entity_key}_ids" + (f"_{number}" if len(groups) > 1 else "")
        graph = _graph_of(c, stitcher, [id_type for id_type, _ in group])
        on = exp.and_(
            exp.EQ(this=col("other_id", name), expression=_first(group)),
            exp.EQ(this=col("other_id_type", name), expression=_type_of_first(group)),
        )
        query = query.join(graph.subquery(name), on=on, join_type="left")
        found.append(col("main_id", name))
    main_id = found[0] if len(found) == 1 else exp.Coalesce(this=found[0], expressions=found[1:])
    return query.select(alias(main_id, entity.id_column))


def _graph_of(c: Compilation, stitcher: Stitcher, id_types: list[str]) -> exp.Select:
    mappings = beside(c.relation(stitcher.path), "_mappings")
    wanted = exp.In(this=col("other_id_type"), expressions=[text(t) for t in dict.fromkeys(id_types)])
    return exp.select(col("other_id"), col("other_id_type"), col("main_id")).from_(mappings).where(wanted)


def _first(group: list[tuple[str, exp.Expression]]) -> exp.Expression:
    values = [value.copy() for _, value in group]
    return values[0] if len(values) == 1 else exp.Coalesce(this=values[0], expressions=values[1:])


def _type_of_first(group: list[tuple[str, exp.Expression]]) -> exp.Expression:
    if len(group) == 1:
        return text(group[0][0])
    case = exp.Case()
    for id_type, value in group:
        case = case.when(exp.Not(this=exp.Is(this=exp.paren(value.copy()), expression=exp.Null())), text(id_type))
    return case


def unused_symbols(tree: exp.Expression) -> set[str]:
    """Return the names of symbols still in a tree, for a last check before it is rendered."""
    return {i.name for i in tree.find_all(exp.Identifier) if i.name.split(":")[0] in _SYMBOLS and ":" in i.name}


_SYMBOLS = frozenset({"ref", "var", "row", "rows", "rowset", "member"})

__all__ = [
    "alias",
    "col",
    "id_value",
    "identified_rows",
    "moment",
    "occurred",
    "quoted",
    "resolve_symbols",
    "sql",
    "text",
    "timestamp",
    "unused_symbols",
    "visible_rows",
]
