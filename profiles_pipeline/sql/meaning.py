"""Keeps the meaning of user SQL when it moves to another dialect: one table of small tree rewrites.

sqlglot translates most of it; the rows here say what it gets wrong or leaves different. Nothing happens when source
and target are the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from sqlglot import exp
from sqlglot.errors import ParseError

from profiles_pipeline.sql.borrowed import with_borrowed_functions
from profiles_pipeline.sql.build import holds_apart
from profiles_pipeline.sql.columns import NOTHING, Known, annotated
from profiles_pipeline.sql.rewrites import (
    aggregates,
    arrays,
    calls,
    epochs,
    formats,
    geography,
    hashes,
    json_values,
    maps,
    numbers,
    printf,
    relations,
    semi_structured,
    sketches,
    temporal,
    texts,
    time_formats,
    units,
    variants,
)
from profiles_pipeline.sql.rewrites.row import ANY, STANDS_IN, Rewrite

REWRITES: tuple[Rewrite, ...] = (
    *relations.ROWS,
    *calls.ROWS,
    *maps.ROWS,
    *hashes.ROWS,
    *printf.ROWS,
    *semi_structured.ROWS,
    *json_values.ROWS,
    *variants.ROWS,
    *arrays.ROWS,
    *numbers.ROWS,
    *geography.ROWS,
    *epochs.ROWS,
    *formats.ROWS,
    *time_formats.ROWS,
    *units.ROWS,
    *temporal.ROWS,
    *texts.ROWS,
    *sketches.ROWS,
    *aggregates.ROWS,
)

Tree = TypeVar("Tree", bound=exp.Expr)


def translate(tree: Tree, source: str, target: str, known: Known = NOTHING) -> Tree:
    """Return `tree`, read as `source`, changed so that its rendering in `target` means the same. Changes in place.

    `known` tells the types of what comes from outside the text.
    """
    tree = with_borrowed_functions(tree, source)
    if source == target:
        return tree
    root = exp.Tuple(expressions=[annotated(tree, source, known)])
    rewrites = _rewrites_by_node(source, target)
    stand_ins: list[str] = []
    for node in reversed(list(root.walk(bfs=False))):
        if isinstance(node, exp.Func) and node.args.get("this") is None and node.arg_types.get("this"):
            raise ParseError(f"{node.sql_name()} is called without a value")
        parent, key, index = node.parent, node.arg_key, node.index
        if parent is None or key is None:
            continue
        for rewrite in rewrites.get(type(node), ()):
            result = rewrite.apply(node)
            if result is not node:
                stand_ins += [result.meta[STANDS_IN]] if STANDS_IN in result.meta else []
                parent.set(key, holds_apart(parent, node, result), index)
                break
    translated: Tree = root.expressions[0].pop()
    if stand_ins:
        translated.meta[STANDS_IN] = tuple(stand_ins)
    return translated


@lru_cache(maxsize=64)
def _rewrites_by_node(source: str, target: str) -> dict[type[exp.Expr], tuple[Rewrite, ...]]:
    chosen: dict[type[exp.Expr], list[Rewrite]] = {}
    for rewrite in REWRITES:
        if rewrite.target == target and rewrite.source in {source, ANY}:
            for node in rewrite.nodes:
                chosen.setdefault(node, []).append(rewrite)
    return {node: tuple(rows) for node, rows in chosen.items()}
