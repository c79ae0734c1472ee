"""Attaches further databases to a DuckDB session, for reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from profiles_pipeline.dialects import identifier, literal
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.settings import Attached

if TYPE_CHECKING:
    from profiles_pipeline.warehouse.base import Warehouse


def attach(database: Attached, warehouse: Warehouse) -> None:
    """Make the tables of a database readable under its name, for as long as the session is open.

    Raises:
        WarehouseError: there is no such file, it is open elsewhere for writing, an extension is not installed, or what
            the extension says, without the address.
    """
    name = identifier(database.name, warehouse.dialect)
    if database.file is not None:
        if not database.file.is_file():
            raise WarehouseError(f"there is no DuckDB file {database.file} to attach as '{database.name}'")
        try:
            warehouse.execute(
                f"ATTACH IF NOT EXISTS {literal(str(database.file), warehouse.dialect)} AS {name} (READ_ONLY)"
            )
        except WarehouseError as error:
            raise WarehouseError(f"{database.file} cannot be attached as '{database.name}': {error}") from error
        return
    _load(database, warehouse)
    address = database.address.get_secret_value() if database.address is not None else ""
    kind = "" if database.kind in ("motherduck", "ducklake") else f"TYPE {database.kind}, "  # their addresses say it
    try:
        warehouse.execute(f"ATTACH IF NOT EXISTS {literal(address, warehouse.dialect)} AS {name} ({kind}READ_ONLY)")
    except WarehouseError as error:
        told = str(error)
        for said in _said_of(address):
            told = told.replace(said, "(its address)")
        raise WarehouseError(f"database '{database.name}' cannot be attached: {told}") from None


def _said_of(address: str) -> Iterator[str]:
    """Yield an address and what is left of it without the words before its colons: DuckDB may say any of these."""
    while address:
        yield address
        address = address.partition(":")[2]


def _load(database: Attached, warehouse: Warehouse) -> None:
    try:
        warehouse.execute(f"LOAD {database.kind}")
    except WarehouseError as error:
        way = f"python -c \"import duckdb; duckdb.execute('INSTALL {database.kind}')\""
        what = f"database '{database.name}' needs DuckDB's extension '{database.kind}', which is not installed"
        raise WarehouseError(what, hint=f"where the internet can be reached: {way}") from error


def folder_of_rows(database: Attached, warehouse: Warehouse) -> str | None:
    """Return the folder or address below which the rows of an attached database lie as files; None where none do."""
    if database.kind != "ducklake":
        return None
    return str(warehouse.scalar("SELECT data_path FROM ducklake_settings(?)", [database.name]))


_STATE_ON_POSTGRES = """
    SELECT concat_ws(' ', c.relfilenode, s.n_tup_ins, s.n_tup_upd, s.n_tup_del) AS state
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid WHERE n.nspname = {schema} AND c.relname = {name}
"""


def state_of(database: Attached, schema: str, name: str, warehouse: Warehouse) -> str:
    """Return another text when a table of an attached database may hold other rows than before.

    Nothing for MotherDuck, of which only the number of rows is known.
    """
    if database.file is not None:
        return _state_of_file(database.file)
    if database.kind == "ducklake":
        return f"{warehouse.scalar('SELECT id FROM ducklake_current_snapshot(?)', [database.name])}"
    if database.kind == "postgres":
        there = {"schema": literal(schema, "postgres"), "name": literal(name, "postgres")}
        asked = _STATE_ON_POSTGRES.format(**there)
        return f"{warehouse.scalar('SELECT state FROM postgres_query(?, ?)', [database.name, asked])}"
    return ""


def _state_of_file(database: Path) -> str:
    """Return the state of a DuckDB file. What a program that ended badly has written last is in a file beside it."""
    found = []
    for file in (database, database.with_name(f"{database.name}.wal")):
        with suppress(FileNotFoundError):
            status = file.stat()
            found.append(f"{status.st_size} {status.st_mtime_ns}")
    return " ".join(found)
