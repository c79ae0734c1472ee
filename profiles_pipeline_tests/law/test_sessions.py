"""Sessions hold the law as features do, and each part of the rule of who is touched, and since when, is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from sqlglot import exp

from profiles_pipeline.compile import session_carried, session_days, session_events
from profiles_pipeline.compile.accumulators import Accumulator
from profiles_pipeline.compile.touched import Found, Touched
from profiles_pipeline.sql import build
from profiles_pipeline_tests.law import projects, sessions
from profiles_pipeline_tests.law.check import Judge, LawBrokenError, check
from profiles_pipeline_tests.law.controls import Patch
from profiles_pipeline_tests.law.histories import Append, Correct, Delete, History, Repeat, Step, histories, replay
from profiles_pipeline_tests.law.place import Place, Relation
from profiles_pipeline_tests.law.profiles import EVERY_RUN, PROFILE
from profiles_pipeline_tests.law.projects import Shape
from profiles_pipeline_tests.law.test_touched import keep_from_the_first_run_on

pytestmark = pytest.mark.slow

VISITS, STAYS, CALM = (Shape(("n_buys",), sessions=name) for name in ("visits", "stays", "calm"))


def _at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2024, 3, day, hour, minute)


def _track(who: str, time: datetime, event: str = "view", amount: int = 1) -> tuple[object, ...]:
    user, anonymous = (who, None) if who.startswith("u") else (None, who)
    return (user, anonymous, event, amount, None, None, True, time)


def _tracks(*rows: tuple[object, ...]) -> Append:
    return Append("tracks", rows)


def _knows(user: str, anonymous: str, time: datetime) -> Append:
    return Append("identifies", ((user, anonymous, None, "web", time),))


def _history(*steps: Step, shape: Shape = VISITS) -> History:
    return History(shape, "daily files", steps)


_LONG_AGO = _tracks(_track("u1", _at(1)), _track("u1", _at(1, 9, 5), "buy", 4), _track("a1", _at(1, 9, 8)))
_ALSO = _tracks(_track("u1", _at(4)), _track("u2", _at(4)), _track("u2", _at(4, 9, 20), "buy", 3))

HISTORIES = {
    "late events join two sessions and come before all others, one is corrected, one goes again": _history(
        Step((_LONG_AGO, _ALSO), _at(5, 0)),
        Step((_tracks(_track("u2", _at(4, 9, 10)), _track("a1", _at(1, 8))),), _at(6, 0)),
        Step((Correct("tracks", 1, "amount", 10), Correct("tracks", 4, "event", "buy")), _at(7, 0)),
        Step((Delete("tracks", 6),), _at(8, 0)),
    ),
    "a row without any event joins two visitors, and parts them again": _history(
        Step((_LONG_AGO, _ALSO), _at(5, 0)),
        Step((_knows("u1", "a1", _at(5)),), _at(6, 0)),
        Step((Delete("identifies", 0),), _at(7, 0)),
    ),
    "a session goes on over midnight, and from run to run": _history(
        Step((_LONG_AGO, _tracks(_track("u1", _at(4, 23, 55)))), _at(5, 0)),
        Step((_tracks(_track("u1", _at(5, 0, 5))),), _at(6, 0)),
        Step((_tracks(_track("u1", _at(5, 0, 15)), _track("u1", _at(5, 0, 26))),), _at(6, 0)),
    ),
    "an event comes again, and the first one goes": _history(
        Step((_tracks(_track("u1", _at(1)), _track("u1", _at(1, 20), "buy")),), _at(2, 0)),
        Step((_tracks(_track("u1", _at(2, 10)), _track("u1", _at(3, 11))),), _at(4, 0)),
        Step((Repeat("tracks", 1), Delete("tracks", 0)), _at(5, 0)),
        shape=STAYS,
    ),
    "a run of events is cut, and what comes before it moves the cuts": _history(
        Step((_tracks(*(_track("u1", _at(day, hour), "view", day * hour) for day in (2, 3) for hour in (1, 9, 17))),),
             _at(4, 0)),
        Step((_tracks(_track("u1", _at(4, 1), "buy")),), _at(5, 0)),
        Step((_tracks(_track("u1", _at(1, 20), "login")),), _at(6, 0)),
        shape=STAYS,
    ),
    "a late event is one too many for its day, and goes again": _history(
        Step((_tracks(_track("u1", _at(2, 23), "view", 1), _track("u1", _at(3, 1), "view", 2),
                      _track("u1", _at(3, 20), "view", 3), _track("u1", _at(4, 1), "view", 4)),), _at(5, 0)),
        Step((_tracks(_track("u1", _at(3, 10), "buy", 5)),), _at(6, 0)),
        Step((), _at(7, 0)),
        Step((Delete("tracks", 4),), _at(8, 0)),
        shape=CALM,
    ),
    "the day after one with too many events changes, within the timeout": _history(
        Step((_tracks(_track("u1", _at(3, 1), "view", 1), _track("u1", _at(3, 20), "view", 2),
                      _track("u1", _at(3, 21), "view", 3), _track("u1", _at(4, 9), "view", 4)),), _at(5, 0)),
        Step((_tracks(_track("u1", _at(4, 1), "buy", 5)),), _at(6, 0)),
        shape=CALM,
    ),
    "two runs are as of one end time, in time contexts of their own": History(
        VISITS,
        "tables",
        (Step((_LONG_AGO, _ALSO), _at(5, 0)),
         Step((_tracks(_track("u2", _at(4, 9, 10)), _track("u3", _at(4, 10))), Delete("tracks", 0)), _at(5, 0)),
         Step((_tracks(_track("u3", _at(4, 10, 5))),), _at(6, 0))),
    ),
    "two visitors with few events in a day are one with too many": _history(
        Step((_tracks(_track("u1", _at(3, 1), "view", 1), _track("u1", _at(3, 5), "view", 2),
                      _track("a1", _at(3, 9), "view", 3), _track("a1", _at(4, 2), "view", 4)),), _at(5, 0)),
        Step((_knows("u1", "a1", _at(5)),), _at(6, 0)),
        Step((Delete("identifies", 0),), _at(7, 0)),
        shape=CALM,
    ),
}  # fmt: skip


CARRIED = {
    "mean_session": "state",
    "spent_in_sessions": "state",
    "median_session": "replay",
    "n_sessions_in_all": "state",
}
"""How the vars over sessions are brought up to date."""

LATE = "late events join two sessions and come before all others, one is corrected, one goes again"


def holds(
    history: History,
    *patches: Patch,
    every_run: bool = True,
    judges: tuple[Judge, ...] = ("oracle",),
) -> bool:
    """True when every run goes on and says what the judges say, with parts out of order."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for patch in (keep_from_the_first_run_on, *patches):
            patch(monkeypatch)
        try:
            check(history, every_run=every_run, judges=judges)
        except LawBrokenError:
            return False
    return True


