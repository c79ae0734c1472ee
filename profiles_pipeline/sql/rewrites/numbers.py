"""Numbers: how wide and how exact each warehouse makes them."""

from __future__ import annotations

from functools import partial

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import Rewrite, cast, named
from profiles_pipeline.sql.rewrites.semi_structured import scalar

_SMALL = (exp.DType.INT, exp.DType.SMALLINT, exp.DType.TINYINT)
_PLAIN_DECIMAL = {"redshift": (18, 0), "databricks": (10, 0), "bigquery": (38, 9)}


def _wide_integer(node: exp.Expr) -> exp.Expr:
    """Every integer type of Snowflake holds 38 digits."""
    if node.args["to"].this in _SMALL:
        node.set("to", exp.DataType(this=exp.DType.BIGINT))
        node.type = exp.DType.BIGINT
    return node


def _decimal(sizes: tuple[int, int], node: exp.Expr) -> exp.Expr:
    to: exp.DataType = node.args["to"]
    if to.this == exp.DType.DECIMAL and not to.expressions:
        written = [exp.DataTypeParam(this=exp.Literal.number(size)) for size in sizes]
        node.set("to", exp.DataType(this=exp.DType.DECIMAL, expressions=written))
    return node


def _to_number(node: exp.Expr) -> exp.Expr:
    """A format says where blanks, groups and signs of money stand; a decimal point needs none."""
    operand = scalar(node.this) if kind(node.this) == "json" else node.this
    made = exp.TryCast if node.args.get("safe") else exp.Cast
    if node.args.get("format"):
        bare = build("REGEXP_REPLACE(CAST(:text AS TEXT), '[$, ]', '', 'g')", text=operand)
        return typed(made(this=bare, to=exp.DataType(this=exp.DType.DOUBLE)), exp.DType.DOUBLE)
    sizes = [exp.DataTypeParam(this=node.args[key]) for key in ("precision", "scale") if node.args.get(key)]
    return typed(made(this=operand, to=exp.DataType(this=exp.DType.DECIMAL, expressions=sizes)), exp.DType.DECIMAL)


_BUCKET = """
    CASE
      WHEN :value < :low THEN 0
      WHEN :value >= :high THEN :count + 1
      ELSE CAST(FLOOR((:value - :low) / (:high - :low) * :count) AS BIGINT) + 1
    END
"""
_KILOMETRES = """
    2 * 6371 * ASIN(SQRT(
      POWER(SIN(RADIANS(:lat2 - :lat1) / 2), 2)
      + COS(RADIANS(:lat1)) * COS(RADIANS(:lat2)) * POWER(SIN(RADIANS(:lng2 - :lng1) / 2), 2)
    ))
"""


def _bucket(node: exp.Expr) -> exp.Expr:
    value, low, high, count = node.this, node.args["min_value"], node.args["max_value"], node.args["num_buckets"]
    return typed(build(_BUCKET, value=value, low=low, high=high, count=count), exp.DType.BIGINT)


def _distance(node: exp.Expr) -> exp.Expr:
    if not named(node, "HAVERSINE") or len(node.expressions) != 4:
        return node
    lat1, lng1, lat2, lng2 = node.expressions
    return typed(build(_KILOMETRES, lat1=lat1, lng1=lng1, lat2=lat2, lng2=lng2), exp.DType.DOUBLE)


def _exact_middle(node: exp.Expr) -> exp.Expr:
    """DuckDB gives the median of decimals the digits of the decimals, which cannot say what lies between two."""
    operand = node.this
    is_float = isinstance(operand, exp.Cast) and operand.to.this in exp.DataType.FLOAT_TYPES
    if kind(operand) != "json" and not is_float:
        node.set("this", cast(operand, exp.DType.DOUBLE))
    return node


ROWS: tuple[Rewrite, ...] = (
    Rewrite("width-bucket", "snowflake", "duckdb", (exp.WidthBucket,), _bucket),
    Rewrite("haversine", "snowflake", "duckdb", (exp.Anonymous,), _distance),
    Rewrite("to-number", "snowflake", "duckdb", (exp.ToNumber,), _to_number),
    Rewrite("wide-integer", "snowflake", "duckdb", (exp.Cast, exp.TryCast), _wide_integer),
    *(
        Rewrite("plain-decimal", source, "duckdb", (exp.Cast, exp.TryCast), partial(_decimal, sizes))
        for source, sizes in _PLAIN_DECIMAL.items()
    ),
    *(
        Rewrite("exact-median", source, "duckdb", (exp.Median,), _exact_middle)
        for source in ("snowflake", "databricks", "redshift")
    ),
)
