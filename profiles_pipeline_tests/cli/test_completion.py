"""The shell completes commands, options and values once it has been taught to."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiles_pipeline.cli.inventory_commands import KINDS
from profiles_pipeline.queries.discover import ROW_TYPES

from .conftest import Call, Spawn


def test_completion_is_installed_for_a_shell(call: Call, home: Path) -> None:
    assert call("--install-completion", "bash").code == 0
    script = home / ".bash_completions" / "profiles.sh"
    assert "_PROFILES_COMPLETE=complete_bash" in script.read_text()
    assert str(script) in (home / ".bashrc").read_text()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("profiles disc", {"discover"}),
        ("profiles show data", {"dataflow"}),
        ("profiles cleanup mat", {"materials"}),
        ("profiles run --ignore-", {"--ignore-model-errors"}),
        ("profiles discover ", set(KINDS)),
        ("profiles discover s", {"sources"}),
    ],
)
def test_what_a_shell_is_offered(spawn: Spawn, monkeypatch: pytest.MonkeyPatch, typed: str, offered: set[str]) -> None:
    monkeypatch.setenv("_PROFILES_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    out, _ = spawn().communicate(timeout=60)
    assert set(out.split()) == offered


def test_every_list_is_offered() -> None:
    assert tuple(ROW_TYPES) == KINDS
