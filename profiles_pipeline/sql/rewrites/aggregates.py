"""Aggregates and windows."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.analysis import is_aggregate
from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import dtype, kind, typed
from profiles_pipeline.sql.rewrites.maps import unique_pairs
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, aggregate_of, cast, function, named
from profiles_pipeline.sql.rewrites.variants import sortable

_CHANGES = """
    LIST_TRANSFORM([:values], LAMBDA v : LEN(LIST_FILTER(LIST_ZIP(v, v[2:]), LAMBDA pair : pair[1] <> pair[2])))[1]
"""


def _listed(node: exp.Expr) -> exp.Expr:
    """No separator means none, and no rows give an empty text."""
    aggregate = aggregate_of(node)
    if not isinstance(aggregate, exp.GroupConcat):
        return node
    _settled(_unseparated(aggregate))
    return typed(exp.Coalesce(this=node, expressions=[exp.Literal.string("")]), exp.DType.VARCHAR)


def _separated(node: exp.Expr) -> exp.Expr:
    """``listagg(distinct x, ',')`` of Redshift and Databricks is read as if both were listed."""
    listed = node.this
    if isinstance(listed, exp.Distinct) and len(listed.expressions) > 1:
        node.set("separator", listed.expressions[1].pop())
    return node


def _settled(node: exp.Expr) -> exp.Expr:
    """``listagg(distinct x)`` without an order: by the values, so that the result is stable."""
    if isinstance(node.this, exp.Distinct) and not isinstance(node.parent, exp.WithinGroup):
        key = exp.Ordered(this=node.this.expressions[0].copy(), nulls_first=False)
        node.set("this", exp.Order(this=node.this, expressions=[key]))
    return node


def _average(node: exp.Expr) -> exp.Expr:
    """The average of integers is one: what is behind the point is cut off."""
    aggregate = aggregate_of(node)
    if not isinstance(aggregate, exp.Avg) or dtype(aggregate.this) not in exp.DataType.INTEGER_TYPES:
        return node
    return cast(build("TRUNC(:average)", average=node), exp.DType.BIGINT)


def _everywhere(node: exp.Expr) -> exp.Expr:
    node.set("single_replace", False)
    return node


def _unseparated(node: exp.Expr) -> exp.Expr:
    if not node.args.get("separator"):
        node.set("separator", exp.Literal.string(""))
    return node


def _extreme(node: exp.Expr) -> exp.Expr:
    """The row with the extreme counts even when its value is NULL."""
    if node.args.get("count"):
        return node
    name = "ARG_MIN_NULL" if isinstance(node, exp.ArgMin) else "ARG_MAX_NULL"
    order = sortable(node.expression) if kind(node.expression) == "json" else node.expression
    return function(name, node.this, order, dtype=dtype(node.this))


def _true_once(node: exp.Expr) -> exp.Expr:
    """``boolxor_agg(x)``: whether exactly one is true. Written out here, since FILTER belongs to the count alone."""
    counted = exp.CountIf(this=exp.cast(node.this, exp.DType.BOOLEAN))
    return typed(exp.EQ(this=counted, expression=exp.Literal.number(1)), exp.DType.BOOLEAN)


def _object_agg(node: exp.Expr) -> exp.Expr:
    key, value = node.this.expressions if isinstance(node.this, exp.Distinct) else (node.this, node.expression)
    entry = function("ROW", key, value)
    present = exp.and_(*(exp.Not(this=exp.Is(this=part.copy(), expression=exp.null())) for part in (key, value)))
    entries = exp.Filter(this=exp.ArrayAgg(this=entry), expression=exp.Where(this=present))
    # In an order of its own, so that the same of two pairs of one key counts each time.
    made = function("TO_JSON", function("MAP_FROM_ENTRIES", unique_pairs(function("LIST_SORT", entries))))
    empty = exp.cast(exp.Literal.string("{}"), exp.DType.JSON)
    return typed(exp.Coalesce(this=made, expressions=[empty]), exp.DType.JSON)


def _count_of_several(node: exp.Expr) -> exp.Expr:
    if not node.expressions or isinstance(node.this, exp.Distinct):
        return node
    counted = (node.this, *node.expressions)
    present = exp.and_(*(exp.Not(this=exp.Is(this=item, expression=exp.null())) for item in counted))
    return typed(exp.Count(this=exp.Case().when(present, exp.Literal.number(1)), big_int=True), exp.DType.BIGINT)


def _count_of_row(node: exp.Expr) -> exp.Expr:
    """``count(t.*)`` counts the rows in which no column is NULL."""
    row = node.this
    if not isinstance(row, exp.Column) or not isinstance(row.this, exp.Star):
        return node
    present = exp.Not(this=exp.Is(this=exp.Columns(this=row), expression=exp.null()))
    return exp.Filter(this=exp.Count(this=exp.Star(), big_int=True), expression=exp.Where(this=present))


def _share(node: exp.Expr) -> exp.Expr:
    if not named(node.this, "RATIO_TO_REPORT"):
        return node
    value = node.this.expressions[0]
    total = exp.Window(this=exp.Sum(this=value.copy()), partition_by=node.args.get("partition_by") or [], over="OVER")
    return exp.Paren(this=exp.Div(this=exp.Paren(this=value), expression=total, typed=False, safe=False))


def _true_events(node: exp.Expr) -> exp.Expr:
    """How often the condition held up to the row."""
    if not named(node.this, "CONDITIONAL_TRUE_EVENT"):
        return node
    held = exp.Case().when(node.this.expressions[0], exp.Literal.number(1)).else_(exp.Literal.number(0))
    node.set("this", exp.Sum(this=held))
    node.set("spec", _up_to_row())
    return typed(node, exp.DType.BIGINT)


def _change_events(node: exp.Expr) -> exp.Expr:
    """How often the value was another than in the row before, both being there, up to the row. DuckDB has no window
    over another, so the values up to each row are listed."""
    if not named(node.this, "CONDITIONAL_CHANGE_EVENT"):
        return node
    node.set("this", exp.ArrayAgg(this=node.this.expressions[0]))
    node.set("spec", _up_to_row())
    return typed(build(_CHANGES, values=node), exp.DType.BIGINT)


def _up_to_row() -> exp.WindowSpec:
    return exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW", end_side=None)


def _hash_of_rows(node: exp.Expr) -> exp.Expr:
    """``hash_agg(x)``: the same for the same rows in any order."""
    values = [node.this, *node.expressions]
    if any(value.is_star for value in values):
        return node
    text = "CAST(SUM(HASH(:values)) % 9223372036854775807 AS BIGINT)"
    if isinstance(node.this, exp.Distinct):
        text, values = text.replace("HASH", "DISTINCT HASH"), node.this.expressions
    made = build(text, values=values)
    return typed(made, exp.DType.BIGINT)


def _groups_beside_windows(node: exp.Expr) -> exp.Expr:
    """``group by all`` where an aggregate is ordered by: DuckDB takes such a window for something to group by."""
    select = node.parent
    if not node.args.get("all") or not isinstance(select, exp.Select) or select.is_star:
        return node
    windowed = [item.find(exp.Window) is not None for item in select.expressions]
    if not any(over and is_aggregate(item) for item, over in zip(select.expressions, windowed, strict=True)):
        return node
    numbers = [n for n, item in enumerate(select.expressions, 1) if not (windowed[n - 1] or is_aggregate(item))]
    return exp.Group(expressions=[exp.Literal.number(number) for number in numbers]) if numbers else node


def _frame_case(node: exp.Expr) -> exp.Expr:
    for key in ("kind", "start", "start_side", "end", "end_side"):
        value = node.args.get(key)
        if isinstance(value, str):
            node.set(key, value.upper())
    return node


ROWS: tuple[Rewrite, ...] = (
    Rewrite("listagg", "snowflake", "duckdb", (exp.GroupConcat, exp.WithinGroup, exp.Filter, exp.Window), _listed),
    *(
        Rewrite("listagg", s, "duckdb", (exp.GroupConcat,), lambda node: _settled(_unseparated(_separated(node))))
        for s in ("redshift", "databricks")
    ),
    Rewrite("regexp-replace-all", "redshift", "duckdb", (exp.RegexpReplace,), _everywhere),
    *(
        Rewrite("min-by-max-by", source, "duckdb", (exp.ArgMin, exp.ArgMax), _extreme)
        for source in ("snowflake", "databricks", "bigquery")
    ),
    Rewrite("object-agg", "snowflake", "duckdb", (exp.ObjectAgg,), _object_agg),
    Rewrite("true-once", "snowflake", "duckdb", (exp.BoolxorAgg,), _true_once),
    Rewrite("count-of-several", "snowflake", "duckdb", (exp.Count,), _count_of_several),
    Rewrite("count-of-row", "snowflake", "duckdb", (exp.Count,), _count_of_row),
    Rewrite("integer-average", "redshift", "duckdb", (exp.Avg, exp.Filter, exp.Window), _average),
    *(Rewrite("ratio-to-report", s, "duckdb", (exp.Window,), _share) for s in ("snowflake", "redshift")),
    Rewrite("conditional-true-event", "snowflake", "duckdb", (exp.Window,), _true_events),
    Rewrite("conditional-change-event", "snowflake", "duckdb", (exp.Window,), _change_events),
    Rewrite("hash-agg", "snowflake", "duckdb", (exp.HashAgg,), _hash_of_rows),
    Rewrite("group-by-all", ANY, "duckdb", (exp.Group,), _groups_beside_windows),
    Rewrite("frame-case", ANY, "duckdb", (exp.WindowSpec,), _frame_case),
)
