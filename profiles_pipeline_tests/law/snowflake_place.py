"""A place on the emulation of Snowflake where a history happens: two schemas, one for the tables, one for the rest."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.law.histories import Layout, Tables
from profiles_pipeline_tests.law.place import Place, Relation, Relations, arrow_table, relation_of
from profiles_pipeline_tests.warehouse.snowflake import Account


class SnowflakePlace(Place):
    """Two schemas of an account."""

    def __init__(self, account: Account, folder: Path, layout: Layout) -> None:
        assert layout == "tables"
        self.account = account
        self.schema = f"{folder.name}_{os.getpid()}"
        self.sources = f"{self.schema}_sources"
        self._written_tables: dict[str, list[dict[str, object]]] = {}
        account.drop(self.schema, self.sources)

    def output(self, project: ProfilesProject) -> Output:
        sources = {name: f"{self.sources}.{name}" for name in self._written_tables}
        given = self.account.settings(self.schema, base=project.folder, sources=sources)
        return Output("snowflake", self.schema, given)

    def write(self, tables: Tables) -> None:
        """Make the tables hold these rows."""
        for name, rows in tables.items():
            if self._written_tables.get(name) != rows:
                self.account.load(self.sources, name, arrow_table(name, rows))
                self._written_tables[name] = rows

    def _plain_name(self, name: str) -> str:
        return ".".join(identifier(part, "snowflake") for part in (self.schema, name))

    def _read(self, names: Mapping[str, str]) -> Relations:
        with connect(self.account.settings(self.schema), purpose="test", read_only=True) as warehouse:

            def read(relation: str) -> Relation:
                found = warehouse.query(f"SELECT * FROM {relation}")
                columns = [(name.lower(), kind) for name, kind in zip(found.columns, found.types, strict=True)]
                lists = {number for number, (_, kind) in enumerate(columns) if kind in ("JSON", "JSON[]")}
                rows = [
                    tuple(json.loads(str(v)) if n in lists and v is not None else v for n, v in enumerate(row))
                    for row in found.rows
                ]
                return relation_of(columns, rows)

            return {key: read(name) for key, name in names.items()}

    def remove(self) -> None:
        """Drop both schemas."""
        self.account.drop(self.schema, self.sources)
