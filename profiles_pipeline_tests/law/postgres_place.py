"""A place on a PostgreSQL server where a history happens: its tables are changed in place, as others do it there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.law.histories import Layout, Tables
from profiles_pipeline_tests.law.place import Place, Relation, Relations, arrow_table, relation_of
from profiles_pipeline_tests.warehouse.postgres import settings


class PostgresPlace(Place):
    """Two schemas of a server: one for the tables, one for what is built."""

    def __init__(self, port: int, folder: Path, layout: Layout) -> None:
        assert layout == "tables"
        self.schema = f"{folder.name}_{os.getpid()}"
        self.sources = f"{self.schema}_sources"
        self._settings = settings(port, self.schema)
        self._written_tables: dict[str, list[dict[str, object]]] = {}
        with connect(self._settings, purpose="test") as warehouse:
            for schema in (self.schema, self.sources):
                warehouse.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE; CREATE SCHEMA "{schema}"')

    def output(self, project: ProfilesProject) -> Output:
        sources = {name: f"{self.sources}.{name}" for name in self._written_tables}
        given = settings(self._settings.port, self.schema, base=project.folder, sources=sources)
        return Output("postgres", self.schema, given)

    def write(self, tables: Tables) -> None:
        """Make the tables hold these rows. Tables stay, since views read them."""
        with connect(self._settings, purpose="test") as warehouse:
            for name, rows in tables.items():
                before = self._written_tables.get(name)
                if before == rows:
                    continue
                table = f'"{self.sources}"."{name}"'
                if before is None:
                    warehouse.load(table, arrow_table(name, rows))
                else:
                    with warehouse.arrow_relation("given", arrow_table(name, rows)), warehouse.transaction():
                        warehouse.execute(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM given")
                self._written_tables[name] = rows

    def _plain_name(self, name: str) -> str:
        return f'"{self.schema}"."{name}"'

    def _read(self, names: Mapping[str, str]) -> Relations:
        with connect(self._settings, purpose="test", read_only=True) as warehouse:

            def read(relation: str) -> Relation:
                found = warehouse.query(f"SELECT * FROM {relation}")
                types = [column.type for column in warehouse.describe(f"SELECT * FROM {relation}")]
                return relation_of(list(zip(found.columns, types, strict=True)), found.rows)

            return {key: read(name) for key, name in names.items()}

    def remove(self) -> None:
        """Drop both schemas."""
        with connect(self._settings, purpose="test") as warehouse:
            for schema in (self.schema, self.sources):
                warehouse.execute(f"DROP SCHEMA IF EXISTS {identifier(schema, warehouse.dialect)} CASCADE")
