"""When schedules tick, and what a tick asks for."""

from datetime import UTC, datetime, timedelta

import pytest

from profiles_pipeline.durations import duration, shown
from profiles_pipeline.partitions import Cadence, Calendar
from profiles_pipeline.schedules import Due, Skipped, cron_of, due

CRONS = {
    "30s": "* * * * *",
    "1m": "* * * * *",
    "7m": "*/6 * * * *",
    "45m": "*/30 * * * *",
    "1h": "0 * * * *",
    "90m": "0 * * * *",
    "5h": "0 */4 * * *",
    "24h": "0 0 * * *",
    "36h": "0 0 * * *",
    "7d": "0 0 * * 1",
    "30d": "0 0 * * 1",
    "60d": "0 0 1 * *",
}


@pytest.mark.parametrize(("validity", "cron"), CRONS.items())
def test_a_schedule_ticks_as_seldom_as_is_often_enough(validity: str, cron: str) -> None:
    found = duration(validity)
    assert found is not None
    assert cron_of(found) == cron


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("24h", "24h"), ("1d", "24h"), ("7d", "7d"), ("2w", "14d"), ("90m", "90m"), ("1h30m", "90m"), ("0s", "0s"),
        ("720h0m0s", "30d"), ("1.5h", "90m"), ("500ms", "0.5s"), ("0", "0s"),
        ("1 day", "24h"), ("24 h", "24h"), ("30 minutes", "30m"), ("1 hour 30 min", "90m"), ("2 weeks", "14d"),
    ],
)  # fmt: skip
def test_durations(text: str, said: str) -> None:
    found = duration(text)
    assert found is not None
    assert shown(found) == said


@pytest.mark.parametrize("text", ["", "24", "h", "-24h", "a day", "1 fortnight", "24h 5", "1e3h", "999999999999999d"])
def test_what_is_no_duration(text: str) -> None:
    assert duration(text) is None


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2024-{text}").replace(tzinfo=UTC)


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("cadence", "validity", "last", "tick", "gap", "asked"),
    [
        # nothing was built yet: the newest one that has ended
        ("daily", DAY, None, "03-10T00:00", DAY, ["2024-03-09"]),
        ("daily", DAY, None, "03-10T06:00", DAY, ["2024-03-09"]),
        # the day after the last success; all days since
        ("daily", DAY, "03-09T00:00", "03-10T00:00", DAY, ["2024-03-09"]),
        ("daily", DAY, "03-07T00:00", "03-10T00:00", DAY, ["2024-03-07", "2024-03-08", "2024-03-09"]),
        # what was built while a day was open does not stand for all of it
        ("daily", DAY, "03-08T18:00", "03-10T00:00", DAY, ["2024-03-08", "2024-03-09"]),
        # nothing is due
        ("daily", DAY, "03-10T00:00", "03-10T06:00", DAY, "up to date"),
        ("daily", 7 * DAY, "03-09T00:00", "03-10T00:00", DAY, "still valid"),
        ("daily", 7 * DAY, "03-03T00:00", "03-10T00:00", DAY, [f"2024-03-0{n}" for n in range(3, 10)]),
        # a cron of the project: only what has ended decides
        ("daily", None, "03-09T00:00", "03-10T06:00", DAY, ["2024-03-09"]),
        ("daily", None, "03-10T00:00", "03-10T06:00", DAY, "up to date"),
        # ticks closer together than partitions: the open one
        ("daily", HOUR, "03-10T05:00", "03-10T06:00", HOUR, ["2024-03-10"]),
        ("daily", HOUR, "03-09T23:00", "03-10T00:00", HOUR, ["2024-03-09"]),
        ("daily", HOUR, "03-09T22:00", "03-10T01:00", HOUR, ["2024-03-09", "2024-03-10"]),
        ("hourly", HOUR / 2, "03-10T05:30", "03-10T06:00", HOUR / 2, ["2024-03-10-05:00"]),
        ("hourly", HOUR / 2, "03-10T06:00", "03-10T06:30", HOUR / 2, ["2024-03-10-06:00"]),
        # models with a longer validity than the partitions
        ("hourly", DAY, "03-09T21:00", "03-10T00:00", DAY, [f"2024-03-09-{n}:00" for n in (21, 22, 23)]),
        # before the first one
        ("daily", DAY, None, "01-01T00:00", DAY, "the first partition, 2024-01-01, has not ended yet"),
        # what is known to be later than the tick
        ("daily", DAY, "03-12T00:00", "03-10T00:00", DAY, "up to date"),
        # a day of 23 hours
        ("berlin", DAY, "03-30T23:00", "03-31T22:00", DAY, ["2024-03-31"]),
        ("berlin", DAY, "03-29T23:00", "03-30T23:00", 23 * HOUR, ["2024-03-30"]),
    ],
)  # fmt: skip
def test_what_a_tick_asks_for(
    cadence: Cadence, validity: timedelta | None, last: str | None, tick: str, gap: timedelta, asked: list[str] | str
) -> None:
    calendar = Calendar(cadence, at("01-01T00:00"))
    if cadence == "berlin":
        calendar = Calendar("daily", at("01-01T00:00"), "Europe/Berlin")
    found = due(calendar, validity, at(last) if last else None, at(tick), at(tick) + gap)
    if isinstance(asked, str):
        assert isinstance(found, Skipped)
        assert asked in found.reason
    else:
        assert isinstance(found, Due)
        assert [partition.key for partition in found.partitions] == asked


@pytest.mark.parametrize(
    ("last", "is_due"), [(None, True), ("03-09T00:00", True), ("03-09T20:00", True), ("03-10T00:00", False)]
)
def test_a_project_without_partitions_is_as_of_the_tick(last: str | None, is_due: bool) -> None:
    tick = at("03-10T00:00")
    found = due(None, DAY, at(last) if last else None, tick, tick + DAY)
    assert isinstance(found, Due) == is_due
