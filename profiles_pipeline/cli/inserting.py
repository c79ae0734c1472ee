"""Does what ``profiles insert`` says."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from profiles_pipeline import spec
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import note, out, print_table, say
from profiles_pipeline.connections import Output, find_output
from profiles_pipeline.dialects import identifier, spelled
from profiles_pipeline.errors import fail
from profiles_pipeline.spec.siteconfig import DEFAULT_SITECONFIG
from profiles_pipeline.warehouse.connect import connect

TABLES = {"sample_rs_demo_identifies": "identifies", "sample_rs_demo_tracks": "tracks"}
"""Table in the warehouse -> table of the web shop that its rows are from."""


def insert(place: Place, connection: str | None, events: int, force: bool) -> None:
    """Put the sample tables into the output schema of a connection.

    Args:
        place: the project whose connection it is, unless one is named; relative paths start in its folder.
        connection: name of a connection in the siteconfig.
        events: rows of the larger table.
        force: replace tables that are there.

    Raises:
        ProjectError: there is no such connection, or the tables are there already.
    """
    output = _output(place, connection)
    if output.notice:
        note(f"note: {output.notice}", style="yellow")
    with tempfile.TemporaryDirectory(prefix="profiles-") as scratch:
        from profiles_pipeline.examples.ecommerce_data import SCHEMA_NAME, generate  # noqa: PLC0415 - slow to load

        end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        generate(Path(scratch), events=events, end=end)
        files = {name: Path(scratch) / f"{SCHEMA_NAME}.{table}.parquet" for name, table in TABLES.items()}
        rows = _written(output, files, force)
    print_table(
        out(), ("table", "rows"), [(f"{output.schema}.{n}", f"{count:,}") for n, count in rows.items()], ["rows"]
    )
    say(f"inserted into {output.settings.place}; inputs name them plainly: `table: {next(iter(TABLES))}`")


def _output(place: Place, connection: str | None) -> Output:
    folder = place.folder.expanduser().absolute()
    siteconfig = place.siteconfig.expanduser().absolute() if place.siteconfig else None
    name = connection or spec.connection_of(folder)
    if name is None:
        message = f"there is no project in {from_here(folder)} whose connection could be used"
        fail("no-connection", message, hint="profiles insert -n CONNECTION, or -p PROJECT")
    if connection is not None and connection not in spec.load_siteconfig(siteconfig).connections:
        where = siteconfig or DEFAULT_SITECONFIG
        fail("unknown-connection", f"connection '{connection}' is not in {where}", hint="profiles init connection")
    return find_output(folder, name, siteconfig, place.target)


def _written(output: Output, files: dict[str, Path], force: bool) -> dict[str, int]:
    """Make the tables in one transaction; return their numbers of rows."""
    from pyarrow.parquet import read_table  # noqa: PLC0415 - slow to load

    with connect(output.settings, purpose="profiles insert") as warehouse:
        found = warehouse.relations(output.schema)
        there = sorted(name for name in files if spelled(name, warehouse.dialect) in found)
        if there and not force:
            fail("table-exists", f"{output.schema}.{there[0]} is there already", hint="replace it with --force")
        schema = identifier(output.schema, warehouse.dialect)
        with warehouse.transaction():
            warehouse.ensure_schema(output.schema)
            for name, path in files.items():
                warehouse.load(f"{schema}.{name}", read_table(path))
        return {name: warehouse.row_count(f"{schema}.{name}") for name in files}
