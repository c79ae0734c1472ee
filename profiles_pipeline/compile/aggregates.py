"""Turns the expression of an entity var into one that can share a GROUP BY with others.

The row filter moves into the aggregates (``FILTER``), and a window over all rows of an entity becomes an aggregate.
A var without a matching row is NULL, whatever its expression makes of no rows: as if it had a query of its own. A var
whose expression has a value for each row instead of one for the entity is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.errors import Problem, Problems, nearest
from profiles_pipeline.resolve.model import EntityVar
from profiles_pipeline.resolve.readings import ReadVar, Window
from profiles_pipeline.sql import build
from profiles_pipeline.sql.time_windows import conjuncts, window_of


def shared(read: ReadVar, select: exp.Expr, where: exp.Expr | None) -> exp.Expr | None:
    """Return the expression for a shared GROUP BY, or None when the var cannot share one.

    Args:
        read: the var as read.
        select: its expression with symbols replaced.
        where: its row filter with symbols replaced.
    """
    if sql.has_subquery(select) or (where is not None and sql.has_subquery(where)):
        return None
    if sql.has_window(select):
        return None
    whole = as_aggregate(select, read.window)
    if whole is None:
        return None
    if where is None:
        return settled(sorted_later(whole))
    value = settled(sorted_later(filtered(whole, where)))
    if sql.null_on_empty(whole):
        return value
    return build("CASE WHEN COUNT(*) FILTER (WHERE :where) > 0 THEN :value END", where=where, value=value)


def as_aggregate(function: exp.Expr, window: Window | None) -> exp.Expr | None:
    """Return the aggregate over all rows of an entity that equals ``function OVER (window)``, or None if none does.

    Rows that tie in the order are told apart by their value, so that the result does not depend on chance.
    """
    value, skip_nulls = _unwrapped(function)
    order = window.order_by if window else ()
    if isinstance(value, exp.FirstValue | exp.LastValue):
        if window is not None and _bounded(window.frame):
            return None
        return _edge_value(value, order, skip_nulls)
    if window is None:
        return function if sql.is_aggregate(function) else None
    if not sql.is_aggregate(function) or _bounded(window.frame):
        return None
    return _ordered(function, order)


def _ordered(function: exp.Expr, order: tuple[exp.Expr, ...]) -> exp.Expr:
    """Return the aggregate with the window's order where the order of rows shows in the result."""
    if not order:
        return function
    ordered = function.copy()
    for listed in ordered.find_all(exp.ArrayAgg, exp.GroupConcat):
        if not isinstance(listed.this, exp.Order | exp.Distinct):
            listed.set("this", exp.Order(this=listed.this, expressions=[key.copy() for key in order]))
    return ordered


def sorted_later(tree: exp.Expr) -> exp.Expr:
    """Return the tree with lists of distinct values sorted once they are made: ordering every row costs far more.

    Changes the tree in place.
    """

    def visit(node: exp.Expr) -> exp.Expr:
        value = _sorted_by_itself(node.this) if isinstance(node, exp.Filter) else None
        if value is None or not any(test.this == value for test in sql.nodes_of(node.expression, exp.Is)):
            return node  # only where nulls are filtered out, since the two ways put them in different places
        listed = exp.ArrayAgg(this=exp.Distinct(expressions=[sql.copied(value)]))
        return exp.SortArray(this=exp.Filter(this=listed, expression=sql.copied(node.expression)))

    return sql.transformed(tree, visit)


def settled(tree: exp.Expr) -> exp.Expr:
    """Return the tree with ties settled: where several rows are the latest, the largest value counts, where several
    values are the most frequent, the smallest, and so on.

    What is kept in parts gives what one look at all rows gives, in whatever order they come. Changes the tree in place.
    """

    def visit(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue):
            node = node.this
        if isinstance(node, exp.AnyValue) and not isinstance(node.this, exp.HavingMax | exp.Order | exp.Distinct):
            return exp.Min(this=node.this)
        if isinstance(node, exp.Mode) and node.this is not None and not isinstance(node.this, exp.Order):
            smallest_first = exp.Ordered(this=sql.copied(node.this), desc=False, nulls_first=False)
            return exp.Mode(this=exp.Order(this=node.this, expressions=[smallest_first]))
        return node

    return _extremes(sql.transformed(tree, visit))


