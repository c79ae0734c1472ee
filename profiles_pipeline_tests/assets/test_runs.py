"""Runs in process, on real data and a real warehouse."""

import threading
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.observe import observe
from dagster._core.execution.api import execute_run

from profiles_pipeline import run
from profiles_pipeline.assets import ProfilesDuckDBResource, ProfilesResource, build_definitions
from profiles_pipeline.assets.assets import build_assets
from profiles_pipeline.connections import embedded
from profiles_pipeline.errors import LockTimeoutError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.warehouse.lock import hold
from profiles_pipeline_tests.assets.conftest import AT_END_TIME, END_TIME, Query, failure_texts, materialize, settled_in
from profiles_pipeline_tests.assets.test_definitions import Renamed

ROW_COUNTS = {
    "models/user_id_stitcher": 19,
    "inputs/rsIdentifies/var_table": 14,
    "inputs/rsTracks/var_table": 39,
    "user/all": 5,
    "user/all/var_table": 5,
    "models/user_profile": 5,
    "user/all/feature_view": 5,
}
TRACKS = dg.AssetKey(["inputs", "rsTracks"])
REST = {"user/all/var_table", "models/user_profile", "user/all/feature_view"}
PLAIN_VIEWS = "select view_name from duckdb_views() where not internal and view_name not like 'Material%' order by 1"
VIEW_OF_PROFILE = """
    select view_name, regexp_extract(sql, 'Material_user_profile_[0-9a-f]+_([0-9]+)', 1) from duckdb_views()
    where schema_name = 'profiles' and view_name = 'user_profile'
"""


