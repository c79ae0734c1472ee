"""Any project can be run on sample rows, and its features have values."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from profiles_pipeline import examples
from profiles_pipeline.cli.place import Place
from profiles_pipeline.sample import coverage
from profiles_pipeline_tests.cli.conftest import Call

HERE = Path(__file__).parent / "projects"
PROJECTS = sorted(path.name for path in HERE.iterdir())


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    folder = tmp_path / request.param
    if request.param in examples.EXAMPLES:
        examples.copy_example(request.param, folder)
        shutil.rmtree(folder / "data", ignore_errors=True)
    else:
        shutil.copytree(HERE / request.param, folder)
    connections = folder / "siteconfig.yaml"
    return Place(folder, connections if connections.is_file() else None)


def options(place: Place) -> tuple[object, ...]:
    """Return the options that mean a project, and its connections if it brings some."""
    return ("-p", place.folder, *(("-c", place.siteconfig) if place.siteconfig else ()))


@pytest.mark.parametrize("place", [*examples.EXAMPLES, *PROJECTS], indirect=True)
def test_sample_data_then_run_and_no_feature_is_empty(call: Call, place: Place) -> None:
    sampled = call("sample-data", *options(place), "--seed", "3")
    assert sampled.code == 0, sampled.err
    run = call("run", *options(place), "-q")
    assert run.code == 0, run.err
    assert coverage(*place.open()) == ()


@pytest.mark.parametrize("place", ["typed_text"], indirect=True)
def test_coverage_names_what_is_empty(call: Call, place: Place) -> None:
    models = place.folder / "models" / "all.yaml"
    text = models.read_text()
    models.write_text(
        text + "      - entity_var: {name: nothing, select: max(topic), from: inputs/exports, where: 1 = 2}\n"
    )
    for command in (["sample-data"], ["run", "-q"]):
        assert call(*command, "-p", str(place.folder)).code == 0
    empty = coverage(*place.open())
    assert {column.column for column in empty} == {"nothing"}
    assert all(column.rows > 0 for column in empty)


@pytest.mark.parametrize("place", ["oldest"], indirect=True)
def test_the_command_says_what_it_wrote_and_what_it_kept(call: Call, place: Place) -> None:
    first = call("sample-data", "-p", str(place.folder), "--rows", "40", "--end", "2025-01-01")
    assert first.code == 0
    assert "bakery.public.visits" in first.out
    assert "wrote 2 tables" in first.out
    second = call("sample-data", "-p", str(place.folder))
    assert "2 files were there already; --force replaces them" in second.err
    assert "wrote 0 tables" in second.out
    assert call("sample-data", "-p", str(place.folder), "--end", "soon").code == 2


@pytest.mark.parametrize("place", ["typed_text"], indirect=True)
def test_a_text_that_cannot_be_read_is_told_and_left_out(call: Call, place: Place) -> None:
    models = place.folder / "models" / "all.yaml"
    unread = "      - entity_var: {name: odd, select: \"to_char(sum(1), '999MI')\", from: inputs/exports}\n"
    models.write_text(models.read_text() + unread)
    sampled = call("sample-data", "-p", str(place.folder))
    assert sampled.code == 0, sampled.err
    assert "warning[sql-untranslatable]" in sampled.err
    assert "1 text could not be read" in sampled.err
    models.write_text(models.read_text() + "      - entity_var: {name: lost, select: max(a), from: inputs/nowhere}\n")
    assert call("sample-data", "-p", str(place.folder), "--force").code == 2
