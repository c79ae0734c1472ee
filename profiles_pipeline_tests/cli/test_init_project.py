"""Projects made by the command line are complete, run at once, and never cost anybody a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Call


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["project", "pb-project"])
def test_a_new_project_runs_at_once(call: Call, tmp_path: Path, command: str) -> None:
    folder = tmp_path / "shop"
    made = call("init", command, "-o", folder)
    assert made.code == 0
    assert made.out.splitlines()[-1].startswith("next: profiles run -p ")
    assert _files(folder) == {
        ".gitignore",
        "README.md",
        "data/app.events.csv",
        "data/app.signups.csv",
        "models/inputs.yaml",
        "models/profiles.yaml",
        "pb_project.yaml",
    }
    checked = call("validate", "-p", folder, "--json")
    assert checked.code == 0
    assert json.loads(checked.out) | {"warnings": [], "notes": [], "rehearsed": True} == json.loads(checked.out)
    assert call("run", "-p", folder, "--no-report").code == 0
    query = "select n_purchases, revenue, plan, is_buyer from user_feature_view order by revenue desc, plan"
    rows = json.loads(call("query", "-p", folder, query, "--format", "json").out)
    assert [tuple(row.values()) for row in rows] == [
        (1, 35.5, "team", True),
        (2, 35.25, "team", True),
        (0, 0, "free", False),
        (0, 0, None, False),
    ]


def test_the_default_folder_is_in_the_current_one(call: Call) -> None:
    assert call("init", "project").code == 0
    assert (Path.cwd() / "my_profiles" / "pb_project.yaml").is_file()


@pytest.mark.parametrize("example", ["quickstart", "ecommerce"])
def test_an_example_is_copied_with_its_rows(call: Call, tmp_path: Path, example: str) -> None:
    made = call("init", "project", "--example", example, "-o", tmp_path / "here")
    assert made.code == 0
    files = _files(tmp_path / "here")
    assert {".gitignore", "pb_project.yaml"} <= files
    assert any(name.startswith("data/") for name in files)


def test_an_unknown_example_is_named(call: Call, tmp_path: Path) -> None:
    outcome = call("init", "project", "--example", "quikstart", "-o", tmp_path / "here")
    assert outcome.code == 2
    assert outcome.err.startswith("error[unknown-example]: there is no example 'quikstart'")
    assert "known: quickstart, ecommerce" in outcome.err
    assert not (tmp_path / "here").exists()


def test_a_folder_in_use_is_left_alone(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "pb_project.yaml").write_text("name: mine\n")
    outcome = call("init", "project", "-o", folder)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error[folder-in-use]: {folder} holds something already")
    assert "--force" in outcome.err
    assert _files(folder) == {"pb_project.yaml"}
    assert (folder / "pb_project.yaml").read_text() == "name: mine\n"


def test_force_replaces_files_of_the_same_names_only(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "pb_project.yaml").write_text("name: mine\n")
    (folder / "notes.txt").write_text("keep me")
    assert call("init", "project", "-o", folder, "--example", "quickstart", "--force").code == 0
    assert "name: quickstart" in (folder / "pb_project.yaml").read_text()
    assert (folder / "notes.txt").read_text() == "keep me"


def test_a_file_in_the_way_is_left_alone(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    outcome = call("init", "project", "-o", tmp_path / "file", "--force")
    assert outcome.code == 2
    assert outcome.err.startswith("error[not-a-folder]")
    assert (tmp_path / "file").read_text() == "mine"
