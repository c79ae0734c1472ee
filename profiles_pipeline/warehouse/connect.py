"""Opens a warehouse when its turn has come, and always closes it again."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from profiles_pipeline.dialects import literal
from profiles_pipeline.errors import WarehouseError, fail
from profiles_pipeline.warehouse.lock import BusyError, Holder, OnWait, Patience, held, read_holder
from profiles_pipeline.warehouse.settings import (
    MEMORY,
    CompiledSettings,
    DuckDBSettings,
    PostgresSettings,
    Settings,
    SnowflakeSettings,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from profiles_pipeline.warehouse.base import Warehouse
    from profiles_pipeline.warehouse.duckdb_warehouse import DuckDBWarehouse
    from profiles_pipeline.warehouse.postgres_warehouse import PostgresWarehouse
    from profiles_pipeline.warehouse.snowflake_warehouse import SnowflakeWarehouse

__all__ = ["DuckDBSettings", "connect", "connect_duckdb", "connect_postgres", "connect_snowflake"]

_FOREIGN = re.compile(r"Conflicting lock is held in (?P<command>.+?) \(PID (?P<pid>\d+)\)")


@contextmanager
def connect(
    settings: Settings,
    *,
    purpose: str,
    read_only: bool = False,
    confined: bool = False,
    lock_timeout: float | None = None,
    on_wait: OnWait | None = None,
) -> Iterator[Warehouse]:
    """Yield an open session on a warehouse; see `connect_duckdb`, `connect_postgres` and `connect_snowflake`.

    Raises:
        ProjectError: it is a place for which SQL is compiled only.
    """
    if isinstance(settings, CompiledSettings):
        _refuse(settings)
    if isinstance(settings, PostgresSettings):
        with connect_postgres(
            settings, purpose=purpose, read_only=read_only, lock_timeout=lock_timeout, on_wait=on_wait
        ) as server:
            yield server
    elif isinstance(settings, SnowflakeSettings):
        with connect_snowflake(
            settings, purpose=purpose, read_only=read_only, lock_timeout=lock_timeout, on_wait=on_wait
        ) as account:
            yield account
    else:
        with connect_duckdb(
            settings,
            purpose=purpose,
            read_only=read_only,
            confined=confined,
            lock_timeout=lock_timeout,
            on_wait=on_wait,
        ) as embedded:
            yield embedded


def _refuse(settings: CompiledSettings) -> NoReturn:
    """Refuse to connect where nobody has ever run what is compiled."""
    what = (
        f"target '{settings.target}' is of type '{settings.dialect}': SQL is compiled for it, but not run there, since "
    )
    fail(
        "unsupported-warehouse",
        what + "it was never tried on the service itself",
        hint=f"profiles compile -t {settings.target} writes the SQL; without -t the project is built on DuckDB, and "
        "targets of the types duckdb, postgres and snowflake are built on",
    )


@contextmanager
def connect_postgres(
    settings: PostgresSettings,
    *,
    purpose: str,
    read_only: bool = False,
    lock_timeout: float | None = None,
    on_wait: OnWait | None = None,
) -> Iterator[PostgresWarehouse]:
    """Yield an open session on a database; its connections are closed when the block ends.

    Those who write to a schema take turns by a lock that the server keeps for it, wherever they are. It is free the
    moment their connection ends, however it ends.

    Raises:
        LockTimeoutError: names the holder.
        WarehouseError: the server cannot be reached, or refuses the user.
    """
    try:
        from profiles_pipeline.warehouse.postgres_warehouse import PostgresWarehouse  # noqa: PLC0415 - loads the driver
    except ImportError as error:
        raise WarehouseError(f"PostgreSQL needs the extra 'postgres': {error}") from error

    warehouse = PostgresWarehouse(settings, f"profiles: {purpose}", read_only=read_only)
    try:
        if not read_only:
            patience = Patience(f"schema {settings.schema} of {settings.place}", lock_timeout, on_wait)
            patience.wait_for(lambda: _take(warehouse, settings.schema))
        yield warehouse
    finally:
        warehouse.close()


def _take(warehouse: Warehouse, schema: str) -> None:
    """Take the lock for writing to a schema; raise BusyError, with who holds it, when somebody has it."""
    key = f"hashtextextended('profiles ' || {literal(schema, warehouse.dialect)}, 0)"
    if warehouse.scalar(f"SELECT pg_try_advisory_lock({key})"):
        return
    found = warehouse.query(
        f"""SELECT a.pid, a.application_name, COALESCE(a.client_hostname, HOST(a.client_addr), ''),
            TO_CHAR(a.backend_start, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND (l.classid::BIGINT << 32 | l.objid::BIGINT) = {key}"""
    ).rows
    pid, purpose, host, since = found[0] if found else (None, "", "", "")
    holder = Holder(int(str(pid)) if pid else None, purpose=str(purpose), host=str(host), since=str(since))
    raise BusyError(holder)


@contextmanager
def connect_snowflake(
    settings: SnowflakeSettings,
    *,
    purpose: str,
    read_only: bool = False,
    lock_timeout: float | None = None,
    on_wait: OnWait | None = None,
) -> Iterator[SnowflakeWarehouse]:
    """Yield an open session on an account; it is closed when the block ends.

    Those who write to a schema take turns by a table in it. That of somebody who is gone runs out.

    Raises:
        LockTimeoutError: names the holder.
        WarehouseError: the account cannot be reached, or refuses the user.
    """
    try:
        from profiles_pipeline.warehouse.snowflake_warehouse import SnowflakeWarehouse  # noqa: PLC0415 - the driver
    except ImportError as error:
        raise WarehouseError(f"Snowflake needs the extra 'snowflake': {error}") from error

    warehouse = SnowflakeWarehouse(settings, purpose, read_only=read_only)
    try:
        if not read_only:
            place = f"schema {settings.schema} of {settings.place}"
            warehouse.take_turns(Patience(place, lock_timeout, on_wait))
        yield warehouse
    finally:
        warehouse.close()


@contextmanager
def connect_duckdb(
    settings: DuckDBSettings,
    *,
    purpose: str,
    read_only: bool = False,
    confined: bool = False,
    lock_timeout: float | None = None,
    on_wait: OnWait | None = None,
) -> Iterator[DuckDBWarehouse]:
    """Yield an open session on `settings.path`; it is closed, and the file free, when the block ends.

    The folder of the file is created. Writers take turns; readers share the file with each other, never with a writer.
    A program that knows nothing of the turns (the DuckDB shell, a notebook) is waited for as well.

    Args:
        settings: what to open.
        purpose: what this session is for, shown to those who wait for it.
        read_only: open without the right to write; the file must exist.
        confined: of the machine's files, SQL reaches the sources of the settings only. It stays so while the file is
            open in this process, so it is for whoever has the file alone.
        lock_timeout: seconds to wait in all; None waits for ever, 0 does not wait.
        on_wait: called with the holder when waiting begins and about every 10 s after that.

    Raises:
        LockTimeoutError: names the holder.
        WarehouseError: the file cannot be opened, or this thread has it open already.
    """
    from profiles_pipeline.warehouse.duckdb_warehouse import DuckDBWarehouse  # noqa: PLC0415 - loads the driver

    file = settings.file
    patience = Patience(file or MEMORY, lock_timeout, on_wait)
    if file:
        _prepare(file, read_only)
    with held(file, purpose, patience) if file and not read_only else nullcontext():
        connection = patience.wait_for(lambda: _open(file, read_only))
        try:
            warehouse = DuckDBWarehouse(connection, settings)
            if confined and not settings.external_access:
                warehouse.confine()
            yield warehouse
        finally:
            connection.close()


def _prepare(file: Path, read_only: bool) -> None:
    if read_only and not file.exists():
        raise WarehouseError(f"there is no DuckDB file at {file}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"cannot create the folder {file.parent}: {error.strerror}") from error


def _open(file: Path | None, read_only: bool) -> DuckDBPyConnection:
    """Return a connection; raise BusyError when another process, or this one in another mode, has the file open."""
    import duckdb  # noqa: PLC0415 - importing this module must not load the driver

    from profiles_pipeline.warehouse.duckdb_warehouse import warehouse_error  # noqa: PLC0415 - loads the driver

    try:
        connection = duckdb.connect(str(file or MEMORY), read_only=read_only)
    except duckdb.Error as error:
        holder = _holder(file, str(error)) if file else None
        if holder:
            raise BusyError(holder) from error
        if file and "in-memory database in read-only mode" in str(error):
            raise _no_database(file) from error
        raise warehouse_error(error) from error
    # A CSV, Parquet or JSON file is opened as well: as a view of its rows in memory, where all that is built is lost.
    kept = "SELECT 1 FROM duckdb_databases() WHERE database_name = current_database() AND path IS NOT NULL"
    if file and connection.execute(kept).fetchone() is None:
        connection.close()
        raise _no_database(file)
    return connection


def _no_database(file: Path) -> WarehouseError:
    return WarehouseError(f"{file} is no DuckDB file; name one that is, or that does not exist yet")


def _holder(file: Path, complaint: str) -> Holder | None:
    """Return who keeps `file`, by DuckDB's complaint and the note beside the file; None for any other complaint."""
    if "different configuration than existing connections" in complaint:
        pid, command = os.getpid(), ""
    elif match := _FOREIGN.search(complaint):
        pid, command = int(match["pid"]), match["command"]
    elif "Could not set lock on file" in complaint:
        return Holder()
    else:
        return None
    noted = read_holder(file)
    return noted if noted.pid == pid else Holder(pid=pid, command=command, host=socket.gethostname())
