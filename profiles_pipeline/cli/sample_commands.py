"""The commands that make sample rows: for the tables of a project, or tables for a project to be written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place

_HERE = Path(".")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("insert")(insert)
    app.command("sample-data")(sample_data)


def insert(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    connection: Annotated[
        str | None,
        typer.Option("--connection", "-n", help="Connection to use.", show_default="that of the project"),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows of the table of events.")] = 10_000,
    force: Annotated[bool, typer.Option("--force", help="Replace the tables when they are there.")] = False,
) -> None:
    """Put two tables of sample events into the warehouse, for a project that is yet to be written.

    sample_rs_demo_identifies has sign-ups and log-ins, sample_rs_demo_tracks what visitors of a web shop did, both with
    user ids, anonymous ids and times up to last midnight. They are made in the output schema of the connection.

    \b
    Examples:
      profiles insert -n my_connection
      profiles insert -n my_connection -t dev --rows 100000 --force
      profiles insert -p shop
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project):
        from profiles_pipeline.cli import inserting  # noqa: PLC0415

        inserting.insert(place, connection, rows, force)


def sample_data(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the files.", show_default="where a run looks for them"),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows of each table, at most.")] = 3000,
    people: Annotated[int, typer.Option("--people", min=1, help="People the rows are about.")] = 300,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The same seed and the same --end give the same rows.")
    ] = 7,
    end: Annotated[
        str | None,
        typer.Option(
            "--end",
            metavar="TIME",
            help="The rows end at this moment. Give it for the same times each time.",
            show_default="now",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
) -> None:
    """Make sample rows, so that a project can be run without its warehouse.

    Reads from the project which tables and columns it needs and what its SQL looks for in them, and writes a Parquet
    file for each table. Files that are there already stay as they are.

    \b
    Examples:
      profiles sample-data -p shop
      profiles sample-data -p shop --rows 100000 --people 5000
      profiles sample-data -p shop -o shop/data --end 2025-01-01 --seed 1 --force
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project):
        from profiles_pipeline.cli import sampling  # noqa: PLC0415

        sampling.sample_data(place, output, sampling.Asked(rows, people, seed, end), force)
