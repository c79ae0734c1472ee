"""Aggregates over CASE as aggregates with FILTER."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.sql.analysis import is_aggregate_call
from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.copying import copied
from profiles_pipeline.sql.walking import transformed

_SKIP_NULLS = (
    exp.Sum, exp.Count, exp.Min, exp.Max, exp.Avg, exp.Median, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance,
    exp.VariancePop, exp.ApproxDistinct,
)  # fmt: skip
_PARTS_OF_CALL = (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
_CANNOT_FAIL = (
    exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Neg, exp.Add, exp.Sub, exp.Mul,
    exp.Coalesce, exp.Lower, exp.Upper, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.JSONExtract,
    exp.JSONExtractScalar, exp.JSONPath, exp.JSONPathPart,
)  # fmt: skip
_SUM_ELSE_ZERO = """
    CASE WHEN COUNT(*) FILTER (WHERE :given) > COUNT(*) FILTER (WHERE :both) THEN COALESCE(:plain, 0) ELSE :plain END
"""
_ELSE = "CASE WHEN COUNT(*) FILTER (WHERE :given) > COUNT(*) FILTER (WHERE :both) THEN :other END"


@dataclass(frozen=True, slots=True)
class _Choice:
    """``CASE WHEN condition THEN value ELSE other END``; no `other` is NULL."""

    condition: exp.Expr
    value: exp.Expr
    other: exp.Expr | None


def _never(_: exp.Expr) -> bool:
    return False


def in_cases(tree: exp.Expr, cannot_fail: Callable[[exp.Expr], bool] = _never) -> exp.Expr:
    """Return `tree` with aggregates over CASE as equal expressions of aggregates with FILTER.

    ``SUM(CASE WHEN c THEN x END)`` becomes ``SUM(x) FILTER (WHERE c)``; COUNT, MIN, MAX, AVG and their kin likewise.
    SUM with ``ELSE 0``, and MIN and MAX with a literal there, become several such aggregates. The result is equal for
    all rows, none and NULLs included; other aggregates stay as they are. `tree` itself is left alone.

    Args:
        tree: an expression with aggregates.
        cannot_fail: whether an expression has a value on every row. The warehouse computes what is summed before it
            looks at FILTER, so that a conversion which CASE keeps from rows of the wrong kind would fail on them;
            aggregates of what may fail stay. Known without asking: columns, literals, sums and products of them,
            casts to texts, TRY_CAST, fields of JSON.
    """
    return transformed(copied(tree), lambda node: _rewritten(node, cannot_fail))


def _rewritten(node: exp.Expr, cannot_fail: Callable[[exp.Expr], bool]) -> exp.Expr:
    if isinstance(node.parent, _PARTS_OF_CALL):
        return node
    call, given = (node.this, node.expression.this) if isinstance(node, exp.Filter) else (node, None)
    if not is_aggregate_call(call) or not isinstance(call, (*_SKIP_NULLS, exp.CountIf)):
        return node
    if isinstance(call, exp.CountIf):  # DuckDB computes a sum of ones and zeros
        call = exp.Sum(this=exp.If(this=call.this, true=exp.Literal.number(1), false=exp.Literal.number(0)))
    distinct = call.this if isinstance(call.this, exp.Distinct) else None
    operands = distinct.expressions if distinct else [call.this]
    choice = _choice(operands[0]) if len(operands) == 1 and not call.expressions else None
    if choice is None or not _is_safe(choice.value, cannot_fail):
        return node
    both = exp.and_(given, choice.condition) if given is not None else copied(choice.condition)
    value = exp.Distinct(expressions=[copied(choice.value)]) if distinct else copied(choice.value)
    over = copied(call)
    over.set("this", value)
    plain = exp.Filter(this=over, expression=exp.Where(this=both))
    if choice.other is None:
        return plain
    return (None if distinct else _with_other(plain, given, choice)) or node


def _with_other(plain: exp.Filter, given: exp.Expr | None, choice: _Choice) -> exp.Expr | None:
    """Return the aggregate of the values together with what stands for all other rows."""
    call, other, both = plain.this, choice.other, plain.expression.this
    if isinstance(call, exp.Sum) and other == exp.Literal.number(0):
        return build(_SUM_ELSE_ZERO, given=given, both=both, plain=plain)
    known = _is_number(other) or isinstance(other, exp.Boolean) or (_is_text(other) and _is_text(choice.value))
    if not isinstance(call, exp.Min | exp.Max) or not known:
        return None
    rest = build(_ELSE, given=given, both=both, other=other)
    pick = exp.Greatest if isinstance(call, exp.Max) else exp.Least
    return pick(this=plain, expressions=[rest], ignore_nulls=True)


def _is_number(node: exp.Expr | None) -> bool:
    inner = node.this if isinstance(node, exp.Neg) else node
    return isinstance(inner, exp.Literal) and not inner.is_string


def _is_text(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _choice(node: exp.Expr) -> _Choice | None:
    """Return the two ways of a CASE or IF with one condition."""
    node = node.unnest()
    if isinstance(node, exp.If):
        condition, value, other = node.this, node.args["true"], node.args.get("false")
    elif isinstance(node, exp.Case) and len(node.args["ifs"]) == 1:
        branch, subject = node.args["ifs"][0], node.this
        condition, value, other = branch.this, branch.args["true"], node.args.get("default")
        if subject is not None:
            condition = exp.EQ(this=exp.paren(subject), expression=exp.paren(condition))
    else:
        return None
    return _Choice(condition, value, None if isinstance(other, exp.Null) else other)


def _is_safe(node: exp.Expr, cannot_fail: Callable[[exp.Expr], bool]) -> bool:
    if cannot_fail(node):
        return True
    to_text = isinstance(node, exp.Cast) and node.to.this in exp.DataType.TEXT_TYPES
    return (to_text or isinstance(node, _CANNOT_FAIL)) and all(
        _is_safe(child, cannot_fail) for child in node.iter_expressions()
    )
