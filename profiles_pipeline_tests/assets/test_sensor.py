"""The sensor on a real Dagster instance, over a real warehouse."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import extract_data_version_from_entry
from dagster._core.test_utils import create_run_for_test

from profiles_pipeline import connections
from profiles_pipeline.assets import ProfilesResource, build_definitions
from profiles_pipeline.assets.assets import assets_of
from profiles_pipeline.assets.sensor import Now, Watched, build_sensor
from profiles_pipeline.partitions import Calendar, Partitions
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline_tests.observations.test_looking import HEADER, NOW, ORDERS, PEOPLE, add, shop_at, write
from profiles_pipeline_tests.test_run import Shop

DAILY = Calendar("daily", datetime(2024, 1, 1, tzinfo=UTC))
TODAY = "2024-04-02...2024-04-02"

SENSOR_NAME = "profiles_run_sensor"

Ranges = list[str]


def watched_of(project: ProfilesProject, calendar: Calendar | None, now: Now = lambda: NOW) -> Watched:
    """What a sensor looks at that asks for the partitions of a calendar."""
    _, scheduled = assets_of(project)
    partitions = Partitions(calendar, {}) if calendar else None
    return Watched(replace(scheduled, partitions=partitions), None, ProfilesResource(), now)


class Daemon:
    """Evaluates ticks one after the other, and keeps what Dagster's daemon keeps: the cursor and the run keys."""

    def __init__(self, shop: Shop, instance: dg.DagsterInstance) -> None:
        self.shop = shop
        self.instance = instance
        self.cursor: str | None = None
        self.launched: list[str] = []
        self.now = NOW
        self.calendar: Calendar | None = DAILY

    @cached_property
    def project(self) -> ProfilesProject:
        """The project as the code location has loaded it."""
        return self.shop.load()

    def evaluate(self) -> dg.SensorResult:
        """Evaluate a tick; nothing of it is kept."""
        watched = watched_of(self.project, self.calendar, lambda: self.now)
        sensor = build_sensor(watched, "profiles_run")
        assert sensor is not None
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor, sensor_name=SENSOR_NAME) as context:
            found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        return found

    def tick(self) -> Ranges:
        """Evaluate a tick, keep what comes of it and return the ranges of the runs that are launched."""
        found = self.evaluate()
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        self.cursor = found.cursor or self.cursor
        new = [r for r in found.run_requests or () if r.run_key not in self.launched]
        self.launched += [str(r.run_key) for r in new]
        return [range_of(r) for r in new]

    def version(self, key: str) -> str | None:
        """The version of an input that Dagster knows."""
        records = self.instance.fetch_observations(dg.AssetKey(key.split("/")), limit=1).records
        found = extract_data_version_from_entry(records[0].event_log_entry) if records else None
        return found.value if found else None


def range_of(request: dg.RunRequest) -> str:
    alone = request.tags.get("dagster/partition")
    first = alone or request.tags["dagster/asset_partition_range_start"]
    return f"{first}...{alone or request.tags['dagster/asset_partition_range_end']}"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_at(tmp_path)


@pytest.fixture
def daemon(shop: Shop) -> Iterator[Daemon]:
    with dg.instance_for_test() as instance:
        yield Daemon(shop, instance)


def test_a_new_sensor_brings_the_newest_partition_up_to_date_and_then_waits(daemon: Daemon) -> None:
    assert daemon.tick() == [TODAY]
    found = daemon.evaluate()
    assert not found.run_requests
    assert found.skip_reason is not None
    assert found.skip_reason.skip_message == "nothing has changed in 2 inputs, of which 0 had to be read"
    assert daemon.tick() == []


