"""What aggregates of the canonical dialect are in PostgreSQL."""

from __future__ import annotations

import re

from sqlglot import exp

from profiles_pipeline.dialects.postgres.helpers import called
from profiles_pipeline.dialects.postgres.words import cast_to, function, inside_filter
from profiles_pipeline.names import PARTIAL
from profiles_pipeline.sql import build


def _first_of(value: exp.Expr, keys: list[exp.Expr], where: exp.Expr | None) -> exp.Expr:
    """Return the first of the values of a group by an order."""
    listed: exp.Expr = exp.ArrayAgg(this=exp.Order(this=value, expressions=keys) if keys else value)
    if where is not None:
        listed = exp.Filter(this=listed, expression=exp.Where(this=where))
    return exp.Bracket(this=exp.Paren(this=listed), expressions=[exp.Literal.number(1)], offset=1)


def extreme(node: exp.Expr) -> exp.Expr:
    """ARG_MAX(v, k), within a FILTER or not: rows without a value or a key do not count."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.ArgMax | exp.ArgMin) or (call is node and inside_filter(node)):
        return node
    if call.args.get("count") is not None:
        return node
    value, key = call.this, call.expression
    known = [build(":x IS NOT NULL", x=value), build(":x IS NOT NULL", x=key)]
    keys = [exp.Ordered(this=key.copy(), desc=isinstance(call, exp.ArgMax), nulls_first=False)]
    where = [node.expression.this] if isinstance(node, exp.Filter) else []
    return _first_of(value.copy(), list(keys), exp.and_(*where, *known, copy=False))


def first_value(node: exp.Expr) -> exp.Expr:
    """FIRST(v ORDER BY k) and ANY_VALUE(v), within a FILTER or not."""
    if isinstance(node.parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls) and node.arg_key == "this":
        return node
    call = node
    while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        call = call.this
    if not isinstance(call, exp.First | exp.AnyValue) or isinstance(call.this, exp.HavingMax):
        return node
    keys = list(call.this.expressions) if isinstance(call.this, exp.Order) else []
    value = call.this.this if isinstance(call.this, exp.Order) else call.this
    tests = [node.expression.this] if isinstance(node, exp.Filter) else []
    if isinstance(call, exp.AnyValue):
        tests.append(build(":x IS NOT NULL", x=value))
    return _first_of(value, keys, exp.and_(*tests, copy=False) if tests else None)


def largest_pair(node: exp.Expr) -> exp.Expr:
    """STRUCT_EXTRACT(MAX({'k': k, 'v': v}) FILTER (WHERE ...), 'v'): NULL is greater than any value."""
    if not isinstance(node, exp.StructExtract) or node.expression.name != "v":
        return node
    inner = node.this.this if isinstance(node.this, exp.Filter) else node.this
    if not isinstance(inner, exp.Max | exp.Min) or not isinstance(inner.this, exp.Struct):
        return node
    fields = [field.expression for field in inner.this.expressions]
    down = isinstance(inner, exp.Max)
    keys: list[exp.Expr] = [exp.Ordered(this=field.copy(), desc=down, nulls_first=down) for field in fields]
    where = node.this.expression.this if isinstance(node.this, exp.Filter) else None
    return _first_of(fields[-1], keys, where)


def average(node: exp.Expr) -> exp.Expr:
    """AVG(x), within a FILTER or not: the sum, which is exact for decimals, by the number of values."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Avg) or (call is node and inside_filter(node)):
        return node
    if isinstance(node.parent, exp.Window):
        call.set("this", cast_to(call.this, "DOUBLE PRECISION"))
        return node

    def part(made: exp.Expr) -> exp.Expr:
        where = node.expression.copy() if isinstance(node, exp.Filter) else None
        return exp.Filter(this=made, expression=where) if where is not None else made

    total = cast_to(part(exp.Sum(this=call.this.copy())), "DOUBLE PRECISION")
    count = part(exp.Count(this=call.this.copy(), big_int=True))
    quotient = exp.Div(this=total, expression=function("NULLIF", count, exp.Literal.number(0)), typed=False, safe=False)
    return exp.Paren(this=quotient)


