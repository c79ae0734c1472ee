"""Histories over generated projects: every run says what a full rebuild and the oracle say."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given

from profiles_pipeline import increments
from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.histories import History, Layout, histories
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.profiles import EVERY_RUN, MOST_STEPS, PROFILE

pytestmark = pytest.mark.slow


@contextmanager
def keeping_from_the_first_run_on() -> Iterator[None]:
    """Even the first run keeps what later ones go on from, and each one goes on."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(increments, "was_built_before", lambda *_: True)
        yield


@pytest.mark.parametrize("name", HISTORIES)
def test_kept_histories_hold_the_law(name: str) -> None:
    check(HISTORIES[name], every_run=EVERY_RUN)


@pytest.mark.timeout(0 if EVERY_RUN else 1800)
@pytest.mark.parametrize("layout", ["daily files", "one file", "tables"])
def test_generated_histories_hold_the_law(layout: Layout) -> None:
    @PROFILE
    @given(histories(layout, MOST_STEPS))
    def holds(history: History) -> None:
        check(history, every_run=EVERY_RUN, patched=keeping_from_the_first_run_on)

    holds()


@pytest.mark.timeout(0 if EVERY_RUN else 1800)
def test_generated_histories_of_runs_that_keep_when_it_pays_hold_the_law() -> None:
    @PROFILE
    @given(histories("daily files", MOST_STEPS))
    def holds(history: History) -> None:
        check(history, every_run=EVERY_RUN)

    holds()
