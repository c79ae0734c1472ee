"""A PostgreSQL database as a warehouse, through SQLAlchemy and psycopg 3."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import psycopg
from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from profiles_pipeline.dialects import canonical_type, helper_statements, identifier, lower_case
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse import postgres_states
from profiles_pipeline.warehouse.base import Column, Rows, Source
from profiles_pipeline.warehouse.counting import counted
from profiles_pipeline.warehouse.interrupt import run_interruptibly
from profiles_pipeline.warehouse.postgres_errors import has_passed, is_not_ready, warehouse_error
from profiles_pipeline.warehouse.postgres_values import read_values
from profiles_pipeline.warehouse.settings import PostgresSettings
from profiles_pipeline.warehouse.sources import Catalog, Relation, resolve_source

if TYPE_CHECKING:
    import pyarrow

Result = TypeVar("Result")

_RELATIONS = """
    SELECT current_database(), n.nspname, c.relname, c.relkind = 'v' AS is_view
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname NOT LIKE 'pg_temp%' AND n.nspname NOT LIKE 'pg_toast%'
    ORDER BY 2, 3
"""
_NAMES = """
    SELECT c.relname, c.relkind = 'v' FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND lower(n.nspname) = ?
"""
_VIEWS = """
    SELECT c.relname, pg_get_viewdef(c.oid) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND lower(n.nspname) = ? ORDER BY c.oid
