"""Whether a var that looks at several rows says which, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.errors import Problem
from profiles_pipeline.resolve.model import EntityVar, InputVar
from profiles_pipeline.resolve.readings import ReadVar


def row_order_problems(var: EntityVar | InputVar, read: ReadVar, id_column: str) -> Iterator[Problem]:
    """Yield an error when a var needs a window and has none, or one over keys that it cannot have, and a warning when
    its order of rows is left to chance.

    Args:
        var: the var.
        read: its texts, as read.
        id_column: the main id column of its entity.
    """
    if isinstance(var, EntityVar) and var.source is not None:
        yield from _keys_of_rows(var, read, id_column)
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


def _keys_of_rows(var: EntityVar, read: ReadVar, id_column: str) -> Iterator[Problem]:
    """Yield an error for each partition key that could differ among the rows of one entity.

    Its window is over the rows of one entity, so that all of them have the same value. What is the same in all of them
    anyway, the main id or a var of the entity, changes nothing.
    """
    texts = var.spec.window.partition_by if var.spec.window else ()
    for text, key in zip(texts, read.window.partition_by if read.window else (), strict=True):
        if _names_of_rows(key) <= {"main_id", id_column.lower()}:
            continue
        message = (
            f"entity_var '{var.name}' cannot partition its window by '{text}': it is over all rows of one {var.entity}"
        )
        hint = "remove the key; an input_var can have a window over any keys"
        yield Problem("wrong-value", message, text.span or var.spec.span, hint)


def _names_of_rows(key: exp.Expr) -> set[str]:
    """Return the columns of a key, in lower case, without vars and memberships, which each entity has one of."""
    names = (column.name for column in key.find_all(exp.Column))
    return {name.rpartition("/")[2].lower() for name in names if sql.split_symbol(name)[0] not in ("var", "member")}


def _edge_value(select: exp.Expr) -> exp.Expr | None:
    """Return the call when an expression is nothing but ``first_value`` or ``last_value``; None when it is not."""
    call = select.this if isinstance(select, exp.IgnoreNulls | exp.RespectNulls) else select
    return call if isinstance(call, exp.FirstValue | exp.LastValue) else None


def _consequence(edge: exp.Expr | None) -> str:
    if edge is None:
        return "it is left to chance"
    return f"the {'smallest' if isinstance(edge, exp.FirstValue) else 'greatest'} value is taken"
