"""Whatever a file holds, loading either succeeds or tells what is wrong; it never fails in another way."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from profiles_pipeline.errors import Problem, ProjectError
from profiles_pipeline.spec import load_project

ERAS = sorted((Path(__file__).parent.parent / "data" / "spec" / "projects").iterdir())
REPLACEMENTS: tuple[object, ...] = (
    None,
    True,
    3,
    1.5,
    "text",
    "",
    [],
    {},
    ["a"],
    [None],
    [{}],
    {"name": "x"},
    {"a": {"b": []}},
    [["a"]],
)
Holder = dict[str, object] | list[object]


def places(value: object) -> Iterator[tuple[Holder, str | int]]:
    """Every place of a document that can be given another value."""
    if isinstance(value, dict):
        for key in value:
            yield value, key
            yield from places(value[key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield value, index
            yield from places(item)


def problems_of(folder: Path) -> tuple[Problem, ...]:
    try:
        load_project(folder)
    except ProjectError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("folder", ERAS, ids=lambda path: path.name)
def test_any_value_at_any_place(tmp_path: Path, folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    copy = tmp_path / "project"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("expected*"))
    for path in sorted(copy.rglob("*.yaml")):
        original = path.read_text()
        for number in range(len(list(places(yaml.safe_load(original))))):
            document = yaml.safe_load(original)
            holder, key = list(places(document))[number]
            holder[key] = chance.choice(REPLACEMENTS)  # type: ignore[index]
            path.write_text(yaml.safe_dump(document))
            assert all(problem.span for problem in problems_of(copy))
        path.write_text(original)
