"""The command that shows a funnel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place

_HERE = Path(".")


def add_to(show: typer.Typer) -> None:
    """Add the command to those that begin with ``show``."""
    show.command("funnel")(funnel)


def funnel(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="models/NAME", help="The sessions to look at.", show_default="every one"),
    ] = None,
    seq_no: o.SeqNo = None,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write a page with a drawing to this file.")
    ] = None,
    as_json: o.Json = False,
) -> None:
    """Show how many sessions and visitors reached each stage of a funnel, and how soon.

    A model of type sessions that has stages has a funnel. A session counts for the furthest stage that it reached and
    for all before it.

    \b
    Examples:
      profiles show funnel
      profiles show funnel -m models/user_sessions -o funnel.html
      profiles show funnel --seq-no 3 --json
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project, as_json):
        from profiles_pipeline.cli import funnels  # noqa: PLC0415

        funnels.show(place, model, seq_no, file, as_json)
