"""Attaches further databases to a DuckDB session, for reading."""

from __future__ import annotations

from contextlib import suppress
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
        told = str(error).replace(address, "(its address)") if address else str(error)
        raise WarehouseError(f"database '{database.name}' cannot be attached: {told}") from None


def _load(database: Attached, warehouse: Warehouse) -> None:
    try:
        warehouse.execute(f"LOAD {database.kind}")
    except WarehouseError as error:
        way = f"python -c \"import duckdb; duckdb.execute('INSTALL {database.kind}')\""
        what = f"database '{database.name}' needs DuckDB's extension '{database.kind}', which is not installed"
        raise WarehouseError(what, hint=f"where the internet can be reached: {way}") from error


def state_of_file(database: Attached) -> str:
    """Return another text when the file of a database may hold other rows than before; nothing for another kind.

    What a program that ended badly has written last is in a file beside it.
    """
    if database.file is None:
        return ""
    found = []
    for file in (database.file, database.file.with_name(f"{database.file.name}.wal")):
        with suppress(FileNotFoundError):
            status = file.stat()
            found.append(f"{status.st_size} {status.st_mtime_ns}")
    return " ".join(found)
