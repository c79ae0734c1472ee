"""The commands about who is who: auditing an identity graph, looking somebody up, and writing manual rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place

_HERE = Path(".")

Model = Annotated[
    str | None,
    typer.Option(
        "--id-stitcher-model",
        "--id_stitcher_model",
        "-m",
        metavar="models/NAME",
        help="The id stitcher to look at.",
        show_default="every one",
    ),
]
Largest = Annotated[
    int, typer.Option("--largest", "-l", min=0, metavar="N", help="How many of the largest clusters to show.")
]
Table = Annotated[
    str | None,
    typer.Option("--name", metavar="TABLE", help="Table of the rules.", show_default="the one the project names"),
]


def add_to(app: typer.Typer, show: typer.Typer) -> None:
    """Add the commands to the program, and to those that begin with ``show``."""
    show.command("idstitcher-report")(idstitcher_report)
    show.command("entity-lookup")(entity_lookup)
    show.command("user-lookup", hidden=True)(entity_lookup)
    audit = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, suggest_commands=False, help="Examine what a run has built."
    )
    audit.command("id_stitcher")(audit_id_stitcher)
    audit.command("id-stitcher", hidden=True)(audit_id_stitcher)
    app.add_typer(audit, name="audit")
    rules = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        suggest_commands=False,
        help="Make the table of manual rules, and write rules into it: ids and edges to leave out or to add.",
    )
    rules.command("create")(create_rules)
    rules.command("update")(update_rules)
    idstitch = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, suggest_commands=False, help="Say by hand who is who."
    )
    idstitch.add_typer(rules, name="rules")
    app.add_typer(idstitch, name="idstitch")


def audit_id_stitcher(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    model: Model = None,
    largest: Largest = 5,
    seq_no: o.SeqNo = None,
    as_json: o.Json = False,
    lock_timeout: o.LockTimeout = None,
) -> None:
    """Examine an identity graph: what went in, what came out, and which ids glue too much together.

    Shows ids and edges before and after caps and manual rules, the sizes of the clusters, ids per type and person,
    what each source contributes, the largest clusters, and the ids without which a cluster would fall apart.

    \b
    Examples:
      profiles audit id_stitcher
      profiles audit id_stitcher -m models/user_id_stitcher -l 20
      profiles audit id_stitcher --json | jq '.[].hubs'
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project, as_json):
        from profiles_pipeline.cli import identities  # noqa: PLC0415

        identities.audit(place, identities.Asked(model, largest, seq_no, lock_timeout), as_json)


def idstitcher_report(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    model: Model = None,
    largest: Largest = 5,
    seq_no: o.SeqNo = None,
    seeds: Annotated[
        Path | None,
        typer.Option(
            "--seed-clusters-csv",
            "--seed_clusters_csv",
            metavar="FILE",
            help="Show the clusters of these ids instead: a CSV file with the columns id and id_type.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write the page.", show_default="the run's output folder"
        ),
    ] = None,
    as_json: o.Json = False,
    lock_timeout: o.LockTimeout = None,
) -> None:
    """Write a page about an identity graph: counts, sizes of clusters, and drawings of the largest.

    The page is one file that opens in every browser without internet. It holds real ids: mind who gets it.

    \b
    Examples:
      profiles show idstitcher-report
      profiles show idstitcher-report -o graph.html -l 10
      profiles show idstitcher-report --seq-no 3
      profiles show idstitcher-report --seed-clusters-csv ids.csv
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project, as_json):
        from profiles_pipeline.cli import identities  # noqa: PLC0415

        identities.report(place, identities.Asked(model, largest, seq_no, lock_timeout, seeds), file, as_json)


def entity_lookup(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    value: Annotated[
        str | None,
        typer.Option("--value", "-v", metavar="ID", help="An id of any type, type:id, or a main id."),
    ] = None,
    explain: Annotated[
        tuple[str, str] | None,
        typer.Option("--explain", metavar="ID1 ID2", help="Show the chain of evidence between two ids."),
    ] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", "-e", help="Entity to look for.", show_default="user, or the only one")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", "--as_of", metavar="TIME", help="Look at what the last run as of this moment built."),
    ] = None,
    seq_no: o.SeqNo = None,
    as_json: o.Json = False,
    lock_timeout: o.LockTimeout = None,
) -> None:
    """Show everything known of one person: ids, when they were seen, features. Or why two ids are one.

    The chain of evidence leads from the one id to the other over as few edges as possible, and names for each the
    sources and times. For two ids that are not one, it shows which edge a cap or a manual rule has taken away.

    \b
    Examples:
      profiles show entity-lookup -v ann@example.com
      profiles show entity-lookup -v user_id:42 --entity user --json
      profiles show entity-lookup -v ann@example.com --as-of 2024-01-31
      profiles show entity-lookup --explain ann@example.com user_id:42
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project, as_json):
        from profiles_pipeline.cli import identities  # noqa: PLC0415

        asked = identities.Sought(value, explain, entity, seq_no, lock_timeout, as_of)
        identities.lookup(place, asked, as_json)


def create_rules(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    name: Table = None,
    as_json: o.Json = False,
    lock_timeout: o.LockTimeout = None,
) -> None:
    """Make the table of manual rules in the output schema, without rules. A table that is there stays as it is.

    \b
    Examples:
      profiles idstitch rules create
      profiles idstitch rules create --name stewards.id_rules
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project, as_json):
        from profiles_pipeline.cli import ruling  # noqa: PLC0415

        ruling.create(place, name, lock_timeout, as_json)


def update_rules(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    passcode: o.Passcode = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="CSV file with rules, one a line.")
    ] = None,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Ask for rules one by one.")] = False,
    action: Annotated[
        str | None,
        typer.Option(
            "--action",
            metavar="INCLUDE|EXCLUDE|REMOVE",
            help="Add, leave out, or take back what rules say of these ids.",
        ),
    ] = None,
    id1: Annotated[str | None, typer.Option("--id1", help="The id, or one end of the edge.")] = None,
    id1_type: Annotated[str | None, typer.Option("--id1-type", "--id1_type", help="Its type.")] = None,
    id2: Annotated[str | None, typer.Option("--id2", help="The other end of the edge.")] = None,
    id2_type: Annotated[str | None, typer.Option("--id2-type", "--id2_type", help="Its type.")] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", "-e", help="Whose ids they are.", show_default="the only entity")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for whoever reads the table later.")] = None,
    name: Table = None,
    as_json: o.Json = False,
    lock_timeout: o.LockTimeout = None,
) -> None:
    """Write manual rules into their table, and show what became of each. The next run obeys them.

    A rule about one id leaves it out or adds it; a rule about two is about the edge between them. The newest rule about
    the same ids counts. Columns of a file: entity, id1, id1_type, id2, id2_type, action, reason, created_at; only id1,
    id1_type and action must be there.

    \b
    Examples:
      profiles idstitch rules update --action EXCLUDE --id1 info@shop.com --id1-type email --reason "a shared box"
      profiles idstitch rules update --action INCLUDE --id1 7 --id1-type user_id --id2 9 --id2-type user_id
      profiles idstitch rules update -f rules.csv
      profiles idstitch rules update --interactive
    """
    place = Place(project, siteconfig, target, passcode)
    with reported(project, as_json):
        from profiles_pipeline.cli import ruling  # noqa: PLC0415

        typed = ruling.Typed(action, id1, id1_type, id2, id2_type, entity, reason)
        ruling.update(place, ruling.Given(file, interactive, typed, name, lock_timeout), as_json)
