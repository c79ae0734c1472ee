"""Each lifting step against pairs of before and after, kept as data."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiles_pipeline.errors import Problems, Span
from profiles_pipeline.spec.lift import STEPS, Note, lift, take_step
from profiles_pipeline.spec.placed import PlacedList, PlacedMap
from profiles_pipeline.spec.yaml_nodes import parse_yaml, read_yaml

CASES = Path(__file__).parent.parent / "data" / "spec" / "lift"
BY_NAME = {step.__name__: step for step in STEPS}


def placed(path: Path) -> PlacedList:
    problems = Problems()
    cases = read_yaml(path, path.name, problems)
    assert problems.found == []
    assert isinstance(cases, PlacedList)
    return cases


def all_cases() -> Iterator[object]:
    for path in sorted(CASES.glob("*.yaml")):
        for number, case in enumerate(placed(path)):
            yield pytest.param(path.stem, case, id=f"{path.stem}-{number}")


@pytest.mark.parametrize(("name", "case"), list(all_cases()))
def test_step_turns_before_into_after_and_leaves_notes(name: str, case: PlacedMap) -> None:
    before = case["before"]
    assert isinstance(before, PlacedMap)
    untouched = copy.deepcopy(before)
    after, notes = take_step(BY_NAME[name], before)
    assert after == case["after"]
    assert [note.message for note in notes] == case["notes"]
    assert before == untouched


@pytest.mark.parametrize(("name", "case"), list(all_cases()))
def test_step_leaves_its_own_result_alone(name: str, case: PlacedMap) -> None:
    after = case["after"]
    assert isinstance(after, PlacedMap)
    again, _ = take_step(BY_NAME[name], after)
    assert again == after


def test_every_step_has_cases() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} == set(BY_NAME)


def test_a_note_names_the_place_of_the_key() -> None:
    project = parse_yaml("name: shop\nprofile: dev\n", "pb_project.yaml", Problems())
    assert isinstance(project, PlacedMap)
    lifted, notes = lift(project)
    assert notes == (Note(Span("pb_project.yaml", 2, 1), "key 'profile' became 'connection'"),)
    assert str(notes[0]) == "pb_project.yaml:2:1: key 'profile' became 'connection'"
    assert lifted.key_span("connection") == Span("pb_project.yaml", 2, 1)
    assert lifted.value_span("connection") == Span("pb_project.yaml", 2, 10)


def test_a_project_in_its_newest_form_leaves_no_notes() -> None:
    text = "name: shop\nschema_version: 98\nentities:\n  - name: user\n    id_types: [email]\n"
    project = parse_yaml(text, "pb_project.yaml", Problems())
    assert isinstance(project, PlacedMap)
    assert lift(project) == (project, ())
