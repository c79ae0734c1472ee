"""The commands that show a project and what it has built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click
import typer
from typer.core import TyperCommand

from profiles_pipeline.cli import funnel_commands, graph_commands, identity_commands, inventory_commands
from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place

_HERE = Path(".")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    show = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, suggest_commands=False, help="Show what a project consists of."
    )
    show.command("models")(show_models)
    show.command("model_details")(o.spread(model_details))
    show.command("model-details", hidden=True)(o.spread(model_details))
    graph_commands.add_to(show)
    inventory_commands.add_to_show(show)
    funnel_commands.add_to(show)
    app.add_typer(show, name="show")
    identity_commands.add_to(app, show)
    app.command("query", cls=_TakesSql)(query)


class _TakesSql(TyperCommand):
    """A command whose SQL may begin with a comment, which is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f"\n{arg}" if arg.startswith("-- ") else arg for arg in args])


def show_models(
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    tree: Annotated[bool, typer.Option("--tree", help="Show for each result what it is made from.")] = False,
    as_json: o.Json = False,
) -> None:
    """List the models of a project: path, type, output, relation, and what each reads.

    Paths are what -m takes; relations are what queries can name.

    \b
    Examples:
      profiles show models
      profiles show models --tree
      profiles show models --json | jq '.[].path'
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project, as_json):
        from profiles_pipeline.cli import looking  # noqa: PLC0415

        looking.show_models(place, as_json, tree)


def model_details(
    *,
    place: Place,
    model_ref: Annotated[
        str | None, typer.Option("--model-ref", "--model_ref", "-m", metavar="PATH", help="Show only this model.")
    ] = None,
    as_json: o.Json = False,
) -> None:
    """Show all that is known of a project without looking at its rows.

    The project: its connection, schema version and SQL dialect, and the texts that are read in another one. Its
    entities: id column, stitcher, id types, paths. Its models: where each is defined, what it consists of, the hash of
    its definition.

    \b
    Examples:
      profiles show model_details
      profiles show model_details -m user/all/var_table
      profiles show model_details --json | jq '.entities'
    """
    with reported(place.folder, as_json):
        from profiles_pipeline.cli import detailing  # noqa: PLC0415

        detailing.show_details(place, model_ref, as_json)


def query(  # noqa: PLR0913 - a parameter for each option
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One query; - reads it from standard input.")],
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="table|csv|json", help="How to print rows.", show_default="table")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Write the rows to this file: *.csv, *.json or *.parquet."),
    ] = None,
    max_rows: Annotated[
        int | None,
        typer.Option(
            "--max-rows",
            "--max_rows",
            "-max_rows",
            min=1,
            help="Most rows.",
            show_default="100 on the screen, else all",
        ),
    ] = None,
    seq_no: o.SeqNo = None,
    dialect: Annotated[
        str | None,
        typer.Option("--dialect", help="Dialect of the query, such as snowflake.", show_default="the warehouse's own"),
    ] = None,
    lock_timeout: o.LockTimeout = None,
) -> None:
    """Ask a question about what was built.

    Models can be named plainly, as `profiles show models` lists them, or by path: {{this.DeRef("models/x")}}. With
    --seq-no, both mean what that run built. Only queries are accepted, and nothing can be written.

    \b
    Examples:
      profiles query "select * from user_profile"
      profiles query 'select count(*) from {{this.DeRef("models/user_id_stitcher")}}'
      profiles query "from user_profile" --format json
      profiles query "select * from user_profile" -f profiles.csv
      profiles query "select * from user_profile" --seq-no 3
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project):
        from profiles_pipeline.cli import looking  # noqa: PLC0415

        looking.query(place, looking.Query(sql, form, file, max_rows, seq_no, dialect, lock_timeout))