@pytest.mark.parametrize("name", HISTORIES)
def test_kept_histories_of_sessions_hold_the_law(name: str) -> None:
    assert holds(HISTORIES[name], judges=("oracle", "rebuild") if EVERY_RUN else ("oracle",))


def test_generated_histories_of_sessions_hold_the_law() -> None:
    @settings(PROFILE, max_examples=PROFILE.max_examples if EVERY_RUN else 2)
    @given(histories("daily files", 6 if EVERY_RUN else 3))
    def hold(history: History) -> None:
        shape = (CALM, VISITS, STAYS)[len(history.steps) % 3]
        shapes = [None if s.shape is None else replace(shape, edition=n) for n, s in enumerate(history.steps, 1)]
        steps = tuple(replace(s, shape=new) for s, new in zip(history.steps, shapes, strict=True))
        assert holds(replace(history, shape=replace(shape, blocks=history.shape.blocks,
                                                    orders_stitched=history.shape.orders_stitched), steps=steps),
                     every_run=EVERY_RUN, judges=("oracle", "rebuild"))  # fmt: skip

    hold()


# --- what must not be left out --------------------------------------------------------------------------------------


def visitors_of_moved_ids_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = build(
        """
        SELECT CAST(NULL AS TEXT) AS other_id, CAST(NULL AS TEXT) AS other_id_type,
            CAST(NULL AS TEXT) AS main_id_before, CAST(NULL AS TEXT) AS main_id_after
        """
    )
    monkeypatch.setattr(session_carried, "moved_ids", lambda _: nobody.copy())


