"""Which partitions to ask for when days of the inputs have changed. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from profiles_pipeline.observations import Change
from profiles_pipeline.partitions import Calendar, Partition

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Cursor:
    """How far a sensor has come.

    Attributes:
        look: number of the last look whose changes are taken care of, or pending.
        pending: days that have changed and that nobody was asked for yet -> number of the look that found it.
        versions: path of an input -> version of its rows that Dagster knows.
    """

    look: int
    pending: Mapping[date, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the cursor as Dagster keeps it."""
        spans: list[list[object]] = []
        for day, look in sorted(self.pending.items()):
            if spans and spans[-1][1] == str(day - DAY) and spans[-1][2] == look:
                spans[-1][1] = str(day)
            else:
                spans.append([str(day), str(day), look])
        return json.dumps({"look": self.look, "pending": spans, "versions": self.versions})

    @classmethod
    def of(cls, text: str) -> "Cursor":
        """Return the cursor of a text.

        Raises:
            ValueError: somebody has written something else there.
        """
        try:
            found = json.loads(text)
            pending = {
                date.fromisoformat(first) + n * DAY: int(look)
                for first, last, look in found["pending"]
                for n in range((date.fromisoformat(last) - date.fromisoformat(first)).days + 1)
            }
            return cls(int(found["look"]), pending, dict(found["versions"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"'{text}' is no cursor of this sensor; reset the cursor to start anew") from error


@dataclass(frozen=True)
class Island:
    """A range of partitions without a gap. `look` is the number of the last look that found a change in it."""

    first: str
    last: str
    look: int

    @property
    def run_key(self) -> str:
        """Name of the request: the same as long as nothing in the range has changed again."""
        return f"{self.first}...{self.last}@{self.look}"


@dataclass(frozen=True)
class Asking:
    """What a tick asks for, and the days that are left for the next one."""

    islands: tuple[Island, ...]
    pending: Mapping[date, int]


def changed_days(changes: Iterable[Change], before: Mapping[date, int]) -> dict[date, int]:
    """Return the days that have changed -> number of the last look that found it.

    Rows without a time, and all rows of an input that is new, are in no day: they count from the newest partition on.
    """
    found = dict(before)
    for change in changes:
        if change.day is not None and change.kind != "first":
            found[change.day] = max(change.look, found.get(change.day, 0))
    return found


def ask(calendar: Calendar, days: Mapping[date, int], look: int, now: datetime, at_most: int) -> Asking:
    """Return the islands of partitions to ask for, the earliest first.

    What is built for the newest partition is as of now, so it is out of date whenever anything has changed: it is asked
    for last, when nothing else is left. Days before the first partition belong to it; days of which there is no
    partition yet are left for later.

    Args:
        calendar: the partitions of the project.
        days: those that have changed (UTC) -> number of the last look that found it.
        look: number of the last look that found any change.
        now: the present.
        at_most: how many islands to ask for.
    """
    newest = calendar.newest(now)
    if newest is None:
        return Asking((), days)
    homes = {day: _reached_by(calendar, day, newest) for day in sorted(days)}
    found: dict[Partition, int] = {}
    for day, partitions in homes.items():
        found |= {partition: max(days[day], found.get(partition, 0)) for partition in partitions}
    islands = _islands(found)
    left = {partition for island in islands[at_most:] for partition in island}
    pending = {day: days[day] for day, partitions in homes.items() if not partitions or left.intersection(partitions)}
    asked = [Island(i[0].key, i[-1].key, max(found[partition] for partition in i)) for i in islands[:at_most]]
    if not left and newest not in found:
        if len(asked) < at_most:
            asked.append(Island(newest.key, newest.key, look))
        else:
            pending[newest.begin.date()] = look
    return Asking(tuple(asked), pending)


def _reached_by(calendar: Calendar, day: date, newest: Partition) -> list[Partition]:
    """Return the partitions that a day (UTC) reaches into, as far as they are there."""
    first = calendar.first
    begin, end = (datetime.combine(day, moment, UTC) for moment in (time.min, time.max))
    if end < first.begin:
        return [first]
    found = [calendar.at(max(begin, first.begin))]
    while found[-1].end <= end:
        found.append(calendar.at(found[-1].end))
    return [partition for partition in found if partition <= newest]


def _islands(partitions: Iterable[Partition]) -> list[list[Partition]]:
    found: list[list[Partition]] = []
    for partition in sorted(partitions):
        if found and found[-1][-1].end == partition.begin:
            found[-1].append(partition)
        else:
            found.append([partition])
    return found
