"""Walks through trees as cheaply as can be: reading a large project looks at some hundred thousand nodes.

What `Expr.find_all` and `Expr.transform` do, node by node in the same order, with plain lists in the place of nested
generators: they take a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlglot import exp

Node = TypeVar("Node", bound=exp.Expr)


def nodes_of(tree: exp.Expr, *types: type[Node]) -> list[Node]:
    """Return the nodes of these types in `tree`, itself included, from the top downwards."""
    seen = [tree]
    for node in seen:  # grows meanwhile
        for value in node.args.values():
            if isinstance(value, exp.Expr):
                seen.append(value)
            elif value.__class__ is list:
                seen += [item for item in value if isinstance(item, exp.Expr)]
    return [node for node in seen if isinstance(node, types)]


def transformed(tree: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Return `tree` with what `change` makes of each node, parents first; what is new is not looked into.

    Changes the tree in place.
    """
    root = changed = change(tree)
    todo = _children(tree) if changed is tree else []
    while todo:
        node = todo.pop()
        parent, key, index = node.parent, node.arg_key, node.index
        changed = change(node)
        if changed is node:
            todo += _children(node)
        elif parent is not None and key is not None:
            parent.set(key, changed, index)
    return root


def _children(node: exp.Expr) -> list[exp.Expr]:
    """Return the nodes right below one, the last first."""
    found: list[exp.Expr] = []
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            found.append(value)
        elif value.__class__ is list:
            found += [item for item in value if isinstance(item, exp.Expr)]
    found.reverse()
    return found
