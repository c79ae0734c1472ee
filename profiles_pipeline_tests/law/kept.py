"""Histories that are always replayed: what an engine that saves work easily gets wrong, and what once broke the law.

A history that breaks the law is printed in a form that can be pasted here.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

from profiles_pipeline_tests.law.histories import (
    Append,
    Correct,
    Delete,
    Empty,
    Forget,
    History,
    Repeat,
    Step,
    TakeBack,
)
from profiles_pipeline_tests.law.projects import BLOCKED, Shape

Row = tuple[object, ...]
Moment = datetime.datetime | None

_NAMES = (
    "n_events", "sum_weight", "sum_price", "kinds", "last_event", "first_seen", "n_3d", "n_30h", "n_2_to_4d",
    "avg_weight_3d", "n_sessions", "n_ids", "own_id", "plan", "busiest_day", "total",
    "n_before_order", "days_since_seen", "median_amount", "usual_event",
)  # fmt: skip
USUAL = Shape(_NAMES, cohorts=2)
"""A project in which only rows of persons change for whom something changed."""

CROWDED = Shape((*_NAMES, "rank_of_spent", "crowd", "n_as_recent"), cohorts=2)
"""One in which the row of anybody may change."""


LONG_AGO, FAR_OFF = datetime.datetime(1970, 1, 1), datetime.datetime(2099, 1, 1)


def _at(day: int, hour: int = 9, minute: int = 0) -> datetime.datetime:
    return datetime.datetime(2024, 3, day, hour, minute)


def _track(user: str | None, anonymous: str | None, time: Moment, event: str = "buy", amount: int = 4) -> Row:
    return (user, anonymous, event, amount, Decimal("0.10"), 0.1 * amount, True, time)


def _tracks(*rows: Row) -> Append:
    return Append("tracks", rows)


def _knows(user: str | None, anonymous: str | None, email: str | None, time: Moment) -> Append:
    return Append("identifies", ((user, anonymous, email, "web", time),))


def _history(*steps: Step, shape: Shape = USUAL) -> History:
    return History(shape, "daily files", steps)


_TWO_PERSONS = (
    _tracks(
        _track("u1", "a1", _at(1)),
        _track("u1", None, _at(2), "view", 1),
        _track("u2", "a2", _at(1, 12)),
        _track(None, "a2", _at(2, 23, 50), "login", 10),
    ),
    Append("orders", (("m1@x.com", "u2", "paid", Decimal("7.25"), _at(2)),)),
    Append("plans", (("u1", "basic", 1), ("u2", "pro", 5))),
)

HISTORIES: dict[str, History] = {
    "nothing new, but windows move on": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((), _at(4, 0)),
        Step((), _at(6, 0)),
        Step((), _at(9, 0)),
        Step((), _at(19, 0)),
    ),
    "a row of today joins two old persons": _history(
        Step(_TWO_PERSONS, _at(3, 0)), Step((_knows("u1", "a2", None, _at(3)),), _at(4, 0))
    ),
    "a corrected id parts a person, and another joins it again": _history(
        Step((*_TWO_PERSONS, _knows("u1", "a2", None, _at(2))), _at(3, 0)),
        Step((Correct("identifies", 0, "anonymous_id", None),), _at(4, 0)),
        Step((Correct("identifies", 0, "anonymous_id", "a2"),), _at(5, 0)),
    ),
    "the second of two rows that join goes, then the first": _history(
        Step((*_TWO_PERSONS, _knows("u1", "a2", None, _at(1)), _knows("u1", "a2", None, _at(2))), _at(3, 0)),
        Step((Delete("identifies", 1),), _at(4, 0)),
        Step((Delete("identifies", 0),), _at(5, 0)),
    ),
    "the eldest id goes and its person gets another name": _history(
        Step((*_TWO_PERSONS, _tracks(_track("u1", "a0", _at(1, 0)))), _at(3, 0)),
        Step((Delete("tracks", 4),), _at(4, 0)),
    ),
    "a late row makes an id elder": _history(
        Step(_TWO_PERSONS, _at(3, 0)), Step((_tracks(_track(None, "a2", _at(1, 0))),), _at(4, 0))
    ),
    "a late row falls into a pause between sessions at midnight": _history(
        Step((*_TWO_PERSONS, _tracks(_track("u2", None, _at(3, 0, 15)))), _at(4, 0)),
        Step((_tracks(_track("u2", None, _at(3, 0, 0), "view")),), _at(5, 0)),
        Step((Delete("tracks", 3),), _at(6, 0)),
    ),
    "today is run again and again": _history(
        Step(_TWO_PERSONS, _at(2, 12)),
        Step((_tracks(_track("u1", "a1", _at(2, 12))),), _at(2, 12)),
        Step((_tracks(_track("u1", "a1", _at(2, 11))),), _at(2, 12)),
        Step((Delete("tracks", 4),), _at(3, 0)),
    ),
    "a table is emptied, and filled again": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((Empty("tracks"),), _at(4, 0)),
        Step((Empty("orders"), Empty("plans")), _at(5, 0)),
        Step(_TWO_PERSONS, _at(6, 0)),
    ),
    "a table without times changes": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((Correct("plans", 0, "plan", "pro"), Delete("plans", 1)), _at(4, 0)),
        Step((Append("plans", (("u9", "basic", 2),)),), _at(4, 0)),
    ),
    "rows of no time, of 1970 and of 2099": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((_tracks(_track("u1", "a2", None)),), _at(4, 0)),
        Step(
            (_tracks(_track("u1", "a1", LONG_AGO), _track("u2", "a1", FAR_OFF)),),
            _at(5, 0),
        ),
        Step((Correct("tracks", 6, "ts", _at(4)), Correct("tracks", 4, "ts", FAR_OFF)), _at(6, 0)),
    ),
    "a value moves to another day": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((Correct("tracks", 0, "ts", _at(2, 23, 50)),), _at(4, 0)),
        Step((Correct("tracks", 0, "amount", None), Correct("tracks", 2, "weight", 1e9)), _at(5, 0)),
        Step((Correct("tracks", 2, "weight", 0.7),), _at(6, 0)),
    ),
    "a value is corrected that only a median looks at": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((), _at(4, 0)),
        Step((Correct("tracks", 0, "amount", None),), _at(5, 0)),
        shape=Shape(("median_amount",)),
    ),
    "rows that carry main ids change hands, come and go": _history(
        Step((*_TWO_PERSONS, _knows("u1", "a2", None, _at(2))), _at(3, 0)),
        Step((Correct("identifies", 0, "anonymous_id", None),), _at(4, 0)),
        Step((_tracks(_track("u2", None, _at(3), "view")), Delete("tracks", 1)), _at(5, 0)),
        Step((Correct("identifies", 0, "anonymous_id", "a2"), Correct("tracks", 0, "amount", 10)), _at(6, 0)),
        shape=Shape(("owned_views", "owned_2d", "owned_median")),
    ),
    "a row comes twice, then both go": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((Repeat("tracks", 0), Repeat("orders", 0)), _at(4, 0)),
        Step((Delete("tracks", 0),), _at(5, 0)),
    ),
    "an email is filtered out and let in": _history(
        Step((*_TWO_PERSONS, _knows("u1", None, BLOCKED, _at(1)), _knows("u2", None, BLOCKED, _at(2))), _at(3, 0)),
        Step((), _at(3, 0), Shape(_NAMES, cohorts=2, blocks=True)),
        Step((), _at(4, 0), Shape(_NAMES, cohorts=2, blocks=True)),
        Step((), _at(5, 0), USUAL),
    ),
    "a source no longer joins ids, and joins them again": _history(
        Step((*_TWO_PERSONS, _knows("u1", None, "m1@x.com", _at(1))), _at(2, 0)),
        Step((), _at(3, 0)),
        Step((), _at(4, 0), Shape(_NAMES, cohorts=2, orders_stitched=False)),
        Step((_tracks(_track("u2", None, _at(4))),), _at(5, 0)),
        Step((), _at(6, 0), USUAL),
    ),
    "vars come, change and go": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((), _at(3, 0), Shape((*_NAMES, "n_large", "path"), cohorts=2)),
        Step((_tracks(_track("u1", None, _at(3))),), _at(4, 0), Shape((*_NAMES, "n_large", "path"), 0, cohorts=2)),
        Step((), _at(5, 0), Shape((*_NAMES, "n_large"), 0, cohorts=2, edition=1)),
        Step((Delete("tracks", 1),), _at(6, 0), USUAL),
    ),
    "a run for the past, over tables that have changed": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((_tracks(_track("u1", "a2", _at(3))),), _at(5, 0)),
        Step((_tracks(_track("u2", None, _at(1, 10), "view")),), _at(2, 12)),
        Step((Delete("tracks", 0),), _at(3, 0)),
        Step((), _at(6, 0)),
    ),
    "somebody else's row changes one's rank and crowd": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((_tracks(_track("u7", "a7", _at(3), "buy", 10)),), _at(4, 0)),
        shape=CROWDED,
    ),
    "nothing new, but windows that others need on rows move on": _history(
        Step(_TWO_PERSONS, _at(3, 0)), Step((), _at(4, 0)), Step((), _at(6, 0)), Step((), _at(9, 0)), shape=CROWDED
    ),
    "a var that looks at others comes, and goes": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((_tracks(_track("u1", None, _at(3))),), _at(4, 0)),
        Step((_tracks(_track("u2", None, _at(4))),), _at(5, 0), CROWDED),
        Step((Delete("tracks", 0),), _at(6, 0), USUAL),
        Step((_tracks(_track("u2", None, _at(6))),), _at(7, 0)),
    ),
}

FORGETFUL: dict[str, History] = {
    "somebody is forgotten, comes again with others, and is taken back": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((_tracks(_track("u1", "a1", _at(3))),), _at(4, 0), asked=(Forget((0,)),)),
        Step((_knows("u1", "a2", "m2@x.com", _at(3)), _tracks(_track("u1", "a3", _at(4)))), _at(5, 0)),
        Step(
            (
                _tracks(
                    _track(None, "a3", _at(5)),
                ),
            ),
            _at(6, 0),
            asked=(TakeBack(0),),
        ),
        Step((), _at(6, 0)),
    ),
    "two are one for a day under the name of one, who goes, and the other is forgotten": _history(
        Step(_TWO_PERSONS, _at(3, 0)),
        Step((_knows("u1", "a2", None, _at(2)),), _at(4, 0)),
        Step(
            (Delete("identifies", 0), Delete("tracks", 0), Delete("tracks", 0), Delete("plans", 0)),
            _at(5, 0),
            asked=(Forget((0,)),),
        ),
    ),
    "two who were one for a day, and one of them is forgotten": _history(
        Step((*_TWO_PERSONS, _knows("u1", "a2", None, _at(2))), _at(3, 0)),
        Step((Correct("identifies", 0, "anonymous_id", None),), _at(4, 0)),
        Step((), _at(5, 0), asked=(Forget((3,)),)),
        Step((_tracks(_track(None, "a2", _at(5))),), _at(6, 0), asked=(Forget((0,)),)),
    ),
}
"""Histories in which people are forgotten."""
