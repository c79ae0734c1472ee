"""Types of the columns of a project's sources, as the warehouse has them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from sqlglot import exp

from profiles_pipeline import versions
from profiles_pipeline.compile.csv_rows import csv_rows
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import ProjectError, WarehouseError
from profiles_pipeline.freshness import tables_from_outside
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.sql import Columns
from profiles_pipeline.warehouse.base import Column, Warehouse

_TYPES = {
    "VARCHAR": exp.DType.VARCHAR,
    "JSON": exp.DType.JSON,
    "BOOLEAN": exp.DType.BOOLEAN,
    "DATE": exp.DType.DATE,
    "TIME": exp.DType.TIME,
    "TIMESTAMP": exp.DType.TIMESTAMP,
    "TIMESTAMP_S": exp.DType.TIMESTAMP,
    "TIMESTAMP_MS": exp.DType.TIMESTAMP,
    "TIMESTAMP_NS": exp.DType.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": exp.DType.TIMESTAMPTZ,
    "FLOAT": exp.DType.DOUBLE,
    "DOUBLE": exp.DType.DOUBLE,
    **{
        f"{sign}{name}": exp.DType.BIGINT
        for name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
        for sign in ("", "U")
    },
}


def types_of_sources(
    project: ProfilesProject, warehouse: Warehouse, only: Collection[str] | None = None
) -> dict[str, Columns]:
    """Return path of an input, or ``table:`` and the name of a table that only texts name -> its columns.

    What cannot be read is left out: the rehearsal tells it, at its place and with all the rest.

    Args:
        project: the project.
        warehouse: where its sources are.
        only: paths of the models whose sources to look at; None for all.
    """
    found = _of_files(project, warehouse, only)
    for path, tables in tables_from_outside(project).items():
        if only is not None and path not in only:
            continue
        is_input = isinstance(project.graph.models[path], Input)
        for table in tables:
            name = path if is_input else f"table:{table.lower()}"
            if name not in found and (columns := _columns(table, warehouse)) is not None:
                found[name] = columns
    return found


def _of_files(project: ProfilesProject, warehouse: Warehouse, only: Collection[str] | None) -> dict[str, Columns]:
    """Return the columns of the inputs whose rows are written down in the project."""
    reader = Reader(project.project, versions.ANY_TIME, bound=False)
    found = {}
    for path, model in project.graph.models.items():
        if isinstance(model, Input) and model.csv is not None and (only is None or path in only):
            with suppress(ProjectError, WarehouseError):
                found[path] = _described(render(csv_rows(reader, model), warehouse.dialect, pretty=False), warehouse)
    return found


def _columns(table: str, warehouse: Warehouse) -> Columns | None:
    try:
        return _described(warehouse.source(table).select, warehouse)
    except (ProjectError, WarehouseError):
        return None


def _described(select_sql: str, warehouse: Warehouse) -> Columns:
    columns = warehouse.describe(select_sql)
    named = tuple((column.name.lower(), column.type) for column in columns)
    return Columns(tuple((column.name.lower(), _type_of(column)) for column in columns), complete=True, named=named)


def _type_of(column: Column) -> exp.DType | None:
    if column.type.endswith("]"):
        return exp.DType.ARRAY
    return exp.DType.DECIMAL if column.type.startswith("DECIMAL") else _TYPES.get(column.type)