"""
_COLUMNS = """
    SELECT a.attname, a.attcollation NOT IN (0, 'pg_catalog."C"'::REGCOLLATION, 'pg_catalog."POSIX"'::REGCOLLATION)
        AND NOT (a.attcollation = 'pg_catalog."default"'::REGCOLLATION AND d.datlocprovider = 'c'
            AND d.datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8'))
    FROM pg_attribute AS a, pg_database AS d
    WHERE a.attrelid = ?::REGCLASS AND a.attnum > 0 AND NOT a.attisdropped AND d.datname = current_database()
    ORDER BY a.attnum
"""
_MORE_MEMORY = """
    SELECT set_config(name, value, FALSE) FROM (VALUES ('work_mem', '64MB'), ('temp_buffers', '64MB')) AS v(name, value)
    WHERE pg_size_bytes(current_setting(name)) < pg_size_bytes(value)
"""
"""What a server out of the box gives is for many short statements at once; what somebody has set higher stays."""

COUNTED = 64 * 2**20
"""Bytes of the largest table whose rows are counted without being asked for: PostgreSQL reads them all for that."""

_ATTEMPTS = 5
_PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\?|%")


class PostgresWarehouse:
    """A database on a server. Each thread that uses it has a connection of its own."""

    dialect: str = "postgres"
    external_access: bool = False

    def __init__(self, settings: PostgresSettings, purpose: str, *, read_only: bool = False) -> None:
        """Connect.

        Args:
            settings: where to, and as whom.
            purpose: what for, as other users of the server see it.
            read_only: refuse to write.

        Raises:
            WarehouseError: the server cannot be reached, or refuses the user.
        """
        self._settings = settings
        self._engine = _engine(settings, purpose, read_only)
        self._connections: dict[int, Connection] = {}
        self._in_transaction: set[int] = set()
        self._own()

    def execute(self, sql: str, params: Sequence[object] | None = None) -> None:
        """Run one or more statements for their effect."""
        self._run(lambda connection: connection.exec_driver_sql(*_bound(sql, params)).close(), sql)

    def query(self, sql: str, params: Sequence[object] | None = None) -> Rows:
        """Return the whole result of `sql`."""

        def fetch(connection: Connection) -> Rows:
            result = connection.exec_driver_sql(*_bound(sql, params))
            names = tuple(result.keys())
            return Rows(names, self._types(connection, result), [tuple(row) for row in result.fetchall()])

        return self._run(fetch, sql)

    def scalar(self, sql: str, params: Sequence[object] | None = None) -> object:
        """Return the first column of the first row, or None when there is no row."""
        rows = self._run(lambda connection: connection.exec_driver_sql(*_bound(sql, params)).fetchall(), sql)
        return rows[0][0] if rows else None

    def fetch_arrow(self, sql: str) -> pyarrow.Table:
        """Return the whole result of a SELECT as an Arrow table."""
        import pyarrow  # noqa: PLC0415 - slow to load, rarely needed

        found = self.query(sql)
        columns = zip(*found.rows, strict=True) if found.rows else ([] for _ in found.columns)
        return pyarrow.table([pyarrow.array(list(values)) for values in columns], names=list(found.columns))

    @contextmanager
    def arrow_relation(self, name: str, table: pyarrow.Table) -> Iterator[None]:
        """Make `table` readable in SQL as `name` inside the block; it hides a relation of the same name meanwhile."""
        relation = f"pg_temp.{identifier(name, self.dialect)}"
        self.load(relation, table)
        try:
            yield
        finally:
            # A transaction that failed inside the block takes the table back itself.
            with suppress(WarehouseError):
                self.execute(f"DROP TABLE IF EXISTS {relation}")

    def load(self, relation_sql: str, table: pyarrow.Table) -> None:
        """Make the table `relation_sql` anew with the rows of an Arrow table, by COPY."""
        from profiles_pipeline.warehouse import copying  # noqa: PLC0415 - needs pyarrow, rarely needed itself

        columns = copying.columns_sql(table)
        self.execute(f"DROP TABLE IF EXISTS {relation_sql} CASCADE; CREATE TABLE {relation_sql} ({columns})")
        is_flat = copying.is_flat(table)
        statement = f"COPY {relation_sql} FROM STDIN{' (FORMAT csv)' if is_flat else ''}"

        def copy(connection: Connection) -> None:
            with _driver(connection).cursor() as cursor, cursor.copy(statement) as stream:
                if is_flat:
                    for text in copying.as_csv(table):
                        stream.write(text)
                else:
                    for row in copying.as_rows(table):
                        stream.write_row(row)

        self._run(copy, statement)
        self.execute(f"ANALYZE {relation_sql}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit when the block ends; roll back when it raises anything, KeyboardInterrupt included. Not nestable."""
        thread = threading.get_ident()
        self.execute("BEGIN")
        self._in_transaction.add(thread)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # A server that is gone has rolled back by itself.
            with suppress(WarehouseError):
                self.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction.discard(thread)

    def labelled(self, **labels: object) -> AbstractContextManager[None]:  # noqa: ARG002 - no records are kept
        """Let the warehouse know what statements inside the block are for, where it keeps records of them."""
        return nullcontext()

    def ensure_schema(self, schema: str) -> None:
        """Make sure that `schema` exists, and in it the functions that the rendered SQL calls."""
        name = identifier(schema, self.dialect)
        if self.scalar("SELECT COUNT(*) FROM pg_namespace WHERE nspname = ?", [schema]) == 0:
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
        self.execute(";\n".join(helper_statements(self.dialect, schema)))

    def use(self, schema: str, names: Mapping[str, str]) -> None:
        """Let relations of `schema` be named without it in this session, and let further `names` mean relations."""
        self.execute(f"SET search_path TO {identifier(schema, self.dialect)}, public")
        if not names:
            return
        views = (f"pg_temp.{identifier(name, self.dialect)} AS SELECT * FROM {names[name]}" for name in names)
        # Not even a view of the session alone can be made where nothing may be written.
        self.execute("; ".join(["BEGIN READ WRITE", *(f"CREATE OR REPLACE VIEW {view}" for view in views), "COMMIT"]))

    @contextmanager
    def keeping_views(self, schema: str) -> Iterator[None]:
        """See to it that views of `schema` which go with a relation that is replaced inside the block come back."""
        before = self._views(schema)
        yield
        there = {name.lower() for name in self.relations(schema)}
        for name, text in before.items():
            if name.lower() not in there:
                view = f"{identifier(schema, self.dialect)}.{identifier(name, self.dialect)}"
                self._if_possible(f"CREATE VIEW {view} AS {text}")

    def _if_possible(self, statement: str) -> None:
        """Run a statement; a refusal is as if nothing had been asked, for the transaction around it too."""
        guarded = threading.get_ident() in self._in_transaction
        if guarded:
            self.execute("SAVEPOINT attempt")
        try:
            self.execute(statement)
        except WarehouseError:
            if guarded:
                self.execute("ROLLBACK TO SAVEPOINT attempt")

    def describe(self, select_sql: str) -> tuple[Column, ...]:
        """Return the columns a SELECT would have. It is bound, not run: no row of a table is read."""

        def bind(connection: Connection) -> list[tuple[str, int, int]]:
            server = _driver(connection).pgconn
            described = server.prepare(b"", select_sql.encode())
            if described.status == psycopg.pq.ExecStatus.COMMAND_OK:
                described = server.describe_prepared(b"")
            if described.status != psycopg.pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(described)
            return [
                ((described.fname(n) or b"").decode(), described.ftype(n), described.fmod(n))
                for n in range(described.nfields)
            ]

        found = self._run(bind, select_sql)
        types = [(kind, modifier) for _, kind, modifier in found]
        names = self._run(lambda connection: _type_names(connection, types), select_sql)
        return tuple(Column(name, type_name) for (name, _, _), type_name in zip(found, names, strict=True))

    def relations(self, schema: str) -> frozenset[str]:
        """Return the names of the tables and views of `schema` as they were created; none if it does not exist."""
        return frozenset(str(name) for name, _ in self.query(_NAMES, [schema.lower()]).rows)

    def views(self, schema: str) -> frozenset[str]:
        """Return the names of the views among `relations`."""
        return frozenset(str(name) for name, is_view in self.query(_NAMES, [schema.lower()]).rows if is_view)

    def view_texts(self, schema: str) -> Mapping[str, str]:
        """Return the views among `relations`: name -> the query that makes it."""
        return self._views(schema)

    def _views(self, schema: str) -> dict[str, str]:
        return {str(name): str(text) for name, text in self.query(_VIEWS, [schema.lower()]).rows}

    def table_comment(self, schema: str, table: str) -> str | None:
        """Return the comment on a table; None for one without, and where there is no such table."""
        found = self.scalar(
            """SELECT obj_description(c.oid, 'pg_class')
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE lower(n.nspname) = ? AND lower(c.relname) = ?""",
            [schema.lower(), table.lower()],
        )
        return None if found is None else str(found)

    def row_count(self, relation_sql: str) -> int:
        """Return the number of rows of what `relation_sql` names after FROM."""
        return int(str(self.scalar(f"SELECT count(*) FROM {relation_sql}")))

    def row_counts(self, schema: str, tables: Iterable[str]) -> Mapping[str, int]:
        """Return how many rows tables of `schema` have, of those of at most COUNTED bytes: all their rows are read."""
        found = self.query(
            """SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE lower(n.nspname) = ? AND pg_relation_size(c.oid) <= ?""",
            [schema.lower(), COUNTED],
        )
        small = {str(name) for (name,) in found.rows}
        return counted(self, schema, (table for table in tables if table in small))

    def source(self, table: str) -> Source:
        """Return where the rows of the input table `table` come from: a relation of the database.

        Raises:
            ProjectError: with a ``missing-table`` problem that lists every place tried, in order.
        """
        found = resolve_source(table, self._settings, self._catalog())
        return replace(found, sql=self._as_elsewhere(found.sql))

    def state(self, table: str) -> str:
        """Return another text when the rows of the input table `table` may be others than before.

        Raises:
            ProjectError: as `source` does.
        """
        found = resolve_source(table, self._settings, self._catalog())
        return f"{found.origin}: {postgres_states.state(self, found)}" if found.names else found.state

    def _as_elsewhere(self, relation_sql: str) -> str:
        """Return what to select from so that texts are compared by their bytes and names are in lower case.

        Both hold for all that is computed from it.
        """
        columns = self.query(_COLUMNS, [relation_sql]).rows
        if all(is_text is False and name == lower_case(str(name)) for name, is_text in columns):
            return relation_sql
        names = [identifier(lower_case(str(name)), self.dialect) for name, _ in columns]
        items = [
            f'{name} COLLATE "C" AS {name}' if is_text else name
            for name, (_, is_text) in zip(names, columns, strict=True)
        ]
        return f"(SELECT {', '.join(items)} FROM {relation_sql} AS named ({', '.join(names)}))"

    def interrupt(self) -> None:
        """Stop the statements that run on this session, whichever thread they are of; they raise WarehouseError."""
        for connection in tuple(self._connections.values()):
            _driver(connection).cancel_safe(timeout=5)

    def close(self) -> None:
        """End the session. What was not committed is rolled back."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._engine.dispose()

    def _catalog(self) -> Catalog:
        found = tuple(
            Relation(str(database), str(schema), str(name), bool(is_view))
            for database, schema, name, is_view in self.query(_RELATIONS).rows
        )
        return Catalog(self._settings.database, found, "public")

    def _types(self, connection: Connection, result: CursorResult[tuple[object, ...]]) -> tuple[str, ...]:
        described = result.cursor.description if result.cursor is not None else ()
        return _type_names(connection, [(int(str(column[1])), -1) for column in described])

    def _own(self) -> Connection:
        """Return the connection of this thread, opened when it is first asked for."""
        thread = threading.get_ident()
        if thread not in self._connections:
            self._connections[thread] = run_interruptibly(
                lambda: _connected(self._engine.connect, self._settings), lambda: None
            )
        return self._connections[thread]

    def _run(self, work: Callable[[Connection], Result], statement: str) -> Result:
        """Return what `work` does on the connection of this thread.

        A statement that stands alone and had to give way to others is tried again: it has had no effect. One whose
        connection broke may have had one, and is not.
        """
        connection = self._own()
        if connection.invalidated:  # with it went the transaction, and the turn of this session
            raise WarehouseError("the connection was lost before this", statement, "wait until the server is back")
        alone = threading.get_ident() not in self._in_transaction
        retrying = Retrying(
            retry=retry_if_exception(lambda error: alone and has_passed(error)),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(0.2, max=5),
            reraise=True,
        )
        try:
            return run_interruptibly(
                lambda: retrying(work, connection), lambda: _driver(connection).cancel_safe(timeout=5)
            )
        except (DBAPIError, psycopg.Error) as error:
            raise warehouse_error(error, self._settings, statement) from error


def _engine(settings: PostgresSettings, purpose: str, read_only: bool) -> Engine:
    chosen = {
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "client_min_messages": "warning",
        "jit": "off",  # compiles each statement anew, which takes longer than it saves
        "default_transaction_read_only": "on" if read_only else "off",
        "search_path": f"{identifier(settings.schema, PostgresWarehouse.dialect)},public",
    }
    options = " ".join(f"-c {name}={_escaped(value)}" for name, value in chosen.items())
    url = URL.create(
        "postgresql+psycopg",
        username=settings.user,
        password=settings.password.get_secret_value() if settings.password else None,
        host=settings.host,
        port=settings.port,
        database=settings.database,
        query={"sslmode": settings.sslmode} if settings.sslmode else {},
    )
    made = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        use_native_hstore=False,
        execution_options={"no_parameters": True},
        connect_args={"options": options, "application_name": purpose[:63], "prepare_threshold": None},
    )
    event.listen(made, "connect", read_values)
    event.listen(made, "connect", _more_memory)
    return made


def _more_memory(connection: psycopg.Connection, _: object) -> None:
    """Let steps sort, hash and keep their temporary tables in memory for longer."""
    connection.autocommit = True
    connection.execute(_MORE_MEMORY)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _connected(connect: Callable[[], Connection], settings: PostgresSettings) -> Connection:
    """Return a connection; a server that is not ready for one yet is asked again."""
    retrying = Retrying(
        retry=retry_if_exception(is_not_ready),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential(0.2, max=5),
        reraise=True,
    )
    try:
        return retrying(connect)
    except DBAPIError as error:
        raise warehouse_error(error, settings) from error


def _driver(connection: Connection) -> psycopg.Connection[tuple[object, ...]]:
    found = connection.connection.driver_connection
    assert isinstance(found, psycopg.Connection)
    return found


def _bound(sql: str, params: Sequence[object] | None) -> tuple[str] | tuple[str, tuple[object, ...]]:
    """Return a statement and its parameters as the driver wants them, each ``?`` in the place of a value."""
    if not params:
        return (sql,)
    return _PLACEHOLDER.sub(_for_driver, sql), tuple(params)


def _for_driver(match: re.Match[str]) -> str:
    found = match[0]
    return "%s" if found == "?" else found.replace("%", "%%")


def _type_names(connection: Connection, types: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return types, each by its number and modifier, as the canonical dialect spells them."""
    if not types:
        return ()
    calls = ", ".join(f"format_type({kind}, {modifier})" for kind, modifier in types)
    (row,) = connection.exec_driver_sql(f"SELECT {calls}").fetchall()
    return tuple(canonical_type(str(name), PostgresWarehouse.dialect) for name in row)
