"""What the canonical dialect says and Databricks SQL says otherwise: one table of small rewrites of trees."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects import conditional
from profiles_pipeline.dialects.databricks import documents, texts, times
from profiles_pipeline.dialects.kinds import is_text
from profiles_pipeline.dialects.over_group import over_the_group, refuse_what_is_left
from profiles_pipeline.dialects.rewriting import Rewrite, by_type, call, pairs_in_query, quote_names, rewritten
from profiles_pipeline.sql import build


def in_databricks(tree: exp.Expr) -> exp.Expr:
    """Return a tree of the canonical dialect as one for Databricks SQL. Changes the tree in place."""
    quote_names(tree)
    made = rewritten(tree, _BY_TYPE)
    refuse_what_is_left(made, "Databricks SQL")
    return made


_ABSENT: dict[exp.DType, str] = {
    exp.DType.INT128: "DECIMAL(38, 0)",
    exp.DType.UINT128: "DECIMAL(38, 0)",
    exp.DType.UBIGINT: "DECIMAL(38, 0)",
    exp.DType.UINT: "BIGINT",
    exp.DType.USMALLINT: "INT",
    exp.DType.UTINYINT: "SMALLINT",
    exp.DType.JSON: "VARIANT",
    exp.DType.UUID: "TEXT",
    exp.DType.TIMESTAMP: "TIMESTAMPNTZ",
    exp.DType.TIMESTAMP_NS: "TIMESTAMPNTZ",
    exp.DType.TIMESTAMP_MS: "TIMESTAMPNTZ",
    exp.DType.TIMESTAMP_S: "TIMESTAMPNTZ",
}

_INTEGERS = ("tinyint", "smallint", "int", "bigint")

_NAMES_OF_TYPES = {
    "VARCHAR": "string",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double",
    "BIGINT": "bigint",
    "INTEGER": "int",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "JSON": "variant",
}


def _type(node: exp.Expr) -> exp.Expr:
    absent = _ABSENT.get(node.this) if isinstance(node.this, exp.DType) else None
    return node if absent is None else exp.DataType.build(absent)


def _type_test(node: exp.Expr) -> exp.Expr:
    """TYPEOF(x) = 'VARCHAR': by the name that the type has here."""
    if not isinstance(node.this, exp.Typeof) or not isinstance(node.expression, exp.Literal):
        return node
    name = _NAMES_OF_TYPES.get(node.expression.name)
    if name is None:
        return node
    return build("TYPEOF(:x) = :name", x=node.this.this, name=exp.Literal.string(name))


def _cast(node: exp.Expr) -> exp.Expr:
    """CAST of texts: parsed to documents, rounded to integers."""
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return node
    kind, value = node.args["to"], node.this
    if kind.is_type("variant") and is_text(value):
        return exp.ParseJSON(this=value)
    if kind.is_type(*_INTEGERS) and (is_text(value) or isinstance(value.unnest(), exp.Div)):
        whole = "DECIMAL(38, 9)" if is_text(value) else "DOUBLE"
        node.set("this", exp.Round(this=exp.cast(value, whole)))
    return node


def _try_cast(node: exp.Expr) -> exp.Expr:
    kind = node.args["to"]
    if kind.is_type("variant"):
        return call("TRY_PARSE_JSON", exp.cast(node.this, "TEXT"))
    return exp.cast(node.this, "TEXT") if kind.is_type("text", "varchar") else node


def _attempt(node: exp.Expr) -> exp.Expr:
    """TRY(CAST(x AS t)) is TRY_CAST; nothing else can be tried."""
    if isinstance(node.this, exp.Cast):
        return _try_cast(exp.TryCast(this=node.this.this, to=node.this.args["to"]))
    return node


def _by_name(node: exp.Expr) -> exp.Expr:
    rewrite = _CALLS.get(node.name.upper())
    return (rewrite(node.expressions) if rewrite is not None else None) or node


_CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {**documents.CALLS, **texts.CALLS, **times.CALLS}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite(
        "types", "those of the same values; JSON is VARIANT, times without a zone TIMESTAMP_NTZ", (exp.DataType,), _type
    ),
    Rewrite("AVG", "SUM by COUNT, as DOUBLE", (exp.Filter, exp.Avg), conditional.average),
    Rewrite(
        "ARG_MAX, ARG_MIN", "MAX_BY, MIN_BY of rows that have a value", (exp.ArgMax, exp.ArgMin), conditional.extreme
    ),
    Rewrite("FIRST, ANY_VALUE", "MIN", (exp.First, exp.AnyValue), conditional.any_value),
    Rewrite("IGNORE NULLS of MIN", "MIN", (exp.IgnoreNulls,), conditional.known),
    Rewrite(
        "QUANTILE_CONT, QUANTILE_DISC",
        "PERCENTILE_CONT, PERCENTILE_DISC",
        (exp.PercentileCont, exp.PercentileDisc),
        conditional.quantile,
    ),
    Rewrite("MODE", "MODE; which one of several is not said", (exp.Mode,), conditional.mode),
    *documents.REWRITES,
    Rewrite("MATERIALIZED", "nothing", (exp.CTE,), conditional.named_query),
    Rewrite("ROW_NUMBER() OVER ()", "any order, said so", (exp.Window,), conditional.numbered),
    Rewrite("division", "of DOUBLE", (exp.Div,), conditional.division),
    Rewrite("pairs in a query", "a query with two columns", (exp.In,), pairs_in_query),
    Rewrite("tests of TYPEOF", "with the names of types here", (exp.EQ,), _type_test),
    *texts.REWRITES,
    *times.REWRITES,
    Rewrite("TRY_CAST", "TRY_CAST, TRY_PARSE_JSON", (exp.TryCast,), _try_cast),
    Rewrite("CAST", "texts parsed to documents, rounded to integers", (exp.Cast,), _cast),
    Rewrite("TRY of a cast", "TRY_CAST", (exp.Try,), _attempt),
    Rewrite("other functions", "by name", (exp.Anonymous,), _by_name),
    Rewrite("FIRST by an order, MAX of pairs", "FIRST_VALUE over the rows of the group", (exp.Select,), over_the_group),
)

_BY_TYPE = by_type(REWRITES)
