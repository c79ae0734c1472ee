"""A Snowflake database as a warehouse, through its own driver.

Statements are submitted asynchronously: their ids are known while they run, so that they can be asked about after a
connection was lost, and stopped.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from snowflake.connector import errors
from snowflake.connector.constants import FIELD_ID_TO_NAME
from snowflake.connector.util_text import split_statements

from profiles_pipeline.dialects import canonical_type, identifier, literal, upper_case
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.base import Column, Rows, Source
from profiles_pipeline.warehouse.counting import counted
from profiles_pipeline.warehouse.interrupt import run_interruptibly
from profiles_pipeline.warehouse.snowflake_session import asked_again, connected, finished, tag_of, warehouse_error
from profiles_pipeline.warehouse.snowflake_turn import Turn
from profiles_pipeline.warehouse.sources import Catalog, Relation, is_address, parse_table_name, resolve_source

if TYPE_CHECKING:
    import pyarrow
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import ResultMetadata, SnowflakeCursor

    from profiles_pipeline.warehouse.lock import Patience
    from profiles_pipeline.warehouse.settings import SnowflakeSettings

Result = TypeVar("Result")

_RELATIONS = """
    SELECT table_catalog, table_schema, table_name, FALSE AS is_view FROM {database}.information_schema.tables
    WHERE table_type <> 'VIEW' AND UPPER(table_schema) IN ({schemas})
    UNION ALL
    SELECT table_catalog, table_schema, table_name, TRUE FROM {database}.information_schema.views
    WHERE UPPER(table_schema) IN ({schemas})
    ORDER BY 2, 3
"""
# The server keeps the time of the last change of its own tables. What views and external tables read it tells nobody.
_STATE = """
    SELECT CONCAT_WS(' ', CAST(last_altered AS VARCHAR), COALESCE(CAST(row_count AS VARCHAR), ''),
        COALESCE(CAST(bytes AS VARCHAR), ''))
    FROM {database}.information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema = ? AND table_name = ? AND last_altered IS NOT NULL
