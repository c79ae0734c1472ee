"""When a project has to be run, and for which partitions. Pure.

Models that state the same validity time make a group with a schedule of its own. A tick asks for whatever is missing
since the group was built last, in one run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from profiles_pipeline import durations
from profiles_pipeline.partitions import Cadence, Calendar, Partition
from profiles_pipeline.project import ProfilesProject

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

_USUAL: Mapping[Cadence, timedelta] = {
    "hourly": _HOUR,
    "daily": _DAY,
    "weekly": 7 * _DAY,
    "monthly": 31 * _DAY,
    "grain month": 31 * _DAY,
    "grain year": 31 * _DAY,
}
"""Validity times of models that state none, by the cadence of the project's partitions."""

_TICKS: tuple[tuple[timedelta, str], ...] = (
    (31 * _DAY, "0 0 1 * *"),
    (7 * _DAY, "0 0 * * 1"),
    (_DAY, "0 0 * * *"),
    *((n * _HOUR, f"0 */{n} * * *") for n in (12, 8, 6, 4, 3, 2)),
    (_HOUR, "0 * * * *"),
    *((n * _MINUTE, f"*/{n} * * * *") for n in (30, 20, 15, 12, 10, 6, 5, 4, 3, 2)),
    (_MINUTE, "* * * * *"),
)
"""How often a cron expression can tick so that the ticks are as far apart as that, or less; the longest first."""


@dataclass(frozen=True)
class Group:
    """Models that are run together.

    Attributes:
        models: paths of the models for which the group is run; what they are made from is run with them.
        validity: for how long what they hold is good enough; None where only the ticks decide.
        cron: when it is looked at whether they have to be run.
        label: tells it from the others; empty for the only one.
    """

    models: frozenset[str]
    validity: timedelta | None
    cron: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What a tick asks for: these partitions, or what there is at the time where there are none."""

    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a tick asks for nothing."""

    reason: str


def groups_of(project: ProfilesProject, calendar: Calendar | None, models: Collection[str]) -> tuple[Group, ...]:
    """Return the groups of a project's models, the most often run first.

    Args:
        project: the project; a cron of its pipeline.yaml makes all models one group.
        calendar: its partitions; None for one without, whose models are run as if it had daily ones.
        models: paths of the models to be run.
    """
    cron = project.pipeline.schedules.cron
    if cron is not None:
        return (Group(frozenset(models), None, cron),)
    usual = _USUAL[calendar.cadence] if calendar else _DAY
    found: dict[timedelta, set[str]] = {}
    for path in models:
        found.setdefault(project.graph.models[path].validity or usual, set()).add(path)
    return tuple(
        Group(frozenset(found[v]), v, cron_of(v), durations.shown(v) if len(found) > 1 else "") for v in sorted(found)
    )


def cron_of(validity: timedelta) -> str:
    """Return the cron expression that ticks as seldom as is often enough for a validity time, at least one minute."""
    return next((cron for gap, cron in _TICKS if gap <= validity), _TICKS[-1][1])


def due(
    calendar: Calendar | None, validity: timedelta | None, last: datetime | None, tick: datetime, following: datetime
) -> Due | Skipped:
    """Return what a tick asks for.

    Partitions that have ended are asked for, and the open one only where ticks are closer together than partitions.
    Where nothing was built yet, that is the newest one: it holds all that there is, and earlier ones are history.

    Args:
        calendar: the partitions of the project; None for one without.
        validity: for how long what is built is good enough; None if it never is.
        last: as of which moment everything was built last; None if something never was.
        tick: the time of the tick.
        following: the time of the tick after it.
    """
    wanted, end = _wanted(calendar, tick, following)
    if calendar is not None and (wanted is None or wanted < calendar.first):
        return Skipped(f"the first partition, {calendar.first.key}, has not ended yet")
    if last is not None and last >= end:
        return Skipped(f"up to date: everything is as of {_said(last)}")
    if last is not None and validity is not None and last + validity >= following:
        return Skipped(f"still valid: everything is as of {_said(last)}, which will do until {_said(last + validity)}")
    if calendar is None or wanted is None:
        return Due(())
    first = wanted if last is None else max(calendar.first, min(calendar.at(last), wanted))
    return Due(calendar.between(first, wanted))


def _wanted(calendar: Calendar | None, tick: datetime, following: datetime) -> tuple[Partition | None, datetime]:
    """Return the newest partition that a tick can ask for, and as of which moment it will be."""
    if calendar is None:
        return None, tick
    current = calendar.before(tick)
    if current.end == tick:
        return current, tick
    if calendar.has_open and following - tick < current.end - current.begin:
        return current, tick
    ended = calendar.before(current.begin)
    return ended, ended.end


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
