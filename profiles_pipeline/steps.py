"""Takes the steps of a script on a warehouse; those that are more than one statement have their effects here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlglot import exp

from profiles_pipeline import identity, sql, stars
from profiles_pipeline.compile import Bind, SolveComponents, Step, UniteRows
from profiles_pipeline.compile.statement import create
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.base import Warehouse


def take(
    warehouse: Warehouse, step: Step, text: Callable[[exp.Expr], str], *, bound: dict[str, exp.Expr] | None = None
) -> None:
    """Do what a step says.

    Args:
        warehouse: where.
        step: the step.
        text: gives the SQL of a tree.
        bound: literals for the placeholders of a script; a step that looks them up adds to it.

    Raises:
        WarehouseError: the warehouse refuses, or rows to be united have no column in common.
    """
    match step:
        case SolveComponents():
            identity.solve(warehouse, step)
        case UniteRows():
            warehouse.execute(text(_union(warehouse, step)))
        case Bind():
            values = warehouse.query(text(step.query)).rows[0]
            found = {name: _literal(value) for name, value in zip(step.names, values, strict=True)}
            (bound if bound is not None else {}).update(found)
        case _:
            statement = stars.matched(warehouse, _filled(step.tree, bound or {}))
            statement = stars.told_apart(warehouse, stars.spelled_out(warehouse, statement))
            warehouse.execute(text(statement))


def _filled(tree: exp.Expr, bound: Mapping[str, exp.Expr]) -> exp.Expr:
    """Return a statement with literals in the place of its placeholders."""
    if not any(node.name in bound for node in sql.nodes_of(tree, exp.Placeholder)):
        return tree
    return sql.transformed(
        sql.copied(tree),
        lambda node: bound[node.name].copy() if isinstance(node, exp.Placeholder) and node.name in bound else node,
    )


def _literal(value: object) -> exp.Expr:
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), "TIMESTAMP")
    return exp.convert(value)


def _union(warehouse: Warehouse, step: UniteRows) -> exp.Expr:
    """Return the statement that makes the relation, with the common columns in the order of the first query."""
    texts = [render(query, warehouse.dialect, pretty=False) for query in step.queries]
    found = [[column.name for column in warehouse.describe(text)] for text in texts]
    common = [name for name in found[0] if all(name.lower() in map(str.lower, other) for other in found)]
    if not common:
        raise WarehouseError("what is to be united has no column in common")
    parts = [sql.build("SELECT :columns FROM :rows AS united_rows", columns=common, rows=q) for q in step.queries]
    united = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
    return create(step.kind, step.relation, united)
