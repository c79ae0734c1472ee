"""Rows of a source: those visible in the time context, their identifiers, and the main ids behind these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.csv_rows import csv_rows
from profiles_pipeline.compile.past import moved_ids, no_moved_ids
from profiles_pipeline.compile.statement import Compilation, beside
from profiles_pipeline.errors import fail
from profiles_pipeline.graph import locate
from profiles_pipeline.resolve.model import IdType, Input, Model, RowId, Source, Stitcher
from profiles_pipeline.resolve.past import PastRef, past_ref
from profiles_pipeline.spec.model import IdFilter
from profiles_pipeline.sql import build

VISIBLE = r"[^\p{Z}\p{Cc}\p{Cf}]"
"""Pattern of a character that is no space of any kind, no line break and no mark without a width."""

PersonKey = Literal["main_id", "component"]
"""Columns of ``_mappings`` that stand for a person: the main id, and a number that is only good within one run."""


def quoted(name: str) -> exp.Identifier:
    """Return `name` as an identifier that keeps its spelling."""
    return exp.to_identifier(name, quoted=True)


def col(name: str, table: str | None = None) -> exp.Column:
    """Return a column reference."""
    return exp.Column(this=quoted(name), table=exp.to_identifier(table))


def alias(tree: exp.Expr, name: str) -> exp.Alias:
    """Return ``tree AS name``."""
    return exp.Alias(this=tree, alias=quoted(name))


def text(value: str) -> exp.Literal:
    """Return a string literal."""
    return exp.Literal.string(value)


def left_join(query: exp.Select, relation: exp.Expr, on: exp.Expr) -> None:
    """Add ``LEFT JOIN relation ON on`` to a query."""
    query.append("joins", exp.Join(this=relation, side="LEFT", on=on))


def timestamp(c: Compilation) -> exp.Expr:
    """Return end_time as a literal."""
    return moment(c.reader.end_time.replace(tzinfo=None).isoformat(sep=" "))


_TIMESTAMP = exp.DataType.build("TIMESTAMP")


def moment(iso: str) -> exp.Expr:
    """Return a timestamp literal."""
    return exp.Cast(this=text(iso), to=_TIMESTAMP.copy())


def visible_rows(c: Compilation, model: Model) -> exp.Select:
    """Return ``SELECT *`` of the rows of an input or SQL model that the time context can see.

    Rows at or after end_time are invisible, as are rows before begin_time; rows without a time are always visible.
    """
    rows = all_rows(c, model)
    if isinstance(model, Source) and model.occurred_at:
        rows.where(in_window(c, model.occurred_at, model.path), copy=False)
    return rows


def all_rows(c: Compilation, model: Model, source: exp.Expr | None = None) -> exp.Select:
    """Return ``SELECT *`` of the rows of a model, whenever they happened; of an input, those that its filter keeps.

    Args:
        c: what to compile against.
        model: the model.
        source: what to select from for an input, where that is not the usual.
    """
    if not isinstance(model, Input):
        return exp.select("*").from_(c.relation(model.path))
    rows = exp.select("*").from_(source or _input_rows(c, model), copy=False)
    if model.where is not None:
        rows.where(placed(c, c.reader.expression(model.where, model.path, "where").tree), copy=False)
    return rows.where(not_suppressed(c, model), copy=False)


def not_suppressed(c: Compilation, model: Source) -> exp.Expr | None:
    """Return the condition that a row carries no identifier of somebody who was forgotten; None where all may stay."""
    if c.suppressed is None:
        return None
    found = [
        c.suppressed.has(_id_text(c, row_id, model.path), row_id.entity, row_id.id_type)
        for row_id in model.ids
        if row_id.id_type is not None and c.suppressed.concerns(row_id.entity, row_id.id_type)
    ]
    return exp.Not(this=exp.paren(exp.or_(*found, copy=False), copy=False)) if found else None


def _input_rows(c: Compilation, model: Input) -> exp.Expr:
    """Return what to put behind FROM for an input."""
    return exp.Subquery(this=csv_rows(c.reader, model)) if model.csv is not None else c.source(model)


def in_window(c: Compilation, occurred_at: str, this: str) -> exp.Expr:
    """Return the condition that a row's time lies in [begin_time, end_time) or is unknown."""
    time = occurred(c, occurred_at, this)
    condition: exp.Expr = exp.LT(this=time, expression=timestamp(c))
    if c.reader.begin_time is not None:
        begin = moment(c.reader.begin_time.replace(tzinfo=None).isoformat(sep=" "))
        condition = exp.and_(exp.GTE(this=sql.copied(time), expression=begin), condition, copy=False)
    return exp.or_(condition, exp.Is(this=_time_of_row(c, occurred_at, this), expression=exp.Null()), copy=False)


