"""What a pipeline.yaml says."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from profiles_pipeline.errors import Problems
from profiles_pipeline.spec import PipelineSpec, read_pipeline
from profiles_pipeline.spec.load import load_project

EVERYTHING = """
incremental: always
partitions: {cadence: hourly, start: 2024-01-01, timezone: Europe/Berlin}
inputs: {orders: {changes: late}, visits: {}}
schedules: {enabled: true, cron: "*/15 6-18 * * mon-fri"}
sensor: {interval: 5m, at_most: 3}
checks: {largest_cluster: 100, ids_per_type: {email: 20}, changed_main_ids: 0.05, row_count_change: 1,
  severity: error, freshness: 36h}
retention: {period: 90d, runs: 3}
"""


def read(folder: Path, text: str, name: str = "pipeline.yaml") -> tuple[PipelineSpec, Problems]:
    problems = Problems()
    (folder / name).write_text(text, encoding="utf-8")
    return read_pipeline(folder, problems).spec, problems


@pytest.mark.parametrize("name", ["pipeline.yaml", "pipeline.yml"])
def test_everything(tmp_path: Path, name: str) -> None:
    found, problems = read(tmp_path, EVERYTHING, name)
    assert problems.found == []
    assert found.incremental == "always"
    assert (found.partitions.cadence, found.partitions.start) == ("hourly", datetime(2024, 1, 1))
    assert str(found.partitions.begin) == "2023-12-31 23:00:00+00:00"
    assert {name: own.changes for name, own in found.inputs.items()} == {"orders": "late", "visits": None}
    assert (found.schedules.enabled, found.schedules.cron) == (True, "*/15 6-18 * * mon-fri")
    assert (found.sensor.enabled, found.sensor.interval, found.sensor.at_most) == (None, timedelta(minutes=5), 3)
    assert (found.checks.largest_cluster, found.checks.ids_per_type) == (100, {"email": 20})
    assert (found.checks.changed_main_ids, found.checks.row_count_change) == (0.05, 1.0)
    assert (found.checks.severity, found.checks.freshness) == ("error", timedelta(hours=36))
    assert (found.retention.period, found.retention.runs) == (timedelta(days=90), 3)


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_nothing(tmp_path: Path, text: str | None) -> None:
    problems = Problems()
    if text is not None:
        (tmp_path / "pipeline.yaml").write_text(text, encoding="utf-8")
    assert read_pipeline(tmp_path, problems).spec == PipelineSpec()
    assert problems.found == []


@pytest.mark.parametrize("section", ["partitions", "schedules", "sensor", "retention"])
@pytest.mark.parametrize("value", [True, False])
def test_a_section_is_a_switch(tmp_path: Path, section: str, value: bool) -> None:
    for text in (f"{section}: {value}", f"{section}: {{enabled: {value}}}"):
        found, problems = read(tmp_path, text)
        assert problems.found == []
        assert getattr(found, section).enabled is value


@pytest.mark.parametrize(
    "cron",
    [
        "@daily",
        "0 6 * * *",
        "0,30 */2 1-15 jan,jul *",
        "5 4 * * sun",
        "0 0 * * 1#1",
        "0 0 1 1 7",
        "0 0 29 2 *",
        "0 0 31 2 mon",
        "0 0 30,31 1-2 *",
    ],
)
def test_cron_expressions(tmp_path: Path, cron: str) -> None:
    assert read(tmp_path, f"schedules: {{cron: '{cron}'}}")[1].found == []


@pytest.mark.parametrize(
    "cron",
    ["", "daily", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * * * *", "*/0 * * * *", "0 0 31 2 *", "0 0 31 4,6 *"],
)
def test_what_is_no_cron_expression(tmp_path: Path, cron: str) -> None:
    (problem,) = read(tmp_path, f"schedules: {{cron: '{cron}'}}")[1].found
    assert (problem.code, str(problem.span)) == ("wrong-value", "pipeline.yaml:1:19")


@pytest.mark.parametrize("start", ["soon", "0001-01-01", "1899-12-31", "9999-12-31"])
def test_where_no_partition_can_begin(tmp_path: Path, start: str) -> None:
    (problem,) = read(tmp_path, f"partitions: {{start: {start}, timezone: Europe/Berlin}}")[1].found
    assert (problem.code, str(problem.span)) == ("wrong-value", "pipeline.yaml:1:21")


def test_it_holds_no_models(tmp_path: Path) -> None:
    read(tmp_path, "incremental: never\n")
    project = "name: shop\nschema_version: 98\nconnection: none\nmodel_folders: [.]\n"
    (tmp_path / "pb_project.yaml").write_text(project, encoding="utf-8")
    assert load_project(tmp_path).spec.inputs == ()
