"""What differs between two looks at the days of an input."""

from datetime import datetime

import pytest

from profiles_pipeline.observations.buckets import (
    EMPTY,
    TIMELESS,
    Bucket,
    Buckets,
    Kind,
    Level,
    compare,
    remembered,
    version_of,
)


def day(number: int) -> datetime:
    return datetime(2024, 1, number)


def noon(number: int) -> datetime:
    return datetime(2024, 1, number, 12)


ONE = Bucket(3, noon(1), 111)
TWO = Bucket(5, noon(2), 222)
BOTH = {day(1): ONE, day(2): TWO}

CASES: list[tuple[str, Level, Buckets, Buckets, dict[datetime, Kind]]] = [
    ("nothing", "content", BOTH, BOTH, {}),
    ("a new day", "content", BOTH, BOTH | {day(3): Bucket(1, noon(3), 1)}, {day(3): "new"}),
    ("newer rows", "content", BOTH, BOTH | {day(2): Bucket(6, datetime(2024, 1, 2, 13), 9)}, {day(2): "new"}),
    ("late rows", "content", BOTH, BOTH | {day(1): Bucket(4, noon(1), 9)}, {day(1): "late"}),
    ("late, the newest of a day", "late", BOTH, BOTH | {day(1): Bucket(4, datetime(2024, 1, 1, 20))}, {day(1): "late"}),
    ("a late day", "late", {day(2): TWO}, BOTH, {day(1): "late"}),
    ("a corrected value", "content", BOTH, BOTH | {day(1): Bucket(3, noon(1), 9)}, {day(1): "corrected"}),
    ("a corrected time", "late", BOTH, BOTH | {day(1): Bucket(3, day(1), None)}, {day(1): "corrected"}),
    ("rows taken out", "late", BOTH, BOTH | {day(1): Bucket(2, noon(1))}, {day(1): "corrected"}),
    ("a day taken out", "content", BOTH, {day(2): TWO}, {day(1): "emptied"}),
    ("emptied", "late", BOTH, {}, {day(1): "emptied", day(2): "emptied"}),
    ("emptied already", "late", {day(1): EMPTY, day(2): EMPTY}, {}, {}),
    ("filled again", "late", {day(1): EMPTY}, {day(1): ONE}, {day(1): "new"}),
    ("rows without a time", "late", {TIMELESS: Bucket(1)}, {TIMELESS: Bucket(2)}, {TIMELESS: "late"}),
    ("no contents yet", "content", {day(1): Bucket(3, noon(1))}, {day(1): ONE}, {}),
    ("contents are not asked for", "late", {day(1): ONE}, {day(1): Bucket(3, noon(1))}, {}),
    ("older days are not read", "append", BOTH, {}, {}),
    ("newer rows alone", "append", BOTH, {day(3): Bucket(None, noon(3))}, {day(3): "new"}),
    ("nothing was ever seen", "content", {}, {TIMELESS: Bucket(1, None, 1)}, {TIMELESS: "late"}),
]  # fmt: skip


@pytest.mark.parametrize(("level", "before", "now", "changed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_differs(level: Level, before: Buckets, now: Buckets, changed: dict[datetime, Kind]) -> None:
    assert compare(before, now, level) == changed


@pytest.mark.parametrize(("level", "before", "now"), [c[1:4] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_remembered_differs_no_more(level: Level, before: Buckets, now: Buckets) -> None:
    assert compare(remembered(before, now, level), now, level) == {}


def test_what_a_closer_look_has_seen_is_kept_until_it_may_be_wrong() -> None:
    kept = remembered(BOTH, {day(1): Bucket(3, noon(1)), day(2): Bucket(6, noon(2))}, "late")
    assert kept == {day(1): ONE, day(2): Bucket(6, noon(2))}


def test_a_version_is_that_of_the_rows_that_are_there() -> None:
    assert version_of(BOTH) == version_of({day(3): EMPTY, day(2): TWO, day(1): ONE})
    assert len({version_of(b) for b in (BOTH, {day(1): ONE}, {day(1): ONE, day(2): ONE}, {})}) == 4
