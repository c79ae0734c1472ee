"""The engines beside DuckDB that whole projects are built on in tests, behind one interface."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import Settings
from profiles_pipeline_tests.warehouse import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow

    from profiles_pipeline_tests.warehouse.snowflake import Account


class Loading(Protocol):
    """Makes tables in an engine."""

    def __call__(self, schema: str, table: str, rows: pyarrow.Table) -> None: ...


class Engine(Protocol):
    """A server of the tests' own."""

    name: str

    def settings(self, schema: str) -> Settings:
        """How to connect to it."""

    def siteconfig(self, schema: str) -> str:
        """A siteconfig with the engine as a target of its name, and a DuckDB file as `dev`."""

    def drop(self, *schemas: str) -> None:
        """Drop schemas with all that is in them."""

    def load_files(self, files: Iterable[Path]) -> None:
        """Make a table of each file called ``[database.]schema.table.csv`` or ``.parquet``."""

    def loading(self, schema: str) -> AbstractContextManager[Loading]:
        """What makes tables in a schema, which is made."""


@dataclass(frozen=True)
class Postgres:
    port: int
    name: str = "postgres"

    def settings(self, schema: str) -> Settings:
        return postgres.settings(self.port, schema)

    def siteconfig(self, schema: str) -> str:
        return postgres.siteconfig(self.port, schema)

    def drop(self, *schemas: str) -> None:
        with connect(postgres.settings(self.port, "dropping"), purpose="test") as warehouse:
            for schema in schemas:
                warehouse.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')

    def load_files(self, files: Iterable[Path]) -> None:
        with connect(postgres.settings(self.port, "loading"), purpose="test") as warehouse:
            postgres.load_files(warehouse, files)

    @contextmanager
    def loading(self, schema: str) -> Iterator[Loading]:
        with connect(postgres.settings(self.port, "loading"), purpose="test") as warehouse:
            warehouse.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            yield lambda schema, table, rows: warehouse.load(f'"{schema}".{table}', rows)


@dataclass(frozen=True)
class Snowflake:
    account: Account
    name: str = "snowflake"

    def settings(self, schema: str) -> Settings:
        return self.account.settings(schema)

    def siteconfig(self, schema: str) -> str:
        return self.account.siteconfig(schema)

    def drop(self, *schemas: str) -> None:
        self.account.drop(*schemas)

    def load_files(self, files: Iterable[Path]) -> None:
        self.account.load_files(files)

    def loading(self, schema: str) -> AbstractContextManager[Loading]:  # noqa: ARG002 - made with its first table
        return nullcontext(self.account.load)
