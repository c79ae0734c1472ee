"""What choices between expressions say: their results are of one kind."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from profiles_pipeline.sample.relations import Scope, Value
from profiles_pipeline.sample.value_clues import Rule, ValueClues

_MIXED = (exp.Greatest, exp.Least)


def _coalesce(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    return reader.branches([node.this, *node.expressions], scope)


def _case(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    subject = node.args.get("this")
    results = []
    for branch in node.args["ifs"]:
        if subject is not None:
            reader.condition(exp.EQ(this=subject.copy(), expression=branch.this.copy()), scope)
        else:
            reader.condition(branch.this, scope)
        results.append(branch.args.get("true"))
    return reader.branches([*results, node.args.get("default")], scope)


def _if(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    reader.condition(node.this, scope)
    return reader.branches([node.args.get("true"), node.args.get("false")], scope)


def _decode(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    subject, *rest = node.expressions
    pairs = list(zip(rest[::2], rest[1::2], strict=False))
    for found, _ in pairs:
        reader.condition(exp.EQ(this=subject.copy(), expression=found.copy()), scope)
    default = rest[-1] if len(rest) % 2 else None
    return reader.branches([*(result for _, result in pairs), default], scope)


def _nullif(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found, other = reader.value(node.this, scope), reader.value(node.expression, scope)
    if found.slots and other.literal not in (None, 0.0):
        reader.alike(other, found)
    elif other.kind == "number":
        reader.vote(found, "number")
    return found


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Coalesce: _coalesce,
    exp.Case: _case,
    exp.If: _if,
    exp.DecodeCase: _decode,
    exp.Nullif: _nullif,
    **dict.fromkeys(_MIXED, _coalesce),
}
