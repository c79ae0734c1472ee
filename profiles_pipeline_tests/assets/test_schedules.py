"""Schedules: which there are, and what their ticks ask for with a real instance."""

import re
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets import ProfilesTranslator, build_definitions
from profiles_pipeline_tests.assets.conftest import failure_texts, materialize

DAYS = "partitions: {start: 2023-10-01}\n"
BY_TIME = {
    "models/user_id_stitcher",
    "inputs/rsIdentifies/var_table",
    "inputs/rsTracks/var_table",
    "user/all/var_table",
}


def with_pipeline(folder: Path, text: str = DAYS, **replaced: str) -> dg.Definitions:
    """Definitions of the quickstart with another pipeline.yaml, and other validity times."""
    (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    models = folder / "models" / "profiles.yaml"
    stitcher, profile = models.read_text(encoding="utf-8").split("validity_time: 24h", 1)
    changed = stitcher + f"validity_time: {replaced.get('stitcher', '24h')}" + profile
    changed = changed.replace("validity_time: 24h\n", f"validity_time: {replaced.get('profile', '24h')}\n")
    models.write_text(changed, encoding="utf-8")
    return build_definitions(folder)


def schedules(definitions: dg.Definitions) -> dict[str, dg.ScheduleDefinition]:
    return {s.name: s for s in definitions.get_repository_def().schedule_defs}


def tick(definitions: dg.Definitions, instance: dg.DagsterInstance, at: str) -> dict[str, str] | str | None:
    """What the schedule says at a time: the tags of the run it asks for, or why it asks for none."""
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime.fromisoformat(at).replace(tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
    )
    found = schedules(definitions)["profiles_run_schedule"].evaluate_tick(context)
    if not found.run_requests:
        return found.skip_message
    (request,) = found.run_requests
    return {name: value for name, value in request.tags.items() if "partition" in name}


def selected(definitions: dg.Definitions, job: str) -> set[str]:
    return {key.to_user_string() for key in definitions.resolve_job_def(job).asset_layer.selected_asset_keys}


# --- which there are ----------------------------------------------------------------------------------------------


def test_one_validity_time_is_one_schedule(quickstart: Path) -> None:
    definitions = with_pipeline(quickstart)
    dg.Definitions.validate_loadable(definitions)
    (found,) = schedules(definitions).values()
    assert (found.cron_schedule, found.execution_timezone, found.job_name) == ("0 0 * * *", "UTC", "profiles_run")
    assert found.default_status == dg.DefaultScheduleStatus.STOPPED


def test_each_validity_time_has_a_schedule_and_a_job_with_all_that_is_needed(quickstart: Path) -> None:
    definitions = with_pipeline(quickstart, "partitions: {timezone: Europe/Berlin}", stitcher="3h", profile="7d")
    dg.Definitions.validate_loadable(definitions)
    found = schedules(definitions)
    assert {s.job_name: (s.cron_schedule, s.execution_timezone) for s in found.values()} == {
        "profiles_run_1h": ("0 * * * *", "Europe/Berlin"),  # what states none is as good as the partitions, hours
        "profiles_run_3h": ("0 */3 * * *", "Europe/Berlin"),
        "profiles_run_7d": ("0 0 * * 1", "Europe/Berlin"),
    }
    assert selected(definitions, "profiles_run_3h") == {"models/user_id_stitcher"}
    assert selected(definitions, "profiles_run_7d") == BY_TIME | {"user/all", "models/user_profile"}
    assert "models/user_profile" not in selected(definitions, "profiles_run_1h")


def test_the_project_may_say_when(quickstart: Path) -> None:
    definitions = with_pipeline(quickstart, "schedules: {enabled: true, cron: '0 6 * * *'}", stitcher="1h")
    (found,) = schedules(definitions).values()
    assert (found.cron_schedule, found.job_name) == ("0 6 * * *", "profiles_run")
    assert found.default_status == dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize("text", ["schedules: false", "schedules: {enabled: false, cron: '0 6 * * *'}"])
def test_the_project_may_do_without(quickstart: Path, text: str) -> None:
    assert schedules(with_pipeline(quickstart, text)) == {}


# --- ticks --------------------------------------------------------------------------------------------------------


def test_a_tick_asks_for_all_since_the_last_success_in_one_run(quickstart: Path, instance: dg.DagsterInstance) -> None:
    definitions = with_pipeline(quickstart)
    assert tick(definitions, instance, "2023-11-06") == {"dagster/partition": "2023-11-05"}
    done = materialize(definitions, instance, partitions="2023-11-05")
    assert done.success, failure_texts(done)
    assert tick(definitions, instance, "2023-11-06") == "up to date: everything is as of 2023-11-06T00:00:00Z"
    assert tick(definitions, instance, "2023-11-07") == {"dagster/partition": "2023-11-06"}
    assert tick(definitions, instance, "2023-11-09") == {
        "dagster/asset_partition_range_start": "2023-11-06",
        "dagster/asset_partition_range_end": "2023-11-08",
    }
    caught_up = materialize(definitions, instance, partitions="2023-11-06...2023-11-08")
    assert caught_up.success, failure_texts(caught_up)
    assert tick(definitions, instance, "2023-11-09") == "up to date: everything is as of 2023-11-09T00:00:00Z"
    history = materialize(definitions, instance, partitions="2023-10-20")
    assert history.success, failure_texts(history)
    assert tick(definitions, instance, "2023-11-10") == {"dagster/partition": "2023-11-09"}


def test_what_was_left_out_last_time_counts(quickstart: Path, instance: dg.DagsterInstance) -> None:
    definitions = with_pipeline(quickstart)
    assert materialize(definitions, instance, partitions="2023-11-05").success
    part = materialize(definitions, instance, *BY_TIME, "user/all", partitions="2023-11-06")
    assert part.success, failure_texts(part)
    assert tick(definitions, instance, "2023-11-07") == {"dagster/partition": "2023-11-06"}


def test_a_tick_waits_for_the_run_of_an_earlier_one(quickstart: Path, instance: dg.DagsterInstance) -> None:
    definitions = with_pipeline(quickstart)
    job = definitions.resolve_job_def("profiles_run")
    run = instance.create_run_for_job(job, tags={"dagster/partition": "2023-11-05"})
    assert tick(definitions, instance, "2023-11-07") == f"run {run.run_id[:8]} of an earlier tick has not ended yet"
    instance.report_run_canceled(run)
    assert tick(definitions, instance, "2023-11-07") == {"dagster/partition": "2023-11-06"}


def test_a_failed_run_is_asked_for_again(quickstart: Path, instance: dg.DagsterInstance) -> None:
    definitions = with_pipeline(quickstart)
    (quickstart / "data" / "profiles_sample.ecommerce.tracks.csv").rename(quickstart / "elsewhere.csv")
    assert not materialize(definitions, instance, partitions="2023-11-05").success
    assert tick(definitions, instance, "2023-11-06") == {"dagster/partition": "2023-11-05"}


def test_without_partitions_a_tick_asks_for_now(quickstart: Path, instance: dg.DagsterInstance) -> None:
    definitions = with_pipeline(quickstart, "partitions: false")
    assert tick(definitions, instance, "2023-11-08") == {}
    end = {"resources": {"profiles": {"config": {"end_time": "2023-11-08T00:00:00Z"}}}}
    assert materialize(definitions, instance, run_config=end).success
    assert tick(definitions, instance, "2023-11-08") == "up to date: everything is as of 2023-11-08T00:00:00Z"
    assert tick(definitions, instance, "2023-11-09") == {}


# --- what the documentation says ----------------------------------------------------------------------------------


def block(repository_root: Path, language: str) -> str:
    """The only block of code in a language on the page about schedules."""
    text = (repository_root / "docs" / "scheduling.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


def test_the_documented_file_is_one(quickstart: Path, repository_root: Path) -> None:
    definitions = with_pipeline(quickstart, block(repository_root, "yaml"))
    dg.Definitions.validate_loadable(definitions)
    (found,) = schedules(definitions).values()
    assert (found.cron_schedule, found.execution_timezone) == ("0 6 * * *", "Europe/Berlin")


def test_the_documented_alternative_asks_for_what_reads_only_inputs_every_day(
    quickstart: Path, repository_root: Path, instance: dg.DagsterInstance
) -> None:
    (quickstart / "pipeline.yaml").write_text("partitions: false\nschedules: false\n", encoding="utf-8")
    names: dict[str, type[ProfilesTranslator]] = {}
    exec(block(repository_root, "python"), names)
    definitions = build_definitions(quickstart, translator=names["Automated"]())
    before = dg.evaluate_automation_conditions(
        definitions, instance, evaluation_time=datetime(2023, 11, 8, 5, tzinfo=UTC)
    )
    after = dg.evaluate_automation_conditions(
        definitions, instance, cursor=before.cursor, evaluation_time=datetime(2023, 11, 8, 6, 1, tzinfo=UTC)
    )
    asked = {result.key.to_user_string() for result in after.results if result.true_subset.size}
    assert "models/user_id_stitcher" in asked
    assert "models/user_profile" not in asked, "it waits for what it is made from"
