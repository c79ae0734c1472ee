"""Does what ``profiles init`` and ``profiles dev`` say."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from profiles_pipeline import examples
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import note, plural, say
from profiles_pipeline.connections import find_output
from profiles_pipeline.errors import LockTimeoutError, fail
from profiles_pipeline.spec.new_connection import NewOutput, add_output
from profiles_pipeline.spec.siteconfig import DEFAULT_SITECONFIG
from profiles_pipeline.warehouse.connect import connect

SCAFFOLD = Path(__file__).parent / "scaffold"
DEFAULT_FOLDER = "my_profiles"
_GITIGNORE = """\
# What running the project leaves behind
.profiles/
output/
logs/
*.duckdb
*.duckdb.*
"""
_LATER = ("snowflake", "postgres", "redshift", "bigquery", "databricks")


# --- projects -------------------------------------------------------------------------------------------------------


def init_project(folder: Path | None, example: str | None, force: bool) -> None:
    """Make a project that runs at once.

    Raises:
        ProjectError: there is no such example, or the folder holds something and `force` is false.
    """
    if example is not None and example not in examples.EXAMPLES:
        fail("unknown-example", f"there is no example '{example}'", hint="known: " + ", ".join(examples.EXAMPLES))
    destination = (folder or Path(example or DEFAULT_FOLDER)).expanduser()
    if destination.exists() and not destination.is_dir():
        fail("not-a-folder", f"{destination} is a file", hint="choose another name with -o")
    if destination.is_dir() and any(destination.iterdir()) and not force:
        hint = "choose another folder with -o, or replace files of the same names with --force"
        fail("folder-in-use", f"{destination} holds something already", hint=hint)
    files = _copied(destination, _written if example is None else lambda to: _example(example, to))
    say(f"made {plural(len(files), 'file')} in {from_here(destination)}", style="bold green")
    for file in files:
        say(f"  {from_here(file)}")
    here = Place(Path(from_here(destination)))
    say(f"next: profiles run{here.options}")


def _copied(destination: Path, write: Callable[[Path], None]) -> list[Path]:
    """Write a project beside everything first, then put its files in place; nothing else in the folder is touched."""
    with tempfile.TemporaryDirectory(prefix="profiles-") as scratch:
        draft = Path(scratch) / "project"
        write(draft)
        names = sorted(path.relative_to(draft) for path in draft.rglob("*") if path.is_file())
        shutil.copytree(draft, destination, dirs_exist_ok=True)
    return [destination / name for name in names]


def _written(folder: Path) -> None:
    shutil.copytree(SCAFFOLD, folder)
    (folder / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")


def _example(name: str, folder: Path) -> None:
    examples.copy_example(name, folder)
    (folder / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")


# --- connections ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of a connection to make; None where it has to be asked for."""

    name: str | None = None
    target: str | None = None
    kind: str | None = None
    path: str | None = None
    schema: str | None = None
    sources_dir: str | None = None


def init_connection(siteconfig: Path | None, given: Answers, ask: bool) -> None:
    """Add a connection to the siteconfig after trying it; nothing is written when it does not work.

    Args:
        siteconfig: the file; None for the default one.
        given: answers from options.
        ask: ask for what is missing; otherwise defaults are taken.
    """
    file = (siteconfig or DEFAULT_SITECONFIG).expanduser()
    name = _answer("Connection name (as in pb_project.yaml)", given.name, "my_connection", ask)
    target = _answer("Target", given.target, "dev", ask)
    kind = _answer("Type of warehouse", given.kind, "duckdb", ask).lower()
    if kind != "duckdb":
        what = f"projects cannot be built on {kind} yet" if kind in _LATER else f"there is no warehouse type '{kind}'"
        fail("unsupported-warehouse", what, hint="duckdb can be built on now")
    settings = {
        "type": kind,
        "path": _answer("Database file (relative to the project folder)", given.path, "profiles.duckdb", ask),
        "schema": _answer("Schema to build in", given.schema, "profiles", ask),
        "sources_dir": _answer("Folder of files that stand in for tables", given.sources_dir, "data", ask),
    }
    new = NewOutput(name, target, settings)
    _try(new)
    add_output(file, new)
    say(f"the connection works; wrote '{name}', target '{target}', to {from_here(file)}", style="bold green")
    say(f"next: put `connection: {name}` into pb_project.yaml, then: profiles validate")


def _try(new: NewOutput) -> None:
    """Open and close what a connection names, and leave no trace. Raises WarehouseError when that does not work."""
    with tempfile.TemporaryDirectory(prefix="profiles-") as scratch:
        siteconfig = Path(scratch) / "siteconfig.yaml"
        add_output(siteconfig, new)
        settings = find_output(Path(scratch) / "project", new.connection, siteconfig, new.target).settings
        existed = settings.file is not None and settings.file.exists()
        try:
            with connect(settings, purpose="profiles init connection", read_only=existed, lock_timeout=0) as warehouse:
                warehouse.scalar("SELECT 1")
        except LockTimeoutError:
            note("a run is using it just now")  # which shows that it is there and can be opened
        finally:
            if settings.file is not None and not existed:
                for leftover in settings.file.parent.glob(f"{settings.file.name}*"):
                    leftover.unlink()


def _answer(question: str, given: str | None, default: str, ask: bool) -> str:
    if given is not None or not ask:
        return given or default
    return str(typer.prompt(question, default=default)).strip() or default


# --- Dagster --------------------------------------------------------------------------------------------------------


def serve(place: Place, host: str, port: int, open_browser: bool) -> None:
    """Open the project in the Dagster UI and stay until it is closed.

    Raises:
        ProjectError: the project is wrong, Dagster is not installed, or the port is taken.
        Exit: the UI was closed.
    """
    project, _ = place.open()
    try:
        from profiles_pipeline.assets import dev  # noqa: PLC0415 - loads Dagster
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "dagster":
            raise
        fail("no-dagster", "Dagster is not installed", hint="pip install dagster dagster-webserver")
    raise typer.Exit(dev.serve(project.folder, host, port, open_browser, place.siteconfig, place.target))
