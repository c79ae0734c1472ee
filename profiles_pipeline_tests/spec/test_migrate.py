"""Migrated projects: what is written, that it means the same, and that it is migrated once and for all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles_pipeline.errors import Problems, ProjectError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.spec.lift import MIGRATED, take_step
from profiles_pipeline.spec.load import project_files
from profiles_pipeline.spec.migrate import Migration, migrate
from profiles_pipeline.testing import load_case, run_case

TESTS = Path(__file__).parent.parent
CASES = sorted((TESTS / "data" / "spec" / "migrate").iterdir())
ERAS = sorted((TESTS / "data" / "spec" / "projects").iterdir())
PROJECTS = sorted(path.parent for path in (TESTS / "projects").glob("*/expected.yaml"))
OLD = ("wht_2022", "inline_2023", "odd_yaml", "two_entities")
ROOTS = [folder for folder in PROJECTS if any(folder.glob("*_project.yaml"))]
WHOLE = [folder for folder in ROOTS if not folder.name.startswith("not_yet")]
BARE_NAMES = yaml.safe_load((TESTS / "data" / "spec" / "bare_names.yaml").read_text(encoding="utf-8"))


def written(done: Migration, folder: Path) -> Path:
    """The migrated files in a folder of their own."""
    for file in done.files:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_text(file.after)
    return folder


def migrated_copy(folder: Path, to: Path) -> Path:
    """A whole project, migrated."""
    done = migrate(folder)
    shutil.copytree(folder, to)
    for file in done.files:
        (to / file.file).unlink()
    return written(done, to)


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_what_is_written(folder: Path, update_golden: bool) -> None:
    done = migrate(folder / "before")
    if update_golden:
        written(done, folder / "after")
        (folder / "notes.txt").write_text("".join(f"{note}\n" for note in done.notes))
    after = folder / "after"
    expected = {path.relative_to(after).as_posix(): path.read_text() for path in after.rglob("*.yaml")}
    assert {file.name: file.after for file in done.files} == expected
    assert "".join(f"{note}\n" for note in done.notes) == (folder / "notes.txt").read_text()


@pytest.mark.parametrize("folder", [*ROOTS, *ERAS], ids=lambda path: path.name)
def test_a_migrated_project_needs_no_migration(folder: Path, tmp_path: Path) -> None:
    again = migrate(written(migrate(folder), tmp_path))
    assert (again.notes, again.changes) == ((), ())


@pytest.mark.parametrize("folder", WHOLE, ids=lambda path: path.name)
def test_the_compiled_sql_stays_the_same(folder: Path, tmp_path: Path) -> None:
    before, after = ProfilesProject.load(folder), ProfilesProject.load(migrated_copy(folder, tmp_path / "project"))
    assert after.fingerprints == before.fingerprints
    assert after.graph.parents == before.graph.parents
    assert after.disabled == before.disabled


@pytest.mark.parametrize("name", OLD)
def test_the_results_stay_the_same(name: str, tmp_path: Path) -> None:
    copy = migrated_copy(TESTS / "projects" / name, tmp_path / "project")
    assert "\n".join(map(str, run_case(load_case(copy / "expected.yaml"), tmp_path / "run"))) == ""


def test_a_project_that_needs_nothing_but_a_number() -> None:
    done = migrate(TESTS / "projects" / "single_entity_2024")
    (change,) = done.changes
    assert change.after == change.before.replace("schema_version: 67", "schema_version: 99")
    assert [note.message for note in done.notes] == ["schema_version 67 became 99"]


def test_line_ends_stay(tmp_path: Path) -> None:
    (tmp_path / "pb_project.yaml").write_bytes(b"name: shop\r\nschema_version: 44\r\nprofile: dev\r\n")
    (change,) = migrate(tmp_path).changes
    assert change.after == "name: shop\r\nschema_version: 99\r\nconnection: dev\r\n"


def test_what_is_written_is_lifted_no_further() -> None:
    for folder in CASES:
        for root in project_files(folder / "after", Problems()).values():
            for step in MIGRATED:
                assert take_step(step, root)[1] == (), step.__name__


def test_the_files_of_a_wrong_project_are_not_touched() -> None:
    with pytest.raises(ProjectError, match="unknown-key"):
        migrate(TESTS / "data" / "errors" / "spec" / "unknown-key-typo")


@pytest.mark.parametrize("case", BARE_NAMES, ids=lambda case: case["given"])
def test_bare_names_become_templates(case: dict[str, Any], tmp_path: Path) -> None:
    names = {"a": "1", "b": "2"}
    group = {
        "name": "g",
        "entity_key": "user",
        "vars": [
            *({"entity_var": {"name": name, "select": select}} for name, select in names.items()),
            {"entity_var": {"name": "self", "select": case["given"], **case.get("more", {})}},
        ],
    }
    project = {
        "name": "shop",
        "schema_version": 43,
        "inputs": [{"name": "x", "table": "x"}],
        "entities": [{"name": "user", "id_types": ["u"]}],
        "id_types": [{"name": "u"}],
        "var_groups": [group],
    }
    (tmp_path / "pb_project.yaml").write_text(yaml.safe_dump(project))
    (change,) = migrate(tmp_path).changes
    assert yaml.safe_load(change.after)["var_groups"][0]["vars"][2]["entity_var"]["select"] == case["expect"]
