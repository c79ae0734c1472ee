"""A year of the web shop in the UI: backfilled, scheduled, kept up to date by the sensor, and equal to a rebuild."""

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from dagster._core.storage.tags import PARTITION_NAME_TAG, SCHEDULE_NAME_TAG, SENSOR_NAME_TAG
from playwright.sync_api import Page, expect

from profiles_pipeline import connections
from profiles_pipeline.examples import copy_example
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, run

from .test_dev import WAIT_MS, artifacts, ask, served, shown_by

__all__ = ["artifacts"]

WITHIN_S = 240
CLICKS = 3
PIPELINE = """
incremental: always
partitions: {{cadence: daily, start: {start:%Y-%m-%d}}}
schedules: {{cron: "* * * * *"}}
sensor: {{interval: 5s}}
"""
STATS = """{
  assetNodeOrError(assetKey: {path: ["models", "user_id_stitcher"]}) {
    ... on AssetNode { partitionStats { numMaterialized numPartitions numFailed } }
  }
}"""
RUNS = "{runsOrError(limit: 100) {... on Runs {results {status tags {key value}}}}}"
INSTIGATORS = """{repositoriesOrError {... on RepositoryConnection {nodes {
  schedules {name scheduleState {status}} sensors {name sensorState {status}}
}}}}"""
VIEWS = ("user_id_stitcher", "user_profile", "user_by_email", "high_value_users_view", "campaign_report")


def stats(address: str) -> dict[str, int]:
    """How many partitions of the id graph there are, and how many of them are there."""
    return ask(address, STATS)["assetNodeOrError"]["partitionStats"]  # type: ignore[call-overload,no-any-return]


def runs_of(address: str, tag: str) -> list[dict[str, str]]:
    """The tags of runs that somebody has asked for, the newest first, all of which must have ended well."""
    runs = ask(address, RUNS)["runsOrError"]["results"]  # type: ignore[call-overload]
    assert not [r for r in runs if r["status"] == "FAILURE"]
    asked = [(r["status"], {t["key"]: t["value"] for t in r["tags"]}) for r in runs]
    mine = [(status, tags) for status, tags in asked if tag in tags]
    return [tags for _, tags in mine] if all(status == "SUCCESS" for status, _ in mine) else []


def is_up_to_date(address: str, after: int) -> bool:
    """Whether the sensor has asked for more than `after` runs, and the one for the newest partition is done."""
    asked = runs_of(address, SENSOR_NAME_TAG)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return len(asked) > after and asked[0].get(PARTITION_NAME_TAG) == today


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    assert holds_within(WITHIN_S, holds), what


def holds_within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold in that time."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(1)
    return held


def backfill(page: Page, address: str) -> None:
    """Ask for all partitions of all assets, by clicks."""
    page.goto(f"{address}/locations/profiles_pipeline.definitions/jobs/profiles_run")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_role("button", name="Show all partitions").click()
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("button", name="Launch backfill").click()
    wait_until("a whole year", lambda: stats(address)["numMaterialized"] == stats(address)["numPartitions"])


def switch(page: Page, address: str, name: str, *, on: bool) -> None:
    """Turn the schedule or the sensor on or off, by the switch in its row.

    The page asks the server again and again what is on, and draws its switches anew: a click may fall in between.
    """
    switch = "label[contains(@class, 'formatSwitch')]"
    for _ in range(CLICKS):
        page.goto(f"{address}/automation")
        expect(page.locator(f"xpath=//{switch}")).to_have_count(2, timeout=WAIT_MS)
        label = page.locator(f"xpath=//*[text()='{name}']/ancestor::*[.//{switch}][1]//{switch}")
        expect(label.get_by_role("checkbox")).to_be_checked(checked=not on, timeout=WAIT_MS)
        label.click()
        if holds_within(WITHIN_S / CLICKS, lambda: is_on(address, name) is on):
            return
    pytest.fail(f"{name} is never on: {on}")


def is_on(address: str, name: str) -> bool:
    """Whether the server has a schedule or sensor of this name switched on."""
    (repository,) = ask(address, INSTIGATORS)["repositoriesOrError"]["nodes"]  # type: ignore[call-overload]
    (found,) = [each for each in (*repository["schedules"], *repository["sensors"]) if each["name"] == name]
    return bool((found.get("scheduleState") or found.get("sensorState"))["status"] == "RUNNING")


