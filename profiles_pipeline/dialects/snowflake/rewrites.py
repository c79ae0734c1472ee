"""What the canonical dialect says and Snowflake says otherwise: one table of small rewrites of trees.

They work on what DuckDB would be given, so that there is one dialect to come from: what a tree of another origin means
on DuckDB has been settled before.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects import conditional
from profiles_pipeline.dialects.folding import upper_case
from profiles_pipeline.dialects.kinds import is_moment, is_text
from profiles_pipeline.dialects.over_group import over_the_group
from profiles_pipeline.dialects.rewriting import Rewrite, by_type, names_of, pairs_in_query, rewritten
from profiles_pipeline.dialects.rewriting import call as _call
from profiles_pipeline.dialects.snowflake import documents, rows, texts, times
from profiles_pipeline.dialects.snowflake.types import present
from profiles_pipeline.sql import build


def in_snowflake(tree: exp.Expr) -> exp.Expr:
    """Return a tree of the canonical dialect as one for Snowflake. Changes the tree in place."""
    _fold_names(tree)
    return rewritten(tree, _BY_TYPE)


# --- names ----------------------------------------------------------------------------------------------------------


def folded(name: str) -> str:
    """Return a name as it is found without quotes."""
    return upper_case(name)


def _fold_names(tree: exp.Expr) -> None:
    """Spell names in upper case, which is how they are found without quotes.

    The names of a relation in a database are those that the server knows it by; keys of structs are values.
    """
    for name in names_of(tree):
        parent = name.parent
        if isinstance(parent, exp.Table) and parent.args.get("catalog") is not None and name.arg_key != "alias":
            continue
        name.set("this", folded(name.name))
        name.set("quoted", True)


# --- aggregates -----------------------------------------------------------------------------------------------------


def _extreme_or_null(args: list[exp.Expr], name: str) -> exp.Expr | None:
    """ARG_MAX_NULL(v, k): rows without a key do not count."""
    return _call(name, *args) if len(args) == 2 else None


_NAN, _INF = "CAST('NaN' AS DOUBLE)", "CAST('inf' AS DOUBLE)"


def _as_double(value: exp.Expr) -> exp.Expr:
    return exp.cast(value, "DOUBLE")


def _chance(_: exp.Expr) -> exp.Expr:
    """RANDOM(): a part of 1, made of a whole number of 64 bits."""
    return exp.Paren(this=build("RANDOM() / CAST('18446744073709551616' AS DOUBLE) + 0.5"))


def _listed_in_order(node: exp.Expr) -> exp.Expr:
    """LIST_SORT(ARRAY_AGG(DISTINCT x)): sorted while it is made."""
    made = node.this
    if not isinstance(made, exp.ArrayAgg) or not isinstance(made.this, exp.Distinct) or node.expression is not None:
        return node
    if node.args.get("asc") is not None or len(made.this.expressions) != 1:
        return node
    key = exp.Ordered(this=made.this.expressions[0].copy(), nulls_first=False)
    return exp.WithinGroup(this=made, expression=exp.Order(expressions=[key]))


def _united(node: exp.Expr) -> exp.Expr:
    """LIST_DISTINCT(FLATTEN(ARRAY_AGG(l))): the values of lists of which none has one twice, each once."""
    listed = node.this.this if isinstance(node.this, exp.Flatten) else None
    return exp.ArrayUnionAgg(this=listed.this) if isinstance(listed, exp.ArrayAgg) else node


# --- types ----------------------------------------------------------------------------------------------------------


def _type(node: exp.Expr) -> exp.Expr:
    assert isinstance(node, exp.DataType)
    return present(node)


def _try_cast(node: exp.Expr) -> exp.Expr:
    """TRY_CAST(x AS t): only texts can be tried."""
    kind = node.args["to"]
    text = exp.cast(node.this, "TEXT")
    if kind.is_type("variant"):
        return _call("TRY_PARSE_JSON", text)
    if kind.is_type("text", "varchar"):
        return text
    return exp.TryCast(this=text, to=kind)


def _cast(node: exp.Expr) -> exp.Expr:
    """CAST of moments to times, and of texts to documents."""
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return node
    kind, value = node.args["to"], node.this
    if kind.is_type("variant") and is_text(value):
        return exp.ParseJSON(this=value)
    if kind.is_type("timestamp", "timestampntz") and is_moment(value):
        node.set("this", times.in_utc(value))
    return node


def _attempt(node: exp.Expr) -> exp.Expr:
    """TRY of a cast is TRY_CAST; what else can be tried are texts in base 64."""
    if isinstance(node.this, exp.Cast):
        return _try_cast(exp.TryCast(this=node.this.this, to=node.this.args["to"]))
    if isinstance(node.this, exp.Anonymous) and node.this.name == "BASE64_DECODE_STRING":
        return _call("TRY_BASE64_DECODE_STRING", *node.this.expressions)
    return node


def _by_name(node: exp.Expr) -> exp.Expr:
    rewrite = _CALLS.get(node.name.upper())
    return (rewrite(node.expressions) if rewrite is not None else None) or node


_CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    **documents.CALLS,
    **texts.CALLS,
    **times.CALLS,
    "ARG_MAX_NULL": lambda args: _extreme_or_null(args, "MAX_BY"),
    "ARG_MIN_NULL": lambda args: _extreme_or_null(args, "MIN_BY"),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("types", "those of the same values; lists, structs and maps are semi-structured", (exp.DataType,), _type),
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
    Rewrite(
        "ISNAN", "a comparison", (exp.IsNan,), lambda n: exp.Paren(this=build(f":x = {_NAN}", x=_as_double(n.this)))
    ),
    Rewrite(
        "ISINF",
        "a comparison",
        (exp.IsInf,),
        lambda n: exp.Paren(this=build(f"ABS(:x) = {_INF}", x=_as_double(n.this))),
    ),
    Rewrite("RANDOM", "a part of 1", (exp.Rand,), _chance),
    Rewrite("MODE", "MODE; which one of several is not said", (exp.Mode,), conditional.mode),
    Rewrite("FILTER", "IFF in the aggregate", (exp.Filter,), conditional.filtered),
    Rewrite("LIST_SORT of distinct values", "WITHIN GROUP", (exp.SortArray,), _listed_in_order),
    Rewrite("distinct values of lists", "ARRAY_UNION_AGG", (exp.ArrayDistinct,), _united),
    Rewrite("MATERIALIZED", "nothing", (exp.CTE,), conditional.named_query),
    Rewrite("ROW_NUMBER() OVER ()", "any order, said so", (exp.Window,), conditional.numbered),
    Rewrite("division", "of DOUBLE", (exp.Div,), conditional.division),
    Rewrite("whole division", "without the remainder", (exp.IntDiv,), conditional.whole_division),
    Rewrite("pairs in a query", "a query with two columns", (exp.In,), pairs_in_query),
    *documents.REWRITES,
    *texts.REWRITES,
    *times.REWRITES,
    *rows.REWRITES,
    Rewrite("TRY_CAST", "TRY_CAST of a text", (exp.TryCast,), _try_cast),
    Rewrite("CAST", "moments in UTC; texts parsed to documents", (exp.Cast,), _cast),
    Rewrite("TRY of a cast", "TRY_CAST", (exp.Try,), _attempt),
    Rewrite("other functions", "by name", (exp.Anonymous,), _by_name),
    Rewrite("FIRST by an order, MAX of pairs", "FIRST_VALUE over the rows of the group", (exp.Select,), over_the_group),
)

_BY_TYPE = by_type(REWRITES)
