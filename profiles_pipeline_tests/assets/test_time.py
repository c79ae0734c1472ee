"""Dagster runs of projects that look back in time."""

from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets import build_definitions
from profiles_pipeline_tests import test_past, test_time_grain
from profiles_pipeline_tests.assets.conftest import NO_PARTITIONS, failure_texts, materialize, settled_in
from profiles_pipeline_tests.test_run import Shop


def at(end: str) -> dict[str, object]:
    return {"resources": {"profiles": {"config": {"end_time": end}}}}


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return {event.asset_key.to_user_string(): event for event in events}


@pytest.fixture
def monthly(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.write(test_time_grain.MODELS, test_time_grain.PROJECT, {"orders": test_time_grain.ORDERS})
    (tmp_path / "pipeline.yaml").write_text(NO_PARTITIONS, encoding="utf-8")
    return made


def test_an_asset_stands_for_the_window_of_its_grain(monthly: Shop, instance: dg.DagsterInstance) -> None:
    definitions = build_definitions(monthly.folder)
    first = materialize(definitions, instance, run_config=at("2024-02-10T12:00:00Z"))
    assert first.success, failure_texts(first)
    assert settled_in(instance, first) == 1
    months = [event for key, event in materialized(first).items() if "/month" in key]
    assert len(months) == 2
    assert {event.metadata["profiles/end_time"].value for event in months} == {1707091200.0}
    assert materialized(first)["user/all/feature_view"].metadata["profiles/seq_no"].value == 1
    second = materialize(definitions, instance, run_config=at("2024-02-21T12:00:00Z"))
    assert second.success, failure_texts(second)
    reused = {key for key, event in materialized(second).items() if event.metadata["profiles/reused"].value}
    assert reused == {key for key in materialized(second) if "/month" in key}
    assert monthly.query(test_time_grain.VARS) == [(30, None, None, None, None), (35, 10, 20, 25, 1)]


def test_what_needs_an_earlier_state_is_skipped_at_first(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    shop = test_past.shop_of(tmp_path, test_past.GROWTH)
    (shop.folder / "pipeline.yaml").write_text(NO_PARTITIONS, encoding="utf-8")
    definitions = build_definitions(shop.folder)
    first = materialize(definitions, instance, run_config=at("2024-01-10"))
    assert first.success, failure_texts(first)
    skipped = {event.step_key for event in first.filter_events(lambda e: e.is_step_skipped)}
    assert "models__readers_of_newcomers" in skipped
    assert not {"models/newcomers", "models/readers_of_newcomers"} & materialized(first).keys()
    assert shop.query("SELECT count(*) FROM growth") == [(2,)]
    second = materialize(definitions, instance, run_config=at("2024-01-30"))
    assert second.success, failure_texts(second)
    assert {"models/newcomers", "models/readers_of_newcomers"} <= materialized(second).keys()
    assert shop.query("SELECT n FROM readers_of_newcomers") == [(1,)]
