"""What the registry knows of the tables that are kept from run to run, and whether they are still as they were left.

With each table it is written down in which layout it is, and with which columns, and how many rows, it and those that
belong to it were left. One that somebody has dropped or altered since then is still listed, with what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from profiles_pipeline.compile import layout
from profiles_pipeline.compile.accumulators import BUCKET, LATER
from profiles_pipeline.compile.statement import FILE
from profiles_pipeline.dialects import capabilities, identifier, spelled
from profiles_pipeline.names import HELD_TABLE, tables_of_held
from profiles_pipeline.registry_schema import readable
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.windows import Held

Parts = Mapping[str, Mapping[str, str]]
"""Table -> the types of its columns."""

_COLUMNS = (
    "table_name", "model_ref", "seq_no", "end_ts", "version", "material_name", "columns", "since_version", "layout",
    "parts", "row_counts",
)  # fmt: skip


class HeldTables:
    """The kept tables of one schema of a warehouse."""

    def __init__(self, warehouse: Warehouse, schema: str) -> None:
        self.warehouse = warehouse
        self.schema = schema

    def of(self, project: str, registry_version: int, *, examined: bool) -> tuple[Held, ...]:
        """Return the tables of a project that are kept from run to run.

        Args:
            project: the name of the project.
            registry_version: the version that the registry has.
            examined: look at the tables as well: which files they have read, and what is wrong with them.
        """
        there = self.warehouse.relations(self.schema)
        if HELD_TABLE not in {name.lower() for name in there}:
            return ()
        found = self.warehouse.query(
            f"""SELECT {readable(HELD_TABLE, _COLUMNS, registry_version)} FROM {self._named(HELD_TABLE)}
            WHERE project = ? ORDER BY table_name""",
            [project],
        )
        if not examined:
            return tuple(_held(row) for row in found.rows)
        left = [_left(row) for row in found.rows]
        noted = there.intersection(table for each in left for table in each.rows)
        counts = self.warehouse.row_counts(self.schema, noted)
        return tuple(
            self._examined(_held(row), each, there, counts) for row, each in zip(found.rows, left, strict=True)
        )

    def names(self) -> frozenset[str]:
        """Return the tables that any project keeps from run to run, with all that they consist of, in lower case."""
        if HELD_TABLE not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return frozenset()
        found = self.warehouse.query(f"SELECT table_name FROM {self._named(HELD_TABLE)}").rows
        return frozenset(part.lower() for (name,) in found for part in tables_of_held(str(name)))

    def _examined(self, held: Held, left: _Left, there: frozenset[str], counts: Mapping[str, int]) -> Held:
        """Return a table with what can be seen of it, given how it was left, and how many rows tables have now."""
        if left.layout != layout.current():
            flaw = (
                f"what is kept is in layout {left.layout}, this version of profiles-pipeline keeps {layout.current()}"
            )
            return replace(held, flaw=flaw)
        if altered := self._altered(held.name, left, there, counts):
            flaw = f"{', '.join(altered.values())} since the last run"
            return replace(held, flaw=flaw, altered=tuple(altered))
        return replace(held, files=self._files(held.name, there))

    def _altered(self, name: str, left: _Left, there: frozenset[str], counts: Mapping[str, int]) -> Mapping[str, str]:
        """Return those of the tables of a kept one that are no longer as they were left, with what became of each.

        What an earlier version of this program has kept says nothing of its columns: one of its tables is still there.
        """
        own = _own_parts(name, there, self.warehouse.dialect)
        if left.parts is None:
            return {} if own else {name: f"{name} was dropped"}
        found = {part: f"{part} was dropped" for part in sorted(left.parts.keys() - own)}
        for part in sorted(left.parts.keys() & own):
            before, now = left.rows.get(part), counts.get(part)
            if differing := left.parts[part].items() ^ self._columns(part).items():
                names = ", ".join(sorted({f"'{column}'" for column, _ in differing}))
                found[part] = f"{part} was altered (its columns {names})"
            elif None not in (before, now) and before != now:
                found[part] = f"{part} was changed (rows: {now}, instead of {before})"
        return found

    def _columns(self, table: str) -> Mapping[str, str]:
        return {c.name: c.type for c in self.warehouse.describe(f"SELECT * FROM {self._named(table)}")}

    def _files(self, name: str, there: frozenset[str]) -> tuple[tuple[str, str], ...]:
        """Return the files that an accumulator has read, with their states; none for those with rows to come."""
        if not capabilities(self.warehouse.dialect).local_files:
            return ()
        table = next((t for t in (f"{name}_seen", f"{name}_days_seen") if t in there), None)
        if table is None:
            return ()
        found = self.warehouse.query(
            f"""SELECT "{FILE}", MIN(state), BOOL_OR("{BUCKET}" = CAST('{LATER}' AS TIMESTAMP))
            FROM {self._named(table)} GROUP BY 1"""
        )
        return tuple((str(file), "" if is_partly_seen else str(state)) for file, state, is_partly_seen in found.rows)

    def hold(self, project: str, tables: Iterable[Held]) -> None:
        """Write down tables as they are left, replacing what older rows of the same names say."""
        there = self.warehouse.relations(self.schema)
        own = {held: _own_parts(held.name, there, self.warehouse.dialect) for held in tables}
        counts = self.warehouse.row_counts(self.schema, frozenset().union(*own.values()))
        for held, parts in own.items():
            values = {
                "table_name": held.name,
                "project": project,
                "model_ref": held.path,
                "seq_no": held.seq_no,
                "end_ts": held.end.astimezone(UTC).replace(tzinfo=None),
                "version": held.version,
                "material_name": held.material,
                "columns": json.dumps(held.columns),
                "since_version": held.since,
                "layout": layout.current(),
                "parts": json.dumps({part: dict(self._columns(part)) for part in parts}, sort_keys=True),
                "row_counts": json.dumps({part: counts[part] for part in parts & counts.keys()}, sort_keys=True),
            }
            self.let_go([held.name])
            self.warehouse.execute(
                f"INSERT INTO {self._named(HELD_TABLE)} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                list(values.values()),
            )

    @contextmanager
    def changing(self, project: str, registry_version: int) -> Iterator[None]:
        """Write down by how many rows the body changes kept tables: what anybody else did to them goes on to show."""
        noted = self._noted(project, registry_version)
        there = self.warehouse.relations(self.schema)
        tables = there.intersection(part for rows in noted.values() for part in rows)
        before = self.warehouse.row_counts(self.schema, tables)
        yield
        after = self.warehouse.row_counts(self.schema, tables & self.warehouse.relations(self.schema))
        for name, rows in noted.items():
            now = {part: n + after[part] - before[part] for part, n in rows.items() if part in after and part in before}
            if now != rows:
                text = f"UPDATE {self._named(HELD_TABLE)} SET row_counts = ? WHERE table_name = ?"
                self.warehouse.execute(text, [json.dumps(now, sort_keys=True), name])

    def _noted(self, project: str, registry_version: int) -> Mapping[str, Mapping[str, int]]:
        """Return kept table -> the tables that it consists of, with the number of rows that each was left with."""
        if HELD_TABLE not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return {}
        found = self.warehouse.query(
            f"""SELECT {readable(HELD_TABLE, ("table_name", "row_counts"), registry_version)}
            FROM {self._named(HELD_TABLE)} WHERE project = ?""",
            [project],
        )
        return {str(name): json.loads(str(rows)) for name, rows in found.rows if rows is not None}

    def let_go(self, tables: Iterable[str]) -> None:
        """Forget tables that are kept no longer."""
        if HELD_TABLE in {name.lower() for name in self.warehouse.relations(self.schema)}:
            for name in tables:
                self.warehouse.execute(f"DELETE FROM {self._named(HELD_TABLE)} WHERE table_name = ?", [name])

    def _named(self, table: str) -> str:
        return f"{identifier(self.schema, self.warehouse.dialect)}.{identifier(table, self.warehouse.dialect)}"


@dataclass(frozen=True, slots=True)
class _Left:
    """How a kept table was left.

    Attributes:
        layout: the number of its layout.
        parts: the tables that it consists of; None where that was not written down.
        rows: how many rows these had, as far as somebody has counted.
    """

    layout: object
    parts: Parts | None
    rows: Mapping[str, int]


def _left(row: Sequence[object]) -> _Left:
    kept_in, parts, rows = row[-3:]
    return _Left(
        kept_in,
        None if parts is None else json.loads(str(parts)),
        {} if rows is None else json.loads(str(rows)),
    )


def _held(row: Sequence[object]) -> Held:
    name, path, seq_no, end, version, material, columns, since, *_ = row
    return Held(
        name=str(name),
        path=str(path),
        seq_no=int(str(seq_no)),
        end=end.replace(tzinfo=UTC) if isinstance(end, datetime) else datetime.now(UTC),
        version=int(str(version)),
        material=str(material),
        columns=tuple(json.loads(str(columns))),
        since=int(str(since)),
    )


def _own_parts(name: str, there: frozenset[str], dialect: str) -> frozenset[str]:
    """Return the tables that a kept table consists of, as far as they are there."""
    return frozenset(part for each in tables_of_held(name) if (part := spelled(each, dialect)) in there)
