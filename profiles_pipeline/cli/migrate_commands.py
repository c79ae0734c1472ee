"""The commands that bring a project to the newest schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported

_HERE = Path(".")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    migrate = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        suggest_commands=False,
        help="Bring a project of an older schema to the newest one.",
    )
    migrate.command("auto")(auto)
    migrate.command("manual")(manual)
    app.add_typer(migrate, name="migrate")


def auto(
    *,
    project: o.Project = _HERE,
    destination: Annotated[
        Path | None, typer.Option("--destination", "-d", metavar="DIR", help="Folder for the migrated project.")
    ] = None,
    inplace: Annotated[bool, typer.Option("--inplace", help="Change the files of the project itself.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Use a folder that is not empty: files of the same names are replaced.")
    ] = False,
    as_json: o.Json = False,
) -> None:
    """Rewrite a project in the newest schema.

    The models stay the same. Comments are kept, and lines that need no change stay as they are. Without --inplace or -d
    the changes are shown and nothing is written. A project need not be migrated to be run: older schemas are read as
    they are. What a bare name in a var over rows means, a column or a var, is looked up in the tables; where they are
    not there it stays, and is told as doubtful.

    \b
    Examples:
      profiles migrate auto                        show what would change
      profiles migrate auto -p shop -d shop_new    write a migrated copy
      profiles migrate auto -p shop --inplace      change the project itself
    """
    with reported(project, as_json):
        from profiles_pipeline.cli import migrating  # noqa: PLC0415

        migrating.auto(project, migrating.Where(destination, inplace, force), as_json)


def manual(*, project: o.Project = _HERE, as_json: o.Json = False) -> None:
    """List what would be rewritten to what, by file and line.

    \b
    Examples:
      profiles migrate manual -p shop
      profiles migrate manual -p shop --json
    """
    with reported(project, as_json):
        from profiles_pipeline.cli import migrating  # noqa: PLC0415

        migrating.manual(project, as_json)
