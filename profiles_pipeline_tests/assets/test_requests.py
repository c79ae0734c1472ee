"""Which partitions are asked for when days of the inputs have changed."""

from datetime import UTC, date, datetime

import pytest

from profiles_pipeline.assets.requests import Cursor, ask, changed_days
from profiles_pipeline.observations import Change
from profiles_pipeline.partitions import Calendar

NOW = datetime(2024, 4, 2, 12, tzinfo=UTC)
START = datetime(2024, 1, 1, tzinfo=UTC)
DAILY = Calendar("daily", START)
CLOSED = Calendar("daily", START, has_open=False)
BERLIN = Calendar("daily", START, "Europe/Berlin")
HOURLY = Calendar("hourly", START)
WEEKLY = Calendar("weekly", START)
MONTHLY = Calendar("monthly", START)

Days = dict[str, int]

ASKED: list[tuple[str, Calendar, Days, list[str], Days]] = [
    ("the open day", DAILY, {"2024-04-02": 7}, ["2024-04-02...2024-04-02@7"], {}),
    ("a day in January, and what is as of now", DAILY, {"2024-01-05": 7},
        ["2024-01-05...2024-01-05@7", "2024-04-02...2024-04-02@9"], {}),
    ("three islands", DAILY, {"2024-01-05": 5, "2024-01-06": 7, "2024-01-08": 6, "2024-04-01": 1, "2024-04-02": 2},
        ["2024-01-05...2024-01-06@7", "2024-01-08...2024-01-08@6", "2024-04-01...2024-04-02@2"], {}),
    ("rows without a time", DAILY, {}, ["2024-04-02...2024-04-02@9"], {}),
    ("before the first partition", DAILY, {"1970-01-01": 3, "0001-01-02": 4, "2023-12-31": 2},
        ["2024-01-01...2024-01-01@4", "2024-04-02...2024-04-02@9"], {}),
    ("a day that has no partition yet", CLOSED, {"2024-04-02": 7}, ["2024-04-01...2024-04-01@9"], {"2024-04-02": 7}),
    ("a day reaches into two days elsewhere", BERLIN, {"2024-04-01": 7}, ["2024-04-01...2024-04-02@7"], {}),
    ("the day on which clocks change", BERLIN, {"2024-03-31": 7},
        ["2024-03-31...2024-04-01@7", "2024-04-02...2024-04-02@9"], {}),
    ("hours up to now", HOURLY, {"2024-04-02": 7}, ["2024-04-02-00:00...2024-04-02-12:00@7"], {}),
    ("weeks", WEEKLY, {"2024-03-31": 7}, ["2024-03-25...2024-03-25@7", "2024-04-01...2024-04-01@9"], {}),
    ("two days of a month", MONTHLY, {"2024-01-02": 5, "2024-01-30": 6},
        ["2024-01-01...2024-01-01@6", "2024-04-01...2024-04-01@9"], {}),
    ("no more than three", DAILY, {f"2024-02-0{n}": n for n in (1, 3, 5, 7)},
        ["2024-02-01...2024-02-01@1", "2024-02-03...2024-02-03@3", "2024-02-05...2024-02-05@5"], {"2024-02-07": 7}),
    ("three and what is as of now", DAILY, {f"2024-02-0{n}": n for n in (1, 3, 5)},
        ["2024-02-01...2024-02-01@1", "2024-02-03...2024-02-03@3", "2024-02-05...2024-02-05@5"], {"2024-04-02": 9}),
]  # fmt: skip


@pytest.mark.parametrize(("calendar", "days", "asked", "left"), [a[1:] for a in ASKED], ids=[a[0] for a in ASKED])
def test_what_is_asked_for(calendar: Calendar, days: Days, asked: list[str], left: Days) -> None:
    changed = {date.fromisoformat(day): look for day, look in days.items()}
    found = ask(calendar, changed, 9, NOW, at_most=3)
    assert [island.run_key for island in found.islands] == asked
    assert found.pending == {date.fromisoformat(day): look for day, look in left.items()}


def test_nothing_is_asked_for_before_the_first_partition_begins() -> None:
    later = Calendar("daily", datetime(2025, 1, 1, tzinfo=UTC))
    found = ask(later, {date(2024, 1, 1): 1}, 1, NOW, at_most=3)
    assert (found.islands, found.pending) == ((), {date(2024, 1, 1): 1})


def test_what_is_left_is_asked_for_once_there_is_room() -> None:
    days = {date(2024, 2, n): n for n in range(1, 20, 2)}
    asked: list[str] = []
    while days:
        found = ask(DAILY, days, 19, NOW, at_most=3)
        asked += [island.first for island in found.islands]
        assert found.pending.keys() < days.keys() or found.pending.keys() == {date(2024, 4, 2)}
        days = dict(found.pending)
    assert asked == [*(f"2024-02-{n:02}" for n in range(1, 20, 2)), "2024-04-02"]


def test_days_that_count() -> None:
    changes = [
        Change("inputs/a", date(2024, 1, 1), "late", 4),
        Change("inputs/b", date(2024, 1, 1), "corrected", 5),
        Change("inputs/a", None, "corrected", 5),
        Change("inputs/c", date(2024, 1, 2), "first", 5),
        Change("inputs/a", date(2024, 1, 3), "emptied", 5),
    ]
    days = changed_days(changes, {date(2024, 1, 1): 2, date(2024, 2, 1): 3})
    assert days == {date(2024, 1, 1): 5, date(2024, 2, 1): 3, date(2024, 1, 3): 5}


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor(0),
        Cursor(3, {date(2024, 1, n): 3 for n in (1, 2, 3, 5)}, {"inputs/a": "1234"}),
        Cursor(3, {date(2024, 2, 29): 1, date(2024, 3, 1): 2}),
    ],
)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.of(cursor.text()) == cursor


def test_years_of_days_make_a_short_cursor() -> None:
    days = {date.fromordinal(n): 1 for n in range(730_000, 734_000)}
    assert len(Cursor(1, days).text()) < 100


@pytest.mark.parametrize("text", ["", "7", "{}", '{"look": 1, "pending": [["x", "y", 1]], "versions": {}}'])
def test_another_text_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="reset the cursor"):
        Cursor.of(text)
