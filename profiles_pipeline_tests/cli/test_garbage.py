"""What is loaded early is spared when garbage is looked for; DuckDB's binding is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Spawn

FROZEN = """
import gc, sys
from profiles_pipeline.garbage import rare_collection, spare_what_is_loaded
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


READ_IN_ANOTHER_DIALECT = "select `user_id`, date_add(current_date, interval 1 day) as tomorrow"
"""Errors are raised until it is known for what it is, and their frames are there when what is loaded is spared."""


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("select user_id from {rows} grup by 1", (), 2),
        (READ_IN_ANOTHER_DIALECT + ", cast(event as int) as n from {rows}", (), 1),
        (READ_IN_ANOTHER_DIALECT + ", cast(event as int) as n from {rows}", ("--ignore-model-errors",), 1),
    ],
)
def test_nor_does_a_run_that_fails(
    spawn: Spawn, quickstart: Path, text: str, options: tuple[str, ...], code: int
) -> None:
    sql = text.format(rows='{{ this.DeRef("inputs/rsTracks") }}')
    model = f"  - name: wrong\n    model_type: sql_template\n    model_spec:\n      single_sql: {sql}\n"
    model += "      materialization: {output_type: table}\n"
    (quickstart / "models" / "wrong.yaml").write_text(f"models:\n{model}")
    process = spawn("run", "-p", quickstart, *options)
    _, said = process.communicate(timeout=120)
    assert process.returncode == code, said
    assert "nanobind" not in said
