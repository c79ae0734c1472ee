"""Partitions: their windows and keys, against Dagster's; and which ones a project has."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles_pipeline.assets.partitioning import definition_of
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.partitions import Cadence, Calendar, Partitions, asked_for, partitions_of, shown
from profiles_pipeline_tests.test_run import Shop

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
CADENCES: tuple[Cadence, ...] = ("hourly", "daily", "weekly", "monthly", "grain month", "grain year")
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo"),
    *("Asia/Kolkata", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe"),
)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    cadence = draw(st.sampled_from(CADENCES))
    of_grain = cadence.startswith("grain")
    zone = "UTC" if of_grain else draw(st.sampled_from(ZONES))
    start = datetime(2014, 1, 1, tzinfo=UTC) + draw(st.timedeltas(timedelta(0), timedelta(days=2000)))
    return Calendar(cadence, start.replace(microsecond=0), zone, not of_grain and draw(st.booleans()))


@settings(max_examples=150, deadline=None)
@given(calendars(), st.timedeltas(timedelta(days=-3), timedelta(days=500)), st.booleans())
def test_dagster_has_the_same_keys_for_the_same_windows(calendar: Calendar, later: timedelta, at_edge: bool) -> None:
    now = calendar.start + later * (0.05 if calendar.cadence == "hourly" else 1)
    now = calendar.at(now).begin if at_edge else now.replace(microsecond=0)
    definition, newest = definition_of(calendar), calendar.newest(now)
    own = calendar.between(calendar.first, newest) if newest else ()
    with dg.partition_loading_context(effective_dt=now):
        keys = definition.get_partition_keys()
    assert list(keys) == [partition.key for partition in own]
    for partition in own[:3] + own[-3:]:
        window = definition.time_window_for_partition_key(partition.key)
        assert (window.start.astimezone(UTC), window.end.astimezone(UTC)) == (partition.begin, partition.end)
        assert calendar.find(partition.key) == partition
        assert calendar.before(partition.end) == calendar.at(partition.begin) == partition


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- what is asked for --------------------------------------------------------------------------------------------

DAYS = Calendar("daily", day("2024-01-01"))


def test_a_range_has_both_of_its_ends() -> None:
    found = asked_for(DAYS, "2024-02-28", "2024-03-01", NOW)
    assert [p.key for p in found] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert asked_for(DAYS, "2026-11-23", "2026-11-23", NOW)[0].is_open(NOW)


@pytest.mark.parametrize(
    ("calendar", "first", "last", "code"),
    [
        (DAYS, "2024-02-30", "2024-03-01", "unknown-partition"),
        (DAYS, "24-02-01", "2024-03-01", "unknown-partition"),
        (DAYS, "2023-12-31", "2024-03-01", "partition-before-start"),
        (DAYS, "2024-03-01", "2026-11-24", "future-partition"),
        (DAYS, "2024-03-01", "2024-02-28", "partition-order"),
        (Calendar("weekly", day("2024-01-01")), "2024-01-02", "2024-01-02", "unknown-partition"),
        (Calendar("daily", day("2027-01-01")), "2027-01-01", "2027-01-01", "unknown-partition"),
        (Calendar("grain month", day("2024-01-01"), has_open=False), "2026-11-02", "2026-11-02", "future-partition"),
    ],
)
def test_what_does_not_exist_is_told(calendar: Calendar, first: str, last: str, code: str) -> None:
    with pytest.raises(ProjectError) as raised:
        asked_for(calendar, first, last, NOW)
    assert [problem.code for problem in raised.value.problems] == [code]


# --- what a material stands for -----------------------------------------------------------------------------------

MONTHS = Calendar("grain month", day("2024-01-01"), has_open=False)
FOUND = Partitions(DAYS, {"graph": DAYS, "monthly": MONTHS})


@pytest.mark.parametrize(
    ("path", "end", "asked", "keys"),
    [
        ("graph", "2024-03-02", None, ["2024-03-01"]),
        ("graph", "2024-03-02", ("2024-02-28", "2024-03-01"), ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ("graph", "2024-03-02T12:00:00", None, []),
        ("graph", "2026-11-23T12:00:00", None, ["2026-11-23"]),
        ("graph", "2024-01-01", None, []),
        ("monthly", "2024-03-04", ("2024-02-28", "2024-03-03"), ["2024-02-05"]),
        ("monthly", "2024-03-05", None, []),
        ("view", "2024-03-02", None, []),
    ],
)
def test_a_material_stands_for_what_ends_when_it_does(
    path: str, end: str, asked: tuple[str, str] | None, keys: list[str]
) -> None:
    assert [partition.key for partition in shown(FOUND, path, day(end), NOW, asked)] == keys


# --- which partitions a project has -------------------------------------------------------------------------------

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
default_time_grain: {grain}
entities: [{{name: user, id_types: [user_id], default_id_stitcher: {{validity_time: {stitcher}}}}}]
id_types: [{{name: user_id}}]
"""
MODELS = """
inputs:
  - {name: orders, table: orders, occurred_at_col: ts, ids: [{select: user_id, type: user_id, entity: user}]}
models:
  - {name: table, model_type: feature_table_model, model_spec: {entity_key: user, validity_time: VALIDITY}}
var_groups:
  - {name: vars, entity_key: user, time_grain: GRAIN, vars: [
      {entity_var: {name: total, select: sum(amount), from: inputs/orders}}]}
"""


