"""What a terminal shows while a command works."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from profiles_pipeline.cli.progress import PATIENCE_S, patience
from profiles_pipeline.resolve.model import SqlModel
from profiles_pipeline.run import Rehearsing
from profiles_pipeline.spec.model import SqlTemplateSpec

MODEL = SqlModel(path="models/a", name="a", spec=SqlTemplateSpec(), output="table")


def shown(*, terminal: bool, quiet: bool, seconds: float) -> str:
    """What is printed about the third of seven models by a check that takes this long after it."""
    printed = io.StringIO()
    console = Console(file=printed, force_terminal=terminal, width=100)
    with patience(console, quiet=quiet) as observe:
        observe(Rehearsing(MODEL, 3, 7))
        time.sleep(seconds)
    return printed.getvalue()


@pytest.mark.parametrize(
    ("terminal", "quiet", "seconds", "is_shown"),
    [
        (True, False, PATIENCE_S + 1, True),
        (True, False, 0, False),
        (True, True, PATIENCE_S + 1, False),
        (False, False, PATIENCE_S + 1, False),
    ],
)
def test_a_check_that_takes_a_while_says_how_far_it_is(
    terminal: bool, quiet: bool, seconds: float, is_shown: bool
) -> None:
    printed = shown(terminal=terminal, quiet=quiet, seconds=seconds)
    assert ("checking 3 of 7 models" in printed) is is_shown
    assert bool(printed) is is_shown
