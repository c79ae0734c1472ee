"""Copies trees as cheaply as can be: compiling consists of putting pieces of trees into others."""

from __future__ import annotations

from typing import TypeVar

from sqlglot import exp

Tree = TypeVar("Tree", bound=exp.Expr)


def copied(tree: Tree) -> Tree:
    """Return a copy of `tree` without a parent; what is done to its nodes leaves those of `tree` alone.

    The types that nodes are known to have are shared, as the reader of a text shares them between nodes already.
    `Expr.copy` copies each, with its own machinery for any kind of object: it takes eight times as long.
    """
    root = _twin(tree, None, None, None)
    todo: list[tuple[exp.Expr, exp.Expr]] = [(tree, root)]
    while todo:
        node, twin = todo.pop()
        for key, value in node.args.items():
            if isinstance(value, exp.Expr):
                twin.args[key] = child = _twin(value, twin, key, None)
                todo.append((value, child))
            elif isinstance(value, list):
                items = [_twin(v, twin, key, n) if isinstance(v, exp.Expr) else v for n, v in enumerate(value)]
                twin.args[key] = items
                todo += [pair for pair in zip(value, items, strict=True) if isinstance(pair[0], exp.Expr)]
            else:
                twin.args[key] = value
    return root


def _twin(node: Tree, parent: exp.Expr | None, key: str | None, index: int | None) -> Tree:
    """Return a node like `node` at a place of its own, with no arguments yet."""
    twin = node.__class__.__new__(node.__class__)
    twin.args = {}
    twin.parent = parent
    twin.arg_key = key
    twin.index = index
    twin.comments = list(node.comments) if node.comments else None
    twin._type = node._type
    twin._meta = dict(node._meta) if node._meta else None
    twin._hash = node._hash
    return twin
