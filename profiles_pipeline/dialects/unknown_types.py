"""What is done with times of rows where it is only known while a statement runs of which type they are."""

from __future__ import annotations

from sqlglot import exp


def by_way_of_text(node: exp.Expr) -> exp.Expr:
    """CASE WHEN TYPEOF(x) = 'VARCHAR' THEN a ELSE b END: what is right for texts is so for times turned into texts."""
    branches: list[exp.Expr] = node.args.get("ifs") or []
    if len(branches) != 1 or node.args.get("this") is not None:
        return node
    test = branches[0].this
    if isinstance(test, exp.EQ) and isinstance(test.this, exp.Typeof) and test.expression.name == "VARCHAR":
        read: exp.Expr = branches[0].args["true"]
        return read
    return node
