"""Finds connected components in memory: dense integer nodes, Arrow in and out, scipy's graph routines.

No Python loop sees a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.dialects import render
from profiles_pipeline.sql import build
from profiles_pipeline.warehouse.base import Warehouse

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def component_labels(a: np.ndarray, b: np.ndarray, node_count: int) -> np.ndarray:
    """Return the component number of each node.

    Args:
        a: shape (edges,), node numbers in 0 .. node_count - 1.
        b: shape (edges,), the other ends.
        node_count: how many nodes there are.

    Returns:
        Array of shape (node_count,) and type int32; two nodes have the same number exactly when a path joins them.
        Algorithm: breadth-first search over the compressed adjacency, Pearce 2005, as in scipy.sparse.csgraph.
    """
    # Together a third of what `profiles validate` would import, and it has no nodes.
    import numpy as np  # noqa: PLC0415
    from scipy.sparse import coo_matrix  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    if node_count == 0:
        return np.empty(0, dtype=np.int32)
    ones = np.ones(len(a), dtype=np.int8)
    adjacency = coo_matrix((ones, (a, b)), shape=(node_count, node_count))
    labels: np.ndarray = connected_components(adjacency, directed=False)[1]
    return labels


def solve(warehouse: Warehouse, step: SolveComponents) -> None:
    """Make the temporary table of `step` with the component of each node."""
    node_count = int(warehouse.scalar(render(step.nodes, warehouse.dialect)))  # type: ignore[call-overload]
    if node_count == 0:
        warehouse.query(render(step.edges, warehouse.dialect))  # there are none, but a wrong query has to fail
        columns = "CAST(NULL AS BIGINT) AS node, CAST(NULL AS BIGINT) AS component"
        create = f"CREATE OR REPLACE TEMPORARY TABLE :result AS SELECT {columns} WHERE FALSE"
        nothing = build(create, result=step.result)
        warehouse.execute(render(nothing, warehouse.dialect))
        return
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    edges = warehouse.fetch_arrow(render(step.edges, warehouse.dialect))
    labels = component_labels(_integers(edges, "a"), _integers(edges, "b"), node_count)
    table = pa.table({"node": np.arange(node_count, dtype=np.int64), "component": labels.astype(np.int64)})
    with warehouse.arrow_relation("component_labels", table):
        result = build(
            "CREATE OR REPLACE TEMPORARY TABLE :result AS SELECT node, component FROM component_labels",
            result=step.result,
        )
        warehouse.execute(render(result, warehouse.dialect))


def _integers(table: pa.Table, column: str) -> np.ndarray:
    numbers: np.ndarray = table.column(column).to_numpy()
    return numbers
