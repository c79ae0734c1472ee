"""Which materials go and which stay, decided from what is known, case by case."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from profiles_pipeline.cleanup import Candidate, Context, Relation, View, decide, shown
from profiles_pipeline.registry import SeqNo
from profiles_pipeline.retention import latest, thinned
from profiles_pipeline.windows import Kept

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


def test_what_the_next_run_goes_on_from_stays_at_any_age() -> None:
    known = replace(context(), gone_on_from=frozenset({X1.name}))
    assert [fate.dropped for fate in decide([X1, X2, X3], [], known)] == [False, False, False]


def test_the_newest_is_the_one_of_the_latest_window_not_the_one_built_last() -> None:
    """Seq_no 3 was asked for long after 2, for a moment before it."""
    known = context(days=0)
    early = replace(known.seq_nos[3], end=NOW - timedelta(days=50))
    fates = decide([X1, X2, X3], [], replace(known, seq_nos={**known.seq_nos, 3: early}))
    assert [fate.material for fate in fates if not fate.dropped] == [X2]


# --- one run a day ------------------------------------------------------------------------------------------------

BERLIN, PLAIN = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def runs(*ends: str, zone: ZoneInfo = PLAIN, count: int = 0, unfinished: Collection[int] = ()) -> list[int]:
    """Return the numbers of the runs that are thinned out, of runs of one model as of these moments, one hour apart."""
    moments = [datetime.fromisoformat(end).replace(tzinfo=UTC) for end in ends]
    seq_nos = {
        n: SeqNo(n, None, end, NOW + timedelta(hours=n), n not in unfinished, "run") for n, end in enumerate(moments, 1)
    }
    kept = [Kept(f"Material_x_aaaaaaaa_{n}", "models/x", "aaaaaaaa", n, end) for n, end in enumerate(moments, 1)]
    gone = thinned(kept, seq_nos, latest(seq_nos.values(), count), zone)
    return sorted(int(name.rpartition("_")[2]) for name in gone)


@pytest.mark.parametrize(
    ("found", "gone"),
    [
        pytest.param(runs("2024-05-01T06:00", "2024-05-01T18:00", "2024-05-02T06:00"), [1], id="a day"),
        pytest.param(runs("2024-05-01T18:00", "2024-05-02T00:00"), [1], id="midnight ends a day"),
        pytest.param(runs("2024-05-02T00:00", "2024-05-02T01:00"), [], id="and does not begin one"),
        pytest.param(runs("2024-05-01T18:00", "2024-05-01T06:00"), [2], id="the later moment, not the later run"),
        pytest.param(runs("2024-05-01T21:00", "2024-05-01T23:00", zone=BERLIN), [], id="midnight in Berlin"),
        pytest.param(runs("2024-05-01T22:30", "2024-05-01T23:00", zone=BERLIN), [1], id="a day in Berlin"),
        pytest.param(runs("2024-05-01T06:00", "2024-05-01T07:00", "2024-05-01T08:00", count=2), [1], id="the latest"),
        pytest.param(
            runs("2024-05-01T06:00", "2024-05-01T07:00", unfinished=[2]), [], id="an unfinished one says nothing"
        ),
    ],
)
def test_of_runs_of_one_day_one_is_enough(found: list[int], gone: list[int]) -> None:
    assert found == gone


def test_windows_with_another_beginning_are_others() -> None:
    end = NOW - timedelta(days=5)
    seq_nos = {n: SeqNo(n, None, end, NOW, True, "run") for n in (1, 2)}
    kept = [Kept("a", "models/x", "f", 1, end - timedelta(hours=1), end - timedelta(days=9)),
            Kept("b", "models/x", "f", 2, end)]  # fmt: skip
    assert thinned(kept, seq_nos, (), BERLIN) == frozenset()


def test_what_is_thinned_out_goes_before_it_is_old() -> None:
    known = replace(context(only_expired=True), thinned=frozenset({X2.name, X3.name}))
    fates = decide([X2, X3], [], known)
    assert [(fate.dropped, fate.reason) for fate in fates] == [
        (True, "there is a later one of its day"),
        (False, "the newest of its definition"),
    ]


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
