"""Generated histories over generated projects: every run says what a full rebuild and the oracle say."""

import pytest
from hypothesis import given

from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.histories import History, Layout, histories
from profiles_pipeline_tests.law.past_failures import PAST_FAILURES
from profiles_pipeline_tests.law.profiles import EVERY_RUN, MOST_STEPS, PROFILE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("history", PAST_FAILURES)
def test_what_once_broke_the_law_holds_it(history: History) -> None:
    check(history, every_run=True)


@pytest.mark.parametrize("layout", ["daily files", "one file", "tables"])
def test_histories_hold_the_law(layout: Layout) -> None:
    @PROFILE
    @given(histories(layout, MOST_STEPS))
    def holds(history: History) -> None:
        check(history, every_run=EVERY_RUN)

    holds()