def visitors_with_other_rows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        session_carried, "changed_rows", lambda a: (build("SELECT * FROM :rows AS r WHERE FALSE", rows=a.come),)
    )


def sessions_that_reach_up_to_a_change_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(_: object, __: exp.Table, since: exp.Table) -> exp.Expr:
        return build("SELECT main_id, since AS resume_at FROM :since", since=since)

    monkeypatch.setattr(session_carried, "_resume", at_once)


def what_rows_say_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_days, "_content", lambda _: exp.Literal.number(0))


def repetitions_are_looked_for_from_the_change_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_carried, "interval", lambda _: session_events.interval(sessions.MICROSECOND))


def days_that_are_left_out_reach_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_carried, "_on_days_that_count", lambda _: None)


def whoever_has_other_sessions_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vars over sessions stay as they are where nothing else changes for their person."""
    found = Touched._whose

    def of_ids(self: Touched, a: Accumulator, rows: exp.Expr) -> Found:
        return Found(ids=found(self, a, rows).ids)

    monkeypatch.setattr(Touched, "_whose", of_ids)


def sessions_never_leave_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Touched, "in_moved_windows", lambda *_: Found())


@pytest.mark.parametrize(
    ("patch", "name"),
    [
        (whoever_has_other_sessions_is_not_touched, LATE),
        (sessions_never_leave_a_window, LATE),
        (visitors_of_moved_ids_are_left_out, "a row without any event joins two visitors, and parts them again"),
        (visitors_with_other_rows_are_left_out, LATE),
        (sessions_that_reach_up_to_a_change_stay, "a session goes on over midnight, and from run to run"),
        (what_rows_say_is_not_looked_at, LATE),
        (repetitions_are_looked_for_from_the_change_on, "an event comes again, and the first one goes"),
        (visitors_of_moved_ids_are_left_out, "two visitors with few events in a day are one with too many"),
        (sessions_that_reach_up_to_a_change_stay, "a late event is one too many for its day, and goes again"),
        (days_that_are_left_out_reach_further, "the day after one with too many events changes, within the timeout"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_a_part_left_out_breaks_the_law(patch: Patch, name: str) -> None:
    assert not holds(HISTORIES[name], patch)


def test_sessions_of_earlier_runs_stay_as_they_were(tmp_path: Path) -> None:
    """Materials are views of one table that later runs change; each goes on to show its own end time."""
    shown: dict[str, Relation] = {}
    place = Place(tmp_path / "place", "daily files")
    with pytest.MonkeyPatch.context() as monkeypatch:
        keep_from_the_first_run_on(monkeypatch)
        for step, shape, tables in replay(HISTORIES[LATE]):
            place.write(tables)
            report = place.run(projects.load(shape, tmp_path), step.end)
            (made,) = (item for item in report.built if item.model.path == "models/visits")
            assert made.kind == "view" if shown else made.kind in ("table", "view")
            (vars_,) = (item.how for item in report.built if item.model.path == "user/all/var_table")
            assert {name: kind for name, kind, _ in vars_.strategies if "session" in name} == CARRIED
            shown |= place._read({made.relation: made.relation})
            now = place._read({name: name for name in shown})
            assert {name: sorted(r.rows, key=repr) for name, r in now.items()} == {
                name: sorted(r.rows, key=repr) for name, r in shown.items()
            }
    assert len(shown) == 4
    assert len({tuple(sorted(relation.rows, key=repr)) for relation in shown.values()}) == 4
