"""Tables of small rewrites of trees, by which an engine says what the canonical dialect says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.sql import nodes_of


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Says a construct of the canonical dialect in that of an engine.

    Attributes:
        what: the construct, for people.
        how: what stands for it.
        nodes: the node types to look at.
        apply: returns the replacement of a node, or the node itself; its children were rewritten before.
    """

    what: str
    how: str
    nodes: tuple[type[exp.Expr], ...]
    apply: Callable[[exp.Expr], exp.Expr]


Rewrites = Mapping[type[exp.Expr], tuple[Rewrite, ...]]


def by_type(rewrites: Iterable[Rewrite]) -> Rewrites:
    """Return rewrites by the node types that they look at, each in its order."""
    listed = tuple(rewrites)
    kinds = {kind for rewrite in listed for kind in rewrite.nodes}
    return {kind: tuple(rewrite for rewrite in listed if kind in rewrite.nodes) for kind in kinds}


def rewritten(tree: exp.Expr, rewrites: Rewrites) -> exp.Expr:
    """Return a tree whose nodes were rewritten, from the leaves to the root. Changes the tree in place."""
    root = tree
    for node in reversed(nodes_of(tree, exp.Expr)):
        made = _applied(node, rewrites)
        if node is root:
            root = made
        elif made is not node and node.parent is not None and node.arg_key is not None:
            node.parent.set(node.arg_key, made, node.index)
    return root


def _applied(node: exp.Expr, rewrites: Rewrites) -> exp.Expr:
    made = node
    for rewrite in rewrites.get(type(node), ()):
        if not isinstance(made, rewrite.nodes):
            break
        made = rewrite.apply(made)
    return made


def names_of(tree: exp.Expr) -> Iterator[exp.Identifier]:
    """Yield the names of relations, columns and aliases of a tree; keys of structs are values, not names."""
    for name in nodes_of(tree, exp.Identifier):
        parent = name.parent
        if isinstance(parent, exp.Anonymous | exp.Placeholder | exp.DataType | exp.Collate | exp.PropertyEQ | exp.Var):
            continue
        if not (isinstance(parent, exp.Dot) and name.arg_key == "expression"):
            yield name


def quote_names(tree: exp.Expr) -> None:
    """Put every name in quotes, so that none is taken for a word of the language."""
    for name in names_of(tree):
        name.set("quoted", True)


def call(name: str, *args: exp.Expr) -> exp.Expr:
    """Return a call that is written as it stands here."""
    return exp.Anonymous(this=name, expressions=list(args))


def inside_filter(node: exp.Expr) -> bool:
    """Tell whether an aggregate has a FILTER around it, which is rewritten with it."""
    return isinstance(node.parent, exp.Filter) and node.arg_key == "this"


def pairs_in_query(node: exp.Expr) -> exp.Expr:
    """Return ``(a, b) IN (SELECT (x, y) ...)`` with a query of two columns."""
    query = node.args.get("query")
    if query is None or not isinstance(node.this, exp.Tuple):
        return node
    for select in query.find_all(exp.Select):
        if len(select.expressions) == 1 and isinstance(select.expressions[0], exp.Tuple):
            select.set("expressions", select.expressions[0].expressions)
    return node
