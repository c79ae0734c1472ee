"""A year of daily runs, one after the other: what each of them costs, as a picture.

    python -m profiles_pipeline_tests.bench.year [--events N] [--days N] [--picture FILE]

The e-commerce example gets a file for each table every day, and is run as of the end of that day. A run that read
everything again would cost more from day to day; one that goes on from the day before costs what came, and what it
costs to write down one row per person.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from rich.console import Console

from profiles_pipeline import connections
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, run
from profiles_pipeline_tests.bench.daily import TABLES
from profiles_pipeline_tests.bench.line_chart import Line, line_chart
from profiles_pipeline_tests.bench.workspace import Workspace, shop_events, workspace

END = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Day:
    """What a run of a day used and found: seconds of CPU, and how many persons there are."""

    end: datetime
    cpu: float
    persons: int


def main() -> None:
    """Measure, print a line for each month, and draw."""
    parser = argparse.ArgumentParser(prog="year", description="Measure a year of daily runs.")
    parser.add_argument("--events", type=int, default=400_000, help="events of two years (default %(default)s)")
    parser.add_argument("--days", type=int, default=365, help="days to run (default %(default)s)")
    parser.add_argument("--picture", type=Path, help="draw the costs into this PNG")
    asked = parser.parse_args()
    console = Console()
    with console.status("") as status, workspace(shop_events(asked.events, None, status.update)) as work:
        days = []
        for day in measured(work, asked.days):
            days.append(day)
            status.update(f"{day.end:%Y-%m-%d}: {day.cpu:.2f} s")
    for month in sorted({f"{day.end:%Y-%m}" for day in days}):
        of_month = [day for day in days if f"{day.end:%Y-%m}" == month]
        median = statistics.median(day.cpu for day in of_month)
        console.print(f"{month}: {median:.2f} s CPU (median), {of_month[-1].persons:,} persons")
    if asked.picture:
        asked.picture.write_bytes(_picture(days[2:]))  # the first reads everything, the second keeps what it reads


def measured(work: Workspace, days: int) -> Iterator[Day]:
    """Yield the cost of each daily run; all rows before the first day are there from the beginning."""
    project = work.project("year")
    (project / "data").unlink()
    first = END - timedelta(days=days)
    _deliver(work, project, None, first)
    for number in range(days + 1):
        end = first + timedelta(days=number)
        if number:
            _deliver(work, project, end - timedelta(days=1), end)
        before = os.times()
        report = run(ProfilesProject.load(project), connections.embedded(project), Options(end=end))
        after = os.times()
        persons = next(built.rows for built in report.built if built.model.path == "user/all")
        yield Day(end, after.user + after.system - before.user - before.system, persons or 0)


def _deliver(work: Workspace, project: Path, begin: datetime | None, end: datetime) -> None:
    """Put the rows of a stretch of time into a file of each table."""
    with duckdb.connect() as connection:
        for name, time in TABLES.items():
            source = work.events / f"shop.web.{name}.parquet"
            rows = f"read_parquet('{source / '*.parquet' if source.is_dir() else source}')"
            folder = project / "data" / source.name
            folder.mkdir(parents=True, exist_ok=True)
            since = f"{time} >= TIMESTAMP '{begin:%Y-%m-%d}'" if begin else "TRUE"
            where = f"{time} < TIMESTAMP '{end:%Y-%m-%d}' AND {since}"
            connection.execute(f"COPY (FROM {rows} WHERE {where}) TO '{folder / f'{end:%Y-%m-%d}.parquet'}'")


def _picture(days: Sequence[Day]) -> bytes:
    costs = [day.cpu for day in days]
    smooth = [statistics.median(costs[max(0, n - 6) : n + 1]) for n in range(len(costs))]
    lines = [
        Line("CPU seconds of the run", costs, "#c8d3e5"),
        Line("median of 7 days", smooth, "#2a5db0"),
    ]
    marks = [(n, f"{day.end:%b}") for n, day in enumerate(days) if day.end.day == 1]
    title = f"A year of daily runs, from {days[0].persons:,} to {days[-1].persons:,} persons"
    return line_chart(title, lines, marks)


if __name__ == "__main__":
    main()