def occurred(c: Compilation, occurred_at: str, this: str) -> exp.Expr:
    """Return the time of a row as a timestamp: for a text with an offset the same instant in UTC."""
    return build(
        """
        CASE WHEN TYPEOF(:time) = 'VARCHAR' THEN CAST(CAST(CAST(:time AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
        ELSE CAST(:time AS TIMESTAMP) END
        """,
        time=_time_of_row(c, occurred_at, this),
    )


def _time_of_row(c: Compilation, occurred_at: str, this: str) -> exp.Expr:
    time = sql.copied(c.reader.expression(occurred_at, this, "occurred_at_col").tree)
    return sql.text_of(time) if sql.dtype(time) == exp.DType.JSON else time


def resolve_symbols(c: Compilation, tree: exp.Expr) -> exp.Expr:
    """Return the tree with symbols of models, cohort membership and source columns replaced by what they stand for.

    ``ref:`` tables become relations; ``row:`` and ``rows:`` columns become columns of the rows at hand.
    Entity var symbols are left for whoever joins the vars.
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table):
            return _relation(c, node)
        if isinstance(node, exp.Column):
            return _column(c, node)
        return node

    return sql.transformed(sql.copied(tree), replace)


def placed(c: Compilation, tree: exp.Expr) -> exp.Expr:
    """Return the tree with symbols resolved and with tables that are no models, which its sub-queries may read,
    replaced by where they are found."""
    if not sql.external_tables(tree):
        return resolve_symbols(c, tree)
    holder = exp.Tuple(expressions=[sql.copied(tree)])
    for table in sql.external_tables(holder):
        table.replace(c.outside(table))
    return resolve_symbols(c, holder.expressions[0].pop())


def _relation(c: Compilation, node: exp.Table) -> exp.Expr:
    kind, path = sql.split_symbol(node.name)
    if kind not in ("ref", "rows"):
        return node
    if kind == "rows":
        path = locate_rows(c, path)
    past = past_ref(path) if kind == "ref" else None
    if past is not None:
        table = _past_rows(c, past)
    else:
        model = c.graph.models[c.graph.find(path)]
        table = _seen_rows(c, model) if isinstance(model, Input) else c.relation(model.path).copy()
    table.set("alias", exp.TableAlias(this=quoted(node.alias or _name_of(c, path))))
    for key in ("joins", "pivots", "laterals", "sample"):
        if node.args.get(key):
            table.set(key, [part.copy() for part in node.args[key]])
    return table


def _name_of(c: Compilation, address: str) -> str:
    """Return the name by which the rest of a query knows what is at an address."""
    past = past_ref(address)
    if past is None:
        return c.graph.models[c.graph.find(address)].name
    return f"{past.path.rpartition('/')[2]}_{past.kind}_{past.checkpoint}".strip("_")


def _past_rows(c: Compilation, ref: PastRef) -> exp.Expr:
    """Return what to select from for a reference to earlier windows.

    Raises:
        ProjectError: there is no such window, and the text has not asked whether there is one.
    """
    past = c.past(ref)
    if ref.kind == "clusters":
        mappings = beside(c.relation(ref.path), "_mappings")
        return exp.Subquery(this=moved_ids(past.relation, mappings) if past else no_moved_ids())
    if past is None:
        message = f"an earlier state of '{ref.path}' is asked for, and there is none"
        fail("no-past-material", message, hint="guard it: {% if x.IsEnabled() %}, with dependency='optional'")
    if ref.kind == "material":
        return past.relation.copy()
    model = c.graph.models[c.graph.find(ref.path)]
    source = c.graph.models[getattr(model, "source", model.path)]
    time = getattr(source, "occurred_at", None)
    if time is None:
        message = f"the rows of '{ref.path}' have no time, so that nobody can tell which are new"
        fail("no-time", message, source.span, hint="give the input an occurred_at_col")
    new = exp.GTE(this=occurred(c, time, source.path), expression=past.end.copy())
    return exp.Subquery(this=visible_rows(c, model).where(new, copy=False))


def _seen_rows(c: Compilation, model: Input) -> exp.Expr:
    """Return an input as SQL models see it: the rows of the time context, like everybody else does."""
    if model.where is None and model.occurred_at is None and c.suppressed is None:
        return _input_rows(c, model).copy()
    return exp.Subquery(this=visible_rows(c, model))


def locate_rows(c: Compilation, name: str) -> str:
    """Return the path of the source that a template name means."""
    for head in ("inputs", "models"):
        if f"{head}/{name}" in c.project.models:
            return f"{head}/{name}"
    return name


def _column(c: Compilation, node: exp.Column) -> exp.Expr:
    kind, rest = sql.split_symbol(node.name)
    if kind == "row":
        return col(rest.rpartition("/")[2], node.table or None)
    if kind == "member":
        return _membership(c, rest)
    owner, path = sql.split_symbol(node.table)
    if kind != "ref" and owner not in ("ref", "rows"):
        return node
    named = quoted(_column_of_path(c, rest)) if kind == "ref" else node.this
    if owner == "rows":
        return exp.column(named)
    if owner == "ref":
        return exp.column(named, table=quoted(_name_of(c, path)))
    return exp.column(named, table=node.args.get("table"))


def _column_of_path(c: Compilation, path: str) -> str:
    """Return the name of the column that ``<model>/<column>`` means; ``main_id`` is whatever a var table calls it."""
    name = path.rpartition("/")[2]
    model = c.graph.models[c.graph.find(path)]
    ids = [c.project.entities[e].id_column for e in getattr(model, "entities", ())]
    return ids[0] if name.lower() == "main_id" and ids and "main_id" not in map(str.lower, ids) else name


def _membership(c: Compilation, path: str) -> exp.Expr:
    found = locate(c.project, path)
    cohort = c.graph.models[found] if isinstance(found, str) else None
    entity = c.project.entities.get(getattr(cohort, "entity", ""))
    if entity is None:
        fail("unknown-model", f"'{path}' is not a cohort")
    members = exp.select(col(entity.id_column)).from_(c.relation(str(found)))
    return exp.In(this=col(entity.id_column), query=members.subquery())


# --- identifiers --------------------------------------------------------------------------------------------------


def id_value(c: Compilation, row_id: RowId, id_type: IdType, this: str) -> exp.Expr:
    """Return the identifier on a row as text, or NULL when it is missing, filtered out, or has nothing to be seen."""
    value = _id_text(c, row_id, this)
    # The comparison settles what begins with an ASCII letter or digit, far cheaper than the pattern settles the rest.
    visible = build(
        "(:value BETWEEN '!' AND '~' OR REGEXP_MATCHES(:value, :visible))", value=value, visible=text(VISIBLE)
    )
    conditions = [visible, *(_keeps(c, rule, value) for rule in id_type.filters)]
    return exp.Case().when(exp.and_(*conditions, copy=False), value, copy=False)


def _id_text(c: Compilation, row_id: RowId, this: str) -> exp.Expr:
    """Return what stands on a row for an identifier, as text: where it counts as one, that is the identifier."""
    return resolve_symbols(c, sql.text_of(sql.copied(c.reader.expression(row_id.select, this, "id").tree)))


def _keeps(c: Compilation, rule: IdFilter, value: exp.Expr) -> exp.Expr:
    """Return the condition under which a filter keeps the (non-null) value."""
    if rule.value is not None:
        match: exp.Expr = exp.EQ(this=sql.copied(value), expression=text(str(rule.value)))
    elif rule.regex is not None:
        match = exp.Anonymous(this="REGEXP_FULL_MATCH", expressions=[sql.copied(value), text(str(rule.regex))])
    elif rule.sql is not None:
        match = exp.In(this=sql.copied(value), query=_listed(c, rule).subquery())
    else:
        fail("missing-key", "an id type filter says neither value, regex nor sql", rule.span)
    return match if rule.type == "include" else exp.Not(this=exp.paren(match, copy=False))


def _listed(c: Compilation, rule: IdFilter) -> exp.Select:
    assert rule.sql is not None
    path = c.graph.find(rule.sql.from_, rule.span)
    value = sql.text_of(sql.copied(c.reader.expression(rule.sql.select, path).tree))
    rows = visible_rows(c, c.graph.models[path])
    if rule.sql.where is not None:
        condition = placed(c, c.reader.expression(rule.sql.where, path, "where").tree)
        rows = exp.select("*").from_(rows.subquery("rows")).where(condition)
    listed = exp.select(alias(value, "id")).from_(rows.subquery("rows"))
    return exp.select("id").from_(listed.subquery("listed")).where("NOT id IS NULL")


# --- main ids -----------------------------------------------------------------------------------------------------


def identified_rows(
    c: Compilation,
    source: Model,
    entities: Iterable[str],
    *,
    row_id: bool = False,
    key: PersonKey = "main_id",
    where: exp.Expr | None = None,
) -> exp.Select:
    """Return the visible rows of a source with one main id column per entity, ahead of the columns of the source.

    Where the source has a column of that name itself, the name means the main id from here on: in a relation that is
    made of these rows the other column has a number behind its name. The first identifier of the entity that a row
    has decides, in the order in which the source lists them. Where the source is an edge source, all identifiers of a
    row are one entity and a single look-up per row is enough.

    Args:
        c: what to compile against.
        source: an input or SQL model.
        entities: keys of the entities.
        row_id: whether to number the rows.
        key: what stands in the main id columns: the main id, or the number of its component, which is cheaper to
            group by.
        where: a condition of rows, so that nothing is looked up for others.
    """
    rows: exp.Expr = visible_rows(c, source).where(where, copy=False)
    entities = tuple(entities)
    ids = [column for entity in entities for column in _id_columns(c, source, entity)]
    extra = [build("ROW_NUMBER() OVER () AS input_row_id")] if row_id else []
    if extra or ids:
        rows = build("SELECT :extra, source_rows.*, :ids FROM :rows AS source_rows", extra=extra, ids=ids, rows=rows)
    star = exp.Column(this=exp.Star(except_=[quoted(i.alias) for i in ids]) if ids else exp.Star(), table=quoted("r"))
    query = exp.Select().from_(exp.Subquery(this=rows, alias=exp.TableAlias(this=quoted("r"))), copy=False)
    for entity in entities:
        query = with_main_id(c, query, source, entity, key)
    return query.select(star, copy=False)


def has_typed_ids(source: Model, entity_key: str) -> bool:
    """True when the main id of an entity has to be looked up for the rows of a source."""
    ids = [i for i in getattr(source, "ids", ()) if i.entity == entity_key]
    return bool(ids) and all(i.id_type is not None for i in ids)


def given_main_id(c: Compilation, source: Model, entity_key: str) -> exp.Expr | None:
    """Return the main id that the rows of a source carry, as an expression over these; None where it is looked up."""
    direct = next((i for i in getattr(source, "ids", ()) if i.entity == entity_key and i.id_type is None), None)
    return None if direct is None else _id_text(c, direct, source.path)


def with_main_id(c: Compilation, query: exp.Select, source: Model, entity_key: str, key: PersonKey) -> exp.Select:
    """Return `query` over rows ``r`` with the main id of one more entity.

    Where main ids are looked up among some people only, the rows of others are left out.
    """
    entity = c.project.entities[entity_key]
    given = given_main_id(c, source, entity_key)
    if given is not None:
        return query.select(alias(given, entity.id_column))
    found = []
    for number, (id_type, value) in enumerate(_lookups(c, source, entity_key)):
        name = f"{entity_key}_ids_{number}"
        on = build(":graph.other_id = :id", graph=name, id=value)
        graph = exp.Subquery(this=_graph_of(c, entity.stitcher, id_type, key), alias=exp.TableAlias(this=quoted(name)))
        left_join(query, graph, on)
        found.append(col(key, name))
    main_id = found[0] if len(found) == 1 else exp.Coalesce(this=found[0], expressions=found[1:])
    if entity.stitcher in c.mappings:
        query = query.where(build(":id IS NOT NULL", id=main_id), copy=False)
    return query.select(alias(main_id, entity.id_column), copy=False)


def is_stitched_from(c: Compilation, source: Model, entity_key: str) -> bool:
    """True when all ids of an entity on a row of a source are known to be one person: any of them tells who it is."""
    stitcher = c.project.models[c.project.entities[entity_key].stitcher]
    assert isinstance(stitcher, Stitcher)
    ids = {i for i in getattr(source, "ids", ()) if i.entity == entity_key}
    return stitcher.rules is None and any(s.path == source.path and ids <= set(s.ids) for s in stitcher.sources)


def id_values(c: Compilation, source: Model, entity_key: str) -> list[exp.Expr]:
    """Return the typed identifiers of an entity on the rows of a source, as expressions over these."""
    types = c.project.id_types
    ids = [i for i in getattr(source, "ids", ()) if i.entity == entity_key and i.id_type is not None]
    return [id_value(c, i, types[str(i.id_type)], source.path) for i in ids]


def ids_on_rows(c: Compilation, source: Model, entity_key: str) -> list[exp.Expr]:
    """Return what tells whose the rows of a source are: the main id that they carry, or their typed identifiers."""
    given = given_main_id(c, source, entity_key)
    return id_values(c, source, entity_key) if given is None else [given]


def may_be_of(c: Compilation, source: Model, entity_key: str, ids: exp.Table) -> exp.Expr:
    """Return a condition that holds for all rows of a source with one of some identifiers, and for few others.

    It is cheap: what is no identifier is not told from those.

    Args:
        c: what to compile against.
        source: an input or SQL model, with typed ids of the entity.
        entity_key: key of the entity.
        ids: a table of identifiers, ``other_id`` and ``other_id_type``.
    """
    found = "SELECT other_id FROM :ids WHERE other_id_type = :type"
    return exp.or_(
        *(
            build(f":value IN ({found})", value=_id_text(c, i, source.path), ids=ids, type=text(str(i.id_type)))
            for i in getattr(source, "ids", ())
            if i.entity == entity_key
        ),
        copy=False,
    )


def id_types(source: Model, entity_key: str) -> list[str]:
    """Return the types of the identifiers of an entity on the rows of a source, in their order."""
    return [str(i.id_type) for i in getattr(source, "ids", ()) if i.entity == entity_key]


def looked_up_rows(c: Compilation, source: Model, entity_key: str, rows: exp.Select) -> exp.Select:
    """Return `rows` of a source with the identifiers of an entity that `with_main_id` looks up, and no others.

    Where they carry the main id, that is the only one.
    """
    given = given_main_id(c, source, entity_key)
    if given is not None:
        found = build("SELECT :given, s.* FROM :rows AS s", given=alias(given, _id_column(entity_key, 0)), rows=rows)
        assert isinstance(found, exp.Select)
        return found
    ids = _id_columns(c, source, entity_key)
    names = [quoted(column.alias) for column in ids]
    inner = build("SELECT s.*, :ids FROM :rows AS s", ids=ids, rows=rows)
    columns = [alias(v, n.name) for (_, v), n in zip(_lookups(c, source, entity_key), names, strict=True)]
    star = exp.Column(this=exp.Star(except_=names), table=quoted("r"))
    query = build("SELECT :columns, :star FROM :inner AS r", columns=columns, star=[star], inner=inner)
    assert isinstance(query, exp.Select)
    return query


def looked_up_ids(c: Compilation, source: Model, entity_key: str) -> tuple[str, ...]:
    """Return the names of the columns that `looked_up_rows` adds."""
    if not has_typed_ids(source, entity_key):
        return (_id_column(entity_key, 0),)
    return tuple(_id_column(entity_key, number) for number in range(len(_lookups(c, source, entity_key))))


def _lookups(c: Compilation, source: Model, entity_key: str) -> list[tuple[str, exp.Expr]]:
    """Return the identifiers to look up, each with its type.

    One join per identifier: the planner guesses its size well. Where one look-up is enough, those after the first that
    a row has are NULL.
    """
    ids = [i for i in getattr(source, "ids", ()) if i.entity == entity_key]
    stitched_here = is_stitched_from(c, source, entity_key)
    lookups: list[tuple[str, exp.Expr]] = []
    before: list[exp.Expr] = []
    for number, row_id in enumerate(ids):
        value = col(_id_column(entity_key, number), "r")
        only: exp.Expr = sql.copied(value)
        if stitched_here and before:
            missing = exp.and_(*map(sql.copied, before), copy=False)
            only = exp.Case().when(missing, only, copy=False)
        lookups.append((str(row_id.id_type), only))
        before.append(build(":value IS NULL", value=value))
    return lookups


def _id_columns(c: Compilation, source: Model, entity_key: str) -> list[exp.Expr]:
    """Return the typed identifiers of an entity on the rows of a source, as columns with names of their own."""
    ids = [i for i in getattr(source, "ids", ()) if i.entity == entity_key]
    if any(i.id_type is None for i in ids):
        return []
    types = c.project.id_types
    return [
        alias(id_value(c, i, types[str(i.id_type)], source.path), _id_column(entity_key, number))
        for number, i in enumerate(ids)
    ]


def _id_column(entity_key: str, number: int) -> str:
    return f"{entity_key}.id_{number}"


def _graph_of(c: Compilation, stitcher: str, id_type: str, key: PersonKey) -> exp.Expr:
    return build(
        "SELECT other_id, :key FROM :mappings WHERE other_id_type = :type",
        key=key,
        mappings=c.mappings.get(stitcher) or beside(c.relation(stitcher), "_mappings"),
        type=text(id_type),
    )
