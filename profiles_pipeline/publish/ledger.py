"""The ledger: what was published, and how much of it has arrived."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from profiles_pipeline.compile.publishing import HASH_VERSION
from profiles_pipeline.dialects import render
from profiles_pipeline.names import PUBLICATIONS, PUBLISHED_AS, PUBLISHED_FROM
from profiles_pipeline.warehouse.base import Warehouse

_COLUMNS = (
    "publication, seq_no, end_ts, token, columns, inserted, updated, deleted, unchanged, rejected, row_count, "
    "last_seq, approved, hash_version, published_at, acknowledged, delivered_at"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows a publication concerns; `rejected` are those that the destination does not take."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejected: int = 0

    @property
    def operations(self) -> int:
        """How many rows are written."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication as recorded.

    Attributes:
        number: 1 for the first of a publisher.
        seq_no: the run whose materials were published.
        end: end of its window.
        token: what the comment on the table says, as long as it is the one that was made.
        columns: column -> type of the table.
        rows: how many rows the table had afterwards.
        last_seq: number of the last change.
        published_at: later than that of every publication before.
        acknowledged: number of the last change that is known to have arrived.
        delivered_at: when all of it had arrived; None while it has not.
    """

    number: int
    seq_no: int
    end: datetime
    token: str
    columns: Mapping[str, str]
    counts: Counts
    rows: int
    last_seq: int
    approved: bool
    hash_version: int
    published_at: datetime
    acknowledged: int
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The publications of one publisher of one project. One that has not been made yet is empty."""

    warehouse: Warehouse
    schema: str
    project: str
    publisher: str

    def last(self) -> Publication | None:
        """Return the newest publication; None when there is none."""
        if PUBLICATIONS not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return None
        found = self.warehouse.query(
            f"""SELECT {_COLUMNS} FROM {self._table}
            WHERE project = ? AND publisher = ? ORDER BY publication DESC LIMIT 1""",
            self._own,
        )
        return _publication(found.rows[0]) if found.rows else None

    def operations_since(self, moment: datetime) -> int:
        """Return how many rows were written from a moment on, UTC without a zone."""
        if self.last() is None:
            return 0
        found = self.warehouse.scalar(
            f"""SELECT SUM(inserted + updated + deleted) FROM {self._table}
            WHERE project = ? AND publisher = ? AND published_at >= ?""",
            [*self._own, moment],
        )
        return int(str(found or 0))

    def record(self, made: Publication, guards: Sequence[Mapping[str, object]]) -> None:
        """Add a publication, with what its guards found."""
        self.warehouse.execute(
            f"INSERT INTO {self._table} VALUES ({', '.join('?' * 20)})",
            [
                *self._own, made.number, made.seq_no, made.end.replace(tzinfo=None), made.token,
                json.dumps(dict(made.columns)), made.counts.inserted, made.counts.updated, made.counts.deleted,
                made.counts.unchanged, made.counts.rejected, made.rows, made.last_seq, json.dumps(list(guards)),
                made.approved, HASH_VERSION, made.published_at, made.acknowledged, made.delivered_at,
            ],
        )  # fmt: skip

    def made_from(self, publication: int) -> str | None:
        """Return what was noted of what a publication was made from; None when that is not known, or not the newest."""
        if PUBLISHED_FROM not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return None
        found = self.warehouse.scalar(
            f"SELECT basis FROM {self._made_from} WHERE project = ? AND publisher = ? AND publication = ?",
            [*self._own, publication],
        )
        return None if found is None else str(found)

    def note_made_from(self, publication: int, basis: str) -> None:
        """Note what the newest publication was made from."""
        self.warehouse.execute(f"DELETE FROM {self._made_from} WHERE project = ? AND publisher = ?", self._own)
        self.warehouse.execute(f"INSERT INTO {self._made_from} VALUES (?, ?, ?, ?)", [*self._own, publication, basis])

    def declaration(self) -> str | None:
        """Return what was noted of how the newest publication was declared; None when that is not known."""
        if PUBLISHED_AS not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return None
        found = self.warehouse.scalar(
            f"SELECT declaration FROM {self._declarations} WHERE project = ? AND publisher = ?", self._own
        )
        return None if found is None else str(found)

    def note_declaration(self, declaration: str) -> None:
        """Note how the newest publication was declared."""
        self.warehouse.execute(f"DELETE FROM {self._declarations} WHERE project = ? AND publisher = ?", self._own)
        self.warehouse.execute(f"INSERT INTO {self._declarations} VALUES (?, ?, ?)", [*self._own, declaration])

    def acknowledge(self, publication: int, seq: int, delivered_at: datetime | None = None) -> None:
        """Note that all changes up to a number have arrived; with a time, that nothing is left of a publication."""
        self.warehouse.execute(
            f"""UPDATE {self._table} SET acknowledged = ?, delivered_at = ?
            WHERE project = ? AND publisher = ? AND publication = ?""",
            [seq, delivered_at, *self._own, publication],
        )

    @property
    def _own(self) -> list[object]:
        return [self.project, self.publisher]

    @property
    def _made_from(self) -> str:
        return _spelled(PUBLISHED_FROM, self.schema, self.warehouse)

    @property
    def _declarations(self) -> str:
        return _spelled(PUBLISHED_AS, self.schema, self.warehouse)

    @property
    def _table(self) -> str:
        return _spelled(PUBLICATIONS, self.schema, self.warehouse)


def published_names(warehouse: Warehouse, schema: str, project: str) -> tuple[str, ...]:
    """Return the names of all publishers of a project that have ever published, whether they are declared or not."""
    if PUBLICATIONS not in {name.lower() for name in warehouse.relations(schema)}:
        return ()
    table = _spelled(PUBLICATIONS, schema, warehouse)
    found = warehouse.query(f"SELECT DISTINCT publisher FROM {table} WHERE project = ? ORDER BY publisher", [project])
    return tuple(str(row[0]) for row in found.rows)


def _spelled(table: str, schema: str, warehouse: Warehouse) -> str:
    return render(exp.table_(table, db=schema, quoted=True), warehouse.dialect)


def _publication(row: Sequence[object]) -> Publication:
    number, seq_no, end, token, columns, *rest = row
    counts = Counts(*(int(str(value)) for value in rest[:5]))
    rows, last_seq, approved, version, published_at, acknowledged, delivered_at = rest[5:]
    assert isinstance(end, datetime)
    assert isinstance(published_at, datetime)
    return Publication(
        number=int(str(number)),
        seq_no=int(str(seq_no)),
        end=end,
        token=str(token),
        columns=json.loads(str(columns)),
        counts=counts,
        rows=int(str(rows)),
        last_seq=int(str(last_seq)),
        approved=bool(approved),
        hash_version=int(str(version)),
        published_at=published_at,
        acknowledged=int(str(acknowledged)),
        delivered_at=delivered_at if isinstance(delivered_at, datetime) else None,
    )
