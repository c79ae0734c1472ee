"""Sessions: against a query of windows written by hand, and after the newest rows have come."""

from __future__ import annotations

from collections.abc import Sequence

from profiles_pipeline_tests.bench.agreement import Difference, differences
from profiles_pipeline_tests.bench.cases import profiles, script
from profiles_pipeline_tests.bench.daily import BEFORE, EARLIER, split
from profiles_pipeline_tests.bench.measure import Case, apart, measure
from profiles_pipeline_tests.bench.workspace import END_TIME, Workspace, warehouse_of

SESSIONS = "profiles run, sessions only"
SESSIONS_BY_HAND = "sessions by hand"
SESSIONS_NEWEST = "profiles run, sessions only, newest 1 %"
START = "start of a process that reads a project"

STITCHER, MODEL = "models/user_id_stitcher", "models/user_sessions"
OUTPUTS = {"user_sessions": ("session_id",)}


def session_runs(work: Workspace) -> Sequence[Case]:
    """The sessions of all users, given a finished id graph; and of those with newer rows, given also what was kept."""
    apart(split, work)
    again = ("--seq-no", "latest", "--model-refs", MODEL)
    for name in ("sessions", "sessions_daily"):
        work.project(name, left_out=())
        data = work.folder / name / "data"
        data.unlink()
        data.symlink_to(work.folder / ("all" if name == "sessions" else "older"), target_is_directory=True)
    measure(_run(work, "sessions", "--end-time", END_TIME, "--model-refs", STITCHER), work.home)
    for end in (EARLIER, BEFORE):
        measure(_run(work, "sessions_daily", "--end-time", end, "--model-refs", MODEL), work.home)
    for folder in sorted((work.folder / "all").iterdir()):
        came = work.folder / "sessions_daily" / "data" / folder.name / "part-0001.parquet"
        came.hardlink_to(folder / "part-0001.parquet")
    measure(_run(work, "sessions_daily", "--end-time", END_TIME, "--model-refs", STITCHER), work.home)
    for name in ("sessions", "sessions_daily"):
        work.copy(f"{name}/.profiles", f"{name}_state")
    graph = warehouse_of(work.folder / "sessions")
    return (
        Case(START, profiles("validate", "--project", work.folder / "sessions")),
        Case(SESSIONS, _run(work, "sessions", *again), lambda: work.copy("sessions_state", "sessions/.profiles")),
        Case(
            SESSIONS_BY_HAND,
            script("sessions_by_hand", work.events, graph, work.folder / "sessions_by_hand.duckdb"),
            lambda: work.remove("sessions_by_hand.duckdb"),
        ),
        Case(
            SESSIONS_NEWEST,
            _run(work, "sessions_daily", *again),
            lambda: work.copy("sessions_daily_state", "sessions_daily/.profiles"),
        ),
    )


def _run(work: Workspace, name: str, *options: str) -> tuple[str, ...]:
    return profiles("run", "--quiet", "--no-report", "--project", work.folder / name, *options)


def disagreements(work: Workspace) -> list[Difference]:
    """Return where the sessions differ from those by hand, and those that were gone on with from those made at once."""
    whole, daily = (warehouse_of(work.folder / name) for name in ("sessions", "sessions_daily"))
    found = differences(whole, work.folder / "sessions_by_hand.duckdb", OUTPUTS, "profiles")
    return found + differences(whole, daily, OUTPUTS, "profiles", other_schema="profiles")
