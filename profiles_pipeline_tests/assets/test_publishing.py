"""Publishers in Dagster: downstream of what they publish, with their counts, and their guards as checks."""

from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets import ProfilesTranslator, PublisherProps, build_definitions

from .conftest import AT_END_TIME, NO_PARTITIONS, Query, failure_texts, materialize

PUBLISH = """
publish:
  - name: crm
    from: user/all/feature_view
    key: user_id
    destination: table
    guards: {first_run: ask}
"""
KEY = dg.AssetKey(["publish", "crm"])


@pytest.fixture
def definitions(quickstart: Path) -> dg.Definitions:
    (quickstart / "pipeline.yaml").write_text(NO_PARTITIONS + PUBLISH, encoding="utf-8")
    return build_definitions(quickstart)


def approved() -> dict[str, object]:
    return {**AT_END_TIME, "ops": {"publish__crm": {"config": {"approve": True}}}}


def test_a_publisher_is_an_asset_that_only_its_own_job_uses(definitions: dg.Definitions, quickstart: Path) -> None:
    graph = definitions.resolve_asset_graph()
    stitcher = next(key for key in graph.get_all_asset_keys() if "stitcher" in key.path[-1])
    assert graph.get(KEY).parent_keys == {dg.AssetKey(["user", "all", "feature_view"]), stitcher}
    assert KEY not in definitions.resolve_job_def("profiles_run").asset_layer.executable_asset_keys
    assert definitions.resolve_job_def("profiles_run_publish").asset_layer.executable_asset_keys == {KEY}

    class Prefixed(ProfilesTranslator):
        def get_publisher_spec(self, publisher: PublisherProps) -> dg.AssetSpec:
            spec = super().get_publisher_spec(publisher)
            return spec.replace_attributes(key=spec.key.with_prefix("c360"))

    renamed = build_definitions(quickstart, translator=Prefixed()).resolve_asset_graph().get_all_asset_keys()
    assert dg.AssetKey(["c360", "publish", "crm"]) in renamed


def test_guards_are_checks_and_what_was_written_is_metadata(
    definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query
) -> None:
    whole = definitions.resolve_implicit_global_asset_job_def()
    stopped = whole.execute_in_process(instance=instance, run_config=AT_END_TIME, raise_on_error=False)
    assert not stopped.success
    assert "profiles publish crm --approve" in failure_texts(stopped)
    checks = {e.check_name: e.passed for e in stopped.get_asset_check_evaluations() if e.asset_key == KEY}
    assert checks == {"untouched": True, "first_run": False, "deleted_share": True, "rejected_share": True}
    assert query("SELECT COUNT(*) FROM duckdb_tables() WHERE table_name = 'crm'") == [(0,)]

    done = materialize(definitions, instance, "publish/crm", run_config=approved())
    assert done.success
    (event,) = done.asset_materializations_for_node("publish__crm")
    (rows,) = query("SELECT COUNT(*) FROM profiles.crm")[0]
    assert rows
    told = {name: event.metadata[f"profiles/{name}"].value for name in ("inserted", "updated", "deleted", "unchanged")}
    assert told == {"inserted": rows, "updated": 0, "deleted": 0, "unchanged": 0}
    assert all(e.passed for e in done.get_asset_check_evaluations())

    again = materialize(definitions, instance, "publish/crm", run_config=AT_END_TIME)
    (event,) = again.asset_materializations_for_node("publish__crm")
    assert (event.metadata["profiles/inserted"].value, event.metadata["profiles/unchanged"].value) == (0, rows)
    assert query("SELECT COUNT(*) FROM profiles.publications") == [(1,)]


def test_what_a_run_has_built_itself_is_published_by_it(
    definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query
) -> None:
    whole = definitions.resolve_implicit_global_asset_job_def()
    done = whole.execute_in_process(instance=instance, run_config=approved(), raise_on_error=False)
    assert done.success
    seq_no = instance.get_run_by_id(done.run_id)
    assert seq_no is not None
    assert query("SELECT seq_no FROM profiles.publications") == [(int(seq_no.tags["profiles/seq_no"]),)]
