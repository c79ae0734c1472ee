"""Hooks run in Dagster as they do on the command line: with the step of the model that they belong to."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline import run
from profiles_pipeline.assets import build_definitions
from profiles_pipeline.connections import embedded
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline_tests.assets.conftest import NO_PARTITIONS, failure_texts, materialize

HOOKS = Path(__file__).parent.parent / "projects" / "hooks"
END = {"resources": {"profiles": {"config": {"end_time": "2024-02-01T00:00:00Z"}}}}


@pytest.fixture
def hooks(tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(HOOKS, tmp_path / "hooks"))
    (copy / "pipeline.yaml").write_text(NO_PARTITIONS, encoding="utf-8")
    return copy


def said(project: Path) -> set[object]:
    with run.open_session(ProfilesProject.load(project), embedded(project), "test") as session:
        return {row[0] for row in session.warehouse.query("select said from profiles.hook_log").rows}


def test_hooks_run_with_their_models(hooks: Path, instance: dg.DagsterInstance) -> None:
    assert materialize(build_definitions(hooks), instance, run_config=END).success
    assert said(hooks) == {
        "doubled before",
        "doubled after 3",
        "entity before, 2 with vars",
        "views before",
        "views after, rows 3",
        "entity after",
        "cohort after, 1 member",
    }


def test_a_hook_that_fails_fails_its_step(hooks: Path, instance: dg.DagsterInstance) -> None:
    models = hooks / "models" / "all.yaml"
    text = models.read_text(encoding="utf-8")
    wrong = text.replace("'doubled after ' || count(*)", "cast('doubled after ' || count(*) as integer)")
    assert wrong != text
    models.write_text(wrong, encoding="utf-8")
    result = materialize(build_definitions(hooks), instance, run_config=END)
    assert not result.success
    assert "hook-failed" in failure_texts(result)
    assert "doubled after 3" not in said(hooks)
