"""A DuckDB database as a warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import duckdb

from profiles_pipeline.dialects import identifier, literal
from profiles_pipeline.errors import WarehouseError, fail
from profiles_pipeline.spec.stores import SCHEME, StoreError, is_object
from profiles_pipeline.warehouse.attaching import attach, folder_of_rows, state_of
from profiles_pipeline.warehouse.base import Column, Rows, Source
from profiles_pipeline.warehouse.confinement import explained, reach_of, refuse_outward
from profiles_pipeline.warehouse.counting import counted
from profiles_pipeline.warehouse.csv_files import as_written
from profiles_pipeline.warehouse.interrupt import run_interruptibly
from profiles_pipeline.warehouse.settings import DuckDBSettings
from profiles_pipeline.warehouse.sources import Catalog, Relation, is_address, parse_table_name, resolve_source

if TYPE_CHECKING:
    import pyarrow

    from profiles_pipeline.warehouse.objects import ObjectStore

Result = TypeVar("Result")

_EXCERPT = re.compile(r"\n+(LINE \d+:.*)", re.DOTALL)
_NOISE = re.compile(r"\s*(?:See also https?://\S+|Stack Trace:.*|This error signals an assertion failure.*)", re.DOTALL)
_CHANGES_NO_NAMES = re.compile(
    r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE|SET|BEGIN|COMMIT|(CREATE|CREATE\s+OR\s+REPLACE)\s+TEMP(ORARY)?)\b[^;]*;?\s*",
    re.IGNORECASE,
)
# The texts of views are left out: with thousands of them these take longer than everything else.
_RELATIONS = """
    select database_name, schema_name, table_name, false as is_view
    from duckdb_tables() where not internal and not temporary
    union all
    select database_name, schema_name, view_name, true from duckdb_views() where not internal and not temporary
    order by all
"""
# Neither the number of rows of a table nor where its blocks lie tells of every change. To hash all rows takes half a
# second for ten million events.
_CONTENT = 'select count(*), sum(hash("state.row")) from {relation} as "state.row"'
_FILE_VIEWS = """
    select sql from duckdb_views()
    where not internal and not temporary and (contains(sql, 'read_') or contains(sql, '/'))
        and not starts_with(view_name, 'Material_')
