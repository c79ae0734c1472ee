"""Does what ``profiles tutorial`` says: a walk through a small project, from its first line to its results."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline.cli import looking, running, starting
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.options import Asked, Style
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import out, print_table, say
from profiles_pipeline.errors import fail

FOLDER = Path("profiles_tutorial")
END = "2024-04-01"
"""The moment as of which the project is built: after the last row that comes with it."""
ADDRESS = "ada@example.com"

NEW_VAR = """
      - entity_var: # added by `profiles tutorial`
          name: last_purchase_at
          description: Time of the last purchase.
          select: max(happened_at)
          from: inputs/events
          where: name = 'purchase'
"""


@dataclass
class Guide:
    """Speaks with the user. Where nobody answers, it goes on with what it proposes."""

    ask: bool

    def answer(self, question: str, proposal: str) -> str:
        """Return what the user answers to a question, or the proposal."""
        if not self.ask:
            return proposal
        try:
            out().print(f"{question} [{proposal}]: ", end="")
            sys.stdout.flush()
            return input().strip() or proposal
        except EOFError:
            self.ask = False
            say("")
            return proposal

    def step(self, title: str, text: str) -> None:
        """Wait until the user has read the step before, then begin another."""
        if self.ask:
            try:
                input("\n[Enter] goes on ")
            except EOFError:
                self.ask = False
        say(f"\n{title}", style="bold cyan")
        say(text)


def tutorial(folder: Path | None, ask: bool) -> None:
    """Make a project, explain it, build it, show what came out, change it and build it again.

    Raises:
        ProjectError: the folder holds something already.
        Exit: a run failed, which has been said.
    """
    guide = Guide(ask)
    say("From rows of events to one row per person, in six steps.", style="bold")
    say("The project stays where you put it, to be changed and built again; nothing else on this machine is touched.")
    target = folder or Path(guide.answer("Folder for the project", str(FOLDER))).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        fail("folder-in-use", f"{target} holds something already", hint="choose another folder with -o")
    place = Place(Path(from_here(target)))
    _make(guide, target)
    _look_at_rows(guide, target)
    _build(guide, place)
    _show_graph(guide, place)
    _show_profiles(guide, place)
    _change(guide, target, place)
    _leave(place)


def _make(guide: Guide, folder: Path) -> None:
    guide.step(
        "1  A project is a folder of YAML files",
        "pb_project.yaml says what the project is about: here the entity `user`, and three kinds of identifiers that\n"
        "point at users. models/inputs.yaml says which tables there are and which identifiers their rows carry;\n"
        "models/profiles.yaml what is to be computed.\n",
    )
    starting.init_project(folder, None, force=False)
    say("")
    _show_file(folder / "pb_project.yaml")


def _look_at_rows(guide: Guide, folder: Path) -> None:
    guide.step(
        "2  Rows come from tables",
        "On a laptop a CSV or Parquet file stands in for a table: data/app.signups.csv for app.signups. Look at the\n"
        "first and third sign-up: is that one person or two?\n",
    )
    for name in ("app.signups", "app.events"):
        head, *rows = [line.split(",") for line in (folder / "data" / f"{name}.csv").read_text("utf-8").splitlines()]
        say(f"{name}:", style="bold")
        print_table(out(), head, [[cell or None for cell in row] for row in rows])
        say("")


def _build(guide: Guide, place: Place) -> None:
    guide.step(
        "3  profiles run builds everything",
        "First every statement is tried on empty tables, then the models are built one after the other. Everything\n"
        f"is as of one moment, --end-time {END} here: rows after it do not count, and `current_date` means it.\n",
    )
    _run(place)


def _show_graph(guide: Guide, place: Place) -> None:
    guide.step(
        "4  Who is who",
        "Identifiers that were seen in one row belong to one person, directly or over others. The id stitcher follows\n"
        "these ties and gives each person a main id.\n",
    )
    _query(
        place,
        "select user_main_id, other_id_type, other_id from user_id_stitcher order by 1, 2, 3",
    )
    address = guide.answer("\nWhose identifiers are to be shown", ADDRESS).replace("'", "''")
    _query(
        place,
        "select other_id_type, other_id from user_id_stitcher where user_main_id in (select user_main_id from "
        f"user_id_stitcher where lower(other_id) = lower('{address}')) order by 1, 2",
    )


def _show_profiles(guide: Guide, place: Place) -> None:
    guide.step(
        "5  What is known of each person",
        "Every entity_var of models/profiles.yaml is a column of user_feature_view: aggregates over rows, such as\n"
        "revenue, and values computed from others, such as is_buyer. features_by_email has the same rows by address.\n",
    )
    _query(place, "select * from user_feature_view order by revenue desc, first_seen_at")


def _change(guide: Guide, folder: Path, place: Place) -> None:
    guide.step(
        "6  Change something and build again",
        "This is added to models/profiles.yaml, and then only what it changes is built; the rest is reused.",
    )
    say(NEW_VAR.rstrip(), style="green")
    say("")
    with (folder / "models" / "profiles.yaml").open("a", encoding="utf-8") as file:
        file.write(NEW_VAR.removeprefix("\n"))
    _run(place)
    _query(place, "select plan, revenue, last_purchase_at from user_feature_view order by revenue desc, 1")


def _leave(place: Place) -> None:
    say("\nWhere to go from here", style="bold cyan")
    commands = {
        "profiles show models": "what there is, and what reads what",
        "profiles show entity-lookup -v ada@example.com": "all that is known of one person, and why",
        "profiles audit id_stitcher": "how well the stitching went",
        "profiles dev": "the same project in the Dagster UI",
        "profiles sample-data": "rows for a project of yours that has none here",
    }
    width = max(len(command + place.options) for command in commands)
    for command, use in commands.items():
        say(f"  {command + place.options:<{width}}  {use}")


def _run(place: Place) -> None:
    running.run_project(place, running.run_options(Asked(end_time=END)), Style(tell_dagster=False))


def _query(place: Place, text: str) -> None:
    looking.query(place, looking.Query(text))


def _show_file(file: Path) -> None:
    for line in filter(str.strip, file.read_text(encoding="utf-8").splitlines()):
        say(f"    {line}", style="dim")
