"""Histories over generated projects: every run says what a full rebuild and the oracle say."""

import pytest
from hypothesis import given

from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.histories import History, Layout, histories
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.profiles import EVERY_RUN, MOST_STEPS, PROFILE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", HISTORIES)
def test_kept_histories_hold_the_law(name: str) -> None:
    check(HISTORIES[name], every_run=EVERY_RUN)


@pytest.mark.timeout(0 if EVERY_RUN else 1800)
@pytest.mark.parametrize("layout", ["daily files", "one file", "tables"])
def test_generated_histories_hold_the_law(layout: Layout) -> None:
    @PROFILE
    @given(histories(layout, MOST_STEPS))
    def holds(history: History) -> None:
        check(history, every_run=EVERY_RUN)

    holds()
