"""Help teaches, wrong calls are told what is right, and start-up stays light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import profiles_pipeline
from profiles_pipeline.cli import starting

from .conftest import Call

COMMANDS = [
    "init project",
    "init connection",
    "tutorial",
    "insert",
    "sample-data",
    "validate",
    "plan",
    "compile",
    "run",
    "show models",
    "show model_details",
    "migrate auto",
    "migrate manual",
    "show dependencies",
    "show dataflow",
    "show plan",
    "show funnel",
    "discover",
    "cleanup materials",
    "query",
    "audit id_stitcher",
    "show idstitcher-report",
    "show entity-lookup",
    "idstitch rules create",
    "idstitch rules update",
    "dev",
]
PLACED = [command for command in COMMANDS if not command.startswith(("init", "tutorial", "migrate"))]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(call: Call, command: str) -> None:
    outcome = call(*command.split(), "--help")
    assert outcome.code == 0
    assert "Examples:" in outcome.out
    assert f"  profiles {command}" in outcome.out
    assert "[bold" not in outcome.out


@pytest.mark.parametrize("command", PLACED)
def test_the_place_is_named_alike_everywhere(call: Call, command: str) -> None:
    shown = call(*command.split(), "-h").out
    for option in ("-p, --project", "-c, --siteconfig", "-t, --target"):
        assert option in shown


@pytest.mark.parametrize(
    "option", ["end-time", "begin-time", "end-time-offset", "model-refs", "seq-no", "lock-timeout"]
)
def test_both_spellings_are_shown(call: Call, option: str) -> None:
    shown = call("run", "--help").out
    assert f"--{option}" in shown
    assert f"--{option.replace('-', '_')}" in shown


def test_no_command_shows_them_in_the_order_of_use(call: Call) -> None:
    outcome = call()
    assert outcome.code == 0
    listed = [line.split()[0] for line in outcome.out.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == [
        "init", "tutorial", "insert", "sample-data", "validate", "plan", "compile", "run", "publish", "forget",
        "show", "discover", "query", "audit", "idstitch", "cleanup", "migrate", "dev", "version",
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(call: Call, arguments: list[str]) -> None:
    outcome = call(*arguments)
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == f"profiles {profiles_pipeline.__version__}"


def test_version_as_data(call: Call) -> None:
    outcome = call("version", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["profiles"] == profiles_pipeline.__version__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "error[usage]: No such command 'rnu'."),
        (["run", "--nope"], "error[usage]: No such option '--nope'."),
        (["run", "--lock-timeout", "-3"], "error[usage]: Invalid value for '--lock-timeout'"),
        (["query"], "error[usage]: Missing argument 'SQL'."),
        (["query", "select 1", "--max-rows", "0"], "error[usage]: Invalid value for '--max-rows'"),
    ],
)
def test_a_wrong_call_exits_with_2(call: Call, arguments: list[str], message: str) -> None:
    outcome = call(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith(message)
    assert "    hint: profiles" in outcome.err


def _unlucky(*_: object) -> None:
    raise ZeroDivisionError("no [bold]luck[/bold]")


def test_an_unexpected_error_is_short(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "init_project", _unlucky)
    outcome = call("init", "project")
    assert outcome.code == 70
    assert outcome.err.splitlines()[0] == "error[unexpected]: ZeroDivisionError: no [bold]luck[/bold]"
    assert "--debug" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("by", ["option", "environment"])
def test_an_unexpected_error_can_be_traced(call: Call, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setattr(starting, "init_project", _unlucky)
    if by == "environment":
        monkeypatch.setenv("PROFILES_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        call("init", "project", *(["--debug"] if by == "option" else []))


def test_help_loads_nothing_slow() -> None:
    code = """
import sys
from profiles_pipeline.cli import main
try:
    main(["run", "--help"])
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
    called = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert called.returncode == 0
    slow = {"dagster", "duckdb", "scipy", "numpy", "pyarrow", "sqlglot", "pydantic", "yaml", "jinja2"}
    assert slow.intersection(called.stderr.split()) == set()


@pytest.mark.parametrize(("words", "meant"), [(("rnu",), "run"), (("show", "modls"), "models")])
def test_a_misspelt_command_is_told_once(call: Call, words: tuple[str, ...], meant: str) -> None:
    outcome = call(*words)
    assert outcome.code == 2
    assert outcome.err.count("Did you mean") == outcome.err.count(f"'{meant}'") == 1
