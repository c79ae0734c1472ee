"""The program ``profiles``: its commands as they are typed, and what they mean in one line each.

What a command does is imported when it is called, so that help and completion stay fast.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import click
import typer
from typer.core import TyperGroup

from profiles_pipeline import __version__
from profiles_pipeline.cli import (
    build_commands,
    cleaning_commands,
    forget_commands,
    inventory_commands,
    look_commands,
    migrate_commands,
    publish_commands,
    sample_commands,
    start_commands,
)
from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.entry import INTERRUPTED
from profiles_pipeline.cli.terminal import print_document
from profiles_pipeline.garbage import rare_collection

DEBUG = "PROFILES_DEBUG"
"""Environment variable; set to anything, unexpected errors show where they come from."""

WITHOUT_EFFECT = ("--migrate_on_load", "--migrate-on-load", "--allow_beta", "--allow-beta")
"""Options of other tools that every command takes: projects of every schema are read as they are."""

COMMANDS = (
    "init",
    "tutorial",
    "insert",
    "sample-data",
    "validate",
    "plan",
    "compile",
    "run",
    "publish",
    "forget",
    "show",
    "discover",
    "query",
    "audit",
    "idstitch",
    "cleanup",
    "migrate",
    "dev",
    "version",
)


class InOrderOfUse(TyperGroup):
    """Lists the commands in the order in which people come to need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(super().list_commands(ctx), key=COMMANDS.index)


app = typer.Typer(
    name="profiles",
    cls=InOrderOfUse,
    help="""Build customer profiles from a RudderStack Profiles project.

    \b
    Start here:
      profiles tutorial                 be shown everything once
      profiles init project -o shop     make a small project that runs at once
      profiles run -p shop              build it
      profiles query -p shop "select * from user_feature_view"
      profiles dev -p shop              open it in the Dagster UI

    A project is built on the warehouse of its connection, or on a DuckDB file inside the project when this machine
    knows no such connection. `profiles COMMAND --help` explains a command with examples.
    """,
    invoke_without_command=True,
    rich_markup_mode=None,
    suggest_commands=False,  # click does already
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
start_commands.add_to(app)
sample_commands.add_to(app)
build_commands.add_to(app)
publish_commands.add_to(app)
forget_commands.add_to(app)
look_commands.add_to(app)
migrate_commands.add_to(app)
inventory_commands.add_to(app)
cleaning_commands.add_to(app)


@app.callback()
def root(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    debug: Annotated[  # noqa: ARG001 - taken out of the arguments before they are read
        bool, typer.Option("--debug", help="Show where an unexpected error comes from. May stand anywhere.")
    ] = False,
) -> None:
    """Print the version or the help when no command is given."""
    if show_version:
        typer.echo(f"profiles {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def version(as_json: o.Json = False) -> None:
    """Print the version of this program and of what it builds on."""
    found = {"profiles": __version__, **{name: _installed(name) for name in ("duckdb", "sqlglot", "dagster")}}
    found["python"] = sys.version.partition(" ")[0]
    if as_json:
        print_document(found)
        return
    for name, number in found.items():
        typer.echo(f"{name} {number or 'is not installed'}")


def _installed(name: str) -> str | None:
    """Return the version of a package; None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def outcome(given: Sequence[str], *, is_last: bool) -> int:
    """Run the command line and return its exit code; what went wrong is on standard error.

    Args:
        given: the arguments.
        is_last: whether the process ends with it.
    """
    debug = "--debug" in given or bool(os.environ.get(DEBUG))
    left_out = {"--debug", *WITHOUT_EFFECT}
    if not debug:  # what cannot be translated is told at its place in the project
        logging.getLogger("sqlglot").setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with rare_collection(is_last=is_last):
        return _outcome([argument for argument in given if argument not in left_out], debug)


def _outcome(arguments: list[str], debug: bool) -> int:
    """Return the exit code of a call; what went wrong is on standard error."""
    try:
        return _called(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if debug:
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            typer.echo(f"error[disk-full]: {error.strerror}{f': {error.filename}' if error.filename else ''}", err=True)
            typer.echo("    hint: make room and run again; what was finished before is kept", err=True)
            return 2
        if error.filename is None:
            raise
        typer.echo(f"error[file]: {error.filename}: {error.strerror}", err=True)
        typer.echo("    hint: make it readable and writable, or use another folder", err=True)
        return 2
    except Exception as error:
        if debug:
            raise
        typer.echo(f"error[unexpected]: {type(error).__name__}: {error}", err=True)
        hint = f"this is a defect of the program; --debug or {DEBUG}=1 shows where it comes from"
        typer.echo(f"    hint: {hint}", err=True)
        return 70


def _command_of(arguments: list[str]) -> str:
    """Return the command that is called, for mistakes of which click does not say where they were made."""
    group, found = typer.main.get_command(app), ["profiles"]
    for word in arguments:
        command = getattr(group, "commands", {}).get(word)
        if command is not None:
            group = command
            found.append(word)
    return " ".join(found)


def _called(arguments: list[str]) -> int:
    """Return the exit code of a call, wrong uses of the command line included."""
    try:
        found = app(arguments, prog_name="profiles", standalone_mode=False)
        return found if isinstance(found, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        typer.echo(f"error[usage]: {error.format_message()}", err=True)
        typer.echo(f"    hint: {context.command_path if context else _command_of(arguments)} --help", err=True)
    except click.Abort as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # click makes the one of the other
            return INTERRUPTED
        typer.echo("error[no-answer]: there was no answer; give the options instead, or -y for the defaults", err=True)
    return 2
