"""The suite can fail: with a part of the engine out of order, a kept history breaks the law, before either judge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlglot import exp

from profiles_pipeline import freshness, plan
from profiles_pipeline.compile import rows
from profiles_pipeline.compile.statement import Compilation
from profiles_pipeline.identity import in_memory
from profiles_pipeline.stages import Promote
from profiles_pipeline_tests.law.check import Judge
from profiles_pipeline_tests.law.controls import Patch, is_broken

pytestmark = pytest.mark.slow

in_window, component_labels, promotion = rows.in_window, in_memory.component_labels, plan.promotion


def old_rows_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of more than two days before the end time are left out, as if they had been read for good."""

    def recent(c: Compilation, occurred_at: str, this: str) -> exp.Expr:
        floor = rows.moment((c.reader.end_time.replace(tzinfo=None) - timedelta(days=2)).isoformat(sep=" "))
        newer = exp.GTE(this=rows.occurred(c, occurred_at, this), expression=floor)
        return exp.and_(in_window(c, occurred_at, this), newer)

    monkeypatch.setattr(rows, "in_window", recent)


def the_end_time_itself_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row at the end time is visible."""

    def inclusive(c: Compilation, occurred_at: str, this: str) -> exp.Expr:
        reader = replace(c.reader, end_time=c.reader.end_time + timedelta(microseconds=1))
        return in_window(replace(c, reader=reader), occurred_at, this)

    monkeypatch.setattr(rows, "in_window", inclusive)


def an_edge_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver of components does not see the last edge."""

    def without_last(a: np.ndarray, b: np.ndarray, node_count: int) -> np.ndarray:
        return component_labels(a[:-1], b[:-1], node_count)

    monkeypatch.setattr(in_memory, "component_labels", without_last)


def sources_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was built for an end time stays, whatever has become of its sources."""
    monkeypatch.setattr(freshness, "outdated", lambda *_: frozenset())


def views_follow_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run for the past moves the plain views."""

    def moving(*arguments: object) -> Promote:
        return replace(promotion(*arguments), stays_on=None)  # type: ignore[arg-type]

    monkeypatch.setattr(plan, "promotion", moving)


JOINED = "a row of today joins two old persons"


@pytest.mark.parametrize("judge", ["oracle", "rebuild"])
@pytest.mark.parametrize(
    ("patch", "name"),
    [
        (old_rows_are_not_read, JOINED),
        (the_end_time_itself_is_seen, "today is run again and again"),
        (an_edge_is_lost, JOINED),
        (sources_are_not_looked_at, "a table without times changes"),
        (views_follow_every_run, "a run for the past, over tables that have changed"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_a_part_out_of_order_breaks_the_law(patch: Patch, name: str, judge: Judge) -> None:
    assert is_broken(name, patch, judge=judge)
