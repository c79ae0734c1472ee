"""What the README shows is what a reader gets: its smallest project, its commands, its Python."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
CONSOLES = [body for kind, body in BLOCKS if kind == "console"]


def profiles(command: str, folder: Path) -> str:
    """Run a command line of the README in `folder`; give back what it prints."""
    words = shlex.split(command, comments=True)
    assert words[0] == "profiles"
    done = subprocess.run(
        [sys.executable, "-m", "profiles_pipeline", *words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(console: str) -> list[str]:
    return [line.removeprefix("$ ") for line in console.splitlines() if line.startswith("$ ")]


@pytest.fixture
def smallest(tmp_path: Path) -> Path:
    """The smallest project, written from the blocks that begin with the name of their file."""
    for kind, body in BLOCKS:
        named = re.match(r"# ([\w./]+)\n", body)
        if kind in ("yaml", "csv") and named:
            file = tmp_path / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body if kind == "yaml" else body[named.end() :], encoding="utf-8")
    return tmp_path


def test_the_smallest_project_gives_what_is_shown(smallest: Path) -> None:
    run, query = commands(CONSOLES[0])
    profiles(run, smallest)
    shown = CONSOLES[0].partition(query)[2]
    assert profiles(query, smallest).split() == shown.split()


def test_the_ten_step_guide_gives_five_people(tmp_path: Path) -> None:
    folder, answer = tmp_path, ""
    for command in (
        "profiles " + c.removeprefix("profiles ") for c in commands(CONSOLES[1]) if not c.startswith("cd ")
    ):
        if command.startswith("profiles dev"):
            continue  # a server: the tests of the UI start it
        answer = profiles(command, folder)
        folder = tmp_path / "quickstart"
    assert len(re.findall(r"^rid[0-9a-f]{32}", answer, re.MULTILINE)) == 5


def test_the_commands_for_a_project_of_ones_own(smallest: Path) -> None:
    told = ("the project is valid", "done: seq_no 1,", "5 models, 1 input")
    for command, said in zip(commands(CONSOLES[2]), told, strict=True):
        assert said in profiles(command.replace("path/to/project", str(smallest)), smallest.parent)


def test_the_commands_to_look_around(smallest: Path) -> None:
    profiles("profiles run --no-report", smallest)
    (console,) = [body for body in CONSOLES if "profiles discover" in body]
    for command in commands(console):
        profiles(command, smallest)
    assert (smallest / "models.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_python_is_a_code_location(smallest: Path, tmp_path: Path) -> None:
    (code,) = [body for kind, body in BLOCKS if kind == "python"]
    file = tmp_path / "defs.py"
    file.write_text(code.replace("path/to/project", str(smallest)), encoding="utf-8")
    (found,) = load_definitions_from_file(file)
    keys = {key.to_user_string() for key in found.resolve_asset_graph().get_all_asset_keys()}
    assert {"newsletter", "inputs/orders"} <= keys


def load_definitions_from_file(file: Path) -> list[dg.Definitions]:
    """Return what Dagster takes for the definitions of a Python file: it refuses more than one."""
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-f", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=file.parent,
    )
    assert done.returncode == 0, done.stderr
    names = runpy.run_path(str(file))
    return [value for value in names.values() if isinstance(value, dg.Definitions)]
