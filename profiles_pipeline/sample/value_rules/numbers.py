"""What arithmetic and aggregates of numbers say about the columns in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from profiles_pipeline.sample.evidence import WEAK
from profiles_pipeline.sample.naming import suggested_kind
from profiles_pipeline.sample.relations import Scope, Value, mixed
from profiles_pipeline.sample.value_clues import Rule, ValueClues
from profiles_pipeline.sample.value_rules.times import OF_TIMES, epoch, is_epoch, same_time

_NUMBERS = (
    exp.Avg, exp.Median, exp.Round, exp.Abs, exp.Ceil, exp.Floor, exp.Sqrt, exp.Pow, exp.Ln, exp.Log, exp.Exp,
    exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Neg, exp.Sign, exp.ApproxQuantile,
    exp.Quantile, exp.Corr, exp.CovarPop, exp.CovarSamp, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.SafeDivide,
)  # fmt: skip
_BITS = (
    exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot, exp.BitwiseLeftShift, exp.BitwiseRightShift,
    exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.BitwiseXorAgg, exp.Getbit,
)  # fmt: skip


def _sum(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    reader.vote(found, "number")
    return Value(found.slots, "number", total=True)


def _count(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    if isinstance(node, exp.CountIf | exp.LogicalOr | exp.LogicalAnd):
        reader.condition(node.this, scope)
        return Value(kind="number" if isinstance(node, exp.CountIf) else "boolean")
    reader.children(node, scope)
    return Value(kind="number")


def _number(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    values = [reader.value(child, scope) for child in node.iter_expressions()]
    for found in values:
        reader.vote(found, "number")
    ratio = isinstance(node, exp.Div | exp.SafeDivide)  # a sum divided by a count is of the size of what is summed
    return Value(mixed(values).slots, "number", total=not ratio and any(v.total for v in values))


def _minus(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """``-100`` is a literal, too."""
    found = _number(reader, node, scope)
    literal = reader.value(node.this, scope).literal if isinstance(node.this, exp.Literal) else None
    return replace(found, literal=-literal) if isinstance(literal, float) else found


def _truncated(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """``trunc(x)`` is of a number or of a time: what it is of, or what takes it, may tell."""
    is_time = reader.value(node.this, scope).kind in ("date", "timestamp") or isinstance(node.parent, OF_TIMES)
    return same_time(reader, node, scope) if is_time else _number(reader, node, scope)


def _bits(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = _number(reader, node, scope)
    for slot in found.slots:
        reader.ledger.of(slot).whole = True
    return found


def _sum_of_two(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    left, right = reader.value(node.this, scope), reader.value(node.expression, scope)
    if isinstance(node.expression, exp.Interval):
        reader.vote(left, "timestamp")
        return Value(left.slots, "timestamp")
    if isinstance(node.expression, exp.Mul) and node.expression.find(exp.Interval) is not None:
        if is_epoch(left):
            return epoch(reader, right, node.expression)
        reader.vote(left, "timestamp")
        return Value(left.slots, "timestamp")
    days = left.literal is not None or right.literal is not None
    if _temporal(left) or _temporal(right):
        if isinstance(node, exp.Sub) and not days:
            reader.vote(left, "timestamp", WEAK)
            reader.vote(right, "timestamp", WEAK)
            return Value(kind="number")
        return Value(left.slots, left.kind)
    reader.vote(left, "number")
    reader.vote(right, "number")
    slots = (*left.slots, *right.slots) if isinstance(node, exp.Add) else left.slots or right.slots
    return Value(slots, "number", total=left.total or right.total)


def _temporal(found: Value) -> bool:
    if found.kind in ("timestamp", "date"):
        return True
    names = [slot.column for slot in found.slots if not slot.path]
    return found.kind is None and any(suggested_kind(name) in ("timestamp", "date") for name in names)


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Sum: _sum,
    exp.Count: _count,
    exp.CountIf: _count,
    exp.LogicalOr: _count,
    exp.LogicalAnd: _count,
    exp.Add: _sum_of_two,
    exp.Sub: _sum_of_two,
    exp.Trunc: _truncated,
    **dict.fromkeys(_NUMBERS, _number),
    exp.Neg: _minus,
    **dict.fromkeys(_BITS, _bits),
}
