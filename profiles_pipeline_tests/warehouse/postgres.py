"""Connections to the PostgreSQL server of the tests, and tables of files in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb

from profiles_pipeline.dialects import identifier
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.settings import PostgresSettings


def settings(port: int, schema: str, **others: object) -> PostgresSettings:
    """How to connect to the server of the tests."""
    made = PostgresSettings(host="127.0.0.1", port=port, database="dagster", user="dagster", schema=schema)
    return replace(made, **others)  # type: ignore[arg-type]


def load_files(warehouse: Warehouse, files: Iterable[Path]) -> None:
    """Make a table of each file called ``[database.]schema.table.csv`` or ``.parquet``, with the types DuckDB finds."""
    for file in files:
        *_, schema, table = file.stem.split(".")
        place = identifier(schema, warehouse.dialect)
        warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {place}")
        rows = duckdb.connect().sql(f"SELECT * FROM '{file}'").to_arrow_table()
        warehouse.load(f"{place}.{identifier(table, warehouse.dialect)}", rows)


def siteconfig(port: int, schema: str) -> str:
    """The text of a siteconfig with the server of the tests as target `postgres`, and a DuckDB file as `dev`."""
    return f"""
connections:
  test:
    target: dev
    outputs:
      dev: {{type: duckdb, path: .profiles/warehouse.duckdb, schema: {schema}, sources_dir: data}}
      postgres:
        {{type: postgres, host: 127.0.0.1, port: {port}, dbname: dagster, user: dagster, schema: {schema}}}
"""
