"""Says which features of a finished run have no value at all."""

from __future__ import annotations

from dataclasses import dataclass

from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import FeatureTable, FeatureView
from profiles_pipeline.warehouse.connect import connect


@dataclass(frozen=True, slots=True)
class EmptyColumn:
    """A column of a feature view or table in which every row is NULL. `rows` 0 means that there are no rows."""

    relation: str
    column: str
    rows: int


def coverage(project: ProfilesProject, output: Output) -> tuple[EmptyColumn, ...]:
    """Return the columns of the newest feature views and feature tables that have no value.

    Raises:
        WarehouseError: the project has not been run there.
    """
    found: list[EmptyColumn] = []
    with connect(output.settings, purpose="sample coverage", read_only=True) as warehouse:
        for model in project.graph.models.values():
            if not isinstance(model, FeatureView | FeatureTable):
                continue
            relation = f"{identifier(output.schema, 'duckdb')}.{identifier(model.name, 'duckdb')}"
            names = [column.name for column in warehouse.describe(f"SELECT * FROM {relation}")]
            counts = ", ".join(f"COUNT({identifier(name, 'duckdb')})" for name in names)
            total, *filled = warehouse.query(f"SELECT COUNT(*), {counts} FROM {relation}").rows[0]
            found += [EmptyColumn(model.name, n, int(str(total))) for n, c in zip(names, filled, strict=True) if not c]
    return tuple(found)
