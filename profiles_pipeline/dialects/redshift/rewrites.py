"""What the canonical dialect says and Redshift says otherwise: one table of small rewrites of trees."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects import conditional
from profiles_pipeline.dialects.folding import lower_case
from profiles_pipeline.dialects.kinds import is_text
from profiles_pipeline.dialects.over_group import over_the_group, refuse_what_is_left
from profiles_pipeline.dialects.redshift import documents, texts, times
from profiles_pipeline.dialects.redshift.documents import find
from profiles_pipeline.dialects.rewriting import Rewrite, by_type, call, names_of, pairs_in_query, rewritten
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.dialects.unknown_types import by_way_of_text
from profiles_pipeline.sql import build


def in_redshift(tree: exp.Expr) -> exp.Expr:
    """Return a tree of the canonical dialect as one for Redshift, names in lower case. Changes the tree in place."""
    made = rewritten(rewritten(tree, _BY_TYPE), _AT_LAST)
    refuse_what_is_left(made, "Redshift", find)
    for name in names_of(made):
        name.set("this", lower_case(name.name))
        name.set("quoted", True)
    return made


_ABSENT: dict[exp.DType, str] = {
    exp.DType.INT128: "DECIMAL(38, 0)",
    exp.DType.UINT128: "DECIMAL(38, 0)",
    exp.DType.UBIGINT: "DECIMAL(38, 0)",
    exp.DType.UINT: "BIGINT",
    exp.DType.USMALLINT: "INT",
    exp.DType.UTINYINT: "SMALLINT",
    exp.DType.TINYINT: "SMALLINT",
    exp.DType.JSON: "SUPER",
    exp.DType.UUID: "TEXT",
    exp.DType.TIMESTAMP_NS: "TIMESTAMP",
    exp.DType.TIMESTAMP_MS: "TIMESTAMP",
    exp.DType.TIMESTAMP_S: "TIMESTAMP",
}


def _type(node: exp.Expr) -> exp.Expr:
    if node.this in (exp.DType.ARRAY, exp.DType.LIST, exp.DType.STRUCT, exp.DType.MAP):
        return exp.DataType.build("SUPER", dialect="redshift")
    absent = _ABSENT.get(node.this) if isinstance(node.this, exp.DType) else None
    return node if absent is None else exp.DataType.build(absent, dialect="redshift")


def _count_if(node: exp.Expr) -> exp.Expr:
    """COUNT_IF(c): 0 of no rows."""
    if not isinstance(node, exp.CountIf):
        return node
    return exp.Count(this=exp.If(this=node.this, true=exp.Literal.number(1), false=exp.Null()), big_int=True)


_WHOLE_GROUP = (exp.FirstValue, exp.LastValue, exp.NthValue)
_WITHOUT_FRAME = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.Ntile, exp.PercentRank, exp.CumeDist)


def _framed(node: exp.Expr) -> exp.Expr:
    """A window in an order has to say its frame, which cannot be one of values.

    Raises:
        WarehouseError: that is the frame which it means.
    """
    inner = node.this.this if isinstance(node.this, exp.IgnoreNulls | exp.RespectNulls) else node.this
    if node.args.get("order") is None or node.args.get("spec") is not None or isinstance(inner, _WITHOUT_FRAME):
        return node
    if not isinstance(inner, exp.FirstValue):
        refuse("Redshift", "a window in an order without a frame (write ROWS BETWEEN ... AND ...)")
    spec = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="UNBOUNDED", end_side="FOLLOWING")
    node.set("spec", spec)
    return node


def _same(node: exp.Expr) -> exp.Expr:
    """a IS NOT DISTINCT FROM b."""
    return exp.Paren(this=build(":a = :b OR (:a IS NULL AND :b IS NULL)", a=node.this, b=node.expression))


def _cast(node: exp.Expr) -> exp.Expr:
    """CAST of texts: parsed to documents, rounded to integers."""
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return node
    kind, value = node.args["to"], node.this
    if kind.is_type("super") and is_text(value):
        return call("JSON_PARSE", value)
    if kind.is_type("smallint", "int", "bigint") and is_text(value):
        node.set("this", exp.Round(this=exp.cast(value, "DECIMAL(38, 9)")))
    return node


def _try_cast(node: exp.Expr) -> exp.Expr:
    """TRY_CAST(x AS t): of a text that is not empty, which would be an error."""
    kind, text = node.args["to"], exp.cast(node.this, "TEXT")
    if kind.is_type("text", "varchar"):
        return text
    if kind.is_type("super"):
        return build("CASE WHEN IS_VALID_JSON(:x) OR IS_VALID_JSON_ARRAY(:x) THEN JSON_PARSE(:x) END", x=text)
    if kind.is_type("boolean"):
        return build(
            """
            CASE WHEN LOWER(:x) IN ('true', 't', 'yes', 'y', '1') THEN TRUE
            WHEN LOWER(:x) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END
            """,
            x=text,
        )
    return exp.TryCast(this=call("NULLIF", call("TRIM", text), exp.Literal.string("")), to=kind)


def _attempt(node: exp.Expr) -> exp.Expr:
    """TRY(CAST(x AS t)) is TRY_CAST; nothing else can be tried."""
    if isinstance(node.this, exp.Cast):
        return _try_cast(exp.TryCast(this=node.this.this, to=node.this.args["to"]))
    return node


def _element(node: exp.Expr) -> exp.Expr:
    """l[1]: of what is computed it cannot be said."""
    if not isinstance(node.this, exp.Column | exp.Dot | exp.Bracket) or node.find(exp.Slice):
        refuse("Redshift", "an element of a list that is computed")
    return node


def _by_name(node: exp.Expr) -> exp.Expr:
    rewrite = _CALLS.get(node.name.upper())
    return (rewrite(node.expressions) if rewrite is not None else None) or node


_CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {**documents.CALLS, **texts.CALLS, **times.CALLS}

_FRAMES = Rewrite("windows in an order", "with their frame", (exp.Window,), _framed)

REWRITES: tuple[Rewrite, ...] = (
    _FRAMES,
    Rewrite("types", "those of the same values; lists, structs and maps are SUPER", (exp.DataType,), _type),
    Rewrite("AVG", "SUM by COUNT, as DOUBLE PRECISION", (exp.Filter, exp.Avg), conditional.average),
    Rewrite("FIRST, ANY_VALUE", "MIN", (exp.First, exp.AnyValue), conditional.any_value),
    Rewrite("IGNORE NULLS of MIN", "MIN", (exp.IgnoreNulls,), conditional.known),
    *documents.REWRITES,
    Rewrite("FILTER", "CASE in the aggregate", (exp.Filter,), lambda node: conditional.filtered(node, find)),
    Rewrite("COUNT_IF", "COUNT of a CASE", (exp.Filter, exp.CountIf), _count_if),
    Rewrite("MATERIALIZED", "nothing", (exp.CTE,), conditional.named_query),
    Rewrite("division", "of DOUBLE PRECISION", (exp.Div,), conditional.division),
    Rewrite("whole division", "without the remainder", (exp.IntDiv,), conditional.whole_division),
    Rewrite("IS NOT DISTINCT FROM", "equal, or both NULL", (exp.NullSafeEQ,), _same),
    Rewrite("pairs in a query", "a query with two columns", (exp.In,), pairs_in_query),
    Rewrite("times of unknown types", "by way of text", (exp.Case,), by_way_of_text),
    Rewrite("elements of lists", "steps from a column on", (exp.Bracket,), _element),
    *texts.REWRITES,
    *times.REWRITES,
    Rewrite("TRY_CAST", "TRY_CAST of a text that is not empty", (exp.TryCast,), _try_cast),
    Rewrite("CAST", "texts parsed to documents, rounded to integers", (exp.Cast,), _cast),
    Rewrite("TRY of a cast", "TRY_CAST", (exp.Try,), _attempt),
    Rewrite("other functions", "by name", (exp.Anonymous,), _by_name),
    Rewrite(
        "FIRST by an order, ARG_MAX, MAX of pairs, MEDIAN, QUANTILE_CONT",
        "FIRST_VALUE, PERCENTILE_CONT over the rows of the group",
        (exp.Select,),
        lambda node: over_the_group(node, find),
    ),
)

_BY_TYPE = by_type(rewrite for rewrite in REWRITES if rewrite is not _FRAMES)
_AT_LAST = by_type([_FRAMES])
"""What is said of windows that other rewrites have made, too."""
