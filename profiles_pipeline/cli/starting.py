"""Does what ``profiles init project`` and ``profiles dev`` say."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import typer

from profiles_pipeline import examples
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import plural, say
from profiles_pipeline.errors import fail

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
