"""Whole projects in the styles of the years: each is read, run end to end on its own data, and run again."""

from pathlib import Path

import pytest

from profiles_pipeline import connections
from profiles_pipeline.dialects import identifier
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, open_session, run
from profiles_pipeline.testing import load_case, run_case

PROJECTS = Path(__file__).parent / "projects"
NOT_YET: dict[str, str] = {}


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
    with open_session(project, output, "test") as session:
        for name in (
            *(item.relation for item in report.built),
            *(f"{output.schema}.{identifier(n, 'duckdb')}" for n in report.promoted),
        ):
            assert session.warehouse.describe(f"SELECT * FROM {name}")
        left_out = "".join(sorted(f"{item.path}: {item.reason}\n" for item in session.project.disabled))
    assert_same_text(left_out, folder / "disabled.txt", update_golden)


def assert_same_text(text: str, file: Path, update: bool) -> None:
    """Compare a text to a file, which is not there when nothing is to be said; with `update` write it instead."""
    if update:
        file.unlink(missing_ok=True)
        if text:
            file.write_text(text, encoding="utf-8")
    assert text == (file.read_text(encoding="utf-8") if file.exists() else "")