"""
_VIEWS = "SELECT table_name, view_definition FROM {database}.information_schema.views WHERE UPPER(table_schema) = ?"
_DEFAULT_SCHEMA = "PUBLIC"
_BATCH = 10_000
_DEFINES = re.compile(r"\s*(CREATE|DROP|ALTER|TRUNCATE|COMMENT|GRANT|REVOKE|UNDROP)\b", re.IGNORECASE)
_READS = re.compile(r"[\s(]*(SELECT|WITH|VALUES|SHOW|DESCRIBE|DESC|EXPLAIN)\b", re.IGNORECASE)


class SnowflakeWarehouse:
    """A database of an account. Each thread that uses it has a session of its own."""

    dialect: str = "snowflake"
    external_access: bool = False

    def __init__(self, settings: SnowflakeSettings, purpose: str, *, read_only: bool = False) -> None:
        """Connect.

        Args:
            settings: where to, and as whom.
            purpose: what for, as it stands in the tag of every query.
            read_only: refuse to write.

        Raises:
            WarehouseError: the account cannot be reached, refuses the user, or lacks what the settings name.
        """
        self._settings = settings
        self._purpose = purpose
        self._labels: dict[int, dict[str, object]] = {}
        self._read_only = read_only
        self._connections: dict[int, SnowflakeConnection] = {}
        self._in_transaction: set[int] = set()
        self._running: set[tuple[SnowflakeConnection, str]] = set()
        self._turn: Turn | None = None
        self._patience: Patience | None = None
        self._own()

    # --- statements -------------------------------------------------------------------------------------------

    def execute(self, sql: str, params: Sequence[object] | None = None) -> None:
        """Run one or more statements for their effect."""
        for statement, _ in split_statements(io.StringIO(sql)):
            if _DEFINES.match(statement):
                # The server commits before it changes a definition: what follows belongs to no transaction.
                self._end("COMMIT")
            self._run(partial(self._finished, sql=statement, params=params), statement)
        if self._turn is not None and threading.get_ident() not in self._in_transaction:
            self._turn.renew()

    def query(self, sql: str, params: Sequence[object] | None = None) -> Rows:
        """Return the whole result of `sql`."""

        def fetch(cursor: SnowflakeCursor) -> Rows:
            query = self._finished(cursor, sql, params)
            rows = asked_again(lambda: cursor.query_result(query)).fetchall()
            described = cursor.description or []
            return Rows(tuple(column.name for column in described), tuple(map(_type, described)), rows)

        return self._run(fetch, sql)

    def _finished(self, cursor: SnowflakeCursor, sql: str, params: Sequence[object] | None) -> str:
        """Run a statement to its end and return its id; while it runs, `interrupt` finds it."""
        running: list[tuple[SnowflakeConnection, str]] = []

        def began(query: str) -> None:
            running.append((cursor.connection, query))
            self._running.update(running)

        if self._read_only and not _READS.match(sql):
            raise WarehouseError("this session is for reading only", sql)
        try:
            return finished(cursor, sql, params, self._tags(), began)
        finally:
            self._running.difference_update(running)

    def scalar(self, sql: str, params: Sequence[object] | None = None) -> object:
        """Return the first column of the first row, or None when there is no row."""
        rows = self.query(sql, params).rows
        return rows[0][0] if rows else None

    def fetch_arrow(self, sql: str) -> pyarrow.Table:
        """Return the whole result of a SELECT as an Arrow table."""
        import pyarrow  # noqa: PLC0415 - slow to load, rarely needed

        found = self.query(sql)
        columns = zip(*found.rows, strict=True) if found.rows else ([] for _ in found.columns)
        return pyarrow.table([pyarrow.array(list(values)) for values in columns], names=list(found.columns))

    def describe(self, select_sql: str) -> tuple[Column, ...]:
        """Return the columns a SELECT would have. It is bound, not run: no row of a table is read."""

        def bind(cursor: SnowflakeCursor) -> tuple[Column, ...]:
            described = asked_again(lambda: cursor.describe(select_sql))
            return tuple(Column(column.name, _type(column)) for column in described or [])

        return self._run(bind, select_sql)

    def table_comment(self, schema: str, table: str) -> str | None:
        """Return the comment on a table; None for one without, and where there is no such table."""
        found = self.scalar(
            f"""SELECT comment FROM {self._database}.information_schema.tables
            WHERE UPPER(table_schema) = ? AND UPPER(table_name) = ?""",
            [schema.upper(), table.upper()],
        )
        return str(found) if found else None

    def row_count(self, relation_sql: str) -> int:
        """Return the number of rows of what `relation_sql` names after FROM."""
        return int(str(self.scalar(f"SELECT COUNT(*) FROM {relation_sql}")))

    def row_counts(self, schema: str, tables: Iterable[str]) -> Mapping[str, int]:
        """Return how many rows tables of `schema` have; no row is read for that."""
        return counted(self, schema, tables)

    @contextmanager
    def labelled(self, **labels: object) -> Iterator[None]:
        """Let the tags of the queries that this thread makes inside the block say these labels too."""
        thread, before = threading.get_ident(), self._labels.get(threading.get_ident(), {})
        self._labels[thread] = before | labels
        try:
            yield
        finally:
            self._labels[thread] = before

    def _tags(self) -> dict[str, object]:
        """Return what the tags of the queries of this thread say."""
        own = self._labels.get(threading.get_ident(), {})
        return {"app": "profiles", "purpose": self._purpose, **own}

    # --- loading ----------------------------------------------------------------------------------------------

    @contextmanager
    def arrow_relation(self, name: str, table: pyarrow.Table) -> Iterator[None]:
        """Make `table` readable in SQL as `name` inside the block; it hides a relation of the same name meanwhile."""
        relation = identifier(name, self.dialect)
        self._load(relation, table, "TEMPORARY TABLE")
        try:
            yield
        finally:
            # A session that is lost has taken the table with it.
            with suppress(WarehouseError):
                self.execute(f"DROP TABLE IF EXISTS {relation}")

    def load(self, relation_sql: str, table: pyarrow.Table) -> None:
        """Make the table `relation_sql` anew with the rows of an Arrow table."""
        self._load(relation_sql, table, "TABLE")

    def _load(self, relation_sql: str, table: pyarrow.Table, kind: str) -> None:
        from profiles_pipeline.warehouse import binding  # noqa: PLC0415 - needs pyarrow, rarely needed itself

        given = identifier("profiles_given", self.dialect)
        marks = ", ".join("?" * table.num_columns)
        statement = f"INSERT INTO {given} VALUES ({marks})"
        self.execute(f"CREATE OR REPLACE TEMPORARY TABLE {given} ({binding.columns_sql(table)})")
        for rows in binding.rows(table, _BATCH):
            self._run(partial(_sent, statement=statement, rows=rows), statement)
        self.execute(f"CREATE OR REPLACE {kind} {relation_sql} AS SELECT {binding.items_sql(table)} FROM {given}")
        self.execute(f"DROP TABLE {given}")

    # --- transactions, schemas, views -------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit when the block ends; roll back when it raises anything, KeyboardInterrupt included. Not nestable.

        A definition that is made, changed or dropped inside the block ends the transaction: it and what was before it
        stay, whatever comes after.
        """
        thread = threading.get_ident()
        self._control("BEGIN")
        self._in_transaction.add(thread)
        try:
            yield
            self._end("COMMIT")
        except BaseException:
            # A server that is gone rolls back by itself.
            with suppress(WarehouseError):
                self._end("ROLLBACK")
            raise
        finally:
            self._in_transaction.discard(thread)

    def _end(self, how: str) -> None:
        if threading.get_ident() in self._in_transaction:
            self._in_transaction.discard(threading.get_ident())
            self._control(how)

    def _control(self, statement: str) -> None:
        self._run(lambda cursor: cursor.execute(statement), statement)

    def ensure_schema(self, schema: str) -> None:
        """Make sure that `schema` exists, and be the only one who writes to it from then on."""
        if not self._has_schema(schema):
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema, self.dialect)}")
        self._control(f"USE SCHEMA {identifier(schema, self.dialect)}")
        if self._patience is not None and self._turn is None:
            self.take_turns(self._patience)

    def take_turns(self, patience: Patience) -> None:
        """Wait until nobody else writes to the schema of the settings, if it is there; else when it is made.

        Raises:
            LockTimeoutError: names the holder.
        """
        self._patience = patience
        if self._has_schema(self._settings.schema):
            turn = Turn(self, self._settings.schema, self._purpose)
            patience.wait_for(turn.take)
            self._turn = turn

    def _has_schema(self, schema: str) -> bool:
        found = self.scalar(
            f"SELECT COUNT(*) FROM {self._database}.information_schema.schemata WHERE UPPER(schema_name) = UPPER(?)",
            [schema],
        )
        return int(str(found)) > 0

    @property
    def _database(self) -> str:
        return identifier(self._settings.database, self.dialect)

    def use(self, schema: str, names: Mapping[str, str]) -> None:
        """Let relations of `schema` be named without it in this session, and let further `names` mean relations."""
        self._control(f"USE SCHEMA {identifier(schema, self.dialect)}")
        for name, relation in names.items():
            view = f"{identifier(name, self.dialect)} AS SELECT * FROM {relation}"
            self._control(f"CREATE OR REPLACE TEMPORARY VIEW {view}")

    @contextmanager
    def keeping_views(self, schema: str) -> Iterator[None]:  # noqa: ARG002 - views stay when what they read goes
        """See to it that views of `schema` which go with a relation that is replaced inside the block come back."""
        yield

    # --- the catalogue ----------------------------------------------------------------------------------------

    def relations(self, schema: str) -> frozenset[str]:
        """Return the names of the tables and views of `schema` as they were created; none if it does not exist."""
        return frozenset(relation.name for relation in self._relations_of(self._settings.database, [schema]))

    def views(self, schema: str) -> frozenset[str]:
        """Return the names of the views among `relations`."""
        found = self._relations_of(self._settings.database, [schema])
        return frozenset(relation.name for relation in found if relation.is_view)

    def view_texts(self, schema: str) -> Mapping[str, str]:
        """Return the views among `relations`: name -> the statement that makes it."""
        found = self.query(_VIEWS.format(database=self._database), [schema.upper()]).rows
        return {str(name): str(text) for name, text in found}

    def source(self, table: str) -> Source:
        """Return where the rows of the input table `table` come from: a relation of the account.

        Raises:
            ProjectError: with a ``missing-table`` problem that lists every place tried, in order.
        """
        found = resolve_source(table, self._settings, self._catalog(table))
        columns = self.describe(f"SELECT * FROM {found.sql}")
        items = [_as_elsewhere(column) for column in columns]
        if all(item == _exactly(column.name) for item, column in zip(items, columns, strict=True)):
            return found
        return replace(found, sql=f"(SELECT {', '.join(items)} FROM {found.sql})")

    def state(self, table: str) -> str:
        """Return another text when the rows of the input table `table` may be others than before.

        Rows of views and of whatever else is no table of the server's own are hashed.

        Raises:
            ProjectError: as `source` does.
        """
        found = resolve_source(table, self._settings, self._catalog(table))
        if not found.names:
            return found.state
        database, *names = found.names
        own = self.scalar(_STATE.format(database=identifier(database, self.dialect)), names)
        return f"{found.origin}: {own or self._content(found)}"

    def _content(self, relation: Source) -> str:
        """Return a hash of the names, types and rows of a relation, whatever the order of the rows is."""
        columns = self.describe(relation.select)
        listed = ", ".join(_exactly(column.name) for column in columns)
        return f"{columns} {self.query(f'SELECT COUNT(*), SUM(HASH({listed})) FROM {relation.sql}').rows}"

    def _catalog(self, table: str) -> Catalog:
        """Return what there is where a table could be: schemas of the database, and of the one that its name has."""
        own = self._settings.database.upper()
        schemas: dict[str, list[str]] = {own: [self._settings.schema, _DEFAULT_SCHEMA]}
        for name in (table, *self._settings.sources.values()):
            *qualifiers, _ = ("",) if is_address(name) else parse_table_name(name)
            for database in {own, *(part.upper() for part in qualifiers[:-1])} if qualifiers else ():
                schemas.setdefault(database, []).append(qualifiers[-1])
        found = self._relations_of(own, schemas.pop(own))
        for database, others in schemas.items():
            # One that is not there, or not for this role, has no tables.
            with suppress(WarehouseError):
                found += self._relations_of(database, others)
        return Catalog(own, tuple(dict.fromkeys(found)), _DEFAULT_SCHEMA)

    def _relations_of(self, database: str, schemas: Sequence[str]) -> list[Relation]:
        """Return the relations of some schemas."""
        texts = ", ".join(dict.fromkeys(literal(schema.upper(), self.dialect) for schema in schemas))
        rows = self.query(_RELATIONS.format(database=identifier(database, self.dialect), schemas=texts)).rows
        return [Relation(str(d), str(s), str(n), bool(is_view)) for d, s, n, is_view in rows]

    # --- sessions ---------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Stop the statements that run on this session, whichever thread they are of; they raise WarehouseError."""
        for connection, query in tuple(self._running):
            # One that has ended meanwhile needs not be stopped.
            with suppress(errors.Error):
                connection.cursor().execute(f"SELECT SYSTEM$CANCEL_QUERY({literal(query, self.dialect)})")

    def close(self) -> None:
        """End the session. What was not committed is rolled back."""
        if self._turn is not None:
            # One that is not given back runs out.
            with suppress(WarehouseError):
                self._turn.release()
            self._turn = None
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _own(self) -> SnowflakeConnection:
        """Return the connection of this thread, opened when it is first asked for."""
        thread = threading.get_ident()
        if thread not in self._connections:
            tag = tag_of(self._tags())
            self._connections[thread] = run_interruptibly(lambda: connected(self._settings, tag), lambda: None)
        return self._connections[thread]

    def _run(self, work: Callable[[SnowflakeCursor], Result], statement: str) -> Result:
        """Return what `work` does with a cursor on the connection of this thread."""
        connection = self._own()

        def done() -> Result:
            with connection.cursor() as cursor:
                return work(cursor)

        try:
            return run_interruptibly(done, self.interrupt)
        except errors.Error as error:
            raise warehouse_error(error, statement) from error


def _sent(cursor: SnowflakeCursor, statement: str, rows: Sequence[Sequence[object]]) -> None:
    cursor.executemany(statement, rows)


def _type(column: ResultMetadata) -> str:
    """Return the type of a column of a result as the canonical dialect spells it."""
    name = FIELD_ID_TO_NAME[column.type_code]
    precise = f"({column.precision},{column.scale})" if name == "FIXED" else ""
    return canonical_type(name + precise, SnowflakeWarehouse.dialect)


def _exactly(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _as_elsewhere(column: Column) -> str:
    """Return a column of a source under the name that it is found by without quotes, and a moment in UTC."""
    name = _exactly(column.name)
    if column.type == "TIMESTAMP WITH TIME ZONE":
        return f"CONVERT_TIMEZONE('UTC', {name}) AS {_exactly(upper_case(column.name))}"
    return name if column.name == upper_case(column.name) else f"{name} AS {_exactly(upper_case(column.name))}"
