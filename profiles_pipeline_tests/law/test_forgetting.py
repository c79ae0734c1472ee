"""People are forgotten, and come back: runs say what they would if the rows had never been there, earlier runs too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from profiles_pipeline.compile import outputs, rows
from profiles_pipeline.compile.suppression import Suppressed
from profiles_pipeline.forgetting import forgetting
from profiles_pipeline.registry import Registry
from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.controls import Patch, is_broken
from profiles_pipeline_tests.law.forgetting import forgetful
from profiles_pipeline_tests.law.histories import History, Layout
from profiles_pipeline_tests.law.kept import FORGETFUL
from profiles_pipeline_tests.law.profiles import EVERY_RUN, MOST_STEPS, PROFILE
from profiles_pipeline_tests.law.test_law import keeping_from_the_first_run_on

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", FORGETFUL)
def test_kept_histories_hold_the_law(name: str) -> None:
    check(FORGETFUL[name], every_run=True, patched=keeping_from_the_first_run_on)


@pytest.mark.timeout(0 if EVERY_RUN else 1800)
@pytest.mark.parametrize("layout", ["daily files", "tables"] if EVERY_RUN else ["daily files"])
def test_generated_histories_hold_the_law(layout: Layout) -> None:
    @settings(PROFILE, max_examples=PROFILE.max_examples if EVERY_RUN else 2)
    @given(forgetful(layout, MOST_STEPS))
    def holds(history: History) -> None:
        check(history, every_run=EVERY_RUN, patched=keeping_from_the_first_run_on)

    holds()


suppressed = Registry.suppressed


def their_rows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of those who were forgotten count like all others."""
    for module in (rows, outputs):
        monkeypatch.setattr(module, "not_suppressed", lambda *_: None)


def days_that_were_read_are_taken_for_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of a day does not say for which list of the forgotten it holds."""

    def unmarked(registry: Registry, project: str) -> Suppressed | None:
        found = suppressed(registry, project)
        return None if found is None else replace(found, mark="")

    monkeypatch.setattr(Registry, "suppressed", unmarked)


def earlier_runs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken out of what earlier runs have left."""

    monkeypatch.setattr(forgetting, "take_out", lambda _session, _whom, note: note({}))


@pytest.mark.parametrize("patch", [their_rows_are_read, days_that_were_read_are_taken_for_known, earlier_runs_stay])
def test_a_part_out_of_order_breaks_the_law(patch: Patch) -> None:
    assert is_broken("somebody is forgotten, comes again with others, and is taken back", patch, judge="oracle")
