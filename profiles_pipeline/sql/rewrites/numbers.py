"""Numbers: how wide and how exact each warehouse makes them."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from sqlglot import exp

from profiles_pipeline.sql.build import build, wrapped
from profiles_pipeline.sql.kinds import dtype, kind, typed
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, cast, function
from profiles_pipeline.sql.rewrites.semi_structured import scalar

_SMALL = (exp.DType.INT, exp.DType.SMALLINT, exp.DType.TINYINT)
_PLAIN_DECIMAL = {"redshift": (18, 0), "databricks": (10, 0), "bigquery": (38, 9)}


def _wide_integer(node: exp.Expr) -> exp.Expr:
    """Every integer type of Snowflake holds 38 digits."""
    if node.args["to"].this in _SMALL:
        node.set("to", exp.DataType(this=exp.DType.BIGINT))
        node.type = exp.DType.BIGINT
    return node


def _towards_zero(node: exp.Expr) -> exp.Expr:
    """``cast(2.7 as int)`` is 2; of what may not be a number, as many digits count as a decimal can have."""
    operand = node.this
    if node.args["to"].this not in exp.DataType.INTEGER_TYPES or _is_whole(operand):
        return node
    exact = operand if kind(operand) == "number" else type(node)(this=operand, to=_sized_decimal(38, 10))
    node.set("this", build("TRUNC(:number)", number=exact))
    return node


def _is_whole(node: exp.Expr) -> bool:
    if isinstance(node, exp.Literal):
        return node.name.lstrip("+-").isdigit()
    known = dtype(node) in exp.DataType.INTEGER_TYPES or kind(node) in ("boolean", "date", "timestamp", "null")
    return known or isinstance(node, exp.Floor | exp.Ceil)


def _decimal(sizes: tuple[int, int], node: exp.Expr) -> exp.Expr:
    to: exp.DataType = node.args["to"]
    if to.this == exp.DType.DECIMAL and not to.expressions:
        node.set("to", _sized_decimal(*sizes))
    return node


def _sized_decimal(precision: int, scale: int) -> exp.DataType:
    written = [exp.DataTypeParam(this=exp.Literal.number(size)) for size in (precision, scale)]
    return exp.DataType(this=exp.DType.DECIMAL, expressions=written)


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


_SAFE: dict[type[exp.Expr], str] = {
    exp.SafeAdd: ":a + :b",
    exp.SafeSubtract: ":a - :b",
    exp.SafeMultiply: ":a * :b",
    exp.SafeNegate: "-:a",
}


def _safe(node: exp.Expr) -> exp.Expr:
    second = {"b": node.expression} if node.args.get("expression") else {}
    return _tried(build(_SAFE[type(node)], a=node.this, **second))


def _tried(node: exp.Expr) -> exp.Expr:
    """Return NULL where `node` fails; DuckDB cannot try what holds an aggregate."""
    return wrapped(node) if node.find(exp.AggFunc) else function("TRY", node)


def _seconds_of_time(node: exp.Expr) -> exp.Expr:
    """``cast(ts as bigint)`` counts seconds since 1970."""
    to = node.args["to"].this
    if kind(node.this) != "timestamp" or to not in exp.DataType.NUMERIC_TYPES:
        return node
    seconds = function("EPOCH", cast(node.this, exp.DType.TIMESTAMP), dtype=exp.DType.DOUBLE)
    return cast(build("FLOOR(:seconds)", seconds=seconds) if to in exp.DataType.INTEGER_TYPES else seconds, to)


def _whole_quotient(node: exp.Expr) -> exp.Expr:
    """``7 / 2`` of whole numbers, ``7.9 div 2`` of any: what is behind the point is cut off."""
    whole = all(dtype(operand) in exp.DataType.INTEGER_TYPES for operand in (node.this, node.expression))
    if whole == isinstance(node, exp.IntDiv):
        return node
    quotient = build("TRUNC(:dividend / :divisor)", dividend=node.this, divisor=node.expression)
    return cast(quotient, exp.DType.BIGINT)


def _bucket(node: exp.Expr) -> exp.Expr:
    value, low, high, count = node.this, node.args["min_value"], node.args["max_value"], node.args["num_buckets"]
    return typed(build(_BUCKET, value=value, low=low, high=high, count=count), exp.DType.BIGINT)


def _exact_middle(node: exp.Expr) -> exp.Expr:
    """DuckDB gives the median of decimals the digits of the decimals, which cannot say what lies between two."""
    node.set("this", in_floating_point(node.this))
    return node


def _exact_percentile(node: exp.Expr) -> exp.Expr:
    """``percentile_cont(0.5) within group (order by x)``"""
    if isinstance(node.this, exp.PercentileCont):
        key = node.expression.expressions[0]
        key.set("this", in_floating_point(key.this))
    return node


def _approximate(name: str, node: exp.Expr) -> exp.Expr:
    """``approx_percentile(x, 0.5)``: exact, so that the same rows give the same in whatever order they come.

    Snowflake puts the result between two values, the others take one of the values.
    """
    value = in_floating_point(node.this) if name == "QUANTILE_CONT" else node.this
    return function(name, value, node.args["quantile"], dtype=value.type.this if value.type else None)


def _approximate_parts(node: exp.Expr) -> exp.Expr:
    """``approx_quantiles(x, 4)``: the least value, those at the quarters and the greatest."""
    count = node.expression
    if isinstance(node.this, exp.Distinct) or not isinstance(count, exp.Literal) or not count.name.isdigit():
        return node
    shares = [exp.Literal.number(str(Decimal(part) / int(count.name))) for part in range(int(count.name) + 1)]
    return function("QUANTILE_DISC", node.this, exp.Array(expressions=shares), dtype=exp.DType.ARRAY)


def _percentile(node: exp.Expr) -> exp.Expr:
    """``percentile(x, 0.5)`` lies between two values where there is none in the middle."""
    value = node.this
    if isinstance(value, exp.Distinct):
        value.set("expressions", [in_floating_point(item) for item in value.expressions])
    else:
        value = in_floating_point(value)
    return function("QUANTILE_CONT", value, node.args["quantile"], dtype=exp.DType.DOUBLE)


def in_floating_point(operand: exp.Expr) -> exp.Expr:
    """Return a number as one of 64 bits; a time, and what is one already, as it is."""
    is_float = isinstance(operand, exp.Cast) and operand.to.this in exp.DataType.FLOAT_TYPES
    if is_float or kind(operand) in ("date", "timestamp"):
        return operand
    return cast(scalar(operand) if kind(operand) == "json" else operand, exp.DType.DOUBLE)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("safe-arithmetic", ANY, "duckdb", tuple(_SAFE), _safe),
    Rewrite("safe-call", "bigquery", "duckdb", (exp.SafeFunc,), lambda node: _tried(node.this)),
    Rewrite("time-as-number", "databricks", "duckdb", (exp.Cast, exp.TryCast), _seconds_of_time),
    Rewrite("whole-quotient", "redshift", "duckdb", (exp.Div,), _whole_quotient),
    *(Rewrite("whole-quotient", s, "duckdb", (exp.IntDiv,), _whole_quotient) for s in ("databricks", "bigquery")),
    Rewrite("width-bucket", ANY, "duckdb", (exp.WidthBucket,), _bucket),
    *(
        Rewrite("to-number", source, "duckdb", (exp.ToNumber,), _to_number)
        for source in ("snowflake", "redshift", "databricks")
    ),
    Rewrite("wide-integer", "snowflake", "duckdb", (exp.Cast, exp.TryCast), _wide_integer),
    *(
        Rewrite("plain-decimal", source, "duckdb", (exp.Cast, exp.TryCast), partial(_decimal, sizes))
        for source, sizes in _PLAIN_DECIMAL.items()
    ),
    *(
        Rewrite("exact-median", source, "duckdb", (exp.Median,), _exact_middle)
        for source in ("snowflake", "databricks", "redshift")
    ),
    *(
        Rewrite("exact-quantile", source, "duckdb", (exp.ApproxQuantile,), partial(_approximate, name))
        for source, name in (
            ("snowflake", "QUANTILE_CONT"),
            ("databricks", "QUANTILE_DISC"),
            ("redshift", "QUANTILE_DISC"),
        )
    ),
    Rewrite("exact-quantile", "bigquery", "duckdb", (exp.ApproxQuantiles,), _approximate_parts),
    *(
        Rewrite("exact-percentile", source, "duckdb", (exp.WithinGroup,), _exact_percentile)
        for source in ("snowflake", "databricks", "redshift")
    ),
    Rewrite("percentile", ANY, "duckdb", (exp.Quantile,), _percentile),
    Rewrite("towards-zero", "databricks", "duckdb", (exp.Cast, exp.TryCast), _towards_zero),
)
