"""Daily runs: what a run costs that goes on from the one before, against one that reads everything."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from profiles_pipeline_tests.bench.agreement import Difference, differences
from profiles_pipeline_tests.bench.measure import Case, apart, measure
from profiles_pipeline_tests.bench.workspace import END_TIME, Workspace, warehouse_of

FULL = "profiles run, everything"
BACKFILL = "profiles run, a year of partitions at once"
KEEPING = "profiles run, everything, and keeps what it read"
NEWEST = "profiles run, newest 1 %"
AGAIN = "profiles run, again, nothing new"
NOTHING_NEW = "profiles run, a day later, nothing new"
STITCHED_FULL = "stitcher, everything"
STITCHED_NEWEST = "stitcher, newest 1 %"
START = "start of a process, everything imported"

TABLES = {"tracks": "timestamp", "identifies": "timestamp", "orders": "ordered_at"}
"""Table of the shop -> the column with its time."""

SHARE = 0.01
EARLIER, BEFORE, LATER = "2024-12-24T00:00:00Z", "2024-12-25T00:00:00Z", "2025-01-02T00:00:00Z"
"""End times of the two runs before the newest rows come, the later of which sees all others, and of one after."""

YEAR = "2024-01-01...2024-12-31"
"""A year of daily partitions; the last one ends at END_TIME."""

OUTPUTS = {
    "user_id_stitcher": ("other_id", "other_id_type"),
    "user_profile": ("user_main_id",),
    "user_by_email": ("email",),
    "high_value_users_view": ("user_main_id",),
}
STITCHER = ("--model-refs", "models/user_id_stitcher")


def daily_runs(work: Workspace) -> Sequence[Case]:
    """Whole runs and the stitcher alone: over all rows, and with the newest ones after a run over all others."""
    apart(split, work)
    for name, models in (("daily", ()), ("daily_stitched", STITCHER)):
        project = work.project(name)
        (project / "data").unlink()
        (project / "data").symlink_to(work.folder / "older", target_is_directory=True)
        for end in (EARLIER, BEFORE):
            measure(_run(project, end, *models), work.home)
        work.copy(f"{name}/.profiles", f"{name}_state")
    return (
        Case(START, (sys.executable, "-c", "import profiles_pipeline.cli.running, profiles_pipeline.cli.app")),
        Case(FULL, _run(work.folder / "full", END_TIME), lambda: _everything(work, "full")),
        Case(
            BACKFILL,
            _run_year(work.folder / "year"),
            lambda: _everything(work, "year", "partitions: {start: 2024-01-01}\n"),
        ),
        Case(
            KEEPING,
            _run(work.folder / "keeping", END_TIME),
            lambda: _everything(work, "keeping", "incremental: always\n"),
        ),
        Case(NEWEST, _run(work.folder / "daily", END_TIME), lambda: _go_back(work, "daily")),
        Case(AGAIN, _run(work.folder / "daily", END_TIME)),
        Case(NOTHING_NEW, _run(work.folder / "daily", LATER)),
        Case(
            STITCHED_FULL,
            _run(work.folder / "full_stitched", END_TIME, *STITCHER),
            lambda: _everything(work, "full_stitched"),
        ),
        Case(
            STITCHED_NEWEST,
            _run(work.folder / "daily_stitched", END_TIME, *STITCHER),
            lambda: _go_back(work, "daily_stitched"),
        ),
    )


def _run(project: Path, end: str, *options: str) -> tuple[str, ...]:
    command = ("run", "--quiet", "--no-report", "--project", str(project), "--end-time", end)
    return (sys.executable, "-m", "profiles_pipeline", *command, *options)


def _run_year(project: Path) -> tuple[str, ...]:
    command = ("run", "--quiet", "--no-report", "--project", str(project), "--partition-range", YEAR)
    return (sys.executable, "-m", "profiles_pipeline", *command)


def split(work: Workspace) -> None:
    """Lay the events into two folders: one without the newest rows, and one with a file of these beside the others."""
    with duckdb.connect() as connection:
        (cut,) = connection.sql(
            f"SELECT quantile_cont(timestamp, {1 - SHARE}) FROM {_rows(work, 'tracks')}"
        ).fetchall()[0]
        for name, time in TABLES.items():
            rows = _rows(work, name)
            older, newer = (work.folder / place / f"shop.web.{name}.parquet" for place in ("older", "all"))
            for folder in (older, newer):
                folder.mkdir(parents=True)
            first, second = older / "part-0000.parquet", newer / "part-0001.parquet"
            is_newer = f"{time} >= TIMESTAMP '{cut}'"
            connection.execute(f"COPY (FROM {rows} WHERE ({is_newer}) IS NOT TRUE) TO '{first}'")
            connection.execute(f"COPY (FROM {rows} WHERE {is_newer}) TO '{second}'")
            (newer / "part-0000.parquet").hardlink_to(first)


def _rows(work: Workspace, name: str) -> str:
    """Return what to put behind FROM for a table of the shop, which is one file or a folder of files."""
    found = work.events / f"shop.web.{name}.parquet"
    return f"read_parquet('{found / '*.parquet' if found.is_dir() else found}')"


def _everything(work: Workspace, name: str, settings: str = "") -> None:
    project = work.project(name)
    (project / "data").unlink()
    (project / "data").symlink_to(work.folder / "all", target_is_directory=True)
    if settings:
        (project / "pipeline.yaml").write_text(settings, encoding="utf-8")


def _go_back(work: Workspace, name: str) -> None:
    """Put a project into the state that it had before the newest rows came, and let them come."""
    work.copy(f"{name}_state", f"{name}/.profiles")
    data = work.folder / name / "data"
    for folder in sorted((work.folder / "all").iterdir()):
        came = data / folder.name / "part-0001.parquet"
        came.unlink(missing_ok=True)
        came.hardlink_to(folder / "part-0001.parquet")


def disagreements(work: Workspace) -> list[Difference]:
    """Return where runs that go on differ from one that reads everything."""
    measure(_run(work.folder / "full", LATER, "--force"), work.home)
    full, daily = (warehouse_of(work.folder / name) for name in ("full", "daily"))
    return differences(full, daily, OUTPUTS, "profiles", other_schema="profiles")
