"""Ctrl-C at moments at which Python itself would lose it or show a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"
WHILE_IMPORTING = f"""
import os, signal, sys
module = sys.argv.pop(1)

class Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        if name == module:
            {INTERRUPT}

sys.meta_path.insert(0, Finder)
from profiles_pipeline.cli import main
main()
"""
AT_THE_END = f"""
import atexit, os, signal
from profiles_pipeline.cli import main
atexit.register(lambda: {INTERRUPT})
main()
"""


LOST = f"""
import os, signal, time, weakref
from profiles_pipeline.cli import app, main

class Thing:
    pass

def outcome(arguments, is_last):
    thing = Thing()
    kept = weakref.ref(thing, lambda _: {INTERRUPT})
    del thing
    while True:
        time.sleep(1)

app.outcome = outcome
main()
"""
"""A callback in which an exception is told and dropped."""


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "module",
    [
        "profiles_pipeline.cli.app",
        "typer",
        "rich.console",
        "profiles_pipeline.cli.planning",
        "sqlglot.parser",
        "duckdb",
    ],
)
def test_while_a_module_is_imported(quickstart: Path, module: str) -> None:
    done = python(WHILE_IMPORTING, module, "validate", "-p", quickstart)
    assert done.returncode == 130, done.stderr
    assert done.stderr in ("", "\n", "interrupted; nothing was changed\n")


def test_where_exceptions_get_lost() -> None:
    done = python(LOST)
    assert (done.returncode, done.stderr) == (130, "")


def test_when_all_is_done() -> None:
    done = python(AT_THE_END, "version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("profiles ")
