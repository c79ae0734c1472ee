"""Finds connected components: in memory where edges are cheap to fetch, in SQL where no row may leave the warehouse."""

from __future__ import annotations

from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.dialects import capabilities
from profiles_pipeline.identity import contraction, in_memory
from profiles_pipeline.identity.script import contraction_script
from profiles_pipeline.warehouse.base import Warehouse

__all__ = ["contraction", "contraction_script", "in_memory", "solve"]


def solve(warehouse: Warehouse, step: SolveComponents) -> None:
    """Make the temporary table of `step` with the component of each node, in the way of the warehouse."""
    if capabilities(warehouse.dialect).components == "in_memory":
        in_memory.solve(warehouse, step)
    else:
        contraction.solve(warehouse, step)
