"""Which materials go and which stay, decided from what is known, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from profiles_pipeline.cleanup import Candidate, Context, Relation, View, decide, shown
from profiles_pipeline.registry import SeqNo

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def context(days: float = 30, unfinished: dict[int, timedelta] | None = None, only_expired: bool = False) -> Context:
    """Three finished runs and, on demand, unfinished ones of a given age."""
    ages = {1: timedelta(days=60), 2: timedelta(days=20), 3: timedelta(hours=1), **(unfinished or {})}
    seq_nos = {
        number: SeqNo(number, None, NOW - age, NOW - age, number not in (unfinished or {}), "run")
        for number, age in ages.items()
    }
    current = {"models/x": "aaaaaaaa", "models/y": "bbbbbbbb"}
    return Context(current, {}, timedelta(days=days), seq_nos, NOW, only_expired)


def material(path: str | None, fingerprint: str, seq_no: int, days: float | None, kind: str = "table") -> Candidate:
    name = f"Material_{(path or 'models/x').rpartition('/')[2]}_{fingerprint}_{seq_no}"
    created = None if days is None else NOW - timedelta(days=days)
    return Candidate(name, path, fingerprint, seq_no, created, (Relation(name, "view" if kind == "view" else "table"),))


X1, X2, X3 = (material("models/x", "aaaaaaaa", n, days) for n, days in ((1, 60), (2, 20), (3, 0.1)))
OLD_X2 = material("models/x", "00000000", 2, 20)
GONE = material("models/gone", "cccccccc", 2, 20)
UNFINISHED = material(None, "aaaaaaaa", 2, None)


@pytest.mark.parametrize(
    ("candidates", "known", "dropped"),
    [
        pytest.param([X1, X2, X3], context(), {X1: "older than 30 days"}, id="age"),
        pytest.param([X1], context(), {}, id="the only one of its definition stays at any age"),
        pytest.param([OLD_X2, X3], context(), {OLD_X2: "its definition has been superseded"}, id="superseded"),
        pytest.param([OLD_X2, X3], context(only_expired=True), {}, id="superseded but young, by age alone"),
        pytest.param([GONE, X3], context(), {GONE: "its model is not built any more"}, id="a model that is gone"),
        pytest.param([UNFINISHED, X3], context(), {UNFINISHED: "its build was never finished"}, id="unfinished"),
        pytest.param([UNFINISHED, X3], context(only_expired=True), {}, id="unfinished but young, by age alone"),
        pytest.param(
            [X1, X2, X3],
            context(days=7),
            {X1: "older than 7 days", X2: "older than 7 days"},
            id="a period that is asked for",
        ),
    ],
)
def test_by_itself(candidates: list[Candidate], known: Context, dropped: dict[Candidate, str]) -> None:
    fates = decide(candidates, [], known)
    assert [fate.material for fate in fates] == candidates
    assert {fate.material: fate.reason for fate in fates if fate.dropped} == dropped


def test_a_model_can_have_a_period_of_its_own() -> None:
    known = replace(context(), periods={"models/x": timedelta(days=10)})
    fates = decide([X2, X3], [], known)
    assert [(fate.dropped, fate.reason) for fate in fates] == [
        (True, "older than 10 days"),
        (False, "the newest of its definition"),
    ]


@pytest.mark.parametrize(("age", "dropped"), [(timedelta(hours=23), False), (timedelta(hours=25), True)])
def test_a_run_that_can_be_continued_stays(age: timedelta, dropped: bool) -> None:
    late = material("models/x", "00000000", 4, age / timedelta(days=1))
    fates = decide([late, X3], [], context(days=0, unfinished={4: age}))
    assert fates[0].dropped is dropped


def test_what_is_read_stays_through_any_number_of_views() -> None:
    """mine.top -> Material_y (a view) -> Material_x; nothing reads the other old materials."""
    y1 = material("models/y", "00000000", 1, 60, "view")
    views = [
        View("mine.top", None, frozenset({"material_y_00000000_1"})),
        View(f"profiles.{y1.name}", y1.name, frozenset({y1.name.lower(), X1.name.lower()})),
        View("profiles.x", "x", frozenset({X3.name.lower()})),
    ]
    fates = {fate.material: fate for fate in decide([X1, y1, X2, X3], views, context(days=0))}
    assert {material.name for material, fate in fates.items() if fate.dropped} == {X2.name}
    assert fates[y1].reason == "view 'mine.top' reads it"
    assert fates[X1].reason == f"view 'profiles.{y1.name}' reads it"


def test_what_only_dropped_views_read_goes_with_them() -> None:
    y1 = material("models/y", "00000000", 1, 60, "view")
    views = [View(f"profiles.{y1.name}", y1.name, frozenset({X1.name.lower()}))]
    fates = decide([X1, y1, X3], views, context())
    assert [fate.dropped for fate in fates] == [True, True, False]


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (timedelta(days=30), "30 days"),
        (timedelta(hours=24), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=3), "3 seconds"),
        (timedelta(0), "0 seconds"),
    ],
)
def test_periods_in_words(period: timedelta, text: str) -> None:
    assert shown(period) == text
