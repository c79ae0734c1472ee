"""Takes the steps of a script on a warehouse; those that are more than one statement have their effects here."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline import identity
from profiles_pipeline.compile import SolveComponents, Step, UniteRows
from profiles_pipeline.dialects import identifier, render
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.base import Warehouse


def take(warehouse: Warehouse, step: Step, *, pretty: bool = True) -> None:
    """Do what a step says.

    Raises:
        WarehouseError: the warehouse refuses, or rows to be united have no column in common.
    """
    match step:
        case SolveComponents():
            identity.solve(warehouse, step)
        case UniteRows():
            warehouse.execute(_union(warehouse, step))
        case _:
            warehouse.execute(render(step.tree, warehouse.dialect, pretty=pretty))


def _union(warehouse: Warehouse, step: UniteRows) -> str:
    """Return the statement that makes the relation, with the common columns in the order of the first query."""
    texts = [render(query, warehouse.dialect, pretty=False) for query in step.queries]
    found = [[column.name for column in warehouse.describe(text)] for text in texts]
    common = [name for name in found[0] if all(name.lower() in map(str.lower, other) for other in found)]
    if not common:
        raise WarehouseError("what is to be united has no column in common")
    columns = ", ".join(identifier(name, warehouse.dialect) for name in common)
    union = " UNION ALL ".join(f"SELECT {columns} FROM ({text}) AS united_rows" for text in texts)
    relation = render(exp.maybe_copy(step.relation), warehouse.dialect)
    return f"CREATE OR REPLACE {step.kind.upper()} {relation} AS {union}"
