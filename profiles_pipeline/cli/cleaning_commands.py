"""The commands that remove what is not needed any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """What to drop, as it is typed."""

    retain: Annotated[
        str | None,
        typer.Option(
            "--retain",
            "--retention-period",
            "--retention_period",
            "-r",
            metavar="DURATION",
            help="Keep what is younger than this: 7d, 36h, or a number of days.",
            show_default="retention_period of the project, else 30 days",
        ),
    ] = None
    hours: Annotated[
        int | None,
        typer.Option(
            "--retention-time-in-hours", "--retention_time_in_hours", min=0, metavar="N", help="The same in hours."
        ),
    ] = None
    milliseconds: Annotated[
        int | None,
        typer.Option("--retention-time-in-ms", "--retention_time_in_ms", min=0, metavar="N", help="In milliseconds."),
    ] = None
    views: Annotated[
        bool, typer.Option("--remove-latest-view-ptrs", "--remove_latest_view_ptrs", hidden=True, help="Refused.")
    ] = False
    expired: Annotated[bool, typer.Option("--expired", help="Drop only what is older than that.")] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--dry_run", help="Say what would be dropped, and drop nothing.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
    lock_timeout: o.LockTimeout = None
    as_json: o.Json = False


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    cleanup = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, suggest_commands=False, help="Drop what nobody needs any more."
    )
    cleanup.command("materials")(o.spread(materials))
    app.add_typer(cleanup, name="cleanup")


def materials(*, place: Place, asked: CleanupOptions) -> None:
    """Drop materials that are old, superseded by a newer definition, or were never finished.

    A material stays, whatever its age, when a view of the database reads it, directly or through another material;
    when it is the newest of its model as it is defined now; or when its run can still be continued. Nothing but
    materials of this project is touched, and nothing at all when anything fails.

    \b
    Examples:
      profiles cleanup materials --dry-run          what would go, and why
      profiles cleanup materials                    the same, then asks
      profiles cleanup materials --retain 7d -y     for a nightly job
      profiles cleanup materials --expired          by age alone
    """
    with reported(place.folder, asked.as_json):
        from profiles_pipeline.cli import cleaning  # noqa: PLC0415

        cleaning.clean(place, asked)