def _extremes(tree: exp.Expr) -> exp.Expr:
    """Return the tree with ``ARG_MAX_NULL(v, k)`` as the largest pair of k and v."""

    def visit(node: exp.Expr) -> exp.Expr:
        call = node.this if isinstance(node, exp.Filter) else node
        if isinstance(call, exp.Anonymous) and call.name.upper() in ("ARG_MAX_NULL", "ARG_MIN_NULL"):
            if len(call.expressions) != 2:
                return node
            value, key = call.expressions
            function = "MAX" if call.name.upper() == "ARG_MAX_NULL" else "MIN"
            known = build(":key IS NOT NULL", key=sql.copied(key))
            where = exp.and_(node.expression.this, known, copy=False) if isinstance(node, exp.Filter) else known
            return build(
                f"STRUCT_EXTRACT({function}({{'k': :key, 'v': :value}}) FILTER (WHERE :where), 'v')",
                key=sql.copied(key),
                value=sql.copied(value),
                where=where,
            )
        for name, child in list(node.args.items()):
            if isinstance(child, exp.Expr):
                node.set(name, visit(child))
            elif isinstance(child, list):
                node.set(name, [visit(item) if isinstance(item, exp.Expr) else item for item in child])
        return node

    return visit(tree)


def _sorted_by_itself(node: exp.Expr) -> exp.Expr | None:
    """Return x for ``ARRAY_AGG(DISTINCT x) WITHIN GROUP (ORDER BY x)``, rising; None for anything else."""
    if not isinstance(node, exp.WithinGroup) or not isinstance(node.this, exp.ArrayAgg):
        return None
    distinct, keys = node.this.this, node.expression.expressions
    if not isinstance(distinct, exp.Distinct) or len(distinct.expressions) != 1 or len(keys) != 1:
        return None
    value, key = distinct.expressions[0], keys[0]
    return value if key.this == value and not key.args.get("desc") else None


def is_value_per_entity(read: ReadVar) -> bool:
    """True when the var's expression yields one value per entity: an aggregate, a window, or a constant."""
    if read.select is None or read.window is not None:
        return True
    value, _ = _unwrapped(read.select)
    if isinstance(value, exp.FirstValue | exp.LastValue):
        return True
    if sql.is_aggregate(read.select) or sql.has_window(read.select) or sql.has_subquery(read.select):
        return True
    return not any(read.select.find_all(exp.Column)) and not _may_aggregate(read.select)


def _may_aggregate(tree: exp.Expr) -> bool:
    return any(True for _ in sql.nodes_of(tree, exp.Star))


def _unwrapped(function: exp.Expr) -> tuple[exp.Expr, bool]:
    if isinstance(function, exp.IgnoreNulls):
        return function.this, True
    return (function.this if isinstance(function, exp.RespectNulls) else function), False


def _bounded(frame: exp.WindowSpec | None) -> bool:
    """True when a frame leaves out rows even for the last row of the window."""
    if frame is None:
        return False
    start = str(frame.args.get("start") or "")
    end = str(frame.args.get("end") or "CURRENT ROW")
    return start.upper() != "UNBOUNDED" or end.upper() not in ("UNBOUNDED", "CURRENT ROW")


def _edge_value(function: exp.Expr, order: tuple[exp.Expr, ...], skip_nulls: bool) -> exp.Expr:
    """Return the value on the first or last row by a total order: the given keys, then the value itself."""
    value = sql.copied(function.this)
    keys = [sql.copied(key) for key in order]
    keys.append(exp.Ordered(this=sql.copied(value), desc=False, nulls_first=False))
    if isinstance(function, exp.LastValue):
        keys = [_reversed(key) for key in keys]
    first = build("FIRST(:value ORDER BY :keys)", value=value, keys=keys)
    if not skip_nulls:
        return first
    known = build(":value IS NOT NULL", value=function.this)
    return exp.Filter(this=first, expression=exp.Where(this=known))


