"""Bad projects: what is said, word by word, about each kind of mistake, with its place and a way out."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import connections, queries
from profiles_pipeline.errors import ProjectError, RunError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Event, Options, Planned, run

END = datetime(2024, 2, 1, tzinfo=UTC)
CASES = sorted((Path(__file__).parent / "data" / "errors" / "project").iterdir())


def said_of(folder: Path) -> str:
    """Everything said of a project that is checked and, if nothing is wrong, run as of a fixed time."""
    events: list[Event] = []
    try:
        project = ProfilesProject.read(folder)
        queries.check(project, connections.embedded(folder))
        run(project, connections.embedded(folder), Options(end=END), events.append)
    except (ProjectError, RunError) as error:
        return re.sub(r"_[0-9a-f]{8}_1", "_1", f"{error}\n".replace(str(folder), "{folder}"))
    planned = next(event for event in events if isinstance(event, Planned))
    return "".join(f"{warning.render()}\n" for warning in (*project.warnings, *planned.warnings))


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_every_mistake_is_told(folder: Path, tmp_path: Path, update_golden: bool) -> None:
    copy = shutil.copytree(folder, tmp_path / "project")
    said = said_of(copy)
    if update_golden:
        (folder / "expected.txt").write_text(said, encoding="utf-8")
    assert said == (folder / "expected.txt").read_text(encoding="utf-8")
    assert f"[{code_of(folder)}]" in said


def code_of(folder: Path) -> str:
    """The code that the folder's name begins with."""
    said = (folder / "expected.txt").read_text(encoding="utf-8")
    codes = set(re.findall(r"(?:error|warning)\[([a-z-]+)\]", said))
    return max((code for code in codes if folder.name.startswith(code + "-")), key=len, default="no code of that name")
