"""Small words of the rewrites."""

from __future__ import annotations

from sqlglot import exp


def function(name: str, *args: exp.Expr) -> exp.Expr:
    """Return a call."""
    return exp.Anonymous(this=name, expressions=list(args))


def cast_to(node: exp.Expr, kind: str) -> exp.Expr:
    """Return a cast, of the node itself."""
    return exp.cast(node, kind, copy=False)


def inside_filter(node: exp.Expr) -> bool:
    """True for the aggregate of a FILTER, which is rewritten with it."""
    return isinstance(node.parent, exp.Filter) and node.arg_key == "this"
