"""Bad projects: what is said, word by word, about each kind of mistake, with its place and a way out."""

import shutil
from pathlib import Path

import pytest

from profiles_pipeline import connections
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import run

CASES = sorted((Path(__file__).parent / "data" / "errors" / "project").iterdir())


def said_of(folder: Path) -> str:
    """Everything said of a project that is loaded and, if that succeeds, run."""
    try:
        project = ProfilesProject.load(folder)
        run(project, connections.embedded(folder))
    except ProjectError as error:
        return f"{error}\n".replace(str(folder), "{folder}")
    return "".join(f"{warning.render()}\n" for warning in project.warnings)


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_every_mistake_is_told(folder: Path, tmp_path: Path, update_golden: bool) -> None:
    copy = shutil.copytree(folder, tmp_path / "project")
    said = said_of(copy)
    if update_golden:
        (folder / "expected.txt").write_text(said, encoding="utf-8")
    assert said == (folder / "expected.txt").read_text(encoding="utf-8")
    code = folder.name.rpartition("-")[0] if folder.name != "many-problems" else "unknown"
    assert said
    assert code.split("-")[0] in said
