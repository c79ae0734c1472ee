"""What can be told of a tree of the canonical dialect without knowing any column."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify


def is_text(node: exp.Expr) -> bool:
    """Tell whether a tree is known to give a text."""
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return bool(node.args["to"].is_type("text", "varchar"))
    return (isinstance(node, exp.Literal) and node.is_string) or isinstance(
        node, exp.DPipe | exp.Concat | exp.RegexpReplace | exp.Trim | exp.Lower | exp.Upper | exp.Substring
    )


def is_moment(node: exp.Expr) -> bool:
    """Tell whether a tree is known to give a time with a zone."""
    node = node.unnest()
    return isinstance(node, exp.Cast) and bool(node.args["to"].is_type("timestamptz", "timestampltz"))


def whole_number(node: exp.Expr) -> int | None:
    """Return the whole number that a tree is known to give, whatever is in the way; None for anything else."""
    found = simplify(node.copy()).unnest()
    negative = isinstance(found, exp.Neg)
    digits = found.this if negative else found
    if not isinstance(digits, exp.Literal) or not digits.is_int:
        return None
    return -int(digits.name) if negative else int(digits.name)


def is_time(node: exp.Expr) -> bool:
    """Tell whether a tree is known to give a time or a date."""
    node = node.unnest()
    return isinstance(node, exp.Cast) and bool(node.args["to"].is_type(*exp.DataType.TEMPORAL_TYPES))


def steps_of(path: exp.Expr) -> tuple[str | int, ...] | None:
    """Return the fields and positions of a path into a document; None for one with more than these."""
    if isinstance(path, exp.Literal):
        return (path.name if path.is_string else int(path.name),)
    if not isinstance(path, exp.JSONPath):
        return None
    found: list[str | int] = []
    for part in path.expressions:
        if isinstance(part, exp.JSONPathRoot):
            continue
        if isinstance(part, exp.JSONPathKey) and isinstance(part.this, str):
            found.append(part.this)
        elif isinstance(part, exp.JSONPathSubscript) and isinstance(part.this, int | str):
            found.append(int(part.this))
        else:
            return None
    return tuple(found)


def is_plain(name: str) -> bool:
    """Tell whether the name of a field needs no quotes in a path."""
    plain = name.replace("_", "a")
    return plain.isalnum() and plain.isascii() and not plain[0].isdigit()


@dataclass(frozen=True, slots=True)
class Moved:
    """A time and by how many of which unit it is moved."""

    time: exp.Expr
    count: exp.Expr
    unit: str


def moved(node: exp.Expr) -> Moved | None:
    """Return what ``x + INTERVAL n unit`` says; None for other sums and differences."""
    interval = node.expression.unnest()
    if isinstance(interval, exp.ToDays):
        count, unit = interval.this, "DAY"
    elif isinstance(interval, exp.Interval) and interval.this is not None and interval.args.get("unit") is not None:
        count, unit = interval.this.unnest(), interval.args["unit"].name.upper().removesuffix("S")
    else:
        return None
    if isinstance(count, exp.Literal):
        count = exp.Literal.number(count.name)
    if isinstance(node, exp.Sub):
        count = exp.Neg(this=exp.Paren(this=count))
    return Moved(node.this, count, unit)
