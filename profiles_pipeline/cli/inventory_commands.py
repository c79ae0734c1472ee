"""The commands that list what there is, and what a run built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place

KINDS = ("models", "entities", "features", "sources", "materials")


@dataclass(frozen=True, slots=True)
class DiscoverOptions:
    """What to look for, and how to say it, as it is typed."""

    entity: Annotated[str | None, typer.Option("--entity", "-e", metavar="NAME", help="Only of this entity.")] = None
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="PATH", help="Only where this is part of the model's path.")
    ] = None
    source: Annotated[
        str | None, typer.Option("--source", "-s", metavar="PATH", help="Only what comes from this input; * means any.")
    ] = None
    keyword: Annotated[
        str | None, typer.Option("--keyword", "-k", metavar="WORD", help="Only where this word is said anywhere.")
    ] = None
    file: Annotated[
        Path | None, typer.Option("--csv", "--csv-file", "--csv_file", "-f", metavar="FILE", help="Write a CSV file.")
    ] = None
    as_json: o.Json = False


def add_to(app: typer.Typer) -> None:
    """Add the command ``discover`` to the program."""
    app.command("discover")(o.spread(discover))


def add_to_show(show: typer.Typer) -> None:
    """Add the command ``plan`` to those that begin with ``show``."""
    show.command("plan")(o.spread(show_plan))


def discover(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar=f"[{'|'.join(KINDS)}]",
            help="What to list.",
            show_default="everything",
            autocompletion=lambda incomplete: [kind for kind in KINDS if kind.startswith(incomplete)],
        ),
    ] = None,
    *,
    place: Place,
    asked: DiscoverOptions,
) -> None:
    """List the models, entities, features, sources and materials there are.

    Joins what the project declares with what the warehouse remembers: when a model was last built and with how many
    rows, the types of features, where the rows of a source are found, and models that other projects have built in the
    same schema.

    \b
    Examples:
      profiles discover
      profiles discover features -e user -k order
      profiles discover sources --json
      profiles discover models -s inputs/orders
      profiles discover materials --csv materials.csv
    """
    with reported(place.folder, asked.as_json):
        from profiles_pipeline.cli import inventory  # noqa: PLC0415

        inventory.discover(place, kind, asked)


def show_plan(
    *,
    place: Place,
    seq_no: o.SeqNo = None,
    show_dependents: Annotated[
        bool, typer.Option("--show-dependents", "--show_dependents", help="Show what was made from each material, too.")
    ] = False,
    as_json: o.Json = False,
) -> None:
    """Show what a run built: its materials, their rows, what each was made from, and how.

    A model was built from its rows, or went on from an earlier run; then it is told for each var whether its value was
    kept (state), found by going over the rows of who was touched (replay), or computed for everybody (full), and why.

    It is the last run unless --seq-no says otherwise. `profiles plan` shows what the next run would do.

    \b
    Examples:
      profiles show plan
      profiles show plan --seq-no 3 --show-dependents
      profiles show plan --json | jq '.materials[].material'
    """
    with reported(place.folder, as_json):
        from profiles_pipeline.cli import inventory  # noqa: PLC0415

        inventory.show_plan(place, seq_no, show_dependents, as_json)
