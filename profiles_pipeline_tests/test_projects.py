"""Whole projects in the styles of the years: each is read, run end to end on its own data, and run again."""

import shutil
from pathlib import Path

import pytest

from profiles_pipeline import connections
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import SqlModel
from profiles_pipeline.run import Options, run
from profiles_pipeline.testing import load_case, run_case
from profiles_pipeline.warehouse.connect import connect_duckdb

PROJECTS = Path(__file__).parent / "projects"
NOT_YET = {
    "not_yet_common_column_union": "models of type common_column_union are not computed",
    "not_yet_edge_metadata": "log_direct_edge_info and log_node_metadata add no column to the graph",
    "not_yet_hooks": "hooks are not executed",
    "not_yet_id_clusters_delta": "stitchers have no child id_clusters_delta",
    "not_yet_id_stitcher_rules": "id_stitcher_rules are not applied",
    "not_yet_maximum_edges": "maximum_edges is not enforced",
    "not_yet_optional_columns": "a missing column that the contract calls optional does not switch off what reads it",
    "not_yet_past_material": "DeRef with pre_existing=true of another model is not resolved",
    "not_yet_time_grain": "time_grain does not move the time context",
}


def projects() -> list[object]:
    """Every project; those that need what is not built yet must fail."""
    return [
        pytest.param(
            folder,
            id=folder.name,
            marks=[pytest.mark.xfail(strict=True, reason=NOT_YET[folder.name])] if folder.name in NOT_YET else [],
        )
        for folder in sorted(path.parent for path in PROJECTS.glob("*/expected.yaml"))
    ]


def test_what_is_not_built_yet_is_a_project_each() -> None:
    assert {path.name for path in PROJECTS.glob("not_yet_*")} == NOT_YET.keys()


@pytest.mark.parametrize("folder", projects())
def test_project(folder: Path, tmp_path: Path, update_golden: bool) -> None:
    case = load_case(folder / "expected.yaml")
    place = tmp_path / "project"
    assert "\n".join(map(str, run_case(case, place))) == ""

    project, output = ProfilesProject.load(place), connections.embedded(place)
    report = run(project, output, Options(end=case.end_time))
    assert [item.model.path for item in report.built if not item.reused] == []
    with connect_duckdb(output.settings, purpose="test", read_only=True) as warehouse:
        warehouse.execute(f"SET schema = '{output.schema}'")
        assert all(warehouse.describe(f'SELECT * FROM "{name}"') for name in report.promoted)
        assert all(warehouse.describe(f"SELECT * FROM {item.relation}") for item in report.built)

    built = {item.model.path for item in report.built}
    left_out = "".join(f"{path}\n" for path in sorted(plain_paths(project) - built))
    if update_golden:
        write_left_out(folder, left_out)
    assert left_out == read_left_out(folder)


def plain_paths(project: ProfilesProject) -> set[str]:
    """Return the paths of all models and vars that the project declares, SQL models and cohorts among them."""
    declared = {f"models/{model.name.lower()}" for model in project.project.spec.models}
    return declared | {f"{cohort}/all" for cohort in project.project.entities}
