"""What is remembered of the inputs of a project: tables of the registry, written by one look at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, get_args

from sqlglot import exp

from profiles_pipeline.dialects import render
from profiles_pipeline.names import OBSERVED_BUCKETS, OBSERVED_FILES, OBSERVED_INPUTS
from profiles_pipeline.observations.buckets import EMPTY, TIMELESS, Bucket, Buckets, Kind
from profiles_pipeline.registry import Registry
from profiles_pipeline.spec.pipeline import Level

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of an input when it was read last.

    Attributes:
        level: how closely it was looked at.
        state: another text when its rows may be others, as far as that can be told without reading them.
        hashed: another text when contents are hashed in another way.
        until: the end of the time that was looked at, UTC.
        version: of its rows.
        rows: how many there are before `until`; 0 when nobody counted.
        ahead: how many there are at or after `until`, which no run sees yet.
        next_at: time of the first one of these, UTC.
        early: how many of its rows happened before 1971, which mostly means that nobody knew when.
        seconds: what hashing all of it took; None when that was never done.
    """

    level: Level
    state: str
    hashed: str
    until: datetime
    version: str
    rows: int
    ahead: int = 0
    next_at: datetime | None = None
    early: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A bucket of an input that has changed. `day` None stands for the rows without a time."""

    input: str
    day: date | None
    kind: Kind
    look: int
    """Number of the look that found it."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was seen of a file: its state then, and the rows it has of each bucket."""

    state: str
    buckets: Buckets


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be remembered of an input that was read.

    Attributes:
        sight: what was seen of it.
        buckets: those of which more is known than before, each with how it has changed; None when it has not.
        files: the files that were read.
        staying: the files of which all is known already, and those that were read.
    """

    sight: Sight
    buckets: Mapping[datetime, tuple[Bucket, Kind | None]]
    files: Mapping[str, Part]
    staying: tuple[str, ...]


class Memory:
    """What is remembered of one project, in the schema of a registry. Where there are no tables, there is nothing."""

    def __init__(self, registry: Registry, project: str) -> None:
        self.registry = registry
        self.warehouse = registry.warehouse
        self.project = project
        self._exists = False

    @property
    def exists(self) -> bool:
        """True when the tables are there."""
        if not self._exists:
            there = {name.lower() for name in self.warehouse.relations(self.registry.schema)}
            self._exists = there.issuperset((OBSERVED_INPUTS, OBSERVED_BUCKETS, OBSERVED_FILES))
        return self._exists

    def sights(self) -> dict[str, Sight]:
        """Return path of an input -> what was seen of it last."""
        if not self.exists:
            return {}
        found = self.warehouse.query(
            f"""SELECT input, level, state, hashed, until_ts, version, row_count, ahead, next_ts, early, seconds
            FROM {self._table(OBSERVED_INPUTS)} WHERE project = ?""",
            [self.project],
        )
        return {
            str(path): Sight(
                _level(level), str(state), str(hashed), _utc(until) or datetime.now(UTC), str(version),
                int(str(rows)), int(str(ahead)), _utc(next_at), int(str(early)),
                None if seconds is None else float(str(seconds)),
            )
            for path, level, state, hashed, until, version, rows, ahead, next_at, early, seconds in found.rows
        }  # fmt: skip

    def buckets(self, path: str) -> Buckets:
        """Return the buckets of an input as they were seen last, emptied ones among them."""
        if not self.exists:
            return {}
        found = self.warehouse.query(
            f"""SELECT bucket, row_count, newest, content FROM {self._table(OBSERVED_BUCKETS)}
            WHERE project = ? AND input = ?""",
            [self.project, path],
        )
        return {day: bucket_of(*fields) for day, *fields in found.rows if isinstance(day, datetime)}

    def files(self, path: str) -> dict[str, Part]:
        """Return what was seen last of each file of an input."""
        if not self.exists:
            return {}
        found = self.warehouse.query(
            f"""SELECT file, state, bucket, row_count, newest, content FROM {self._table(OBSERVED_FILES)}
            WHERE project = ? AND input = ?""",
            [self.project, path],
        )
        buckets: dict[tuple[str, str], dict[datetime, Bucket]] = {}
        for file, state, day, *fields in found.rows:
            own = buckets.setdefault((str(file), str(state)), {})
            if isinstance(day, datetime) and (bucket := bucket_of(*fields)) != EMPTY:
                own[day] = bucket
        return {file: Part(state, own) for (file, state), own in buckets.items()}

    def last_look(self) -> int:
        """Return the number of the last look that found a change; 0 when none has."""
        if not self.exists:
            return 0
        sql = f"SELECT COALESCE(MAX(look), 0) FROM {self._table(OBSERVED_BUCKETS)} WHERE project = ?"
        return int(str(self.warehouse.scalar(sql, [self.project])))

    def changes_since(self, look: int) -> tuple[Change, ...]:
        """Return the buckets that have changed after a look, by day and input, each with its latest change."""
        if not self.exists:
            return ()
        found = self.warehouse.query(
            f"""SELECT input, bucket, change, look FROM {self._table(OBSERVED_BUCKETS)}
            WHERE project = ? AND look > ? ORDER BY bucket, input""",
            [self.project, look],
        )
        return tuple(
            Change(str(path), None if day == TIMELESS else day.date(), _kind(kind), int(str(number)))
            for path, day, kind, number in found.rows
            if isinstance(day, datetime)
        )

    def keep(self, found: Mapping[str, Finding]) -> None:
        """Remember what was found of inputs: all of it, or nothing."""
        look = self.last_look() + 1
        days = [
            (self.project, path, day, b.rows, b.newest, _text(b.content), None if kind is None else look, kind)
            for path, finding in found.items()
            for day, (b, kind) in finding.buckets.items()
        ]
        parts = [
            (self.project, path, file, part.state, day, b.rows, b.newest, _text(b.content))
            for path, finding in found.items()
            for file, part in finding.files.items()
            for day, b in (part.buckets or {TIMELESS: EMPTY}).items()
        ]
        with (
            self.warehouse.arrow_relation("observed_days", _arrow(_DAYS, days)),
            self.warehouse.arrow_relation("observed_parts", _arrow(_PARTS, parts)),
            self.warehouse.transaction(),
        ):
            for path, finding in found.items():
                self._keep_sight(path, finding.sight)
                self._forget_files(path, finding)
            if days:
                self._keep_buckets("observed_days")
            if parts:
                columns = ", ".join(_PARTS)
                self.warehouse.execute(
                    f"INSERT INTO {self._table(OBSERVED_FILES)} ({columns}) SELECT {columns} FROM observed_parts"
                )

    def _forget_files(self, path: str, finding: Finding) -> None:
        """Remove what was seen of files that are gone or have been read anew."""
        staying = [file for file in finding.staying if file not in finding.files]
        besides = f" AND file NOT IN ({', '.join('?' * len(staying))})" if staying else ""
        self.warehouse.execute(
            f"DELETE FROM {self._table(OBSERVED_FILES)} WHERE project = ? AND input = ?{besides}",
            [self.project, path, *staying],
        )

    def _keep_buckets(self, seen: str) -> None:
        table = self._table(OBSERVED_BUCKETS)
        columns = ", ".join(_DAYS)
        same = "kept.project = seen.project AND kept.input = seen.input AND kept.bucket = seen.bucket"
        self.warehouse.execute(
            f"""UPDATE {table} AS kept SET row_count = seen.row_count, newest = seen.newest, content = seen.content,
            look = COALESCE(seen.look, kept.look), change = COALESCE(seen.change, kept.change)
            FROM {seen} AS seen WHERE {same}"""
        )
        self.warehouse.execute(
            f"""INSERT INTO {table} ({columns}) SELECT {columns} FROM {seen} AS seen
            WHERE NOT EXISTS (SELECT 1 FROM {table} AS kept WHERE {same})"""
        )

    def _keep_sight(self, path: str, sight: Sight) -> None:
        table = self._table(OBSERVED_INPUTS)
        self.warehouse.execute(f"DELETE FROM {table} WHERE project = ? AND input = ?", [self.project, path])
        self.warehouse.execute(
            f"INSERT INTO {table} VALUES ({', '.join('?' * 12)})",
            [
                self.project, path, sight.level, sight.state, sight.hashed, _naive(sight.until), sight.version,
                sight.rows, sight.ahead, _naive(sight.next_at), sight.early, sight.seconds,
            ],
        )  # fmt: skip

    def _table(self, name: str) -> str:
        return render(exp.table_(name, db=self.registry.schema, quoted=True), self.warehouse.dialect)


_DAYS = ("project", "input", "bucket", "row_count", "newest", "content", "look", "change")
_PARTS = ("project", "input", "file", "state", "bucket", "row_count", "newest", "content")


def _arrow(columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> pyarrow.Table:
    import pyarrow as pa  # noqa: PLC0415 - the rest is read more often than it is written

    kinds = {"bucket": pa.timestamp("us"), "newest": pa.timestamp("us"), "row_count": pa.int64(), "look": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
    return pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema=schema)


def bucket_of(rows: object, newest: object, content: object) -> Bucket:
    """Return the bucket that a row of the warehouse describes."""
    return Bucket(
        None if rows is None else int(str(rows)),
        newest if isinstance(newest, datetime) else None,
        None if content is None else int(str(content)),
    )


def _level(text: object) -> Level:
    return next(level for level in get_args(Level) if level == text)


def _kind(text: object) -> Kind:
    return next(kind for kind in get_args(Kind) if kind == text)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _naive(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None else None


def _utc(value: object) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None