def partitions(folder: Path, pipeline: str = "", **values: str) -> Partitions | None:
    named = {"grain": "tick", "stitcher": "0s", "validity": "0s", "group": "tick"} | values
    models = MODELS.replace("VALIDITY", named["validity"]).replace("GRAIN", named["group"])
    shop = Shop(folder)
    shop.write(models, PROJECT.format(grain=named["grain"], stitcher=named["stitcher"]), {})
    (folder / "pipeline.yaml").write_text(pipeline, encoding="utf-8")
    return partitions_of(shop.load(), NOW)


@pytest.mark.parametrize(
    ("values", "cadence"),
    [
        ({}, "daily"),
        ({"validity": "24h"}, "daily"),
        ({"validity": "30m"}, "hourly"),
        ({"validity": "36h"}, "daily"),
        ({"validity": "7d", "stitcher": "3h"}, "hourly"),
        ({"validity": "7d"}, "weekly"),
        ({"validity": "720h"}, "monthly"),
        ({"group": "month"}, "daily"),
        ({"group": "hour"}, "hourly"),
        ({"grain": "day", "group": "day"}, "daily"),
        ({"pipeline": "partitions: {cadence: weekly}", "validity": "1h"}, "weekly"),
    ],
)
def test_the_cadence_follows_from_the_finest_time(tmp_path: Path, values: dict[str, str], cadence: str) -> None:
    found = partitions(tmp_path, **values)
    assert found is not None
    assert found.main.cadence == cadence


@pytest.mark.parametrize(
    ("pipeline", "first"),
    [
        ("", "2025-01-01"),
        ("partitions: {cadence: hourly}", "2026-10-01-00:00"),
        ("partitions: {start: 2024-05-05}", "2024-05-05"),
        ("partitions: {start: 2024-05-05, cadence: weekly}", "2024-04-29"),
        ("partitions: {start: 2024-05-05T23:30:00Z, timezone: Europe/Berlin}", "2024-05-06"),
        ("partitions: {start: 2024-05-05, timezone: America/New_York}", "2024-05-05"),
    ],
)
def test_where_partitions_begin(tmp_path: Path, pipeline: str, first: str) -> None:
    found = partitions(tmp_path, pipeline)
    assert found is not None
    assert found.main.first.key == first


def test_no_partitions(tmp_path: Path) -> None:
    assert partitions(tmp_path, "partitions: false") is None


def test_models_that_all_follow_a_grain_have_its_partitions(tmp_path: Path) -> None:
    found = partitions(tmp_path, "partitions: {timezone: Europe/Berlin}", grain="day", group="day")
    assert found is not None
    assert (found.main.timezone, found.main.has_open) == ("UTC", False)
    assert set(found.of_models.values()) == {found.main}


def test_the_first_monday_is_not_the_first_of_a_month(tmp_path: Path) -> None:
    found = partitions(tmp_path, "partitions: {start: 2024-01-01}", group="month")
    assert found is not None
    (monthly,) = (path for path in found.of_models if found.has_own(path))
    assert [p.key for p in asked_for(found.of_models[monthly], "2024-01-01", "2024-03-04", NOW)] == [
        "2024-01-01", "2024-02-05", "2024-03-04",
    ]  # fmt: skip