def built(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    events = [event.materialization for event in result.get_asset_materialization_events()]
    return {event.asset_key.to_user_string(): event for event in events}


def break_a_value(project: Path) -> str:
    """Let an identifier of a session be no number, where a var needs one; return the file as it was."""
    models = project / "models" / "profiles.yaml"
    text = models.read_text(encoding="utf-8")
    item = "        - entity_var:\n            name: "
    var = f"{item}highest_session\n            select: max(cast(session_id as integer))\n"
    anchor = f"{item}n_active_days_total\n"
    assert anchor in text
    models.write_text(text.replace(anchor, f"{var}            from: inputs/rsTracks\n{anchor}"), encoding="utf-8")
    data = project / "data" / "profiles_sample.ecommerce.tracks.csv"
    good = data.read_text(encoding="utf-8")
    data.write_text(good.replace(",105,", ",one-o-five,", 1), encoding="utf-8")
    assert data.read_text(encoding="utf-8") != good
    return good


# --- everything ---------------------------------------------------------------------------------------------------


def test_everything_is_built_checked_and_promoted(
    definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query
) -> None:
    result = materialize(definitions, instance, run_config=AT_END_TIME)
    assert result.success
    assert {key: event.metadata["dagster/row_count"].value for key, event in built(result).items()} == ROW_COUNTS
    checks = result.get_asset_check_evaluations()
    assert ("user/all/var_table", "one_row_per_member") in {
        (c.asset_key.to_user_string(), c.check_name) for c in checks
    }
    assert all(c.passed and c.metadata["profiles/broken_rows"].value == 0 for c in checks)
    assert query("select count(*) from profiles.user_profile") == [(5,)]
    assert query(VIEW_OF_PROFILE) == [("user_profile", "1")]


def rows_seen(instance: dg.DagsterInstance, key: str) -> list[object]:
    """Row counts of all observations of an input."""
    records = instance.fetch_observations(dg.AssetKey(key.split("/")), limit=10).records
    return [o.metadata["dagster/row_count"].value for r in records if (o := r.asset_observation)]


def test_a_run_observes_each_input_once(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    assert materialize(definitions, instance, run_config=AT_END_TIME).success
    assert rows_seen(instance, "inputs/rsTracks") == [42]
    assert rows_seen(instance, "inputs/rsIdentifies") == [15]
    assert materialize(definitions, instance, run_config=AT_END_TIME).success
    assert rows_seen(instance, "inputs/rsTracks") == [42]  # nothing was built, so nothing was read


def test_an_input_can_be_observed_alone(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    (asset,) = (a for a in definitions.assets or () if isinstance(a, dg.AssetsDefinition) and a.key == TRACKS)
    result = observe([asset], resources=definitions.resources, instance=instance)
    assert result.success
    assert rows_seen(instance, "inputs/rsTracks") == [42]


def test_what_is_said_about_a_material(
    definitions: dg.Definitions, instance: dg.DagsterInstance, quickstart: Path
) -> None:
    event = built(materialize(definitions, instance, run_config=AT_END_TIME))["models/user_profile"]
    said = {name: value.value for name, value in event.metadata.items()}
    assert said["profiles/material"].startswith("Material_user_profile_")
    assert said["profiles/seq_no"] == 1
    assert event.metadata["profiles/end_time"] == dg.MetadataValue.timestamp(1699401600.0)
    assert said["profiles/seconds"] > 0
    assert said["profiles/sql"].startswith("```sql\n-- models/user_profile")
    assert Path(said["profiles/sql_file"]).is_relative_to(quickstart / "output")
    assert said["profiles/defined_in"].startswith(f"{quickstart}/models/profiles.yaml:")
    columns = {column.name: column.type for column in said["dagster/column_schema"].columns}
    assert columns["n_active_days_total"] == "BIGINT"
    described = {column.name: column.description for column in said["dagster/column_schema"].columns}
    assert described["n_active_days_total"] == "Number of different days with at least one event."
    assert event.tags is not None
    assert event.tags["dagster/data_version"] == said["profiles/material"]


def test_columns_passed_on_have_lineage_once_they_are_known(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    event = built(materialize(definitions, instance, run_config=AT_END_TIME))["inputs/rsTracks/var_table"]
    lineage = event.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    tracks = dg.AssetKey(["inputs", "rsTracks"])
    assert lineage.deps_by_column["id"] == [dg.TableColumnDep(tracks, "id")]
    assert lineage.deps_by_column["event"] == [dg.TableColumnDep(tracks, "event")]
    assert "input_row_id" not in lineage.deps_by_column


def test_every_run_has_a_time_context_of_its_own(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    results = [materialize(definitions, instance) for _ in range(2)]
    assert [settled_in(instance, result) for result in results] == [1, 2]
    assert {event.metadata["profiles/seq_no"].value for event in built(results[1]).values()} == {2}


def test_the_same_moment_is_not_built_twice(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    materialize(definitions, instance, run_config=AT_END_TIME)
    again = materialize(definitions, instance, run_config=AT_END_TIME)
    assert {event.metadata["profiles/reused"].value for event in built(again).values()} == {True}
    assert len(again.get_asset_check_evaluations()) == 11


def test_what_was_built_says_how_and_why(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    days = [{"resources": {"profiles": {"config": {"end_time": f"2023-11-0{day}T00:00:00Z"}}}} for day in (6, 7, 8, 8)]
    runs = [built(materialize(definitions, instance, run_config=day)) for day in days]
    said = [run["user/all/var_table"].metadata for run in runs]
    assert [found["profiles/action"].value for found in said] == [
        "build: no material of this definition for this window",
        "build: reads everything, and keeps what later runs go on from",
        "increment: reads what changed since 2023-11-07 00:00:00",
        "reuse: complete for this window, definition unchanged",
    ]
    table = said[2]["profiles/strategies"]
    assert isinstance(table, dg.TableMetadataValue)
    rows = {record.data["var"]: record.data for record in table.records}
    assert rows["n_active_days_total"] == {
        "var": "n_active_days_total",
        "brought up to date by": "state",
        "because": "kept per id and day",
    }
    assert "profiles/strategies" not in said[0]
    assert "profiles/strategies" not in said[3]


def test_dagster_and_the_command_line_share_the_registry(
    definitions: dg.Definitions, instance: dg.DagsterInstance, quickstart: Path
) -> None:
    result = materialize(definitions, instance)
    project = ProfilesProject.load(quickstart)
    with run.open_session(project, embedded(quickstart), "test") as session:
        (context,) = session.registry.seq_nos(project.name)
        materials = session.registry.materials(context.number)
    assert (context.invocation, context.complete) == (f"dagster:{result.run_id}", True)
    assert len(materials) == len(ROW_COUNTS)


# --- parts of a project -------------------------------------------------------------------------------------------


def test_a_part_without_its_upstream_works_in_the_newest_context_that_has_it(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    for _ in range(2):
        materialize(definitions, instance)
    part = materialize(definitions, instance, "models/user_profile", "user/all/feature_view")
    assert part.success, failure_texts(part)
    assert settled_in(instance, part) == 2
    assert built(part).keys() == {"models/user_profile", "user/all/feature_view"}


def test_a_part_with_its_upstream_gets_a_new_context(
    definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query
) -> None:
    part = materialize(definitions, instance, "models/user_id_stitcher", "user/all")
    assert part.success, failure_texts(part)
    assert query("select count(*) from profiles.user_all") == [(5,)]
    assert query(VIEW_OF_PROFILE) == []
    rest = [key for key in ROW_COUNTS if key not in ("models/user_id_stitcher", "user/all")]
    assert settled_in(instance, materialize(definitions, instance, *rest)) == settled_in(instance, part)
    assert query(VIEW_OF_PROFILE) == [("user_profile", "1")]


def test_a_part_whose_upstream_nobody_built_says_what_to_select(
    definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query
) -> None:
    result = materialize(definitions, instance, "models/user_profile")
    assert not result.success
    said = failure_texts(result)
    assert "no run has built" in said
    assert "'user/all/var_table'" in said
    assert '+key:"models/user_profile"' in said
    assert query("select count(*) from profiles.wht_seq_no") == [(0,)]


def test_a_changed_definition_upstream_counts_as_not_built(
    definitions: dg.Definitions, instance: dg.DagsterInstance, quickstart: Path
) -> None:
    materialize(definitions, instance)
    models = quickstart / "models" / "profiles.yaml"
    models.write_text(models.read_text(encoding="utf-8").replace("<= 365", "<= 180"), encoding="utf-8")
    changed = build_definitions(quickstart)
    assert not materialize(changed, instance, "models/user_profile").success
    assert materialize(changed, instance, "user/all/var_table", "models/user_profile").success


BUSY_ROWS = """
  - name: busy_rows
    model_type: sql_template
    model_spec:
      single_sql: |
        {% with days = this.DeRef("user/all/n_active_days_total") %}
        select main_id, n_active_days_total from {{days}} where n_active_days_total > 5
        {% endwith %}
      ids:
        - select: main_id
          type: main_id
          entity: user
"""


def test_a_var_table_in_parts_is_built_part_by_part(quickstart: Path, instance: dg.DagsterInstance) -> None:
    models = quickstart / "models" / "profiles.yaml"
    item = "        - entity_var:\n            name: "
    busy = f"{item}busy\n            select: max(n_active_days_total)\n            from: models/busy_rows\n"
    first = f"{item}n_active_days_total\n"
    text = models.read_text(encoding="utf-8")
    models.write_text(text.replace(first, busy + first) + BUSY_ROWS, encoding="utf-8")
    definitions = build_definitions(quickstart)
    result = materialize(definitions, instance, run_config=AT_END_TIME)
    assert result.success, failure_texts(result)
    assert built(result).keys() > {"user/all/var_table/part_1", "models/busy_rows", "user/all/var_table"}
    alone = materialize(definitions, instance, "user/all/var_table/part_1", run_config=AT_END_TIME)
    assert alone.success, failure_texts(alone)


BARE_NAME = """\
        - input_var:
            name: age_in_days
            select: datediff(day, first_seen_tracks, timestamp)
            from: inputs/rsTracks
        - entity_var:
            name: days_active
            select: max(age_in_days)
            from: inputs/rsTracks
"""
"""Vars of an old dialect, over rows: only the columns of the source show that the bare name is a var."""


def test_a_part_that_only_the_columns_show_is_built_beside(quickstart: Path, instance: dg.DagsterInstance) -> None:
    models = quickstart / "models" / "profiles.yaml"
    anchor = "        - entity_var:\n            name: n_active_days_total\n"
    text = models.read_text(encoding="utf-8")
    assert text.count(anchor) == 1
    models.write_text(text.replace(anchor, BARE_NAME + anchor), encoding="utf-8")
    definitions = build_definitions(quickstart)
    assert (
        dg.AssetKey(["user", "all", "var_table", "part_1"])
        not in definitions.resolve_asset_graph().get_all_asset_keys()
    )
    result = materialize(definitions, instance, run_config=AT_END_TIME)
    assert result.success, failure_texts(result)
    assert built(result).keys() >= {*ROW_COUNTS, "user/all/var_table/part_1"}
    alone = materialize(definitions, instance, "inputs/rsTracks/var_table", run_config=AT_END_TIME)
    assert alone.success, failure_texts(alone)


def test_renamed_assets_are_built_like_any_other(quickstart: Path, instance: dg.DagsterInstance) -> None:
    definitions = build_definitions(quickstart, translator=Renamed())
    whole = built(materialize(definitions, instance))
    assert whole.keys() == {f"crm/{key}" for key in ROW_COUNTS}
    lineage = whole["crm/models/user_profile"].metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    assert lineage.deps_by_column["first_seen_date"] == [
        dg.TableColumnDep(dg.AssetKey(["crm", "user", "all", "var_table"]), "first_seen_date")
    ]
    assert materialize(definitions, instance, "crm/models/user_profile").success


# --- failures -----------------------------------------------------------------------------------------------------


def test_a_failing_model_leaves_the_views_standing(
    quickstart: Path, instance: dg.DagsterInstance, query: Query
) -> None:
    good = build_definitions(quickstart)
    assert materialize(good, instance).success
    break_a_value(quickstart)
    result = materialize(build_definitions(quickstart), instance)
    assert not result.success
    assert built(result).keys() == ROW_COUNTS.keys() - REST
    said = failure_texts(result)
    assert "one-o-five" in said
    assert "Material_user_var_table" in said
    assert "models/profiles.yaml:22:30" in said  # where the column stands that is cast
    assert query(VIEW_OF_PROFILE) == [("user_profile", "1")]


def quickstart_job() -> dg.JobDefinition:
    """The job of the project that is the current directory."""
    return build_definitions(Path.cwd()).resolve_job_def("profiles_run")


def resume_failed_steps(instance: dg.DagsterInstance, failed: str) -> str:
    """Re-execute a run from failure, step by step as it was."""
    options = dg.ReexecutionOptions.from_failure(failed, instance)
    with dg.execute_job(dg.reconstructable(quickstart_job), instance=instance, reexecution_options=options) as result:
        return result.run_id


def resume_failed_assets(instance: dg.DagsterInstance, failed: str) -> str:
    """Re-execute a run from asset failure: what is missing as a selection of assets."""
    keys = frozenset(dg.AssetKey(key.split("/")) for key in REST)
    part = quickstart_job().get_subset(asset_selection=keys)
    made = instance.create_run_for_job(part, asset_selection=keys, parent_run_id=failed, root_run_id=failed)
    execute_run(InMemoryJob(part), made, instance)
    return made.run_id


@pytest.mark.parametrize("resume", [resume_failed_steps, resume_failed_assets])
def test_a_re_execution_goes_on_in_the_same_context_and_promotes_everything(
    quickstart: Path,
    instance: dg.DagsterInstance,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    resume: Callable[[dg.DagsterInstance, str], str],
) -> None:
    monkeypatch.chdir(quickstart)
    good_rows = break_a_value(quickstart)
    failed = materialize(build_definitions(quickstart), instance)
    assert not failed.success
    (quickstart / "data" / "profiles_sample.ecommerce.tracks.csv").write_text(good_rows, encoding="utf-8")
    run_id = resume(instance, failed.run_id)
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert {e.asset_key.to_user_string() for entry in events if (e := entry.dagster_event) and e.asset_key} == REST
    assert query("select seq_no, invocation, completion_ts is not null from profiles.wht_seq_no") == [
        (1, f"dagster:{failed.run_id}", True)
    ]
    views = query(PLAIN_VIEWS)
    assert [name for (name,) in views] == [
        "rsIdentifies_var_table", "rsTracks_var_table", "user_all", "user_feature_view", "user_id_stitcher",
        "user_profile", "user_var_table",
    ]  # fmt: skip


def test_a_project_that_does_not_fit_its_data_fails_before_anything_is_built(
    quickstart: Path, instance: dg.DagsterInstance, query: Query
) -> None:
    models = quickstart / "models" / "profiles.yaml"
    text = models.read_text(encoding="utf-8")
    models.write_text(text.replace("select: min(timestamp::date)", "select: min(timestam::date)", 1), encoding="utf-8")
    result = materialize(build_definitions(quickstart), instance)
    assert not result.success
    assert built(result) == {}
    assert "did you mean 'timestamp'" in failure_texts(result)
    assert query("select count(*) from profiles.material_registry") == [(0,)]


DOUBLES = """
  - name: favourites
    model_type: sql_template
    model_spec:
      entity_key: user
      features:
        - name: favourite
      single_sql: |
        {% with graph = this.DeRef("models/user_id_stitcher") %}
        select main_id, other_id as favourite from {{graph}}
        {% endwith %}
"""


def test_a_broken_check_fails_the_step_and_leaves_the_views(
    quickstart: Path, instance: dg.DagsterInstance, query: Query
) -> None:
    assert materialize(build_definitions(quickstart), instance, run_config=AT_END_TIME).success
    models = quickstart / "models" / "profiles.yaml"
    with models.open("a", encoding="utf-8") as file:
        file.write(DOUBLES)
    result = materialize(build_definitions(quickstart), instance, run_config=AT_END_TIME)
    assert not result.success
    broken = [c for c in result.get_asset_check_evaluations() if not c.passed]
    names = [(c.asset_key.to_user_string(), c.check_name) for c in broken]
    assert names == [("models/favourites", "main_id_unique")]
    assert broken[0].severity == dg.AssetCheckSeverity.ERROR
    assert broken[0].metadata["profiles/broken_rows"].value == 14
    assert not built(result).keys() & {"models/favourites", "user/all/feature_view"}
    assert "Broken by 14 rows" in failure_texts(result)
    assert query(VIEW_OF_PROFILE) == [("user_profile", "1")]


# --- sharing the warehouse ----------------------------------------------------------------------------------------


@dg.asset(deps=[dg.AssetKey(["models", "user_profile"])])
def newsletter(duckdb: ProfilesDuckDBResource) -> dg.MaterializeResult[None]:
    with duckdb.get_connection() as connection:
        connection.execute("create or replace table main.newsletter as select main_id from profiles.user_profile")
        (count,) = connection.execute("select count(*) from main.newsletter").fetchone() or (0,)
    return dg.MaterializeResult(metadata={"dagster/row_count": count})


def test_a_teams_own_assets_live_in_the_same_definitions(quickstart: Path, instance: dg.DagsterInstance) -> None:
    database = str(quickstart / ".profiles" / "warehouse.duckdb")
    own = dg.Definitions(assets=[newsletter], resources={"duckdb": ProfilesDuckDBResource(database=database)})
    merged = dg.Definitions.merge(build_definitions(quickstart), own)
    result = merged.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
    assert result.success
    assert built(result)["newsletter"].metadata["dagster/row_count"].value == 5


def test_assets_alone_work_with_a_resource_under_another_key(quickstart: Path) -> None:
    assets = build_assets(ProfilesProject.load(quickstart), resource_key="c360")
    built_ones = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition)]
    assert dg.materialize(built_ones, resources={"c360": ProfilesResource(end_time=END_TIME)}).success


def fail_inside(resource: ProfilesDuckDBResource, order: list[str]) -> None:
    with resource.get_connection() as connection:
        order.append("entered")
        connection.execute("select 1")
        raise ZeroDivisionError


def test_a_connection_waits_for_its_turn_and_is_closed_after_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "shared.duckdb"
    holding, release = threading.Event(), threading.Event()
    order: list[str] = []

    def occupy() -> None:
        with hold(file, "somebody else's run"):
            holding.set()
            release.wait(30)
            order.append("left")

    other = threading.Thread(target=occupy)
    other.start()
    assert holding.wait(30)
    with (
        pytest.raises(LockTimeoutError, match="somebody else's run"),
        ProfilesDuckDBResource(database=str(file), lock_timeout_s=0.1).get_connection(),
    ):
        order.append("too early")
    resource = ProfilesDuckDBResource(database=str(file), lock_timeout_s=60)
    threading.Timer(0.3, release.set).start()
    with pytest.raises(ZeroDivisionError):
        fail_inside(resource, order)
    other.join()
    assert order == ["left", "entered"]
    with hold(file, "next", timeout=0), ProfilesDuckDBResource(database=":memory:").get_connection() as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_run_that_waits_too_long_fails_and_may_be_tried_again(quickstart: Path, instance: dg.DagsterInstance) -> None:
    definitions = build_definitions(quickstart, resource=ProfilesResource(lock_timeout_s=0.1))
    file = embedded(quickstart).settings.file
    assert file is not None
    file.parent.mkdir(parents=True)
    held, done = threading.Event(), threading.Event()

    def occupy() -> None:
        with hold(file, "an import"):
            held.set()
            done.wait(60)

    other = threading.Thread(target=occupy)
    other.start()
    assert held.wait(30)
    try:
        result = materialize(definitions, instance, "models/user_id_stitcher")
    finally:
        done.set()
        other.join()
    assert not result.success
    assert "an import" in failure_texts(result)


def test_an_older_window_leaves_the_plain_views_alone(
    definitions: dg.Definitions, instance: dg.DagsterInstance, query: Query
) -> None:
    materialize(definitions, instance, run_config=AT_END_TIME)
    earlier = {"resources": {"profiles": {"config": {"end_time": "2023-10-01T00:00:00Z"}}}}
    older = materialize(definitions, instance, run_config=earlier)
    assert older.success, failure_texts(older)
    assert settled_in(instance, older) == 2
    assert query(VIEW_OF_PROFILE) == [("user_profile", "1")]


def test_a_window_of_dagster_ends_at_a_whole_second(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    event = built(materialize(definitions, instance))["models/user_profile"]
    assert float(event.metadata["profiles/end_time"].value or 0.5) % 1 == 0
