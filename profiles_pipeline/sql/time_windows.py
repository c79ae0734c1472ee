"""Recognises rolling windows on the time of a row, such as ``datediff(day, ts, current_date) <= 7``.

There is no list of spellings. A comparison of a constant with an expression that rises or falls with the time holds up
to some moment, or from it on; so what it says of two moments it says of all that lie between, and so do conditions
made of such comparisons. What that needs of the column is said in `monotone`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.sql.build import wrapped
from profiles_pipeline.sql.copying import copied
from profiles_pipeline.sql.monotone import column_name, is_monotone_comparison
from profiles_pipeline.sql.walking import nodes_of

Comparisons = tuple[exp.Expr, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A condition on the time of a row, true for the times of some stretches.

    Attributes:
        column: name of the column, as in the tree.
        condition: a condition over that column alone, never true where the column is NULL.
        comparisons: what the condition is made of. If each is true at both of two moments or false at both, the
            condition is the same at both and at every moment between them. NULL is neither: it agrees with nothing.
    """

    column: str
    condition: exp.Expr
    comparisons: Comparisons


def window_of(condition: exp.Expr) -> Window | None:
    """Return the window that a condition is, translated and with its time bound, or None when it is not known to be
    one."""
    names = [column_name(column) for column in nodes_of(condition, exp.Column)]
    comparisons = _comparisons(condition) if len({name.lower() for name in names}) == 1 else None
    return Window(names[0], copied(condition), tuple(dict.fromkeys(comparisons))) if comparisons else None


def split(where: exp.Expr, moving: Callable[[exp.Expr], bool]) -> tuple[list[Window], list[exp.Expr]]:
    """Return the windows among the conditions that `where` joins with AND, and the other conditions.

    Args:
        where: a row filter.
        moving: whether a condition moves with the end time; one that does not is no window, whatever its shape.
    """
    windows: list[Window] = []
    rest: list[exp.Expr] = []
    for condition in conjuncts(where):
        window = window_of(condition) if moving(condition) else None
        if window is None:
            rest.append(copied(condition))
        else:
            windows.append(window)
    return windows, rest


def conjuncts(where: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the conditions that `where` joins with AND."""
    inner = where.unnest()
    if isinstance(inner, exp.And):
        yield from conjuncts(inner.this)
        yield from conjuncts(inner.expression)
    else:
        yield inner


def _comparisons(node: exp.Expr) -> Comparisons | None:
    """Return the comparisons that a condition is made of, or None where one does not rise or fall with the time."""
    found: Comparisons | None = None
    if isinstance(node, exp.Paren | exp.Not):
        found = _comparisons(node.this)
    elif isinstance(node, exp.And | exp.Or):
        found = _all_of(_comparisons(node.this), _comparisons(node.expression))
    elif isinstance(node, exp.GT | exp.GTE | exp.LT | exp.LTE):
        found = _compared(type(node), node.this, node.expression)
    elif isinstance(node, exp.EQ | exp.NEQ):
        found = _equal(node.this, node.expression)
    elif isinstance(node, exp.Between) and not node.args.get("symmetric"):
        low, high = node.args["low"], node.args["high"]
        found = _all_of(_compared(exp.GTE, node.this, low), _compared(exp.LTE, node.this, high))
    elif isinstance(node, exp.In) and not any(node.args.get(key) for key in ("query", "unnest", "field")):
        found = _all_of(*(_equal(node.this, value) for value in node.expressions))
    return found


def _all_of(*parts: Comparisons | None) -> Comparisons | None:
    found: list[exp.Expr] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return tuple(found)


def _equal(left: exp.Expr, right: exp.Expr) -> Comparisons | None:
    return _all_of(_compared(exp.LTE, left, right), _compared(exp.GTE, left, right))


def _compared(operator: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> Comparisons | None:
    if not is_monotone_comparison(left, right):
        return None
    return (operator(this=wrapped(copied(left)), expression=wrapped(copied(right))),)