def _reversed(key: exp.Expr) -> exp.Expr:
    assert isinstance(key, exp.Ordered)
    return exp.Ordered(this=key.this, desc=not key.args.get("desc"), nulls_first=not key.args.get("nulls_first"))


def filtered(tree: exp.Expr, where: exp.Expr) -> exp.Expr:
    """Return the tree with `where` as the FILTER of each of its outermost aggregates."""

    def visit(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Filter):
            both = exp.and_(node.expression.this, sql.copied(where), copy=False)
            return exp.Filter(this=node.this, expression=exp.Where(this=both))
        inner = node.this if isinstance(node, exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls) else node
        if sql.is_aggregate_call(inner):
            return exp.Filter(this=guarded(node, where), expression=exp.Where(this=sql.copied(where)))
        for key, child in list(node.args.items()):
            if isinstance(child, exp.Expr):
                node.set(key, visit(child))
            elif isinstance(child, list):
                node.set(key, [visit(item) if isinstance(item, exp.Expr) else item for item in child])
        return node

    return visit(sql.copied(tree))


def guarded(call: exp.Expr, where: exp.Expr) -> exp.Expr:
    """Return an aggregate whose casts see NULL on rows that `where` keeps from them by what it says of the same column.

    FILTER leaves rows out after the values of all of them are computed: ``sum(x::int)`` would fail on the very rows
    that ``x != ''`` is there for.
    """
    tests = [(test, frozenset(sql.column_names(test))) for test in conjuncts(where) if _may_guard(test)]

    if not tests:
        return call
    guarded_call = sql.copied(call)
    for cast in [node for node in sql.nodes_of(guarded_call, exp.Cast) if type(node) is exp.Cast]:
        columns = frozenset(sql.column_names(cast.this))
        about = [sql.copied(test) for test, names in tests if names & columns]
        if about:
            cast.set("this", exp.Case().when(exp.and_(*about, copy=False), cast.this))
    return guarded_call


def _may_guard(test: exp.Expr) -> bool:
    """True unless a condition is about NULL, which can be cast to anything, or about when a row happened."""
    asked = test.this.unnest() if isinstance(test, exp.Not) else test
    about_null = isinstance(asked, exp.Is) and isinstance(asked.this, exp.Column)
    return not about_null and window_of(test) is None


def refuse_many_values(variables: Iterable[EntityVar], read: Mapping[str, ReadVar], entity: str) -> None:
    """Raise with every var that reads a source but does not yield one value per entity.

    Args:
        variables: the vars.
        read: the vars as read, by lower-case name.
        entity: whose vars they are, for people to read.
    """
    problems = Problems()
    for var in variables:
        if var.source is not None and not is_value_per_entity(read[var.name.lower()]):
            problems.found.append(_no_single_value(var, read[var.name.lower()].select, entity))
    problems.raise_errors()


def _no_single_value(var: EntityVar, select: exp.Expr | None, entity: str) -> Problem:
    span, about = getattr(var.spec.select, "span", None) or var.spec.span, f"{var.cohort}/{var.name.lower()}"
    unknown = sql.unfamiliar_calls(select) if select else ()
    for name in unknown:
        if meant := nearest(name, sql.aggregate_names()):
            message = f"entity_var '{var.name}' calls '{name}', which is no function that is known here"
            return Problem("unknown-function", message, span, f"did you mean '{meant}'?", about=about)
    message = f"entity_var '{var.name}' reads '{var.spec.from_}' but its select is not an aggregate"
    message += "".join(f"; '{name}' is not known to be one" for name in unknown)
    hint = f"use an aggregate such as max(...) or a window, so that each {entity} has one value"
    return Problem("not-an-aggregate", message, span, hint, about=about)
