"""The shape of a rewrite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

ANY = "any"

STANDS_IN = "stands_in"
"""In the meta of what a rewrite returns: the function whose place it takes without giving the same values. In the meta
of a translated tree: all of these in it."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Keeps the meaning of a construct of `source` when it runs on `target`.

    Attributes:
        name: stable; a test pair carries the same name.
        source: dialect that means it so, or ``any``.
        target: dialect the result is for.
        nodes: the node types to look at.
        apply: returns the replacement of a node, or the node itself when it is fine. Children were rewritten before.
    """

    name: str
    source: str
    target: str
    nodes: tuple[type[exp.Expr], ...]
    apply: Callable[[exp.Expr], exp.Expr]


def cast(node: exp.Expr, dtype: exp.DType) -> exp.Expr:
    """Return ``CAST(node AS dtype)``, whose type is known."""
    made = exp.Cast(this=node, to=exp.DataType(this=dtype))
    made.type = dtype
    return made


def function(name: str, *args: exp.Expr, dtype: exp.DType | None = None) -> exp.Expr:
    """Return a call of a function of the target that sqlglot has no node for."""
    made = exp.Anonymous(this=name, expressions=list(args))
    if dtype is not None:
        made.type = dtype
    return made


_WRAPPERS = (exp.WithinGroup, exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.Window)


def aggregate_of(node: exp.Expr) -> exp.Expr | None:
    """Return the aggregate inside `node` when `node` is the whole call, its FILTER, WITHIN GROUP and OVER included."""
    if isinstance(node.parent, _WRAPPERS) and node.arg_key == "this":
        return None
    while isinstance(node, _WRAPPERS):
        node = node.this
    return node


def named(node: exp.Expr, *names: str) -> bool:
    """Return whether `node` calls a function that sqlglot knows only by name, one of `names` (upper case)."""
    return isinstance(node, exp.Anonymous) and node.name.upper() in names
