"""Whatever happens to a run, the next one finishes its work, and nobody sees half of it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from profiles_pipeline.cli.values import moment
from profiles_pipeline.connections import embedded
from profiles_pipeline.examples import copy_example
from profiles_pipeline.examples.ecommerce_data import generate
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, run

from .conftest import Call, Spawn
from .test_run import rows

EVENTS = 200_000
END = "2025-01-01"
pytestmark = pytest.mark.slow

KILL_AFTER = [
    "ecommerce: building in",
    "this run is seq_no 1",
    "built  models/user_id_stitcher",
    "built  user/all ",
    "built  models/order_details",
    "built  user/all/var_table",
]
"""Texts of output lines; the process is killed as soon as it has printed one of them."""


@pytest.fixture(scope="module")
def shop_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows of a web shop, large enough for a run to take a while."""
    folder = tmp_path_factory.mktemp("shop") / "data"
    generate(folder, events=EVENTS)
    return folder


@pytest.fixture
def shop(tmp_path: Path, shop_data: Path) -> Path:
    """The web shop, not run yet."""
    return copied_shop(tmp_path / "shop", shop_data)


def copied_shop(project: Path, data: Path) -> Path:
    copy_example("ecommerce", project)
    for file in (project / "data").iterdir():
        file.unlink()
        file.symlink_to(data / file.name)
    return project


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return the lines a process prints up to the first that contains `text`."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"{text!r} was never printed:\n{''.join(lines)}{process.stderr.read() if process.stderr else ''}")


def contents(call: Call, project: Path) -> dict[str, object]:
    """Return a number for the rows of every view of a project, whatever their order."""
    listed = json.loads(call("show", "models", "-p", project, "--json").out)
    names = [m["name"] for m in listed if m["output"] != "source" and m["relation"]]
    assert len(names) > 10
    # The rows of sessions are numbered in the order in which they were made.
    shown = {name: f'"{name}"' for name in names}
    shown["user_sessions_var_table"] = '(select * exclude (input_row_id) from "user_sessions_var_table")'
    parts = [f"select '{name}' as name, count(*) as n, bit_xor(hash(t)) as h from {shown[name]} as t" for name in names]
    return {str(row["name"]): (row["n"], row["h"]) for row in rows(call, project, " union all ".join(parts))}


@pytest.fixture(scope="module")
def undisturbed(shop_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The web shop, built by a run that nothing happened to."""
    project = copied_shop(tmp_path_factory.mktemp("undisturbed") / "shop", shop_data)
    run(ProfilesProject.load(project), embedded(project), Options(end=moment(END, "end")))
    return project


@pytest.mark.parametrize("text", KILL_AFTER)
def test_a_killed_run_is_finished_by_the_next(
    call: Call, spawn: Spawn, shop: Path, undisturbed: Path, text: str
) -> None:
    process = spawn("run", "-p", shop, "--end-time", END, "--no-report")
    seen = read_until(process, text)
    process.kill()
    process.communicate(timeout=120)
    assert process.returncode in (-signal.SIGKILL, 0), "0: it had finished just before"

    again = call("run", "-p", shop, "--end-time", END, "--no-report", "--json")
    assert again.code == 0, again.err
    document = json.loads(again.out)
    assert document["seq_no"] == 1
    finished = {line.split()[2] for line in seen if " built  " in line}
    assert finished <= {model["path"] for model in document["models"] if model["reused"]}
    assert contents(call, shop) == contents(call, undisturbed)


def test_ctrl_c_says_how_to_go_on(call: Call, spawn: Spawn, shop: Path, undisturbed: Path) -> None:
    process = spawn("run", "-p", shop, "--end-time", END, "--no-report")
    read_until(process, "this run is seq_no 1")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.startswith("interrupted")
    assert f"to continue with seq_no 1: profiles run -p {shop} --seq-no 1" in errors
    assert "Traceback" not in errors
    assert call("query", "-p", shop, "select * from user_profile").code == 2, "a view shows a run that was not finished"
    assert call("run", "-p", shop, "--no-report", "-q").code == 0
    assert contents(call, shop) == contents(call, undisturbed)


def test_the_second_run_waits_and_knows_for_whom(spawn: Spawn, shop: Path) -> None:
    first = spawn("run", "-p", shop, "--end-time", END, "--no-report")
    read_until(first, "this run is seq_no 1")
    first.send_signal(signal.SIGSTOP)  # so that it is still there when the others come
    impatient = spawn("run", "-p", shop, "--end-time", END, "--no-report", "--lock-timeout", "0")
    _, errors = impatient.communicate(timeout=120)
    assert impatient.returncode == 1, errors
    assert f"process {first.pid} " in errors
    assert errors.startswith("error[lock-timeout]")

    second = spawn("run", "-p", shop, "--end-time", END, "--no-report")
    waiting = read_until(second, "waiting for ")[-1]
    assert f"process {first.pid} " in waiting
    assert "profiles run" in waiting
    first.send_signal(signal.SIGCONT)
    out, errors = second.communicate(timeout=240)
    assert second.returncode == 0, errors
    assert "this run continues seq_no 1" in out
    assert " 0 to build" in out
    first.communicate(timeout=120)
    assert first.returncode == 0
