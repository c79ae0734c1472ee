"""Does what ``profiles sample-data`` says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from profiles_pipeline import sample
from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import note, out, plural, print_table, say


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
        ProjectError: the project is wrong, or `asked.end` is no moment.
    """
    project, output = place.open()
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
    say(f"next: profiles run{place.options}")