def quantile(node: exp.Expr) -> exp.Expr:
    """MEDIAN(x) and QUANTILE_CONT(x, q), within a FILTER or not: by a function over the sorted values."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Median | exp.PercentileCont) or (call is node and inside_filter(node)):
        return node
    part = exp.Literal.number("0.5") if isinstance(call, exp.Median) else call.expression
    if part is None or isinstance(node.parent, exp.WithinGroup):
        return node
    part = part.this if isinstance(part, exp.Order) else part
    if not isinstance(part, exp.Literal):
        return node
    distinct = isinstance(call.this, exp.Distinct)
    value = cast_to(call.this.expressions[0] if distinct else call.this, "DOUBLE PRECISION")
    listed = exp.Order(
        this=exp.Distinct(expressions=[value]) if distinct else value, expressions=[exp.Ordered(this=value.copy())]
    )
    tests = [node.expression.this] if isinstance(node, exp.Filter) else []
    where = exp.and_(*tests, build(":x IS NOT NULL", x=value), copy=False)
    values = exp.Filter(this=exp.ArrayAgg(this=listed), expression=exp.Where(this=where))
    return called("quantile", values, part.copy())


def most_frequent(node: exp.Expr) -> exp.Expr:
    """MODE(x), with an order of its own or not: within a group."""
    value = node.this
    if value is None:
        return node
    keys = list(value.expressions) if isinstance(value, exp.Order) else [exp.Ordered(this=value, nulls_first=False)]
    return exp.WithinGroup(this=exp.Mode(), expression=exp.Order(expressions=keys))


def united(node: exp.Expr) -> exp.Expr:
    """FLATTEN(ARRAY_AGG(l)), within a FILTER or not: an aggregate of the schema."""
    listed = node.this.this if isinstance(node.this, exp.Filter) else node.this
    if not isinstance(listed, exp.ArrayAgg):
        return node
    joined = called("united", listed.this)
    if not isinstance(node.this, exp.Filter):
        return joined
    return exp.Filter(this=joined, expression=node.this.expression)


def sum_of_sums(node: exp.Expr) -> exp.Expr:
    """SUM(p) of what is kept in parts, which are sums: of their own type, as the sum of all rows would be."""
    is_part = isinstance(node.this, exp.Column) and _PART.fullmatch(node.this.name)
    return called("sum", node.this) if is_part else node


_PART = re.compile(f"{PARTIAL}[0-9a-f]{{12}}")


def joined(node: exp.Expr) -> exp.Expr:
    """STRING_AGG(x, s ORDER BY k), within a FILTER or not: of texts; distinct values in the order of their own type."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.GroupConcat) or (call is node and inside_filter(node)):
        return node
    ordered = call.this if isinstance(call.this, exp.Order) else None
    value = ordered.this if ordered is not None else call.this
    separator = call.args.get("separator") or exp.Literal.string(",")
    if not isinstance(value, exp.Distinct) or ordered is None:
        inner = value.expressions[0] if isinstance(value, exp.Distinct) else value
        inner.replace(cast_to(inner.copy(), "TEXT"))
        return node
    tests = [node.expression.this] if isinstance(node, exp.Filter) else []
    known = exp.and_(*tests, build(":x IS NOT NULL", x=value.expressions[0]), copy=False)
    listed = exp.Filter(this=exp.ArrayAgg(this=ordered), expression=exp.Where(this=known))
    return function("ARRAY_TO_STRING", listed, separator)


def extreme_or_null(node: exp.Expr) -> exp.Expr:
    """ARG_MAX_NULL(v, k), within a FILTER or not: rows without a key do not count."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Anonymous) or call.name.upper() not in ("ARG_MAX_NULL", "ARG_MIN_NULL"):
        return node
    if (call is node and inside_filter(node)) or len(call.expressions) != 2:
        return node
    value, key = call.expressions
    where = [node.expression.this] if isinstance(node, exp.Filter) else []
    keys = exp.Ordered(this=key.copy(), desc="MAX" in call.name.upper(), nulls_first=False)
    return _first_of(value.copy(), [keys], exp.and_(*where, build(":x IS NOT NULL", x=key), copy=False))


def approximate_count(node: exp.Expr) -> exp.Expr:
    """APPROX_COUNT_DISTINCT(x): exactly."""
    return exp.Count(this=exp.Distinct(expressions=[node.this]), big_int=True)
