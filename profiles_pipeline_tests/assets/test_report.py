"""Runs without Dagster become known to the project's Dagster instance."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from profiles_pipeline import report, run
from profiles_pipeline.assets import build_definitions
from profiles_pipeline.assets.instance import open_instance
from profiles_pipeline.assets.report import report_pending
from profiles_pipeline.connections import embedded
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline_tests.assets.conftest import AT_END_TIME, materialize

END = datetime(2023, 11, 8, tzinfo=UTC)
MODELS = 7
RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def records(quickstart: Path) -> list[report.Record]:
    """What a run of the command line has built."""
    project = ProfilesProject.load(quickstart)
    done = run.run(project, embedded(quickstart), run.Options(end=END))
    return [report.record(project, built, done.window, "profiles run") for built in done.built]


def materializations(instance: dg.DagsterInstance, key: str) -> list[dg.AssetMaterialization]:
    found = instance.fetch_materializations(dg.AssetKey(key.split("/")), limit=100).records
    return [m for record in found if (m := record.event_log_entry.asset_materialization)]


def test_a_record_survives_its_file(quickstart: Path, records: list[report.Record]) -> None:
    file = report.append(quickstart, *records)
    assert list(report.read(file)) == records
    assert report.pending(quickstart) == (file,)
    assert len(file.read_text(encoding="utf-8").splitlines()) == MODELS


def test_what_was_reported_is_shown_as_if_dagster_had_built_it(quickstart: Path, records: list[report.Record]) -> None:
    for record in records:
        report.append(quickstart, record)
    assert report_pending(quickstart) == MODELS
    assert report.pending(quickstart) == ()
    definitions = build_definitions(quickstart)
    graph = definitions.resolve_asset_graph()
    with open_instance(quickstart, "test") as instance:
        (found,) = materializations(instance, "models/user_profile")
        assert found.metadata["dagster/row_count"].value == 5
        assert str(found.metadata["profiles/sql"].value).startswith("```sql\n-- models/user_profile")
        assert found.metadata["profiles/end_time"].value == END.timestamp()
        built = {key for key in graph.materializable_asset_keys if instance.get_latest_materialization_event(key)}
        assert built == graph.materializable_asset_keys
        status = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        assert {status.get_status(key) for key in built} == {StaleStatus.FRESH}
        checks = {
            key: instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).get(key)
            for key in graph.asset_check_keys
        }
    assert {c.status.value for c in checks.values() if c} == {"SUCCEEDED"}
    assert all(checks.values())


def test_a_report_says_what_a_run_of_dagster_says(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, *records)
    report_pending(quickstart)
    with dg.instance_for_test() as other:
        result = materialize(build_definitions(quickstart), other, run_config=AT_END_TIME)
    said = {m.asset_key: m.metadata for m in built_events(result)}
    own = {"profiles/seconds", "profiles/reused", "profiles/run", "profiles/event", "profiles/built_at"}
    own.add("profiles/action")
    with open_instance(quickstart, "test") as instance:
        for key, expected in said.items():
            (found,) = materializations(instance, key.to_user_string())
            assert {n: v for n, v in found.metadata.items() if n not in own} == {
                n: v for n, v in expected.items() if n not in own
            }
    profile = said[dg.AssetKey(["models", "user_profile"])]
    assert {"dagster/column_lineage", "dagster/relation_identifier"} <= profile.keys()


def built_events(result: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    return [event.materialization for event in result.get_asset_materialization_events()]


def test_a_changed_model_is_reported_without_what_the_project_says_of_it_now(
    quickstart: Path, records: list[report.Record]
) -> None:
    report.append(quickstart, *records)
    models = quickstart / "models" / "profiles.yaml"
    models.write_text(models.read_text(encoding="utf-8").replace("<= 365", "<= 180"), encoding="utf-8")
    assert report_pending(quickstart) == MODELS
    with open_instance(quickstart, "test") as instance:
        (profile,) = materializations(instance, "models/user_profile")
        (graph,) = materializations(instance, "models/user_id_stitcher")
    assert "dagster/column_lineage" not in profile.metadata
    assert "dagster/column_lineage" in graph.metadata


def test_a_new_definition_shows_as_out_of_date(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, *records)
    report_pending(quickstart)
    models = quickstart / "models" / "profiles.yaml"
    models.write_text(models.read_text(encoding="utf-8").replace("<= 365", "<= 180"), encoding="utf-8")
    graph = build_definitions(quickstart).resolve_asset_graph()
    with open_instance(quickstart, "test") as instance:
        status = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        assert status.get_status(dg.AssetKey(["user", "all", "var_table"])) == StaleStatus.STALE
        assert status.get_status(dg.AssetKey(["models", "user_id_stitcher"])) == StaleStatus.FRESH


def test_nothing_is_reported_twice(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, *records)
    report.append(quickstart, *records)
    later = "2026-01-01T00:00:00+00:00"
    report.append(quickstart, *(replace(record, reused=True, built_at=later) for record in records))
    assert report_pending(quickstart) == MODELS
    with open_instance(quickstart, "test") as instance:
        assert len(materializations(instance, "models/user_profile")) == 1


def test_a_rebuilt_material_is_reported_again(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, records[0])
    report.append(quickstart, replace(records[0], built_at="2026-01-01T00:00:00+00:00"))
    assert report_pending(quickstart) == 2


def test_a_file_that_is_no_report_is_kept_and_stops_nobody(
    quickstart: Path, records: list[report.Record], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = report.append(quickstart, records[0])
    bad.write_text(json.dumps({"key": ["models", "x"]}) + "\n", encoding="utf-8")
    report.append(quickstart, *records)
    assert report_pending(quickstart) == MODELS
    assert "is no entry about a run" in capsys.readouterr().out
    assert bad.with_name(f"{bad.name}.rejected").is_file()
    assert report.pending(quickstart) == ()


def ended(seq_no: int, **how: object) -> report.RunRecord:
    """A run that `of_that_run` records belong to."""
    moment = END.isoformat()
    return report.RunRecord(RUN, moment, END.replace(minute=1).isoformat(), seq_no, moment, "dev", **how)  # type: ignore[arg-type]


def of_that_run(records: list[report.Record]) -> list[report.Record]:
    return [replace(record, run=RUN, built_at=END.replace(second=30).isoformat()) for record in records]


def test_a_run_that_has_ended_is_shown_as_a_run(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, *of_that_run(records))
    report.append(quickstart, ended(1))
    assert report_pending(quickstart) == MODELS
    with open_instance(quickstart, "test") as instance:
        (found,) = instance.get_run_records()
        assert found.dagster_run.job_name == "profiles_run"
        assert found.dagster_run.status is dg.DagsterRunStatus.SUCCESS
        assert found.dagster_run.tags["profiles/seq_no"] == "1"
        assert (found.start_time, found.end_time) == (END.timestamp(), END.replace(minute=1).timestamp())
        steps = instance.get_run_step_stats(found.dagster_run.run_id)
        assert {step.step_key for step in steps} == {"__".join(record.key) for record in records}
        assert {step.status.value for step in steps} == {"SUCCESS"}
        latest = instance.get_latest_materialization_event(dg.AssetKey(["models", "user_profile"]))
        assert latest is not None
        assert (latest.run_id, latest.timestamp) == (found.dagster_run.run_id, END.replace(second=30).timestamp())
        checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(dg.AssetKey(["user", "all"]), "main_id_unique")]
        )
        assert [check.status.value for check in checks.values()] == ["SUCCEEDED"]


def test_a_run_that_reuses_everything_leaves_checks_as_they_are(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, *records)
    report.append(quickstart, *(replace(record, reused=True, checks=()) for record in of_that_run(records)), ended(1))
    assert report_pending(quickstart) == MODELS
    with open_instance(quickstart, "test") as instance:
        (found,) = instance.get_runs()
        assert found.status is dg.DagsterRunStatus.SUCCESS
        key = dg.AssetCheckKey(dg.AssetKey(["user", "all"]), "main_id_unique")
        check = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        assert check.status.value == "SUCCEEDED"


def test_a_failed_run_says_why_and_where(quickstart: Path, records: list[report.Record]) -> None:
    built = of_that_run(records)[:2]
    report.append(quickstart, *built, ended(1, failure="no such value", failed=("user", "all", "var_table")))
    assert report_pending(quickstart) == len(built)
    with open_instance(quickstart, "test") as instance:
        (found,) = instance.get_runs()
        assert found.status is dg.DagsterRunStatus.FAILURE
        steps = {step.step_key: step.status.value for step in instance.get_run_step_stats(found.run_id)}
        assert steps["user__all__var_table"] == "FAILURE"
        log = instance.all_logs(found.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        data = log[0].get_dagster_event().job_failure_data
        assert data.error is not None
        assert data.error.message == "no such value"


def test_an_interrupted_run_is_canceled(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, *of_that_run(records)[:1], ended(1, interrupted=True))
    report_pending(quickstart)
    with open_instance(quickstart, "test") as instance:
        assert [found.status for found in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]


def test_a_reporter_that_died_is_followed_up(quickstart: Path, records: list[report.Record]) -> None:
    first, *others = of_that_run(records)
    report.append(quickstart, first, ended(1))
    assert report_pending(quickstart) == 1
    report.append(quickstart, first, *others, ended(1))
    assert report_pending(quickstart) == len(others)
    with open_instance(quickstart, "test") as instance:
        assert len(instance.get_runs()) == 1


def test_inputs_are_observed_with_their_rows(quickstart: Path) -> None:
    project = ProfilesProject.load(quickstart)

    def seen(session: run.Session, built: tuple[run.Built, ...]) -> None:
        inputs = report.inputs_behind(session, built)
        report.append(quickstart, *(report.input_seen(session, model, RUN) for model in inputs))

    run.run(project, embedded(quickstart), run.Options(end=END), at_end=seen)
    assert report_pending(quickstart) == 0
    with open_instance(quickstart, "test") as instance:
        rows = {}
        for name in ("rsTracks", "rsIdentifies"):
            (found,) = instance.fetch_observations(dg.AssetKey(["inputs", name]), limit=10).records
            assert found.asset_observation is not None
            rows[name] = found.asset_observation.metadata["dagster/row_count"].value
    assert rows == {"rsTracks": 42, "rsIdentifies": 15}


def test_two_reporters_at_once_share_the_work(quickstart: Path, records: list[report.Record]) -> None:
    for record in records:
        report.append(quickstart, record)
    command = [sys.executable, "-m", report.REPORTER, str(quickstart)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    with open_instance(quickstart, "test") as instance:
        counts = {record.key: len(materializations(instance, "/".join(record.key))) for record in records}
    assert set(counts.values()) == {1}


def test_a_spawned_reporter_works_alone(quickstart: Path, records: list[report.Record]) -> None:
    report.append(quickstart, *records)
    assert report.spawn_reporter(quickstart)
    log = report.instance_folder(quickstart) / "reporter.log"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and "reported" not in log.read_text(encoding="utf-8"):
        time.sleep(0.2)
    assert f"reported {MODELS} models" in log.read_text(encoding="utf-8")
    assert report.pending(quickstart) == ()


def test_writing_a_report_needs_no_dagster(quickstart: Path) -> None:
    code = "import sys, profiles_pipeline.report; print({'dagster', 'duckdb', 'scipy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=quickstart, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_dagster_nobody_is_started(quickstart: Path) -> None:
    blind = (
        "import importlib.util, pathlib, sys\n"
        "from profiles_pipeline import report\n"
        "sys.path = [p for p in sys.path if not (pathlib.Path(p) / 'dagster').is_dir()]\n"
        "sys.path_importer_cache.clear()\n"
        f"print(report.spawn_reporter(pathlib.Path({str(quickstart)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", blind], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
    assert not report.instance_folder(quickstart).exists()