"""


class DuckDBWarehouse:
    """One DuckDB connection. Not for use by two threads at once, except `interrupt`."""

    dialect: str = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: DuckDBSettings) -> None:
        self._connection = connection
        self._settings = settings
        self.external_access = settings.external_access
        self._confined = False
        self._objects: ObjectStore | None = None
        self._known: Catalog | None = None
        self._csv_files: dict[tuple[str, str], Source] = {}
        self._set(_session_settings(settings))
        for database in settings.attached:
            attach(database, self)
        if any(map(is_object, (*settings.objects, *settings.sources.values()))):
            self._store()

    def confine(self) -> None:
        """From now on SQL reaches the sources of the settings, and no other file of the machine; no setting either."""
        views = self.query(_FILE_VIEWS).rows
        if any(SCHEME in str(view) for (view,) in views):
            self._store()
        lakes = [folder for d in self._settings.attached if (folder := folder_of_rows(d, self)) is not None]
        self._set(reach_of(self._settings, (str(view) for (view,) in views), lakes).settings())
        self._confined = True

    def _set(self, chosen: Mapping[str, str]) -> None:
        for name, value in chosen.items():
            self.execute(f"SET GLOBAL {name} = {value}")

    def _store(self) -> ObjectStore:
        """Return the object stores; from now on SQL can read what lies there."""
        if self._objects is None:
            from profiles_pipeline.warehouse.objects import ObjectStore  # noqa: PLC0415 - rarely needed

            self._objects = ObjectStore(self._settings.credentials)
            if not self._connection.filesystem_is_registered(self._objects.protocol):
                self._connection.register_filesystem(self._objects)
        return self._objects

    def execute(self, sql: str, params: Sequence[object] | None = None) -> None:
        """Run one or more statements for their effect."""
        if self._confined:
            refuse_outward(self._connection, sql)
        if not _CHANGES_NO_NAMES.fullmatch(sql):
            self._known = None
        self._run(lambda: self._connection.execute(sql, params), sql)

    def query(self, sql: str, params: Sequence[object] | None = None) -> Rows:
        """Return the whole result of `sql`."""

        def fetch() -> Rows:
            result = self._connection.execute(sql, params)
            described = result.description or []
            return Rows(tuple(d[0] for d in described), tuple(str(d[1]) for d in described), result.fetchall())

        return self._run(fetch, sql)

    def scalar(self, sql: str, params: Sequence[object] | None = None) -> object:
        """Return the first column of the first row, or None when there is no row."""
        # A result that is not read to its end keeps the connection from other work.
        rows = self._run(lambda: self._connection.execute(sql, params).fetchall(), sql)
        return rows[0][0] if rows else None

    def fetch_arrow(self, sql: str) -> pyarrow.Table:
        """Return the whole result of a SELECT as an Arrow table."""
        return self._run(lambda: self._connection.sql(sql).to_arrow_table(), sql)

    @contextmanager
    def arrow_relation(self, name: str, table: pyarrow.Table) -> Iterator[None]:
        """Make `table` readable in SQL as `name` inside the block; it hides a relation of the same name meanwhile."""
        self._run(lambda: self._connection.register(name, table), name)
        try:
            yield
        finally:
            # A transaction that failed inside the block has taken the name back, or refuses to until it is rolled back.
            with suppress(duckdb.TransactionException, duckdb.CatalogException):
                self._connection.unregister(name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit when the block ends; roll back when it raises anything, KeyboardInterrupt included. Not nestable."""
        self.execute("BEGIN TRANSACTION")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # A commit that failed has already rolled back.
            self._known = None
            with suppress(duckdb.TransactionException):
                self._connection.rollback()
            raise

    def labelled(self, **labels: object) -> AbstractContextManager[None]:  # noqa: ARG002 - no records are kept
        """Let the warehouse know what statements inside the block are for, where it keeps records of them."""
        return nullcontext()

    def ensure_schema(self, schema: str) -> None:
        """Make sure that `schema` exists."""
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema, self.dialect)}")

    def use(self, schema: str, names: Mapping[str, str]) -> None:
        """Let relations of `schema` be named without it in this session, and let further `names` mean relations."""
        self.execute(f"USE {identifier(schema, self.dialect)}")
        for name, relation in names.items():
            view = identifier(name, self.dialect)
            self.execute(f"CREATE OR REPLACE TEMPORARY VIEW {view} AS SELECT * FROM {relation}")

    def keeping_views(self, schema: str) -> AbstractContextManager[None]:  # noqa: ARG002 - part of the protocol
        """Do nothing: views name what they read, and outlive it."""
        return nullcontext()

    def load(self, relation_sql: str, table: pyarrow.Table) -> None:
        """Make the table `relation_sql` anew with the rows of an Arrow table."""
        with self.arrow_relation("loaded_rows", table):
            self.execute(f"CREATE OR REPLACE TABLE {relation_sql} AS SELECT * FROM loaded_rows")

    def describe(self, select_sql: str) -> tuple[Column, ...]:
        """Return the columns a SELECT would have. It is bound, not run: no row of a table is read."""
        return tuple(Column(str(row[0]), str(row[1])) for row in self.query(f"DESCRIBE {select_sql}").rows)

    def relations(self, schema: str) -> frozenset[str]:
        """Return the names of the tables and views of `schema` as they were created; none if it does not exist."""
        return frozenset(relation.name for relation in self._within(schema))

    def views(self, schema: str) -> frozenset[str]:
        """Return the names of the views among `relations`."""
        return frozenset(relation.name for relation in self._within(schema) if relation.is_view)

    def _within(self, schema: str) -> Iterator[Relation]:
        catalog, wanted = self._catalog(), schema.lower()
        return (r for r in catalog.relations if r.database == catalog.database and r.schema.lower() == wanted)

    def view_texts(self, schema: str) -> Mapping[str, str]:
        """Return the views among `relations`: name -> the statement that makes it."""
        found = self.query(
            """SELECT view_name, sql FROM duckdb_views()
            WHERE NOT internal AND NOT temporary AND database_name = current_database() AND lower(schema_name) = ?""",
            [schema.lower()],
        )
        return {str(name): str(text) for name, text in found.rows}

    def table_comment(self, schema: str, table: str) -> str | None:
        """Return the comment on a table; None for one without, and where there is no such table."""
        found = self.scalar(
            """SELECT comment FROM duckdb_tables()
            WHERE database_name = current_database() AND lower(schema_name) = ? AND lower(table_name) = ?""",
            [schema.lower(), table.lower()],
        )
        return None if found is None else str(found)

    def row_count(self, relation_sql: str) -> int:
        """Return the number of rows of what `relation_sql` names after FROM."""
        return int(str(self.scalar(f"SELECT count(*) FROM {relation_sql}")))

    def row_counts(self, schema: str, tables: Iterable[str]) -> Mapping[str, int]:
        """Return how many rows tables of `schema` have; no row is read for that."""
        return counted(self, schema, tables)

    def source(self, table: str) -> Source:
        """Return where the rows of the input table `table` come from; see `sources.resolve_source` for the order.

        Raises:
            ProjectError: with a ``missing-table`` problem that lists every place tried, in order, or that says why an
                object cannot be read; with ``unreadable-source`` for a CSV file whose lines are uneven.
        """
        found = self._reachable(resolve_source(table, self._settings, self._catalog()))
        if found.kind != "csv" or not found.with_file:
            return found
        key = table.lower(), found.state
        if key not in self._csv_files:
            self._csv_files[key] = as_written(found, self._settings.id_columns.get(key[0], ()), self)
        return self._csv_files[key]

    def state(self, table: str) -> str:
        """Return another text when the rows of the input table `table` may be others than before.

        Rows of relations are hashed, but for tables of attached files.

        Raises:
            ProjectError: as `source` does.
        """
        found = self._reachable(resolve_source(table, self._settings, self._catalog()))
        if not found.names:
            return found.state
        database, schema, name = found.names
        is_view = (relation := self._catalog().find(*found.names)) is None or relation.is_view
        beside = (d for d in self._settings.attached if d.name.lower() == database.lower() and not is_view)
        known = (state_of(each, schema, name, self) for each in beside)
        own = next(filter(None, known), None) or self._content(found)
        return f"{found.origin}: {own}"

    def _content(self, relation: Source) -> str:
        """Return a hash of the names, types and rows of a relation, whatever the order of the rows is."""
        rows = self.query(_CONTENT.format(relation=relation.sql)).rows
        return f"{self.describe(relation.select)} {rows}"

    def _reachable(self, found: Source) -> Source:
        """Return a source that can be read, with the state of an object in a store."""
        if not is_address(found.origin):
            return found
        try:
            if is_object(found.origin):
                return replace(found, state=self._store().state(found.origin))
            self.describe(f"SELECT * FROM {found.sql}")
        except (WarehouseError, StoreError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            hint = f"or put a file called {parse_table_name(found.origin)[0]}.parquet or .csv into the sources folder"
            fail("missing-table", f"{found.origin} cannot be read: {reason}", hint=f"make it reachable, {hint}")
        return found

    def interrupt(self) -> None:
        """Stop the statement another thread is running on this session; it raises WarehouseError there."""
        self._connection.interrupt()

    def close(self) -> None:
        """End the session. What was not committed is rolled back."""
        self._connection.close()

    def _catalog(self) -> Catalog:
        """Return what there is, looked up again once a statement may have changed it: nobody else writes meanwhile."""
        if self._known is None:
            database = str(self.scalar("SELECT current_database()"))
            found = (Relation(str(d), str(s), str(n), bool(v)) for d, s, n, v in self.query(_RELATIONS).rows)
            self._known = Catalog(database, tuple(found))
        return self._known

    def _run(self, work: Callable[[], Result], statement: str) -> Result:
        # Left to itself, DuckDB 2.0 looks at signals only now and then: after Ctrl-C a sort goes on for seconds, an
        # aggregate to its end, and what a handler raised arrives as a RuntimeError.
        try:
            return run_interruptibly(work, self._connection.interrupt)
        except duckdb.Error as error:
            raise warehouse_error(error, statement) from error


def warehouse_error(error: duckdb.Error, statement: str | None = None) -> WarehouseError:
    """Return `error` as a WarehouseError: what DuckDB says in one line; its pointer into the SQL becomes a note."""
    text = explained(_NOISE.sub("", str(error)))
    excerpt = _EXCERPT.search(text)
    translated = WarehouseError(" ".join(_EXCERPT.sub("", text).split()), statement)
    if excerpt:
        translated.add_note(excerpt[1].rstrip())
    return translated


def _session_settings(settings: DuckDBSettings) -> dict[str, str]:
    """Return DuckDB settings and their values as SQL.

    They are set after connecting, because two connections to one file in one process must agree on what is passed while
    connecting. A Python variable must never pass for a table that is missing.
    """
    chosen = {
        "TimeZone": "'UTC'",
        "python_enable_replacements": "false",
    }
    if settings.file:
        chosen["temp_directory"] = literal(f"{settings.file}.tmp", DuckDBWarehouse.dialect)
    if settings.threads:
        chosen["threads"] = str(settings.threads)
    if settings.memory_limit:
        chosen["memory_limit"] = literal(settings.memory_limit, DuckDBWarehouse.dialect)
    return chosen
