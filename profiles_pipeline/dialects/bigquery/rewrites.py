"""What the canonical dialect says and BigQuery says otherwise: one table of small rewrites of trees."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects import conditional
from profiles_pipeline.dialects.bigquery import documents, texts, times
from profiles_pipeline.dialects.kinds import is_text
from profiles_pipeline.dialects.over_group import over_the_group, refuse_what_is_left
from profiles_pipeline.dialects.quantiles import finder
from profiles_pipeline.dialects.rewriting import Rewrite, by_type, call, names_of, rewritten
from profiles_pipeline.dialects.unknown_types import by_way_of_text

_NOT_IN_NAMES = re.compile(r"""[!"$()*,./;?@\[\\\]^`{}~]""")
"""Characters that the name of a column may not have."""


def in_bigquery(tree: exp.Expr) -> exp.Expr:
    """Return a tree of the canonical dialect as one for BigQuery. Changes the tree in place."""
    for name in names_of(tree):
        name.set("quoted", True)
        if not isinstance(name.parent, exp.Table):
            name.set("this", _NOT_IN_NAMES.sub("__", name.name))
    made = rewritten(rewritten(tree, _BY_TYPE), _AT_LAST)
    refuse_what_is_left(made, "BigQuery", _find)
    return made


_find = finder(within_group=False, extremes=False)

_ABSENT: dict[exp.DType, str] = {
    exp.DType.INT128: "BIGDECIMAL",
    exp.DType.UINT128: "BIGDECIMAL",
    exp.DType.UBIGINT: "BIGDECIMAL",
    exp.DType.UINT: "BIGINT",
    exp.DType.UUID: "TEXT",
    exp.DType.TIMESTAMP_NS: "TIMESTAMP",
    exp.DType.TIMESTAMP_MS: "TIMESTAMP",
    exp.DType.TIMESTAMP_S: "TIMESTAMP",
    exp.DType.FLOAT: "DOUBLE",
}
_DIGITS, _FRACTION = 29, 9
"""Digits before and after the point of a NUMERIC."""


def _type(node: exp.Expr) -> exp.Expr:
    """Types by their names here; a decimal with many digits is a BIGNUMERIC."""
    if node.this is exp.DType.DECIMAL and node.expressions:
        digits, *rest = (int(each.name) for each in node.expressions)
        fraction = rest[0] if rest else 0
        if digits - fraction > _DIGITS or fraction > _FRACTION:
            return exp.DataType(this=exp.DType.BIGDECIMAL, expressions=node.expressions)
    absent = _ABSENT.get(node.this) if isinstance(node.this, exp.DType) else None
    return node if absent is None else exp.DataType.build(absent)


def _cast(node: exp.Expr) -> exp.Expr:
    """CAST of texts: parsed to documents, rounded to integers."""
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return node
    kind, value = node.args["to"], node.this
    if kind.is_type("json"):
        return exp.ParseJSON(this=value) if is_text(value) else call("TO_JSON", value)
    if kind.is_type("tinyint", "smallint", "int", "bigint") and is_text(value):
        node.set("this", exp.cast(value, "BIGDECIMAL"))
    return node


def _try_cast(node: exp.Expr) -> exp.Expr:
    kind = node.args["to"]
    if kind.is_type("json"):
        return call("SAFE.PARSE_JSON", exp.cast(node.this, "TEXT"))
    return exp.cast(node.this, "TEXT") if kind.is_type("text", "varchar") else node


def _attempt(node: exp.Expr) -> exp.Expr:
    """TRY(CAST(x AS t)) is SAFE_CAST; nothing else can be tried."""
    if isinstance(node.this, exp.Cast):
        return _try_cast(exp.TryCast(this=node.this.this, to=node.this.args["to"]))
    return node


def _among(node: exp.Expr) -> exp.Expr:
    """GREATEST, LEAST: of those that are not NULL."""
    aggregate = exp.Max if isinstance(node, exp.Greatest) else exp.Min
    items = exp.Array(expressions=[node.this, *node.expressions])
    rows = exp.Unnest(expressions=[items], alias=exp.TableAlias(columns=[exp.to_identifier("item")]))
    return exp.Subquery(this=exp.select(aggregate(this=exp.column("item"))).from_(rows))


def _ordered(node: exp.Expr) -> exp.Expr:
    """A window in an order: where NULL comes is a key of its own, which is allowed with every frame."""
    order = node.args.get("order")
    if order is None or all(bool(k.args.get("nulls_first")) != bool(k.args.get("desc")) for k in order.expressions):
        return node
    order.set("expressions", [made for key in order.expressions for made in documents.keys_of(key)])
    return node


def _by_name(node: exp.Expr) -> exp.Expr:
    rewrite = _CALLS.get(node.name.upper())
    return (rewrite(node.expressions) if rewrite is not None else None) or node


_CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {**documents.CALLS, **times.CALLS}

_ENDS = Rewrite("NULLS LAST in windows", "a key of its own", (exp.Window,), _ordered)

REWRITES: tuple[Rewrite, ...] = (
    _ENDS,
    Rewrite("types", "those of the same values; times without a zone are DATETIME", (exp.DataType,), _type),
    Rewrite("AVG", "SUM by COUNT, as DOUBLE", (exp.Filter, exp.Avg), conditional.average),
    Rewrite(
        "ARG_MAX, ARG_MIN", "MAX_BY, MIN_BY of rows that have a value", (exp.ArgMax, exp.ArgMin), conditional.extreme
    ),
    Rewrite("FIRST, ANY_VALUE", "MIN", (exp.First, exp.AnyValue), conditional.any_value),
    Rewrite("IGNORE NULLS of MIN", "MIN", (exp.IgnoreNulls,), conditional.known),
    *documents.REWRITES,
    Rewrite("FILTER", "IF in the aggregate", (exp.Filter,), lambda node: conditional.filtered(node, _find)),
    Rewrite("MATERIALIZED", "nothing", (exp.CTE,), conditional.named_query),
    Rewrite("division", "of DOUBLE", (exp.Div,), conditional.division),
    Rewrite("GREATEST, LEAST", "a query over the values", (exp.Greatest, exp.Least), _among),
    Rewrite("times of unknown types", "by way of text", (exp.Case,), by_way_of_text),
    *texts.REWRITES,
    *times.REWRITES,
    Rewrite("TRY_CAST", "SAFE_CAST, SAFE.PARSE_JSON", (exp.TryCast,), _try_cast),
    Rewrite("CAST", "texts parsed to documents, rounded to integers", (exp.Cast,), _cast),
    Rewrite("TRY of a cast", "SAFE_CAST", (exp.Try,), _attempt),
    Rewrite("other functions", "by name", (exp.Anonymous,), _by_name),
    Rewrite(
        "FIRST by an order, MAX of pairs, MEDIAN, QUANTILE_CONT",
        "FIRST_VALUE, PERCENTILE_CONT over the rows of the group",
        (exp.Select,),
        lambda node: over_the_group(node, _find),
    ),
)

_BY_TYPE = by_type(rewrite for rewrite in REWRITES if rewrite is not _ENDS)
_AT_LAST = by_type([_ENDS])
"""What is said of windows that other rewrites have made, too."""
