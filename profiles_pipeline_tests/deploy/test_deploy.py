"""What stands in deploy/ works: the same processes, on a real PostgreSQL."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import yaml

from profiles_pipeline import connections
from profiles_pipeline.warehouse.lock import hold
from profiles_pipeline_tests.deploy.services import (
    DEPLOY,
    WITHIN_S,
    Deployment,
    deployed,
    postgresql,
    postgresql_programs,
    wait_for,
)
from profiles_pipeline_tests.observations.test_looking import ORDERS, shop_at, write
from profiles_pipeline_tests.test_run import Shop

PIPELINE = """
partitions: {start: 2024-01-01}
sensor: {enabled: true, interval: 2s}
schedules: {enabled: true, cron: "* * * * *"}
"""
TICKS = """
query ($name: String!) {
  instigationStateOrError(instigationSelector: {
    repositoryName: "__repository__", repositoryLocationName: "profiles", name: $name
  }) { ... on InstigationState { ticks(limit: 50) { status skipReason runIds } } }
}
"""
RUNS = """
{runsOrError(limit: 50) { ... on Runs { results { runId status rootRunId tags { key value } } } }}
"""
BUILT = """
query ($partitions: [String!]) {
  assetNodeOrError(assetKey: {path: ["models", "user_default_id_stitcher"]}) {
    ... on AssetNode { assetMaterializations(partitions: $partitions) { partition } }
  }
}
"""
LAUNCH = """
mutation ($partition: String!) {
  launchRun(executionParams: {
    selector: {repositoryName: "__repository__", repositoryLocationName: "profiles", jobName: "profiles_run"},
    executionMetadata: {tags: [{key: "dagster/partition", value: $partition}]}
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}
"""
BACKFILL = """
mutation ($partitions: [String!]!, $assets: [AssetKeyInput!]!) {
  launchPartitionBackfill(backfillParams: {partitionNames: $partitions, assetSelection: $assets}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}
"""
BACKFILL_STATUS = "query ($id: String!) {partitionBackfillOrError(backfillId: $id) {... on PartitionBackfill {status}}}"

Row = dict[str, object]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    folder = tmp_path / "shop"
    folder.mkdir()
    made = shop_at(folder)
    (folder / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    return made


@pytest.fixture
def deployment(shop: Shop, tmp_path: Path) -> Iterator[Deployment]:
    programs = postgresql_programs()
    if programs is None:
        reason = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        pytest.fail(reason) if os.environ.get("CI", "").lower() == "true" else pytest.skip(reason)
    pytest.importorskip("dagster_postgres")
    with postgresql(programs) as port, deployed(shop.folder, tmp_path, port) as made:
        yield made


def rows(found: object, *path: str) -> list[Row]:
    for name in path:
        found = cast(Row, found)[name]
    return cast(list[Row], found)


def runs(deployment: Deployment) -> list[Row]:
    """Runs that the daemon was asked for, the newest first."""
    return rows(deployment.ask(RUNS), "runsOrError", "results")


def tags(run: Row) -> dict[str, str]:
    return {str(tag["key"]): str(tag["value"]) for tag in rows(run, "tags")}


def succeeded(deployment: Deployment, tag: str, value: str) -> list[Row]:
    return [run for run in runs(deployment) if tags(run).get(tag) == value and run["status"] == "SUCCESS"]


def is_quiet(deployment: Deployment) -> bool:
    return all(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in runs(deployment))


def launched(deployment: Deployment, partition: str) -> str:
    answer = cast(Row, deployment.ask(LAUNCH, partition=partition)["launchRun"])
    return str(cast(Row, answer["run"])["runId"])


def status_of(deployment: Deployment, run_id: str) -> object:
    return next(run["status"] for run in runs(deployment) if run["runId"] == run_id)


def ticks(deployment: Deployment, name: str) -> list[Row]:
    return rows(deployment.ask(TICKS, name=name), "instigationStateOrError", "ticks")


def totals(shop: Shop) -> list[object]:
    return [total for (total,) in shop.query("select total from user_feature_view where total is not null order by 1")]


@pytest.mark.slow
@pytest.mark.timeout(4 * WITHIN_S)
def test_a_deployment_runs_by_itself_and_survives_the_loss_of_its_code_server(
    deployment: Deployment, shop: Shop
) -> None:
    by_sensor = ("dagster/sensor_name", "profiles_run_sensor")
    wait_for("a run of the sensor", lambda: succeeded(deployment, *by_sensor))
    wait_for("quiet", lambda: is_quiet(deployment))
    assert totals(shop) == [20, 40]
    assert all(tick["status"] in ("SUCCESS", "SKIPPED", "STARTED") for tick in ticks(deployment, "profiles_run_sensor"))

    warehouse = connections.embedded(shop.folder).settings.file
    assert warehouse is not None
    with hold(warehouse, "somebody else"):
        killed = launched(deployment, "2024-03-01")
        wait_for("the run under way", lambda: status_of(deployment, killed) == "STARTED")
        deployment.kill_code()
    deployment.start_code()
    wait_for("the run told as failed", lambda: status_of(deployment, killed) == "FAILURE")

    def tried_again() -> bool:
        return any(run["rootRunId"] == killed and run["status"] == "SUCCESS" for run in runs(deployment))

    wait_for("the run tried again", tried_again)
    write(shop, "orders", f"{ORDERS}u3,5,,2024-01-02 01:00:00\n")
    wait_for("late rows in the views", lambda: is_quiet(deployment) and totals(shop) == [5, 20, 40])

    wait_for("a scheduled tick", lambda: ticks(deployment, "profiles_run_schedule"))
    assets = [{"path": ["models", "user_default_id_stitcher"]}, {"path": ["user", "all", "var_table"]}]
    wanted = [f"2024-02-0{day}" for day in range(1, 8)]
    answer = deployment.ask(BACKFILL, partitions=wanted, assets=assets)["launchPartitionBackfill"]
    backfill = str(cast(Row, answer)["backfillId"])

    def backfilled() -> bool:
        status = deployment.ask(BACKFILL_STATUS, id=backfill)["partitionBackfillOrError"]
        return cast(Row, status)["status"] == "COMPLETED_SUCCESS"

    wait_for("the backfill", backfilled)
    assert len(succeeded(deployment, "dagster/backfill", backfill)) == 1
    found = rows(deployment.ask(BUILT, partitions=[*wanted, "2024-01-02"]), "assetNodeOrError", "assetMaterializations")
    assert {built["partition"] for built in found} == {*wanted, "2024-01-02"}


# --- the files ----------------------------------------------------------------------------------------------------


def loaded(name: str) -> dict[str, object]:
    found = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_every_variable_of_the_instance_is_set_by_the_image_or_by_compose() -> None:
    wanted = set(
        re.findall(r"env: (\w+)", (DEPLOY / "dagster.yaml").read_text() + (DEPLOY / "workspace.yaml").read_text())
    )
    image = set(re.findall(r"^(?:ENV|   ) ?(\w+)=", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    services = cast(dict[str, Row], loaded("docker-compose.yaml")["services"])
    for name in ("code", "webserver", "daemon"):
        assert wanted <= image | set(cast(Row, services[name]["environment"])), name


def test_every_variable_of_compose_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "docker-compose.yaml").read_text()))
    assert asked == set(re.findall(r"^(\w+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))


def test_the_chart_has_the_version_that_is_installed(repository_root: Path) -> None:
    (pinned,) = re.findall(r"^dagster==(\S+)$", (repository_root / "constraints.txt").read_text(), re.MULTILINE)
    assert f"--version {pinned} " in (DEPLOY / "values.yaml").read_text()


def test_the_chart_says_what_the_instance_says() -> None:
    instance, chart = loaded("dagster.yaml"), loaded("values.yaml")
    launcher = cast(Row, cast(Row, cast(Row, chart["runLauncher"])["config"])["customRunLauncher"])
    assert {key: launcher[key] for key in ("module", "class")} == instance["run_launcher"]
    daemon = cast(Row, chart["dagsterDaemon"])
    assert cast(Row, daemon["runRetries"])["maxRetries"] == cast(Row, instance["run_retries"])["max_retries"]
    queue = cast(Row, cast(Row, instance["concurrency"])["runs"])
    assert cast(Row, cast(Row, chart["concurrency"])["runs"])["maxConcurrentRuns"] == queue["max_concurrent_runs"]
