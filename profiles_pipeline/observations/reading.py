"""Reads the fingerprints of one input from the warehouse."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from profiles_pipeline import plan
from profiles_pipeline.column_types import types_of_sources
from profiles_pipeline.compile import Compilation
from profiles_pipeline.compile.rows import all_rows, col, moment, occurred
from profiles_pipeline.dialects import render
from profiles_pipeline.observations.buckets import LATER, TIMELESS, Bucket
from profiles_pipeline.observations.columns import columns_in_use
from profiles_pipeline.observations.memory import bucket_of
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import Registry
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.session import found_sources
from profiles_pipeline.spec.pipeline import Level
from profiles_pipeline.sql import build
from profiles_pipeline.warehouse.base import FILE_COLUMN, Source, Warehouse

NO_FILE = ""
"""Stands for the whole of an input that is not read from local files."""


@dataclass(frozen=True)
class Reading:
    """How to read an input as of a moment: what to compile against, and where its rows are."""

    warehouse: Warehouse
    c: Compilation
    model: Input
    source: Source

    def columns(self, project: ProfilesProject) -> tuple[str, ...]:
        """Return the columns in use, as far as they are there."""
        used = columns_in_use(project, self.c.reader, self.model)
        there = self.warehouse.describe(self.source.select)
        return tuple(sorted(column.name for column in there if used is None or column.name.lower() in used))

    def hashing(self, columns: Collection[str]) -> str:
        """Return a text that is another one when contents are hashed in another way."""
        return f"{self.warehouse.scalar('SELECT version()')} {' '.join(columns)}"

    def parts(
        self, level: Level, columns: Collection[str], files: Collection[str], newest: datetime | None
    ) -> dict[str, dict[datetime, Bucket]]:
        """Return file -> the fingerprints of its rows, by bucket; NO_FILE stands for a source without files.

        Args:
            level: how closely to look.
            columns: those whose contents count, for level ``content``.
            files: those to read; of a source with other files too, the others are passed over.
            newest: at level ``append``, rows that are not later than this are passed over.
        """
        is_split = bool(self.source.files)
        rows = all_rows(self.c, self.model, plan.from_item(self.source.with_file) if is_split else None)
        if is_split:
            rows = rows.where(exp.In(this=col(FILE_COLUMN), expressions=[exp.Literal.string(f) for f in files]))
        if level == "append" and newest is not None:
            rows = rows.where(build(":time > :newest", time=self._time(), newest=_at(newest)))
        query = self._fingerprints(rows, col(FILE_COLUMN) if is_split else exp.Literal.string(NO_FILE), level, columns)
        found: dict[str, dict[datetime, Bucket]] = {file: {} for file in files}
        for file, day, *fields in self.warehouse.query(render(query, self.warehouse.dialect)).rows:
            if isinstance(day, datetime):
                found[str(file)][day] = bucket_of(*fields)
        return found

    def odd_times(self, early: datetime) -> tuple[int, int]:
        """Return how many rows are yet to come, and how many happened before a moment that is early for any."""
        if self.model.occurred_at is None:
            return 0, 0
        query = build(
            """
            SELECT COUNT(*) FILTER (WHERE :time >= :until) AS ahead, COUNT(*) FILTER (WHERE :time < :early) AS early
            FROM :rows AS r
            """,
            time=self._time(), until=_at(self.c.reader.end_time), early=_at(early), rows=all_rows(self.c, self.model),
        )  # fmt: skip
        ((ahead, before),) = self.warehouse.query(render(query, self.warehouse.dialect)).rows
        return int(str(ahead)), int(str(before))

    def _fingerprints(self, rows: exp.Expr, file: exp.Expr, level: Level, columns: Collection[str]) -> exp.Expr:
        hashed = exp.Anonymous(this="HASH", expressions=[col(name) for name in columns] or [exp.Literal.number(0)])
        content = build("SUM(CAST(:hashed AS HUGEINT))", hashed=hashed) if level == "content" else exp.Null()
        if self.model.occurred_at is None:
            return build(
                "SELECT :file, :timeless, COUNT(*), NULL, :content FROM :rows AS r GROUP BY 1",
                file=file, timeless=_at(TIMELESS), content=content, rows=rows,
            )  # fmt: skip
        time = self._time()
        return build(
            """
            SELECT :file AS file,
                CASE WHEN :time >= :until THEN :later ELSE COALESCE(DATE_TRUNC('day', :time), :timeless) END AS bucket,
                :rows_ AS row_count,
                CASE WHEN MIN(:time) >= :until THEN MIN(:time) ELSE MAX(:time) END AS newest, :content AS content
            FROM :rows AS r GROUP BY 1, 2
            """,
            file=file, time=time, until=_at(self.c.reader.end_time), later=_at(LATER), timeless=_at(TIMELESS),
            rows_=exp.Null() if level == "append" else build("COUNT(*)"), content=content, rows=rows,
        )  # fmt: skip

    def _time(self) -> exp.Expr:
        assert self.model.occurred_at is not None
        return occurred(self.c, self.model.occurred_at, self.model.path)


def reading(project: ProfilesProject, registry: Registry, model: Input, source: Source, until: datetime) -> Reading:
    """Return how to read an input as of a moment. The types of its columns are looked up."""
    warehouse = registry.warehouse
    typed = project.with_types(types_of_sources(project, warehouse, only={model.path}))
    sources = found_sources(warehouse)
    c = Compilation(
        graph=typed.graph,
        reader=Reader(typed.project, until, None, warehouse.dialect),
        relation=lambda path: exp.table_(typed.graph.models[path].name, db=registry.schema, quoted=True),
        source=sources.of_input,
        outside=sources.of_table,
    )
    return Reading(warehouse, c, model, source)


def _at(time: datetime) -> exp.Expr:
    return moment(time.replace(tzinfo=None).isoformat(sep=" "))
