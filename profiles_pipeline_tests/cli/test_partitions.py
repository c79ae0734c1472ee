"""`profiles run` for partitions, and what Dagster is told of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets.instance import open_instance
from profiles_pipeline.assets.report import report_pending
from profiles_pipeline_tests.cli.conftest import Call

BY_TIME = ("models/user_id_stitcher", "inputs/rsTracks/var_table", "user/all/var_table")
OTHERS = ("user/all", "models/user_profile")


@pytest.fixture
def quickstart(quickstart: Path) -> Path:
    """The quickstart project with days from the time of its data on."""
    (quickstart / "pipeline.yaml").write_text("partitions: {start: 2023-10-01}\n", encoding="utf-8")
    return quickstart


def key(path: str) -> dg.AssetKey:
    return dg.AssetKey(path.split("/"))


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def tomorrow() -> str:
    return f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--partition", "2023-11-31"], ["no partition '2023-11-31'", "daily, from 2023-10-01 to {today}"]),
        (["--partition", "2023-11-05T10:00"], ["no partition '2023-11-05T10:00'", "did you mean 2023-11-05?"]),
        (["--partition", "2023-09-30"], ["lies before the first one", "the first one is 2023-10-01"]),
        (["--partition", "{tomorrow}"], ["lies in the future", "the newest one is {today}"]),
        (["--partition-range", "2023-11-05...2023-11-01"], ["comes after", "write 2023-11-01...2023-11-05"]),
        (["--partition-range", "2023-11-05..2023-11-07"], ["is no range", "2024-01-01...2024-01-31"]),
        (["--partition-range", "2023-11-05...{tomorrow}"], ["lies in the future"]),
        (["--partition", "2023-11-05", "--end_time", "2023-11-05"], ["--partition and --end-time both"]),
        (["--partition", "2023-11-05", "--seq_no", "1"], ["--partition and --seq-no both"]),
        (["--partition", "a", "--partition-range", "a...b"], ["--partition and --partition-range both"]),
    ],
)
def test_partitions_that_cannot_be_meant_are_told(
    call: Call, quickstart: Path, arguments: list[str], said: list[str]
) -> None:
    filled = {"today": today(), "tomorrow": tomorrow()}
    outcome = call("run", "-p", quickstart, *(argument.format(**filled) for argument in arguments))
    assert outcome.code == 2
    assert all(text.format(**filled) in outcome.err for text in said), outcome.err
    assert not (quickstart / ".profiles" / "warehouse.duckdb").exists()


def test_a_project_without_partitions_says_so(call: Call, quickstart: Path) -> None:
    (quickstart / "pipeline.yaml").write_text("partitions: false\n", encoding="utf-8")
    outcome = call("run", "-p", quickstart, "--partition", "2023-11-05")
    assert outcome.code == 2
    assert "the project has no partitions" in outcome.err


def test_the_plan_is_that_of_the_partition(call: Call, quickstart: Path) -> None:
    plan = json.loads(call("plan", "-p", quickstart, "--partition", "2023-11-05", "--json").out)
    assert plan["end_time"] == "2023-11-06T00:00:00+00:00"


def test_a_range_is_shown_in_dagster_as_what_it_is(call: Call, quickstart: Path) -> None:
    range_ = "2023-10-30...2023-11-07"
    done = call("run", "-p", quickstart, "--partition-range", range_, "--json", "--no-report")
    assert json.loads(done.out)["end_time"] == "2023-11-08T00:00:00+00:00"
    assert report_pending(quickstart) == 7
    days = {f"2023-10-{n}" for n in (30, 31)} | {f"2023-11-0{n}" for n in range(1, 8)}
    with open_instance(quickstart, "test") as instance:
        assert {path: set(instance.get_materialized_partitions(key(path))) for path in BY_TIME} == dict.fromkeys(
            BY_TIME, days
        )
        assert all(instance.get_latest_materialization_event(key(path)) for path in OTHERS)
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert run.tags["dagster/asset_partition_range_start"] == "2023-10-30"
        assert run.tags["dagster/asset_partition_range_end"] == "2023-11-07"
        latest = instance.get_latest_materialization_event(key("models/user_id_stitcher"))
        assert latest is not None
        assert latest.asset_materialization is not None
        assert latest.asset_materialization.partition == "2023-11-07"
        assert "profiles/sql" in latest.asset_materialization.metadata
    call("run", "-p", quickstart, "--partition", "2023-11-07", "--no-report")
    assert report_pending(quickstart) == 0, "what is there is reused, and known"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ([], ["{today}"]),
        (["--end_time", "2023-11-08"], ["2023-11-07"]),
        (["--end_time", "2023-11-07T12:00:00Z"], []),
        (["--end_time", "2023-11-08", "--begin_time", "2023-11-01"], []),
    ],
)
def test_a_run_stands_for_the_partition_that_it_is_as_of_the_end_of(
    call: Call, quickstart: Path, arguments: list[str], shown: list[str]
) -> None:
    assert call("run", "-p", quickstart, "--no-report", *arguments).code == 0
    assert report_pending(quickstart) == 7
    with open_instance(quickstart, "test") as instance:
        found = instance.get_materialized_partitions(key("models/user_id_stitcher"))
    assert found == {text.format(today=today()) for text in shown}


@pytest.mark.parametrize(("incremental", "kept"), [("always", True), ("never", False)])
def test_what_is_kept_for_later_runs_is_said_by_the_project(
    call: Call, quickstart: Path, incremental: str, kept: bool
) -> None:
    (quickstart / "pipeline.yaml").write_text(f"incremental: {incremental}\n", encoding="utf-8")
    for day in ("2023-11-07", "2023-11-08"):
        assert call("run", "-p", quickstart, "--no-report", "--end_time", day).code == 0
        sql = "select count(*) > 0 as kept from profiles.held_tables"
        rows = json.loads(call("query", "-p", quickstart, sql, "--format", "json").out)
        assert rows == [{"kept": kept}]
