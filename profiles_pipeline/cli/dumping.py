"""Writes the results of a run as CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

from profiles_pipeline import plan, run
from profiles_pipeline.cli.looking import text_of
from profiles_pipeline.errors import fail
from profiles_pipeline.resolve.model import InputVarTable

_ROWS_AT_ONCE = 20_000


class Results:
    """A folder for the results of a run.

    Attributes:
        files: the files written so far.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder. Raises ProjectError when that is not possible, before anything is built."""
        self.folder = folder.expanduser().absolute()
        self.files: list[Path] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail("cannot-write", f"cannot make the folder {folder}: {error.strerror}", hint="choose another folder")

    def write(self, session: run.Session, built: tuple[run.Built, ...]) -> None:
        """Write a file for each model with a plain name; rows of inputs are no results."""
        for item in built:
            if plan.has_plain_name(item.model) and item.own and not isinstance(item.model, InputVarTable):
                self._write(session, item)

    def _write(self, session: run.Session, item: run.Built) -> None:
        table = session.warehouse.fetch_arrow(f"SELECT * FROM {item.relation}")
        file = self.folder / f"{item.model.name}.csv"
        try:
            with file.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(table.column_names)
                for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
                    columns = [column.to_pylist() for column in batch.columns]
                    rows = zip(*columns, strict=True)
                    writer.writerows(["" if cell is None else text_of(cell) for cell in row] for row in rows)
        except OSError as error:
            fail("cannot-write", f"cannot write {file}: {error.strerror}", hint="choose another folder")
        self.files.append(file)
