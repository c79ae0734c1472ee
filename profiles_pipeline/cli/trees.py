"""Graphs as trees for the terminal: each node is unfolded once and referred to afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.text import Text
from rich.tree import Tree

Branch = tuple[str, Text]
"""A node, and what to say of it where it hangs on another one."""


def forest(roots: Iterable[Branch], below: Callable[[str], Sequence[Branch]]) -> list[Tree]:
    """Return a tree for each root.

    Args:
        roots: nodes that hang on nothing.
        below: node -> the nodes that hang on it; free of circles.
    """
    unfolded: set[str] = set()

    def grow(tree: Tree, node: str) -> Tree:
        unfolded.add(node)
        for child, label in below(node):
            if child in unfolded and below(child):
                tree.add(label + Text("  (see above)", style="dim"))
            else:
                grow(tree.add(label), child)
        return tree

    return [grow(Tree(label), node) for node, label in roots]
