"""The commands that make projects and connections, and open a project in Dagster."""

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
    init = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        suggest_commands=False,
        help="Make a project, or a connection to a warehouse.",
    )
    init.command("project")(init_project)
    init.command("pb-project", hidden=True)(init_project)
    init.command("connection")(init_connection)
    app.add_typer(init, name="init")
    app.command("tutorial")(tutorial)
    app.command("dev")(dev)


def init_project(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to make.", show_default="my_profiles, or the example's name"),
    ] = None,
    example: Annotated[
        str | None, typer.Option("--example", metavar="quickstart|ecommerce", help="Take this example with its rows.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Use a folder that is not empty: files of the same names are replaced.")
    ] = False,
) -> None:
    """Make a project that can be run at once.

    Without --example it is a small one with comments, meant to be changed. The examples are complete: quickstart has
    five people, ecommerce a web shop with thousands.

    \b
    Examples:
      profiles init project -o my_profiles
      profiles init project --example quickstart
      profiles init project --example ecommerce -o demo
    """
    with reported(_HERE):
        from profiles_pipeline.cli import starting  # noqa: PLC0415

        starting.init_project(output, example, force)


def init_connection(  # noqa: PLR0913 - a parameter for each option
    *,
    siteconfig: o.Siteconfig = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Name of the connection, as in pb_project.yaml.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="Name of the output, such as dev or prod.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", help="Kind of warehouse: duckdb, postgres or snowflake.")
    ] = None,
    schema: Annotated[str | None, typer.Option("--schema", help="Schema to build in.")] = None,
    path: Annotated[
        str | None, typer.Option("--path", help="DuckDB: database file; relative to the project folder.")
    ] = None,
    sources_dir: Annotated[
        str | None,
        typer.Option(
            "--sources-dir", "--sources_dir", help="DuckDB: folder of CSV and Parquet files that stand in for tables."
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Server of PostgreSQL; for Snowflake a private link or a proxy.")
    ] = None,
    port: Annotated[str | None, typer.Option("--port", help="Its port.")] = None,
    dbname: Annotated[str | None, typer.Option("--dbname", help="Database on a server.")] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="Protocol of --host of Snowflake, unless https.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="Who logs in.")] = None,
    password: Annotated[
        str | None,
        typer.Option("--password", help="Password, better as '${VARIABLE}': others see what commands are given."),
    ] = None,
    sslmode: Annotated[
        str | None, typer.Option("--sslmode", help="How a connection to PostgreSQL is encrypted, such as verify-full.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="Account of Snowflake, such as myorg-myaccount.")
    ] = None,
    role: Annotated[str | None, typer.Option("--role", help="Role on Snowflake.")] = None,
    warehouse: Annotated[str | None, typer.Option("--warehouse", help="Virtual warehouse on Snowflake.")] = None,
    private_key_file: Annotated[
        str | None, typer.Option("--private-key-file", help="File of a private key, to log in to Snowflake.")
    ] = None,
    private_key_passphrase: Annotated[
        str | None, typer.Option("--private-key-passphrase", help="Its passphrase, better as '${VARIABLE}'.")
    ] = None,
    token: Annotated[str | None, typer.Option("--token", help="OAuth token, better as '${VARIABLE}'.")] = None,
    passcode: o.Passcode = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: take the default for what is not given.")
    ] = False,
) -> None:
    """Add a connection to ~/.pb/siteconfig.yaml, after trying it.

    Asks for what the options do not say; secrets that are typed are not shown. Nothing is written when the connection
    does not work. Other connections and comments in the file stay as they are, and only you can read it afterwards.

    \b
    Examples:
      profiles init connection
      profiles init connection -n shop --path ~/shop.duckdb -y
      profiles init connection -n shop -t team --type postgres --host db.example.net --dbname shop \\
        --user profiles --password '${PROFILES_PASSWORD}' -y
      profiles init connection -n shop -t prod --type snowflake --account myorg-myaccount --user PROFILES \\
        --role PROFILES --warehouse PROFILES_WH --dbname SHOP --private-key-file profiles_key.p8
    """
    with reported(_HERE):
        from profiles_pipeline.cli import connecting  # noqa: PLC0415

        settings = {
            "path": path,
            "schema": schema,
            "sources_dir": sources_dir,
            "host": host,
            "port": port,
            "dbname": dbname,
            "protocol": protocol,
            "user": user,
            "password": password,
            "sslmode": sslmode,
            "account": account,
            "role": role,
            "warehouse": warehouse,
            "privateKeyFile": private_key_file,
            "privateKeyPassphrase": private_key_passphrase,
            "token": token,
        }
        given = connecting.Answers(name, target, kind, settings, passcode)
        connecting.init_connection(siteconfig, given, not yes)


def tutorial(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to make.", show_default="profiles_tutorial, after asking"),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing and do not wait: take what would be proposed.")
    ] = False,
) -> None:
    """Be shown how it works: make a small project, build it, look at the results, change it and build it again.

    Takes a few minutes, waits for you after each step, and needs no warehouse and no internet.

    \b
    Examples:
      profiles tutorial
      profiles tutorial -o try_it
      profiles tutorial --yes | less
    """
    with reported(_HERE):
        from profiles_pipeline.cli import tutorial as walk  # noqa: PLC0415

        walk.tutorial(output, not yes)


def dev(
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on.")] = 3000,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = True,
) -> None:
    """Open a project in the Dagster UI: one asset per model.

    \b
    Examples:
      profiles dev
      profiles dev -p shop --port 3001 --no-browser
    """
    place = Place(project, siteconfig, target)
    with reported(project):
        from profiles_pipeline.cli import starting  # noqa: PLC0415

        starting.serve(place, host, port, browser)
