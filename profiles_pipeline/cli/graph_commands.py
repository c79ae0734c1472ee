"""The commands that show a project as a graph, as trees or as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """Which part of a graph to show, and how, as it is typed."""

    model_refs: Annotated[
        list[str] | None,
        typer.Option(
            "--model-refs",
            "--model_refs",
            "-m",
            metavar="PATH",
            help="Show only this model or var with all it comes from and all it leads to. Repeat it, or use commas.",
        ),
    ] = None
    upstream: Annotated[bool, typer.Option("--upstream", help="With -m: only what it comes from.")] = False
    downstream: Annotated[bool, typer.Option("--downstream", help="With -m: only what it leads to.")] = False
    include_disabled: Annotated[
        bool, typer.Option("--include-disabled", "--include_disabled", help="Show what is left out as well, and why.")
    ] = False
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Draw a picture instead: a file called *.svg or *.png."),
    ] = None
    as_json: o.Json = False


def add_to(show: typer.Typer) -> None:
    """Add the commands to those that begin with ``show``."""
    show.command("dependencies")(o.spread(dependencies))
    show.command("dataflow")(o.spread(dataflow))


def dependencies(*, place: Place, asked: GraphOptions) -> None:
    """Show which model depends on which: for each result, what it is made from.

    A picture runs from left to right, from the inputs to the results. PNG needs the extra `pictures`
    (pip install 'profiles-pipeline[pictures]'); SVG needs nothing and opens in every browser.

    \b
    Examples:
      profiles show dependencies
      profiles show dependencies -o models.svg
      profiles show dependencies -m user/n_orders --upstream
      profiles show dependencies --json | jq '.edges[]'
    """
    with reported(place.folder, asked.as_json):
        from profiles_pipeline.cli import graphs  # noqa: PLC0415

        graphs.show_dependencies(place, asked)


def dataflow(*, place: Place, asked: GraphOptions) -> None:
    """Show how data flows: for each source table, where its rows go and which columns its columns decide.

    `amount → revenue` says that values of the column amount decide values of the column revenue; conditions count as
    much as values do. A model without columns after its name only takes rows, as count(*) does.

    \b
    Examples:
      profiles show dataflow
      profiles show dataflow -m inputs/orders --downstream     who is hit when this table changes
      profiles show dataflow -o dataflow.svg
      profiles show dataflow --json | jq '.edges[].columns'
    """
    with reported(place.folder, asked.as_json):
        from profiles_pipeline.cli import graphs  # noqa: PLC0415

        graphs.show_dataflow(place, asked)
