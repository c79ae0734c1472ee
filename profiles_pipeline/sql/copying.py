"""Copies trees as cheaply as can be: compiling consists of putting pieces of trees into others."""

from __future__ import annotations

from typing import TypeVar

from sqlglot import exp

Tree = TypeVar("Tree", bound=exp.Expr)


def copied(tree: Tree) -> Tree:
    """Return a copy of `tree` without a parent; what is done to its nodes leaves those of `tree` alone.

    The types that nodes are known to have are shared, as the reader of a text shares them between nodes already.
    `Expr.copy` copies each, with its own machinery for any kind of object: it takes ten times as long.
    """
    root = _twin(tree)
    pairs: list[tuple[exp.Expr, exp.Expr]] = [(tree, root)]
    for node, twin in pairs:  # grows meanwhile
        twin.args = args = node.args.copy()
        for key, value in args.items():
            if isinstance(value, exp.Expr):
                args[key] = child = _twin(value)
                child.parent, child.arg_key = twin, key
                pairs.append((value, child))
            elif value.__class__ is list:
                args[key] = items = value[:]
                for index, item in enumerate(value):
                    if isinstance(item, exp.Expr):
                        items[index] = child = _twin(item)
                        child.parent, child.arg_key, child.index = twin, key, index
                        pairs.append((item, child))
    return root


def canonical_text(tree: exp.Expr) -> str:
    """Return what tells `tree` from trees that mean something else: its SQL in no dialect, on one line."""
    return copied(tree).sql(copy=False)


def _twin(node: Tree) -> Tree:
    """Return a node like `node` without a place; its arguments are yet to be set."""
    kind = node.__class__
    twin = kind.__new__(kind)
    twin.parent = twin.arg_key = twin.index = None
    twin.comments = node.comments[:] if node.comments else None
    twin._type = node._type
    twin._meta = node._meta.copy() if node._meta else None
    twin._hash = node._hash
    return twin
