"""Sketches of distinct values: what the warehouses keep as a few bytes and estimate from is the list of the values
here, so that it can be kept, put together and counted without an error."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import typed
from profiles_pipeline.sql.rewrites.row import Rewrite, named

_MADE = "LIST_SORT(ARRAY_AGG(DISTINCT :a) FILTER (WHERE NOT :a IS NULL))"
_MERGED = "LIST_DISTINCT(FLATTEN(ARRAY_AGG(:a) FILTER (WHERE NOT :a IS NULL)))"
_COUNTED = "COALESCE(LEN({}), 0)"
_CALLS: dict[str, tuple[str, exp.DType]] = {
    **dict.fromkeys(
        ("HLL_ACCUMULATE", "HLL_CREATE_SKETCH", "HLL_SKETCH_AGG", "HLL_COUNT.INIT"), (_MADE, exp.DType.ARRAY)
    ),
    **dict.fromkeys(
        ("HLL_COMBINE", "HLL_UNION_AGG", "HLL_COUNT.MERGE_PARTIAL"), (f"LIST_SORT({_MERGED})", exp.DType.ARRAY)
    ),
    **dict.fromkeys(
        ("HLL_ESTIMATE", "HLL_CARDINALITY", "HLL_SKETCH_ESTIMATE", "HLL_COUNT.EXTRACT"),
        (_COUNTED.format(":a"), exp.DType.BIGINT),
    ),
    "HLL_COUNT.MERGE": (_COUNTED.format(_MERGED), exp.DType.BIGINT),
}
_PAIRS = ("HLL_COMBINE_SKETCHES", "HLL_UNION")


def _written_out(node: exp.Expr) -> exp.Expr:
    """``hll_estimate(hll_accumulate(x))``; what follows the value is how precise a sketch is to be."""
    if named(node, *_PAIRS) and len(node.expressions) > 1:
        a, b = node.expressions[:2]
        return typed(build("LIST_SORT(LIST_DISTINCT(LIST_CONCAT(:a, :b)))", a=a, b=b), exp.DType.ARRAY)
    return _call(node, node.name.upper(), node)


def _of_namespace(node: exp.Expr) -> exp.Expr:
    """``hll_count.extract(hll_count.init(x))``"""
    if node.this.name.upper() != "HLL_COUNT" or not isinstance(node.expression, exp.Anonymous):
        return node
    return _call(node.expression, f"HLL_COUNT.{node.expression.name.upper()}", node)


def _call(call: exp.Expr, name: str, otherwise: exp.Expr) -> exp.Expr:
    if name not in _CALLS or not call.expressions:
        return otherwise
    text, dtype = _CALLS[name]
    return typed(build(text, a=call.expressions[0]), dtype)


ROWS: tuple[Rewrite, ...] = (
    *(
        Rewrite("hll", source, "duckdb", (exp.Hll,), lambda node: exp.ApproxDistinct(this=node.this))
        for source in ("snowflake", "redshift")
    ),
    *(
        Rewrite("hll-sketch", source, "duckdb", (exp.Anonymous,), _written_out)
        for source in ("snowflake", "redshift", "databricks")
    ),
    Rewrite("hll-sketch", "bigquery", "duckdb", (exp.Dot,), _of_namespace),
)
