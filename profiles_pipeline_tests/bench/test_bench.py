"""The engine and the scripts it is measured against come to the same results; a difference is found and named."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline_tests.bench import cases, daily, sessions
from profiles_pipeline_tests.bench.agreement import differences
from profiles_pipeline_tests.bench.measure import in_turns
from profiles_pipeline_tests.bench.workspace import shop_events, workspace

EVENTS = 20_000


def silent(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def two_files(tmp_path: Path) -> Callable[[str, str], tuple[Path, Path]]:
    """A function that makes two DuckDB files out of two queries for the table `t`."""

    def make(one: str, other: str) -> tuple[Path, Path]:
        paths = tmp_path / "one.duckdb", tmp_path / "other.duckdb"
        for path, query in zip(paths, (one, other), strict=True):
            with duckdb.connect(str(path)) as connection:
                connection.execute(f"CREATE TABLE t AS {query}")
        return paths

    return make


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("SELECT 1 AS id, 2 AS a", "SELECT 1 AS id, 2 AS a", None),
        ("SELECT 1 AS id, 0.1::DOUBLE + 0.2::DOUBLE AS a", "SELECT 1 AS id, 0.3::DOUBLE AS a", None),
        ("SELECT 1 AS id, 2 AS a", "SELECT 1 AS id, 3 AS a", "a in 1 rows"),
        ("SELECT 1 AS id, NULL::INT AS a", "SELECT 1 AS id, 0 AS a", "a in 1 rows"),
        ("SELECT 1 AS id, 2 AS a", "SELECT 1 AS id, 2 AS a UNION ALL SELECT 2, 2", "rows without partner"),
        ("SELECT 1 AS id, 2 AS a", "SELECT 1 AS id, 2 AS b", "columns on one side only: a, b"),
    ],
)
def test_a_difference_is_found(
    two_files: Callable[[str, str], tuple[Path, Path]], one: str, other: str, expected: str | None
) -> None:
    found = differences(*two_files(one, other), {"t": ("id",)}, "main")
    assert [str(expected) in difference.message for difference in found] == ([] if expected is None else [True])


@pytest.mark.slow
def test_engine_and_scripts_agree(tmp_path: Path) -> None:
    with workspace(shop_events(EVENTS, tmp_path / "events", silent)) as work:
        for group in (cases.whole_runs, cases.feature_runs):
            in_turns(group(work), 1, work.home, silent)
        assert cases.disagreements(work) == []


@pytest.mark.slow
def test_sessions_agree(tmp_path: Path) -> None:
    with workspace(shop_events(EVENTS, tmp_path / "events", silent)) as work:
        in_turns(sessions.session_runs(work)[1:], 1, work.home, silent)  # without the mere start of a process
        assert sessions.disagreements(work) == []


@pytest.mark.slow
def test_daily_runs_and_whole_ones_agree(tmp_path: Path) -> None:
    with workspace(shop_events(EVENTS, tmp_path / "events", silent)) as work:
        in_turns(daily.daily_runs(work), 1, work.home, silent)
        assert daily.disagreements(work) == []
