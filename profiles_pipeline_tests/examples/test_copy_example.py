"""Copying a shipped project: complete, and never over somebody's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiles_pipeline.examples import EXAMPLES, copy_example

FILES = {
    "quickstart": [
        "README.md",
        "data/profiles_sample.ecommerce.identifies.csv",
        "data/profiles_sample.ecommerce.tracks.csv",
        "models/inputs.yaml",
        "models/profiles.yaml",
        "pb_project.yaml",
    ],
    "ecommerce": [
        "README.md",
        "data/shop.web.identifies.parquet",
        "data/shop.web.orders.parquet",
        "data/shop.web.tracks.parquet",
        "models/cohorts.yaml",
        "models/inputs.yaml",
        "models/macros.yaml",
        "models/profiles.yaml",
        "models/sql_models.yaml",
        "pb_project.yaml",
        "pipeline.yaml",
    ],
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("there", [False, True], ids=["new folder", "empty folder"])
def test_a_copy_is_complete(tmp_path: Path, name: str, there: bool) -> None:
    destination = tmp_path / "a" / "project"
    if there:
        destination.mkdir(parents=True)
    copied = copy_example(name, destination)
    assert [path.relative_to(destination).as_posix() for path in copied] == FILES[name]
    assert all(path.stat().st_size for path in copied)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_folder_in_use_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "pb_project.yaml").write_text("name: mine\n")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        copy_example(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pb_project.yaml"]


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError):
        copy_example("quickstart", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="quickstart, ecommerce"):
        copy_example("quikstart", tmp_path / "new")
    assert not (tmp_path / "new").exists()
