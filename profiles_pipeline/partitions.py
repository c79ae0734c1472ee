"""Partitions: the windows of time that a project is built in, one after the other, and their keys. Pure.

A partition stands for a moment, its end: it is built when everything is as of that moment, rows before it included.
The newest partition may be open, which is to say that its end is yet to come; it is then as of the moment of its run.

Models whose time context is moved back to the boundaries of a time grain have partitions of their own, which end there.
Those are never open: nothing is as of a later boundary than the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from profiles_pipeline import grains
from profiles_pipeline.errors import fail
from profiles_pipeline.grains import TICK
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, InputVarTable, Model, Stitcher, VarTable

Cadence = Literal["hourly", "daily", "weekly", "monthly", "grain month", "grain year"]
"""How long partitions are. Months and years of time grains begin on their first Monday, those of `monthly` on day 1."""

LENGTHS: Mapping[Cadence, timedelta] = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=28),
    "grain month": timedelta(days=28),
    "grain year": timedelta(days=364),
}
"""The shortest partition of each cadence, the hour that a change of clocks takes from a day left aside."""

_OF_GRAINS: Mapping[str, Cadence] = {
    "hour": "hourly",
    "day": "daily",
    "week": "weekly",
    "month": "grain month",
    "year": "grain year",
}
_GRAIN_OF: Mapping[Cadence, str] = {"grain month": "month", "grain year": "year"}
_KEY_FORMATS: Mapping[Cadence, str] = {"hourly": "%Y-%m-%d-%H:%M"}
_DAY_FORMAT = "%Y-%m-%d"


@dataclass(frozen=True, order=True, slots=True)
class Partition:
    """The window [begin, end), UTC, and the key by which it is named."""

    begin: datetime
    end: datetime
    key: str

    def is_open(self, now: datetime) -> bool:
        """True as long as its end is yet to come."""
        return self.end > now


@dataclass(frozen=True)
class Calendar:
    """Partitions without gaps from a first one on.

    Attributes:
        cadence: how long they are.
        start: a moment of the first one.
        timezone: where days, weeks and months begin. Hours begin everywhere at once, and have keys in UTC.
        has_open: whether there is a partition that has begun and not ended.
    """

    cadence: Cadence
    start: datetime
    timezone: str = "UTC"
    has_open: bool = True

    @property
    def key_format(self) -> str:
        """How keys are made from the local time at which a partition begins."""
        return _KEY_FORMATS.get(self.cadence, _DAY_FORMAT)

    @property
    def first(self) -> Partition:
        """The first partition."""
        return self.at(self.start)

    def at(self, moment: datetime) -> Partition:
        """Return the partition that a moment lies in, whether before the first one or in the future."""
        begin = self._floor(moment.astimezone(self.zone))
        return Partition(begin.astimezone(UTC), self._next(begin).astimezone(UTC), begin.strftime(self.key_format))

    def before(self, moment: datetime) -> Partition:
        """Return the partition that ends at a moment, or else the one that the moment lies in."""
        return self.at(moment - timedelta(microseconds=1))

    def newest(self, now: datetime) -> Partition | None:
        """Return the newest partition there is; None when the first one is yet to come."""
        found = self.at(now)
        if not self.has_open:
            found = self.before(found.begin)
        return found if found >= self.first else None

    def find(self, key: str) -> Partition | None:
        """Return the partition with a key, whether it exists or not; None when no partition can have that key."""
        try:
            local = datetime.strptime(key.strip(), self.key_format).replace(tzinfo=self.zone)
        except ValueError:
            return None
        found = self.at(local)
        return found if found.key == key.strip() else None

    def between(self, first: Partition, last: Partition) -> tuple[Partition, ...]:
        """Return the partitions from one to another, both included."""
        found = [first]
        while found[-1].begin < last.begin:
            found.append(self.at(found[-1].end))
        return tuple(found)

    def shown_at(self, end: datetime, now: datetime) -> Partition | None:
        """Return the partition that stands for what is as of `end`; None when there is none.

        That is the one which ends then; or the one which has not ended yet, as long as it is open.
        """
        found = self.before(end)
        if found < self.first or (found.end != end and not (self.has_open and found.is_open(now))):
            return None
        return found

    @property
    def zone(self) -> tzinfo:
        """The time zone of keys."""
        return UTC if self.timezone == "UTC" or self.cadence == "hourly" else ZoneInfo(self.timezone)

    def _floor(self, local: datetime) -> datetime:
        if self.cadence in _GRAIN_OF:
            return grains.floor(local, _GRAIN_OF[self.cadence])
        if self.cadence == "hourly":
            return local.replace(minute=0, second=0, microsecond=0)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.cadence == "weekly":
            return midnight - timedelta(days=midnight.weekday())
        return midnight.replace(day=1) if self.cadence == "monthly" else midnight

    def _next(self, begin: datetime) -> datetime:
        """Return the local time at which the partition after the one that begins at `begin` begins."""
        if self.cadence == "hourly":
            return begin + timedelta(hours=1)
        if self.cadence in ("daily", "weekly"):
            return begin + LENGTHS[self.cadence]  # of wall time: some days have 23 or 25 hours
        longest = timedelta(days=380 if self.cadence == "grain year" else 40)
        return self._floor(begin + longest)


@dataclass(frozen=True)
class Partitions:
    """The partitions of a project.

    Attributes:
        main: those of the project.
        of_models: path -> the partitions of a model that works by event time.
    """

    main: Calendar
    of_models: Mapping[str, Calendar]

    def is_main(self, path: str) -> bool:
        """True for a model that works by event time and has the partitions of the project."""
        return self.of_models.get(path) == self.main

    def has_own(self, path: str) -> bool:
        """True for a model that has partitions of its own."""
        return path in self.of_models and not self.is_main(path)


def partitions_of(project: ProfilesProject, now: datetime) -> Partitions | None:
    """Return the partitions of a project; None when its pipeline.yaml turns them off.

    Args:
        project: the project.
        now: decides where partitions begin if the project does not say it; see `default_start`.
    """
    stated = project.pipeline.partitions
    if stated.enabled is False:
        return None
    by_time = {path: model for path, model in project.graph.models.items() if works_by_event_time(model)}
    main = _main(project, by_time.values(), now)
    calendars = {path: main if model.time_grain == TICK else _of_grain(model, main) for path, model in by_time.items()}
    return Partitions(main, calendars)


def works_by_event_time(model: Model) -> bool:
    """True for a model that is made from rows with times: what it holds changes as time goes by."""
    return isinstance(model, InputVarTable | Stitcher | VarTable)


def cadence_of(models: Iterable[Model]) -> Cadence:
    """Return the cadence that follows from what models state: their finest validity time or time grain, rounded down.

    Where no validity time is stated, models without a time grain are to be made anew every day.
    """
    built = [model for model in models if not isinstance(model, Input)]
    stated = [model.validity for model in built if model.validity is not None]
    grained = {model.time_grain for model in built if works_by_event_time(model)}
    wanted = [*stated, *(LENGTHS[_OF_GRAINS[grain]] for grain in grained - {TICK})]
    finest = min(wanted if stated or TICK not in grained else [*wanted, LENGTHS["daily"]], default=LENGTHS["daily"])
    fitting: list[Cadence] = [c for c in ("monthly", "weekly", "daily") if LENGTHS[c] <= finest]
    return fitting[0] if fitting else "hourly"


def default_start(cadence: Cadence, now: datetime) -> datetime:
    """Return when the partitions of a project begin that does not say it.

    What is known without looking at the data has to do: the year before this one, for hours the month before this
    one. So there are never too many partitions to be listed, and the first one changes once a year, or month.
    """
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if cadence == "hourly":
        return (first - timedelta(days=1)).replace(day=1)
    return first.replace(year=first.year - 1, month=1)


def _main(project: ProfilesProject, by_time: Iterable[Model], now: datetime) -> Calendar:
    stated = project.pipeline.partitions
    cadence = stated.cadence or cadence_of(project.graph.models.values())
    zone = UTC if stated.timezone == "UTC" else ZoneInfo(stated.timezone)
    start = stated.begin or default_start(cadence, now).replace(tzinfo=zone)
    main = Calendar(cadence, start.astimezone(UTC), stated.timezone)
    own = sorted({model.time_grain for model in by_time}, key=grains.GRAINS.index)
    if TICK in own or not own:
        return main
    return replace(main, cadence=_OF_GRAINS[own[0]], timezone="UTC", has_open=False)


def _of_grain(model: Model, main: Calendar) -> Calendar:
    return Calendar(_OF_GRAINS[model.time_grain], main.start, has_open=False)


# --- what is asked for --------------------------------------------------------------------------------------------


def asked_for(calendar: Calendar, first: str, last: str, now: datetime) -> tuple[Partition, ...]:
    """Return the partitions from one key to another, both included.

    Raises:
        ProjectError: one of them does not exist, or they are in the wrong order.
    """
    begin, end = (_existing(calendar, key, now) for key in (first, last))
    if begin > end:
        fail("partition-order", f"partition {first} comes after partition {last}", hint=f"write {last}...{first}")
    return calendar.between(begin, end)


def end_of(partition: Partition, now: datetime) -> datetime:
    """Return as of which moment a partition is built: its end, or now while it is open."""
    return min(partition.end, now)


def _existing(calendar: Calendar, key: str, now: datetime) -> Partition:
    newest = calendar.newest(now)
    if newest is None:
        fail("unknown-partition", f"there are no partitions yet: the first one is {calendar.first.key}")
    found = calendar.find(key)
    known = f"{calendar.first.key} to {newest.key}"
    if found is None:
        near = _nearest(calendar, key)
        hint = f"did you mean {near.key}?" if near else f"partitions are {calendar.cadence}, from {known}"
        fail("unknown-partition", f"there is no partition '{key}'", hint=hint)
    if found > newest:
        fail("future-partition", f"partition {key} lies in the future", hint=f"the newest one is {newest.key}")
    if found < calendar.first:
        hint = f"the first one is {calendar.first.key}; `partitions: {{start: ...}}` in pipeline.yaml moves it"
        fail("partition-before-start", f"partition {key} lies before the first one", hint=hint)
    return found


def _nearest(calendar: Calendar, key: str) -> Partition | None:
    """Return the partition that a text means which is a time and no key."""
    try:
        moment = datetime.fromisoformat(key.strip())
    except ValueError:
        return None
    return calendar.at(moment if moment.tzinfo else moment.replace(tzinfo=calendar.zone))


def shown(
    found: Partitions, path: str, end: datetime, now: datetime, asked: tuple[str, str] | None = None
) -> tuple[Partition, ...]:
    """Return the partitions that a material stands for; none for a model that does not work by event time.

    Args:
        found: the partitions of the project.
        path: the model.
        end: as of which moment the material is.
        now: when it is looked at.
        asked: keys of the first and the last partition that its run was asked for; what is as of the end of the last
            one stands for all of them.
    """
    calendar = found.of_models.get(path)
    last = calendar.shown_at(end, now) if calendar is not None else None
    if calendar is None or last is None:
        return ()
    first = calendar.find(asked[0]) if asked is not None and calendar == found.main else None
    return calendar.between(first, last) if first is not None and first < last else (last,)
