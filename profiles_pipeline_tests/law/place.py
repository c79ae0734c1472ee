"""A place where a history happens: tables as files or in a DuckDB file, runs, and what can be read afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from profiles_pipeline import compiled, connections
from profiles_pipeline.connections import Output
from profiles_pipeline.events import Observer
from profiles_pipeline.forgetting import forgetting
from profiles_pipeline.forgetting.forgetting import Asked, Forgotten
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, Report, run
from profiles_pipeline_tests.law.histories import COLUMNS, Layout, Tables
from profiles_pipeline_tests.law.oracle import Node

_TYPES: Mapping[str, pa.DataType] = {
    "n": pa.int64(),
    "amount": pa.int64(),
    "price": pa.decimal128(10, 2),
    "weight": pa.float64(),
    "flag": pa.bool_(),
    "total": pa.decimal128(12, 2),
    "seats": pa.int32(),
    "ts": pa.timestamp("us"),
}
_SCHEMAS = {
    table: pa.schema([(name, _TYPES.get(name, pa.string())) for name in (*columns, "n")])
    for table, columns in COLUMNS.items()
}
_NOT_COMPARED = {"input_row_id"}
"""The number of a row says nothing of the row."""

_OF_ROWS = ("inputs/", "models/daily", "models/owned", "models/purchases")
"""How the paths of models begin that show the rows of sources as these are."""

_OF_EVENTS = ("_mapped_tracks", "_track_facts", "_tracks_flow")
"""How those of sessions end that do."""


@dataclass(frozen=True)
class Relation:
    """What a relation holds: names and types of its columns, and its rows in no order."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[object, ...], ...]

    def dicts(self) -> list[dict[str, object]]:
        return [dict(zip([name for name, _ in self.columns], row, strict=True)) for row in self.rows]


Relations = Mapping[str, Relation]
"""Model path, or plain name, to what it holds."""


class Place:
    """A warehouse in a folder of its own, and tables that are kept as `layout` says."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        folder.mkdir(parents=True)
        self.file = folder / "warehouse.duckdb"
        self.tables = folder / "tables"
        self.tables.mkdir()
        self.layout = layout
        self._written: dict[Path | str, list[dict[str, object]]] = {}

    def output(self, project: ProfilesProject) -> Output:
        embedded = connections.embedded(project.folder)
        return replace(embedded, settings=replace(embedded.settings, path=self.file, sources_dir=self.tables))

    def write(self, tables: Tables) -> None:
        """Make the tables hold these rows. Files that would stay as they are are not touched."""
        if self.layout == "tables":
            with duckdb.connect(str(self.file)) as connection:
                for name, rows in tables.items():
                    if self._written.get(name) != rows:
                        connection.register("given", arrow_table(name, rows))
                        connection.execute(f"CREATE OR REPLACE TABLE main.{name} AS SELECT * FROM given")
                        self._written[name] = rows
            return
        wanted = {file: (name, part) for name, rows in tables.items() for file, part in self._files(name, rows).items()}
        for file in self._written.keys() - wanted.keys():
            Path(file).unlink()
            del self._written[file]
        for file, (name, rows) in wanted.items():
            if self._written.get(file) != rows:
                file.parent.mkdir(exist_ok=True)
                pq.write_table(arrow_table(name, rows), file)
                self._written[file] = rows

    def _files(self, name: str, rows: list[dict[str, object]]) -> dict[Path, list[dict[str, object]]]:
        """Return file -> its rows. Rows without a day have a file of their own, which is there even without rows."""
        if self.layout == "one file" or "ts" not in COLUMNS[name]:
            return {self.tables / f"{name}.parquet": rows}
        folder = self.tables / name
        files: dict[Path, list[dict[str, object]]] = {folder / "no-day.parquet": []}
        for row in rows:
            day = f"{row['ts']:%Y-%m-%d}" if isinstance(row["ts"], datetime) else "no-day"
            files.setdefault(folder / f"{day}.parquet", []).append(row)
        return files

    def run(self, project: ProfilesProject, end: datetime, *, anew: bool = False) -> Report:
        """Run as of `end`, in a time context of its own where `anew`; every model is built.

        Half of the time is spared: the plan is not rehearsed on empty tables, and its SQL is not written to files.

        Raises:
            RunError: a model could not be built.
        """
        options = Options(end=end.replace(tzinfo=UTC), ignore_model_errors=True, seq_no="new" if anew else None)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(compiled, "text", lambda *_: "")
            report = run(project, self.output(project), options)
        error = next((failed.error for failed in report.failed if failed.error is not None), None)
        if error is not None:
            raise error
        return report

    def forget(self, project: ProfilesProject, ids: Iterable[Node]) -> tuple[Forgotten, Report]:
        """Forget people; return what was done, and the run that was made again without them."""
        reports: list[Report] = []

        def noted(own: ProfilesProject, output: Output, options: Options, observe: Observer) -> Report:
            reports.append(run(own, output, options, observe))
            return reports[-1]

        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(compiled, "text", lambda *_: "")
            monkeypatch.setattr(forgetting.run, "run", noted)
            (done,) = forgetting.forget(project, self.output(project), _asked(ids))
        (report,) = reports
        return done, report

    def take_back(self, project: ProfilesProject, node: Node) -> None:
        """Take back the requests that an identifier is in."""
        forgetting.undo(project, self.output(project), _asked([node]))

    def built(self, report: Report) -> Relations:
        """Return what the models of a run hold, by path: as their plain views say where these show the run."""
        plain = set(report.promoted)
        names = {
            item.model.path: self._plain_name(item.model.name) if item.model.name in plain else item.relation
            for item in report.built
            if item.own
        }
        assert plain <= {item.model.name for item in report.built}
        return self._read(names)

    def kept(self, report: Report) -> Relations:
        """Return what the materials of a run hold that stay as they are when sources change, by path."""
        found = {item.model.path: item.relation for item in report.built if item.own}
        moving = {path for path in found if path.startswith(_OF_ROWS) or path.endswith(_OF_EVENTS)}
        return self._read({path: found[path] for path in found.keys() - moving})

    def plain(self, names: Iterable[str]) -> Relations:
        """Return what plain views hold, by name."""
        return self._read({name: self._plain_name(name) for name in names})

    def _plain_name(self, name: str) -> str:
        return f'profiles."{name}"'

    def _read(self, names: Mapping[str, str]) -> Relations:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            return {key: _relation(connection, name) for key, name in names.items()}

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.file.parent)


def _asked(ids: Iterable[Node]) -> Asked:
    return Asked(tuple(f"{id_type}:{value}" for value, id_type in ids))


def arrow_table(name: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Return rows of one of the tables with its types."""
    return pa.Table.from_pylist(list(rows), schema=_SCHEMAS[name])


def _relation(connection: duckdb.DuckDBPyConnection, name: str) -> Relation:
    result = connection.execute(f"SELECT * FROM {name}")
    return relation_of([(column[0], str(column[1])) for column in result.description or ()], result.fetchall())


def relation_of(columns: Sequence[tuple[str, str]], rows: Iterable[tuple[object, ...]]) -> Relation:
    """Return a relation with these columns and rows, without what is not compared."""
    kept = [number for number, (column, _) in enumerate(columns) if column not in _NOT_COMPARED]
    return Relation(
        tuple(columns[number] for number in kept), tuple(tuple(row[number] for number in kept) for row in rows)
    )
