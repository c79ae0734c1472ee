"""Events about many partitions, written together or one by one: the instance knows the same."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from profiles_pipeline.assets.instance import CONFIG_FILE, open_instance
from profiles_pipeline.assets.storage import BATCH_SIZE, BATCH_VARIABLE, BatchedEventLogStorage
from profiles_pipeline.report import instance_folder

DAYS = dg.DailyPartitionsDefinition("2023-01-01")
RANGE = {"dagster/asset_partition_range_start": "2023-01-01", "dagster/asset_partition_range_end": "2023-02-28"}
KEYS = [dg.AssetKey("first"), dg.AssetKey("second")]


@dg.multi_asset(
    specs=[dg.AssetSpec("first", partitions_def=DAYS)],
    check_specs=[dg.AssetCheckSpec("fine", asset="first")],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def first() -> Iterator[dg.MaterializeResult]:
    check = dg.AssetCheckResult(passed=True, check_name="fine", asset_key="first")
    yield dg.MaterializeResult("first", metadata={"rows": 1}, data_version=dg.DataVersion("a"), check_results=[check])


@dg.multi_asset(
    specs=[dg.AssetSpec("second", partitions_def=DAYS, deps=["first"])], backfill_policy=dg.BackfillPolicy.single_run()
)
def second(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    if context.run.tags.get("fail"):
        raise ZeroDivisionError
    yield dg.MaterializeResult("second", metadata={"rows": 2})


def known(instance: dg.DagsterInstance) -> dict[str, object]:
    """What an instance says about the two assets."""
    said: dict[str, object] = {}
    for key in KEYS:
        records = instance.fetch_materializations(key, limit=1000).records
        events = [record.event_log_entry.asset_materialization for record in records]
        latest = instance.get_latest_materialization_event(key)
        planned = (
            instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations
        )
        said[key.to_user_string()] = (
            [(e.partition, e.metadata["rows"].value, sorted(e.tags or ())) for e in events if e is not None],
            sorted(instance.get_materialized_partitions(key)),
            latest and latest.asset_materialization and latest.asset_materialization.partition,
            sorted(planned(key)),
            instance.get_event_tags_for_asset(key, {}, None)[0].keys() if records else None,
        )
    (run,) = instance.get_runs()
    said["log"] = sorted(str(e.dagster_event_type) for e in instance.all_logs(run.run_id))
    check = dg.AssetCheckKey(KEYS[0], "fine")
    summary = instance.event_log_storage.get_asset_check_summary_records([check])[check]
    said["check"] = summary.last_check_execution_record.status if summary.last_check_execution_record else None
    return said


@pytest.mark.parametrize("tags", [{}, {"fail": "yes"}])
def test_together_or_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str]) -> None:
    said = []
    for name, storage, batch in (
        ("together", BatchedEventLogStorage, BATCH_SIZE),
        ("by_threes", BatchedEventLogStorage, 3),
        ("alone", SqliteEventLogStorage, 0),
    ):
        monkeypatch.setenv(BATCH_VARIABLE, str(batch))
        home = instance_folder(tmp_path / name)
        home.mkdir(parents=True)
        if storage is SqliteEventLogStorage:
            (home / CONFIG_FILE).write_text("telemetry: {enabled: false}\n", encoding="utf-8")
        with open_instance(tmp_path / name, "test") as instance:
            assert type(instance.event_log_storage) is storage
            dg.materialize([first, second], instance=instance, tags=RANGE | tags, raise_on_error=False)
            said.append(known(instance))
    assert said[0] == said[2]
    assert said[1] == said[2]


def test_an_instance_may_change_its_storage(tmp_path: Path) -> None:
    with open_instance(tmp_path, "test") as instance:
        dg.materialize([first, second], instance=instance, tags=RANGE)
        before = known(instance)
    config = instance_folder(tmp_path) / CONFIG_FILE
    config.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with open_instance(tmp_path, "test") as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        assert known(instance) == before
