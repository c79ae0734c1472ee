"""Whether a var that looks at several rows says which, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.errors import Problem
from profiles_pipeline.resolve.model import EntityVar, InputVar
from profiles_pipeline.resolve.reader import ReadVar


def row_order_problems(var: EntityVar | InputVar, read: ReadVar) -> Iterator[Problem]:
    """Yield an error when a var needs a window and has none, a warning when its order of rows is left to chance."""
    select = read.select
    if select is None:
        return
    noun = "input_var" if isinstance(var, InputVar) else "entity_var"
    span = getattr(var.spec.select, "span", None) or var.spec.span
    per_entity = isinstance(var, EntityVar) and var.source is not None and not (read.window and read.window.frame)
    edge = _edge_value(select) if per_entity else None
    needs_window = sql.needs_window(select)
    aggregates_rows = isinstance(var, InputVar) and sql.is_aggregate(select)
    if read.window is None and edge is None and (needs_window or aggregates_rows):
        order = ", order_by: [...]" if needs_window else ""
        message = f"{noun} '{var.name}' computes its select over several rows, and has no window that says over which"
        by = "partition_by: [...]" if isinstance(var, InputVar) else ""
        yield Problem("missing-key", message, span, f"add window: {{{(by + order).removeprefix(', ')}}}")
    elif needs_window and not (read.window and read.window.order_by):
        message = f"{noun} '{var.name}' depends on the order of rows, which no order_by gives: {_consequence(edge)}"
        hint = "add window: {order_by: [...]}" if read.window is None else "add an order_by to its window"
        yield Problem("unordered-window", message, span, hint, severity="warning")


def _edge_value(select: exp.Expr) -> exp.Expr | None:
    """Return the call when an expression is nothing but ``first_value`` or ``last_value``; None when it is not."""
    call = select.this if isinstance(select, exp.IgnoreNulls | exp.RespectNulls) else select
    return call if isinstance(call, exp.FirstValue | exp.LastValue) else None


def _consequence(edge: exp.Expr | None) -> str:
    if edge is None:
        return "it is left to chance"
    return f"the {'smallest' if isinstance(edge, exp.FirstValue) else 'greatest'} value is taken"
