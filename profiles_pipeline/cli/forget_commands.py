"""The command that forgets people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place


@dataclass(frozen=True, slots=True)
class ForgetOptions:
    """Whom to forget, as it is typed."""

    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="TYPE:VALUE", help="An identifier of the person; may be repeated."),
    ] = None
    entity: Annotated[
        str | None, typer.Option("--entity", metavar="NAME", help="Entity, where several have ids of this type.")
    ] = None
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the certificate.")] = None
    plan: Annotated[bool, typer.Option("--plan", help="Show whom it is about, and do nothing.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
    unknown: Annotated[
        bool, typer.Option("--even-unknown", help="Also somebody whom no run has seen, in case that they come.")
    ] = False
    resume: Annotated[bool, typer.Option("--resume", help="Finish what was asked before, and nothing else.")] = False
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Close requests although something is left, once the certificate says what."),
    ] = False
    undo: Annotated[bool, typer.Option("--undo", help="Let later runs read the person again.")] = False
    listed: Annotated[bool, typer.Option("--list", help="List who was forgotten: requests, without identifiers.")] = (
        False
    )
    lock_timeout: o.LockTimeout = None
    as_json: o.Json = False


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("forget")(o.spread(forget))


def forget(*, place: Place, asked: ForgetOptions) -> None:
    """Take a person out of everything that was built and published, for good.

    All identifiers of the person go, as of the last run. Rows of the sources that carry one of them are not read any
    more; the last run is made again without them, as of the same moment; their rows go from what earlier runs have
    left; destinations get the deletion at once. Then every table is looked through, and a certificate is written to
    output/forgotten. The exit code is 1 when anything is left. Whatever interrupts it, the same command goes on.

    The rows of the sources are yours: delete them there as well. What has identifiers that were never seen together
    with these, such as events before a log-in, is somebody else's as far as anybody can tell.

    \b
    Examples:
      profiles forget --id email:ann@example.com --plan     whose identifiers go, and from where
      profiles forget --id email:ann@example.com            the same, then asks
      profiles forget --id email:ann@example.com -y --reason "request 17"
      profiles forget --resume                              finish what was interrupted
      profiles forget --list                                requests, and whether nothing is left
      profiles forget --id email:ann@example.com --undo     later runs read the person again
    """
    with reported(place.folder, asked.as_json):
        from profiles_pipeline.cli import forgetting  # noqa: PLC0415

        forgetting.forget(place, asked)
