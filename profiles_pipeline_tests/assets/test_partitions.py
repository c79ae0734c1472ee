"""Partitions in Dagster: real runs on a real warehouse, and what the instance knows afterwards."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets import build_definitions
from profiles_pipeline.assets.context import Scope, candidates
from profiles_pipeline.registry import SeqNo
from profiles_pipeline_tests import test_time_grain
from profiles_pipeline_tests.assets.conftest import Query, failure_texts, materialize, settled_in
from profiles_pipeline_tests.test_run import Shop

BY_TIME = {
    "models/user_id_stitcher",
    "inputs/rsIdentifies/var_table",
    "inputs/rsTracks/var_table",
    "user/all/var_table",
}
OTHERS = {"user/all", "models/user_profile", "user/all/feature_view"}
SEQ_NOS = "select seq_no, end_ts, completion_ts is not null from profiles.wht_seq_no order by 1"


@pytest.fixture
def quickstart(quickstart: Path) -> Path:
    """The quickstart project with days from the time of its data on."""
    (quickstart / "pipeline.yaml").write_text("partitions: {start: 2023-10-01}\n", encoding="utf-8")
    return quickstart


def shown(instance: dg.DagsterInstance, *keys: str) -> dict[str, set[str]]:
    """Key of an asset -> the partitions that Dagster shows as materialized."""
    return {key: set(instance.get_materialized_partitions(dg.AssetKey(key.split("/")))) for key in keys}


def newest(instance: dg.DagsterInstance, key: str) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- which assets have which -------------------------------------------------------------------------------------


def test_only_what_works_by_event_time_has_partitions(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.materializable_asset_keys}
    assert {key for key, node in nodes.items() if node.is_partitioned} == BY_TIME
    assert nodes.keys() == BY_TIME | OTHERS
    assert {str(node.partitions_def) for node in nodes.values() if node.is_partitioned} == {
        "Daily, starting 2023-10-01 UTC. End offsetted by 1 partition."
    }
    policies = {node.backfill_policy for node in nodes.values()}
    assert policies == {dg.BackfillPolicy.single_run()}


def test_validity_times_are_freshness_policies(definitions: dg.Definitions) -> None:
    specs = {spec.key.to_user_string(): spec.freshness_policy for spec in definitions.resolve_all_asset_specs()}
    daily = dg.FreshnessPolicy.time_window(timedelta(hours=48), timedelta(hours=36))
    stated = {key: policy for key, policy in specs.items() if policy is not None}
    assert stated == dict.fromkeys(["models/user_id_stitcher", "models/user_profile"], daily)


# --- runs --------------------------------------------------------------------------------------------------------


def test_a_partition_is_as_of_its_end(definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query) -> None:
    result = materialize(definitions, instance, partitions="2023-11-07")
    assert result.success, failure_texts(result)
    assert shown(instance, *BY_TIME) == {key: {"2023-11-07"} for key in BY_TIME}
    assert query(SEQ_NOS) == [(1, datetime(2023, 11, 8), True)]
    for key in BY_TIME | OTHERS:
        assert newest(instance, key).metadata["profiles/end_time"].value == day("2023-11-08").timestamp()


def test_a_range_is_one_run_at_its_end(definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query) -> None:
    result = materialize(definitions, instance, partitions="2023-10-30...2023-11-07")
    assert result.success, failure_texts(result)
    days = {f"2023-10-{n}" for n in (30, 31)} | {f"2023-11-0{n}" for n in range(1, 8)}
    assert shown(instance, *BY_TIME) == dict.fromkeys(BY_TIME, days)
    assert query(SEQ_NOS) == [(1, datetime(2023, 11, 8), True)]
    events = [event.materialization for event in result.get_asset_materialization_events()]
    assert len(events) == len(days) * len(BY_TIME) + len(OTHERS)
    said = {event.partition: event for event in events if event.asset_key.path[-1] == "user_id_stitcher"}
    assert {event.metadata["profiles/seq_no"].value for event in said.values()} == {1}
    assert [key for key in said if "profiles/sql" in said[key].metadata] == ["2023-11-07"]


def test_the_open_partition_is_as_of_the_start_of_its_run(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    before = datetime.now(UTC).replace(microsecond=0)
    result = materialize(definitions, instance, partitions=today)
    assert result.success, failure_texts(result)
    events = [event.materialization for event in result.get_asset_materialization_events()]
    (moment,) = {event.metadata["profiles/end_time"].value for event in events}
    assert before.timestamp() <= float(str(moment)) <= datetime.now(UTC).timestamp()
    again = materialize(definitions, instance, partitions=today)
    assert settled_in(instance, again) == settled_in(instance, result) + 1


def test_what_earlier_runs_built_goes_at_the_end_of_a_run(
    quickstart: Path, instance: dg.DagsterInstance, query: Query
) -> None:
    (quickstart / "pipeline.yaml").write_text(
        "partitions: {start: 2023-10-01}\nretention: {runs: 1}\n", encoding="utf-8"
    )
    definitions = build_definitions(quickstart)
    for partition in ("2023-11-06", "2023-11-07", f"{datetime.now(UTC):%Y-%m-%d}", f"{datetime.now(UTC):%Y-%m-%d}"):
        result = materialize(definitions, instance, partitions=partition)
        assert result.success, failure_texts(result)
    assert query("select distinct seq_no from profiles.material_registry order by 1") == [(1,), (2,), (4,)]
    assert query("select count(*) from profiles.user_profile") == [(5,)]


def test_a_part_goes_on_from_what_the_partition_has(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    assert materialize(definitions, instance, *BY_TIME, "user/all", partitions="2023-11-05").success
    assert materialize(definitions, instance, *BY_TIME, "user/all", partitions="2023-11-07").success
    alone = materialize(definitions, instance, "user/all/var_table", partitions="2023-11-05")
    assert alone.success, failure_texts(alone)
    assert settled_in(instance, alone) == 1
    views = materialize(definitions, instance, "models/user_profile", "user/all/feature_view")
    assert views.success, failure_texts(views)
    assert settled_in(instance, views) == 2
    missing = materialize(definitions, instance, "user/all/var_table", partitions="2023-11-06")
    assert "no run has built" in failure_texts(missing)
    assert "for 2023-11-07T00:00:00Z" in failure_texts(missing)


def test_what_was_built_before_it_opened_is_not_taken_for_the_open_partition(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    assert materialize(definitions, instance, *BY_TIME, "user/all", partitions="2023-11-05").success
    result = materialize(definitions, instance, "user/all/var_table", partitions=f"{datetime.now(UTC):%Y-%m-%d}")
    assert "no run has built" in failure_texts(result)


@pytest.mark.parametrize(
    ("partitions", "end_time", "said"),
    [
        ("", None, "the run says no partition to build"),
        ("2023-11-05", "2023-11-05T12:00:00Z", "end_time 2023-11-05T12:00:00Z is not the end of partition 2023-11-05"),
    ],
)
def test_a_run_that_cannot_be_meant_builds_nothing(
    definitions: dg.Definitions, instance: dg.DagsterInstance, partitions: str, end_time: str | None, said: str
) -> None:
    config: dict[str, object] | None = (
        {"resources": {"profiles": {"config": {"end_time": end_time}}}} if end_time else None
    )
    result = materialize(definitions, instance, partitions=partitions, run_config=config)
    assert said in failure_texts(result)
    assert not result.get_asset_materialization_events()


# --- time grains --------------------------------------------------------------------------------------------------

MONTHLY = "user/all/var_table/month"
ALL_BUT_MONTHLY = ("models/user_default_id_stitcher", "inputs/orders/var_table", "user/all/var_table")


@pytest.fixture
def monthly(tmp_path: Path) -> Shop:
    """A project with vars as of the first Monday of a month: 2024-01-01, 2024-02-05, 2024-03-04."""
    made = Shop(tmp_path)
    made.write(test_time_grain.MODELS, test_time_grain.PROJECT, {"orders": test_time_grain.ORDERS})
    (tmp_path / "pipeline.yaml").write_text("partitions: {start: 2024-01-01, cadence: daily}\n", encoding="utf-8")
    return made


def grained(definitions: dg.Definitions) -> dict[str, dg.PartitionsDefinition]:
    graph = definitions.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key).partitions_def for key in graph.materializable_asset_keys}
    return {key: found for key, found in nodes.items() if found is not None and "month" in key}


def test_models_with_a_time_grain_have_partitions_of_their_own(monthly: Shop) -> None:
    definitions = build_definitions(monthly.folder)
    dg.Definitions.validate_loadable(definitions)
    (found, *_) = grained(definitions).values()
    with dg.partition_loading_context(effective_dt=day("2024-04-02")):
        assert list(found.get_partition_keys()) == ["2024-01-01", "2024-02-05", "2024-03-04"]
    graph = definitions.resolve_asset_graph()
    child, parent = dg.AssetKey(["user", "all", "var_table"]), next(iter(grained(definitions)))
    mapping = graph.get_partition_mapping(child, dg.AssetKey(parent.split("/")))
    assert mapping.start_offset == mapping.end_offset == -1  # type: ignore[attr-defined]


def test_a_day_builds_the_month_that_it_needs_and_tells_it(monthly: Shop, instance: dg.DagsterInstance) -> None:
    definitions = build_definitions(monthly.folder)
    keys = tuple(grained(definitions))
    first = materialize(definitions, instance, partitions="2024-02-10")
    assert first.success, failure_texts(first)
    assert shown(instance, *keys) == {key: {"2024-01-01"} for key in keys}
    assert shown(instance, *ALL_BUT_MONTHLY) == {key: {"2024-02-10"} for key in ALL_BUT_MONTHLY}
    assert monthly.query(test_time_grain.VARS) == [(30, 10, 20, 20, 1), (30, None, None, None, None)]
    second = materialize(definitions, instance, partitions="2024-02-20")
    assert second.success, failure_texts(second)
    told = [e.asset_key.to_user_string() for e in second.get_asset_materialization_events() if e.asset_key]
    assert not set(keys) & set(told)
    assert monthly.query(test_time_grain.VARS) == [(30, None, None, None, None), (35, 10, 20, 25, 1)]


def test_a_month_is_built_with_all_that_it_is_made_from(monthly: Shop, instance: dg.DagsterInstance) -> None:
    definitions = build_definitions(monthly.folder)
    keys = tuple(grained(definitions))
    result = materialize(definitions, instance, *keys, partitions="2024-02-05")
    assert result.success, failure_texts(result)
    assert shown(instance, *keys) == {key: {"2024-02-05"} for key in keys}
    assert monthly.query("SELECT max(end_ts), count(*) FROM wht_seq_no") == [(datetime(2024, 3, 4), 1)]
    table = newest(instance, keys[-1]).metadata["profiles/relation"].value
    assert monthly.query(f"SELECT max(total_then) FROM {table}") == [(35,)]


# --- which context a run goes on in -------------------------------------------------------------------------------

NOON, MIDNIGHT, NEXT = (datetime(2024, 3, day, hour, tzinfo=UTC) for day, hour in ((9, 12), (10, 0), (11, 0)))


@pytest.mark.parametrize(
    ("end", "since", "needed", "numbers"),
    [
        (MIDNIGHT, MIDNIGHT - timedelta(days=1), {"a"}, [2, 1]),  # it was open at noon, and is not any more
        (MIDNIGHT, MIDNIGHT - timedelta(days=1), set(), [2]),
        (MIDNIGHT, None, {"a"}, [2]),
        (None, MIDNIGHT - timedelta(days=1), {"a"}, [1, 2, 1]),
        (None, MIDNIGHT, {"a"}, []),
        (NEXT, MIDNIGHT, {"a"}, []),
    ],
)
def test_a_repeated_run_goes_on_where_the_first_one_was_left(
    end: datetime | None, since: datetime | None, needed: set[str], numbers: list[int]
) -> None:
    known = (SeqNo(2, None, MIDNIGHT, NEXT, True, "cli"), SeqNo(1, None, NOON, NOON, False, "dagster:x"))
    scope = Scope("dagster:x", frozenset(), frozenset(), None, 1, end, {}, since)
    assert [s.number for s in candidates(known, scope, frozenset(needed))] == numbers
