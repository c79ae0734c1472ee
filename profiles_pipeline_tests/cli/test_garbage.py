"""What is loaded early is spared when garbage is looked for; DuckDB's binding is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Spawn

FROZEN = """
import gc, sys
from profiles_pipeline.cli.garbage import rare_collection, spare_what_is_loaded
found = []
def frozen():
    spare_what_is_loaded()
    found.append(gc.get_freeze_count() > 0)
frozen()
with rare_collection(is_last=False):
    {before}
    frozen()
found.append(gc.get_freeze_count() > 0)
with rare_collection(is_last=True):
    frozen()
found.append(gc.get_freeze_count() > 0)
print(found)
"""


@pytest.mark.parametrize(
    ("before", "found"),
    [("pass", [False, True, False, True, True]), ("import duckdb", [False, False, False, False, False])],
)
def test_what_is_there_early_in_a_command_is_spared(before: str, found: list[bool]) -> None:
    code = FROZEN.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(found)


@pytest.mark.parametrize("command", ["validate", "run", "plan", "compile", "query select+", "show models"])
def test_no_command_leaves_objects_of_the_binding_behind(spawn: Spawn, quickstart: Path, command: str) -> None:
    arguments = [argument.replace("+", " ") for argument in command.split()]
    process = spawn(*arguments, "-p", quickstart)
    _, said = process.communicate(timeout=120)
    assert process.returncode == (2 if "query" in command else 0), said
    assert "nanobind" not in said