def change(project: Path) -> None:
    """Let a row come that is three months late, another be corrected in place, and a third make two persons one."""
    data = project / "data"
    rewrite(
        data / "shop.web.tracks.parquet",
        """SELECT * FROM rows UNION ALL
        (SELECT * REPLACE ('late' AS id, timestamp - INTERVAL 90 DAY AS timestamp) FROM rows
         WHERE user_id IS NOT NULL ORDER BY timestamp DESC LIMIT 1)""",
    )
    rewrite(
        data / "shop.web.orders.parquet",
        """SELECT * REPLACE (CASE WHEN order_id = (SELECT max(order_id) FROM rows) THEN amount + 1000 ELSE amount END
        AS amount) FROM rows""",
    )
    rewrite(
        data / "shop.web.identifies.parquet",
        """WITH known AS (FROM rows WHERE user_id LIKE 'cus_%')
        SELECT * FROM rows UNION ALL
        (SELECT * REPLACE ('merge' AS id, (SELECT max(user_id) FROM known) AS user_id) FROM known
         WHERE user_id = (SELECT min(user_id) FROM known) AND email LIKE '%@%' ORDER BY timestamp LIMIT 1)""",
    )


def rewrite(file: Path, query: str) -> None:
    fresh = file.with_suffix(".new")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows AS FROM read_parquet('{file}')")
        connection.execute(f"COPY ({query}) TO '{fresh}' (FORMAT parquet)")
    os.replace(fresh, file)


def shown(project: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the views of a project hold."""
    with duckdb.connect(str(project / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        return {name: connection.sql(f'FROM profiles."{name}" ORDER BY ALL').fetchall() for name in VIEWS}


def query(project: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(project / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        return connection.sql(sql).fetchall()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(4 * WITHIN_S)
def test_a_year_in_the_ui(tmp_path: Path, browser_path: Path, artifacts: Path) -> None:
    shop = tmp_path / "shop"
    copy_example("ecommerce", shop)
    start = datetime.now(UTC) - timedelta(days=365)
    (shop / "pipeline.yaml").write_text(PIPELINE.format(start=start), encoding="utf-8")
    with served(shop, tmp_path / "server.log") as address, shown_by(browser_path) as page:
        backfill(page, address)
        assert stats(address)["numPartitions"] >= 366
        switch(page, address, "profiles_run_schedule", on=True)
        wait_until("a run of the schedule", lambda: len(runs_of(address, SCHEDULE_NAME_TAG)) > 0)
        switch(page, address, "profiles_run_schedule", on=False)
        switch(page, address, "profiles_run_sensor", on=True)
        wait_until("the first run of the sensor", lambda: is_up_to_date(address, 0))
        before = len(runs_of(address, SENSOR_NAME_TAG))
        change(shop)
        wait_until("runs for what changed", lambda: is_up_to_date(address, before))
        switch(page, address, "profiles_run_sensor", on=False)
        page.goto(f"{address}/assets/models/user_id_stitcher?view=partitions")
        expect(page.get_by_text("user_id_stitcher", exact=True).first).to_be_visible(timeout=WAIT_MS)
        page.screenshot(path=artifacts / "dagster_year.png")
        assert stats(address)["numFailed"] == 0
    assert query(shop, "SELECT count(*) > 0 FROM profiles.user_id_stitcher_id_changes WHERE change = 'merge'") == [
        (True,)
    ]
    ((end,),) = query(shop, "SELECT DISTINCT valid_at FROM profiles.user_profile")
    assert isinstance(end, datetime)
    fresh = tmp_path / "fresh"
    copy_example("ecommerce", fresh)
    shutil.copy(shop / "pipeline.yaml", fresh)
    for file in (shop / "data").glob("*.parquet"):
        os.replace(file, fresh / "data" / file.name)
    run(ProfilesProject.load(fresh), connections.embedded(fresh), Options(end=end.replace(tzinfo=UTC)))
    assert shown(shop) == shown(fresh)
