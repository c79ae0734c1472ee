"""Projects to call the command line on, and two ways of calling it: in this process, and as a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from profiles_pipeline.cli import main
from profiles_pipeline.cli.values import moment
from profiles_pipeline.connections import embedded
from profiles_pipeline.examples import copy_example
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, run

REFERENCE_TIME = "2023-11-08T00:00:00Z"


@dataclass(frozen=True)
class Outcome:
    """What a call left behind."""

    code: int
    out: str
    err: str


Call = Callable[..., Outcome]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without connections; the current folder is another one, without a project."""
    folder = tmp_path / "home"
    folder.mkdir()
    (tmp_path / "cwd").mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("PROFILES_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path / "cwd")
    return folder


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str]) -> Call:  # noqa: ARG001 - it moves there
    """Call the command line in this process."""

    def calling(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return Outcome(code, captured.out, captured.err)

    return calling


@pytest.fixture
def spawn(home: Path) -> Spawn:  # noqa: ARG001 - it moves there
    """Start the command line as a process of its own; its output is text."""

    def spawning(*arguments: object, **settings: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "profiles_pipeline", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(command, **(pipes | {"env": environment} | settings))

    return spawning


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    """The quickstart project, not run yet."""
    copy_example("quickstart", tmp_path / "quickstart")
    return tmp_path / "quickstart"


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart project, run once as of its reference time; for copying."""
    project = tmp_path_factory.mktemp("built") / "quickstart"
    copy_example("quickstart", project)
    return run_once(project)


def run_once(project: Path) -> Path:
    run(ProfilesProject.load(project), embedded(project), Options(end=moment(REFERENCE_TIME, "--end-time")))
    return project


@pytest.fixture
def built_here(quickstart: Path) -> Path:
    """The quickstart project, run once as of its reference time where it lies, so that what was built is reused."""
    return run_once(quickstart)


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Path:
    """The quickstart project, run once as of its reference time, and moved since."""
    shutil.copytree(built_once, tmp_path / "quickstart", symlinks=True)
    return tmp_path / "quickstart"
