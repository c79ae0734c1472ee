"""Rewrites for engines whose aggregates take no FILTER, or that have less to say on how one is computed."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.over_group import Finder, belongs_to_window, first_of, where_it_holds
from profiles_pipeline.dialects.rewriting import call, inside_filter
from profiles_pipeline.sql import build


def filtered(node: exp.Expr, find: Finder = first_of) -> exp.Expr:
    """An aggregate with FILTER: of values that are NULL where the filter does not hold."""
    if not isinstance(node, exp.Filter) or belongs_to_window(node, find):
        return node
    where: exp.Expr = node.expression.this
    inner: exp.Expr = node.this
    if isinstance(inner, exp.Count) and isinstance(inner.this, exp.Star):
        return exp.CountIf(this=where)
    if isinstance(inner, exp.WithinGroup) and isinstance(inner.this, exp.PercentileCont | exp.PercentileDisc):
        key = inner.expression.expressions[0]
        key.set("this", where_it_holds(where, key.this))
        return inner
    _narrow(inner.this if isinstance(inner, exp.WithinGroup) else inner, where)
    return inner


def _narrow(aggregate: exp.Expr, where: exp.Expr) -> None:
    """Let an aggregate see NULL where a condition does not hold."""
    if isinstance(aggregate, exp.ArgMax | exp.ArgMin):
        aggregate.set("expression", where_it_holds(where, aggregate.expression))
        return
    if isinstance(aggregate, exp.Anonymous):
        first = aggregate.expressions[0]
        first.replace(where_it_holds(where, first.copy()))
        return
    holder, value = aggregate, aggregate.this
    if isinstance(value, exp.Order):
        holder, value = value, value.this
    if isinstance(value, exp.Distinct):
        for key in holder.expressions if isinstance(holder, exp.Order) else ():
            if key.this in value.expressions:  # distinct values are ordered by themselves only
                key.set("this", where_it_holds(where, key.this))
        value.set("expressions", [where_it_holds(where, item) for item in value.expressions])
    elif isinstance(value, exp.Expr):
        holder.set("this", where_it_holds(where, value))


def extreme(node: exp.Expr) -> exp.Expr:
    """ARG_MAX(v, k): rows without a value or a key do not count."""
    if node.args.get("count") is not None or belongs_to_window(node):
        return node
    node.set("expression", where_it_holds(build(":v IS NOT NULL", v=node.this), node.expression))
    return node


def any_value(node: exp.Expr) -> exp.Expr:
    """ANY_VALUE(x) and FIRST(x): one that is not NULL."""
    if belongs_to_window(node) or isinstance(node.this, exp.HavingMax):
        return node
    return exp.Min(this=node.this)


def known(node: exp.Expr) -> exp.Expr:
    """MIN leaves NULL out by itself."""
    return node.this if isinstance(node.this, exp.Min | exp.Max) else node


def average(node: exp.Expr) -> exp.Expr:
    """AVG(x): the sum, which is exact for decimals, by the number of values."""
    aggregate = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(aggregate, exp.Avg) or (aggregate is node and inside_filter(node)):
        return node
    if isinstance(node.parent, exp.Window):
        aggregate.set("this", exp.cast(aggregate.this, "DOUBLE"))
        return node
    value = aggregate.this
    if isinstance(node, exp.Filter):
        where = node.expression.this
        if isinstance(value, exp.Distinct):
            value.set("expressions", [where_it_holds(where, item) for item in value.expressions])
        else:
            value = where_it_holds(where, value)
    total = exp.cast(exp.Sum(this=value.copy()), "DOUBLE")
    count = exp.Count(this=value.copy(), big_int=True)
    return exp.Paren(this=exp.Div(this=total, expression=call("NULLIF", count, exp.Literal.number(0))))


def quantile(node: exp.Expr) -> exp.Expr:
    """QUANTILE_CONT(x, q): PERCENTILE_CONT within the group."""
    part = node.expression
    if part is None or isinstance(node.parent, exp.WithinGroup):
        return node
    part = part.this if isinstance(part, exp.Order) else part
    order = exp.Order(expressions=[exp.Ordered(this=exp.cast(node.this, "DOUBLE"), nulls_first=False)])
    return exp.WithinGroup(this=type(node)(this=part), expression=order)


def mode(node: exp.Expr) -> exp.Expr:
    """MODE(x): which one of several that are equally frequent is not said."""
    if isinstance(node.this, exp.Order):
        node.set("this", node.this.this)
    return node


def named_query(node: exp.Expr) -> exp.Expr:
    """WITH x AS MATERIALIZED: the engine decides that."""
    node.set("materialized", None)
    return node


def numbered(node: exp.Expr) -> exp.Expr:
    """ROW_NUMBER() OVER (): in whatever order."""
    if isinstance(node.this, exp.RowNumber) and node.args.get("order") is None:
        node.set("order", exp.Order(expressions=[exp.Ordered(this=exp.Null())]))
    return node


def division(node: exp.Expr) -> exp.Expr:
    """a / b: of floating point numbers."""
    if not (isinstance(node.this, exp.Cast) and node.this.args["to"].is_type("double")):
        node.set("this", exp.cast(node.this.unnest() if isinstance(node.this, exp.Paren) else node.this, "DOUBLE"))
    return node


def whole_division(node: exp.Expr) -> exp.Expr:
    """a // b: without the remainder."""
    divided = build("(:a - MOD(:a, :b)) / :b", a=node.this, b=node.expression)
    return exp.cast(divided, "BIGINT")
