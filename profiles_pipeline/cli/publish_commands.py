"""The command that publishes."""

from __future__ import annotations

from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("publish")(o.spread(publish))


def publish(  # noqa: PLR0913 - a parameter for each option
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Publishers of pipeline.yaml.", show_default=False),
    ] = None,
    *,
    place: Place,
    everything: Annotated[bool, typer.Option("--all", help="Publish by every publisher of the project.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be written, and write nothing.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Publish even though a guard trips, this once. Look at --plan before.")
    ] = False,
    lock_timeout: o.LockTimeout = None,
    as_json: o.Json = False,
) -> None:
    """Publish profiles to where others read them.

    What is published are the results that the plain views show; nothing is built. Only what has changed since the last
    time is written, in one transaction. Where a guard trips, nothing is written and the exit code is 1.

    \b
    Examples:
      profiles publish amplitude_profiles --plan     what would be inserted, updated and deleted
      profiles publish amplitude_profiles
      profiles publish amplitude_profiles --approve  a guard tripped, and it is right so
      profiles publish --all --json
    """
    with reported(place.folder, as_json):
        from profiles_pipeline.cli import publishing  # noqa: PLC0415

        asked = publishing.Asked(tuple(names or ()), everything, approve, lock_timeout)
        if plan:
            publishing.show_plan(place, asked, as_json)
        else:
            publishing.publish(place, asked, as_json)
