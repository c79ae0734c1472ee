"""Looks for a history that breaks the law while a part of the engine is out of order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from profiles_pipeline.errors import ProfilesError
from profiles_pipeline_tests.law.check import Judge, LawBrokenError, check
from profiles_pipeline_tests.law.histories import History, Layout, histories

Patch = Callable[[pytest.MonkeyPatch], None]
"""Puts a part of the engine out of order."""

LAYOUT: Layout = "daily files"


def first_counterexample(
    patch: Patch,
    *,
    first_seed: int = 0,
    tries: int = 300,
    most_steps: int = 4,
    judges: tuple[Judge, ...] = ("oracle", "rebuild"),
) -> str | None:
    """Return the first difference that histories with `patch` at work lead to, and the history; None without one.

    The runs of a history happen under the patch, full rebuilds do not. The same arguments draw the same histories.
    """

    @contextmanager
    def patched() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            patch(monkeypatch)
            yield

    seen: list[History] = []

    @seed(first_seed)
    @settings(
        max_examples=tries,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories(LAYOUT, most_steps))
    def holds(history: History) -> None:
        seen.append(history)
        check(history, every_run=True, patched=patched, judges=judges)

    try:
        holds()
    except (LawBrokenError, ProfilesError) as error:
        return f"{error}\n{seen[-1]!r}"
    return None
