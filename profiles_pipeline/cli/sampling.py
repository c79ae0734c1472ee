"""Does what ``profiles sample-data`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from profiles_pipeline import sample
from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import from_here, say_problems
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import note, out, plural, print_table, say
from profiles_pipeline.errors import Problem, ProjectError

_UNREAD = ("sql-syntax", "sql-untranslatable", "unknown-function", "unknown-unit")
"""What is wrong with a text that tells nothing of the tables; all others do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say of the amount. `end` None means now."""

    rows: int
    people: int
    seed: int
    end: str | None = None


def sample_data(place: Place, folder: Path | None, asked: Asked, force: bool) -> None:
    """Write sample rows for every table that the project reads, and say what was written.

    Raises:
        ProjectError: the project is wrong in more than single SQL texts, or `asked.end` is no moment.
    """
    project, output = place.read()
    if any(problem.code not in _UNREAD for problem in project.errors):
        raise ProjectError(project.errors)
    end = values.moment(asked.end, "--end") if asked.end else datetime.now(UTC)
    destination = folder or output.settings.sources_dir or project.folder / "data"
    size = sample.Size(end, asked.rows, asked.people, asked.seed)
    written = sample.write(project, destination, size, force=force)
    rows = [
        (
            table.schema.name,
            from_here(table.path),
            "kept" if table.rows is None else f"{table.rows:,}",
            ", ".join(column.name for column in table.schema.columns),
        )
        for table in written
    ]
    if rows:
        print_table(out(), ("table", "file", "rows", "columns"), rows, right=("rows",))
    kept = sum(table.rows is None for table in written)
    if kept:
        note(f"{plural(kept, 'file')} were there already; --force replaces them", style="yellow")
    say(f"wrote {plural(len(written) - kept, 'table')} to {from_here(destination)}", style="bold green")
    if project.errors:
        _say_unread(project.errors, project.folder)
    say(f"next: profiles run{place.options}")


def _say_unread(errors: Sequence[Problem], folder: Path) -> None:
    say_problems([replace(problem, severity="warning") for problem in errors], folder)
    unread = plural(len(errors), "text")
    note(f"{unread} could not be read: the tables may lack what a run needs when that is mended", style="yellow")
