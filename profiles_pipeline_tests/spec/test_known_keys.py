"""Every key that the format has had is accepted where it is legal, so that no project is refused for one."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject

KNOWN = yaml.safe_load((Path(__file__).parent.parent / "data" / "spec" / "known_keys.yaml").read_text(encoding="utf-8"))
STEP = re.compile(r"(\w+)(\[(\w*)\])?")


def holder(project: dict[str, Any], path: str) -> tuple[Any, Any]:
    """The object around the one at `path`, and the key or index of the latter in it; what is not there is made."""
    around, key, item = None, None, project
    for name, brackets, index in STEP.findall(path):
        around, key = item, name
        item = item.setdefault(name, [] if brackets else {})
        if brackets:
            around, key = item, position(item, index)
            item = item[key]
    return around, key


def position(items: list[Any], index: str) -> int:
    """The place of an item in a list: by number, or the model of a type."""
    if index == "" or index.isdigit():
        items += [{}] * (int(index or 0) + 1 - len(items))
        return int(index or 0)
    found = [number for number, model in enumerate(items) if model["model_type"] == index]
    if not found:
        items.append({"name": f"a_{index}", "model_type": index})
    return found[0] if found else len(items) - 1


def with_key(entry: dict[str, Any], key: str) -> dict[str, Any]:
    """The project with `key` in the object that `entry` is about."""
    project = copy.deepcopy(KNOWN["project"])
    value = {key: copy.deepcopy(entry["keys"][key])}
    if not entry["at"]:
        return project | value
    around, place = holder(project, entry["at"])
    around[place] = copy.deepcopy(entry.get("given", {})) | value
    for name in entry.get("without", ()):
        del around[name]
    return project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people.csv").write_text("user_id,email,account_id\n'u1',NULL,'a1'\n")
    return tmp_path


def test_the_project_itself_is_right(folder: Path) -> None:
    (folder / "pb_project.yaml").write_text(yaml.safe_dump(KNOWN["project"]))
    assert ProfilesProject.load(folder).disabled == ()


@pytest.mark.parametrize("entry", KNOWN["objects"], ids=lambda entry: f"{entry['at']}:{next(iter(entry['keys']))}")
def test_every_key_is_accepted(entry: dict[str, Any], folder: Path) -> None:
    refused = {}
    for key in entry["keys"]:
        (folder / "pb_project.yaml").write_text(yaml.safe_dump(with_key(entry, key)))
        try:
            ProfilesProject.load(folder)
        except ProjectError as error:
            refused[key] = str(error)
    assert refused == {}