def test_late_rows_three_months_old(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00", "u3,5,,2024-01-03 01:00:00", "u3,5,,2024-02-29 01:00:00")
    found = daemon.evaluate()
    assert daemon.tick() == ["2024-01-02...2024-01-03", "2024-02-29...2024-02-29", TODAY]
    assert {r.tags["profiles/why"] for r in found.run_requests or ()} == {"late rows in orders"}
    assert daemon.tick() == []


def test_a_table_that_is_emptied(daemon: Daemon) -> None:
    daemon.tick()
    write(daemon.shop, "orders", HEADER)
    assert daemon.tick() == ["2024-01-01...2024-01-01", "2024-03-31...2024-03-31", TODAY]
    assert daemon.tick() == []


def test_a_value_that_is_corrected_in_place(daemon: Daemon) -> None:
    daemon.tick()
    write(daemon.shop, "orders", ORDERS.replace("u2,20", "u2,21"))
    assert daemon.tick() == ["2024-01-01...2024-01-01", TODAY]


def test_new_rows_of_today(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-04-02 11:00:00")
    assert daemon.tick() == [TODAY]


def test_rows_without_a_time_are_in_what_is_as_of_now(daemon: Daemon) -> None:
    daemon.tick()
    write(daemon.shop, "people", PEOPLE + "u3,Oslo\n")
    assert daemon.tick() == [TODAY]


def test_rows_of_1970_are_in_the_first_partition(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,1970-01-01 00:00:00", "u3,5,,2999-01-01 00:00:00")
    (orders,) = daemon.evaluate().asset_events
    assert daemon.tick() == ["2024-01-01...2024-01-01", TODAY]
    said = {name: value.value for name, value in orders.metadata.items()}
    assert (said["profiles/rows_before_1971"], said["profiles/rows_of_the_future"], said["dagster/row_count"]) == (
        1,
        1,
        5,
    )


def test_the_same_day_again_is_another_request(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-04-02 11:00:00")
    assert daemon.tick() == [TODAY]
    add(daemon.shop, "u3,5,,2024-04-02 11:00:00", "u4,5,,2024-04-02 11:00:00")
    assert daemon.tick() == [TODAY]
    assert daemon.tick() == []


def test_a_clock_that_is_set_back_and_forth(daemon: Daemon) -> None:
    add(daemon.shop, "u3,5,,2024-04-02 11:59:00")
    daemon.tick()
    daemon.now = NOW - timedelta(hours=13)
    assert daemon.tick() == []
    add(daemon.shop, "u3,5,,2024-04-02 11:59:00", "u3,5,,2024-04-01 10:00:00")
    assert daemon.tick() == ["2024-04-01...2024-04-01"]  # by that clock the newest there is
    daemon.now = NOW
    assert daemon.tick() == []
    daemon.now = NOW + timedelta(days=1)
    assert daemon.tick() == []


def test_a_row_that_came_before_its_time(daemon: Daemon) -> None:
    add(daemon.shop, "u3,5,,2024-04-02 12:05:00")
    assert daemon.tick() == [TODAY]
    assert daemon.tick() == []
    daemon.now = NOW + timedelta(minutes=6)
    assert daemon.tick() == [TODAY]


def test_an_input_that_is_missing_for_an_hour(daemon: Daemon) -> None:
    daemon.tick()
    version = daemon.version("inputs/orders")
    file = daemon.shop.folder / "data" / "orders.csv"
    shutil.move(file, daemon.shop.folder / "orders.csv")
    found = daemon.evaluate()
    assert found.skip_reason is not None
    assert "inputs/orders could not be looked at" in str(found.skip_reason.skip_message)
    assert daemon.tick() == []
    shutil.move(daemon.shop.folder / "orders.csv", file)
    assert daemon.tick() == []
    assert daemon.version("inputs/orders") == version


def test_a_tick_that_dies_before_dagster_hears_of_it_is_repeated(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00")
    lost = daemon.evaluate()
    again = daemon.evaluate()
    assert [r.run_key for r in again.run_requests or ()] == [r.run_key for r in lost.run_requests or ()]
    assert [range_of(r) for r in again.run_requests or ()] == ["2024-01-02...2024-01-02", TODAY]
    assert {e.asset_key for e in again.asset_events} == {e.asset_key for e in lost.asset_events}


def test_a_tick_that_dies_after_some_runs_were_launched_launches_the_others(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00", "u3,5,,2024-01-05 01:00:00")
    lost = daemon.evaluate()
    daemon.launched.append(str((lost.run_requests or ())[0].run_key))
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00", "u3,5,,2024-01-05 01:00:00", "u3,5,,2024-01-06 01:00:00")
    assert daemon.tick() == ["2024-01-05...2024-01-06", TODAY]


DIE = """
import os, sys
from pathlib import Path
from profiles_pipeline import connections
from profiles_pipeline.observations import look, memory, observing
from profiles_pipeline.project import ProfilesProject

def die(*_):
    os.kill(os.getpid(), 9)

memory.Memory._keep_buckets = die
project = ProfilesProject.load(sys.argv[1])
with observing(project, connections.embedded(Path(sys.argv[1]))) as registry:
    look(project, registry)
"""


def test_a_tick_that_is_killed_while_it_remembers_loses_nothing(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00")
    killed = subprocess.run([sys.executable, "-c", DIE, str(daemon.shop.folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert daemon.tick() == ["2024-01-02...2024-01-02", TODAY]


def test_what_somebody_else_has_found_is_asked_for_too(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00")
    other = Daemon(daemon.shop, daemon.instance)
    other.tick()
    assert daemon.tick() == ["2024-01-02...2024-01-02", TODAY]


def test_only_so_many_at_once(daemon: Daemon) -> None:
    (daemon.shop.folder / "pipeline.yaml").write_text("sensor: {at_most: 2}\n", encoding="utf-8")
    daemon.tick()
    add(daemon.shop, *(f"u3,5,,2024-02-{day:02} 01:00:00" for day in (1, 3, 5, 7, 9)))
    asked = [daemon.tick() for _ in range(4)]
    assert asked == [
        ["2024-02-01...2024-02-01", "2024-02-03...2024-02-03"],
        ["2024-02-05...2024-02-05", "2024-02-07...2024-02-07"],
        ["2024-02-09...2024-02-09", TODAY],
        [],
    ]


def test_nothing_more_is_asked_for_while_runs_are_under_way(daemon: Daemon) -> None:
    daemon.tick()
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00")
    for status in (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED):
        create_run_for_test(daemon.instance, status=status, tags={"dagster/sensor_name": SENSOR_NAME})
    found = daemon.evaluate()
    assert found.skip_reason is not None
    assert found.skip_reason.skip_message == "2 runs that this sensor has asked for are still to finish"
    for run in daemon.instance.get_runs():
        daemon.instance.report_run_canceled(run)
    assert daemon.tick() == ["2024-01-02...2024-01-02", TODAY]


def test_a_warehouse_in_use_is_left_alone(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles_pipeline.assets.sensor.WAIT_S", 0.0)
    daemon.tick()
    before = daemon.cursor
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00")
    warehouse = connections.embedded(daemon.shop.folder).settings.file
    assert warehouse is not None
    script = f"""
from pathlib import Path
from profiles_pipeline.warehouse.lock import hold
with hold(Path({str(warehouse)!r}), "a long run"):
    print("held", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        found = daemon.evaluate()
        other.communicate("\n")
    assert found.skip_reason is not None
    assert "a long run" in str(found.skip_reason.skip_message)
    assert (found.cursor, daemon.cursor) == (None, before)
    assert daemon.tick() == ["2024-01-02...2024-01-02", TODAY]


def test_dagster_knows_the_versions_of_inputs(daemon: Daemon) -> None:
    daemon.tick()
    first = {key: daemon.version(key) for key in ("inputs/orders", "inputs/people")}
    add(daemon.shop, "u3,5,,2024-01-02 01:00:00")
    daemon.tick()
    second = {key: daemon.version(key) for key in ("inputs/orders", "inputs/people")}
    assert None not in first.values()
    assert second["inputs/people"] == first["inputs/people"]
    assert second["inputs/orders"] != first["inputs/orders"]
    count = len(daemon.instance.fetch_observations(dg.AssetKey(["inputs", "orders"]), limit=9).records)
    daemon.tick()
    assert len(daemon.instance.fetch_observations(dg.AssetKey(["inputs", "orders"]), limit=9).records) == count


def test_without_partitions_everything_is_asked_for(daemon: Daemon) -> None:
    daemon.calendar = None
    keys = []
    for row in ((), ("u3,5,,2024-01-02 01:00:00",), ("u3,6,,2024-01-02 01:00:00",)):
        add(daemon.shop, *row)
        (request,) = daemon.evaluate().run_requests or ()
        assert not {"dagster/asset_partition_range_start", "dagster/partition"} & request.tags.keys()
        keys.append(request.run_key)
        daemon.cursor = daemon.evaluate().cursor
        assert not daemon.evaluate().run_requests
    assert keys == ["@1", "@2", "@3"]


def test_pipeline_yaml_says_how(daemon: Daemon) -> None:
    (daemon.shop.folder / "pipeline.yaml").write_text("inputs: {orders: {changes: late}}\n", encoding="utf-8")
    daemon.tick()
    write(daemon.shop, "orders", ORDERS.replace("u2,20", "u2,21"))
    assert daemon.tick() == []
    records = daemon.instance.fetch_observations(dg.AssetKey(["inputs", "orders"]), limit=1).records
    assert records[0].asset_observation is not None
    said = {name: value.value for name, value in records[0].asset_observation.metadata.items()}
    assert said["profiles/not_seen"] == "rows that are corrected in place are not seen"
    assert said["profiles/why_so"] == "as pipeline.yaml says"


@pytest.mark.parametrize(
    ("text", "status", "interval"),
    [
        ("", dg.DefaultSensorStatus.STOPPED, 60),
        ("sensor: {enabled: true, interval: 5m}", dg.DefaultSensorStatus.RUNNING, 300),
        ("sensor: {interval: 100ms}", dg.DefaultSensorStatus.STOPPED, 1),
    ],
)
def test_whether_it_runs_and_how_often(shop: Shop, text: str, status: dg.DefaultSensorStatus, interval: int) -> None:
    (shop.folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    sensor = build_sensor(watched_of(shop.load(), DAILY), "profiles_run")
    assert sensor is not None
    assert (sensor.default_status, sensor.minimum_interval_seconds) == (status, interval)


def test_it_can_be_left_out(shop: Shop) -> None:
    (shop.folder / "pipeline.yaml").write_text("sensor: false\n", encoding="utf-8")
    assert build_sensor(watched_of(shop.load(), DAILY), "profiles_run") is None


def test_the_runs_that_are_asked_for_bring_everything_up_to_date(shop: Shop) -> None:
    (shop.folder / "pipeline.yaml").write_text("partitions: {start: 2024-01-01}\n", encoding="utf-8")
    definitions = build_definitions(shop.folder)
    job = definitions.resolve_job_def("profiles_run")
    total = "select user_main_id, total from user_feature_view where total is not null order by total"
    stitcher = dg.AssetKey(["models", "user_default_id_stitcher"])
    with dg.instance_for_test() as instance:
        cursor: str | None = None
        for text, asked in ((ORDERS, 1), (ORDERS + "u3,5,,2024-01-02 01:00:00\n", 2), (ORDERS, 2)):
            write(shop, "orders", text)
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, definitions=definitions, sensor_name=SENSOR_NAME
            ) as context:
                tick = definitions.resolve_sensor_def(SENSOR_NAME).evaluate_tick(context)
            cursor = tick.cursor
            assert len(tick.run_requests or ()) == asked
            for request in tick.run_requests or ():
                result = job.execute_in_process(instance=instance, tags=dict(request.tags))
                assert result.success, result.all_events
            late = {range_of(request) for request in (tick.run_requests or ())[:-1]}
            assert late == ({"2024-01-02...2024-01-02"} if asked == 2 else set())
            found = [amount for _, amount in shop.query(total)]
            assert found == ([5, 20, 40] if "u3" in text else [20, 40])
        today = datetime.now(UTC).date().isoformat()
        assert instance.get_materialized_partitions(stitcher) >= {"2024-01-02", today}
