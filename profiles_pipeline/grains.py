"""Time grains: boundaries in UTC to which the time context of a model is moved back.

Every boundary of a grain is one of each finer grain too: months and years begin on their first Monday.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TICK = "tick"
"""No boundary: the time context of the run itself."""

GRAINS = (TICK, "hour", "day", "week", "month", "year")
"""Every grain, the finest first."""


def floor(moment: datetime, grain: str) -> datetime:
    """Return the latest boundary of a grain that is not after `moment`; a naive moment is UTC."""
    at = moment.astimezone(UTC) if moment.tzinfo else moment
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    match grain:
        case "tick":
            return at
        case "hour":
            return at.replace(minute=0, second=0, microsecond=0)
        case "day":
            return midnight
        case "week":
            return midnight - timedelta(days=midnight.weekday())
        case "month":
            this = _first_monday(midnight.replace(day=1))
            return this if this <= at else _first_monday((midnight.replace(day=1) - timedelta(days=1)).replace(day=1))
        case "year":
            this = _first_monday(midnight.replace(month=1, day=1))
            return this if this <= at else _first_monday(midnight.replace(year=at.year - 1, month=1, day=1))
    raise ValueError(f"'{grain}' is no time grain")


def is_finer(one: str, other: str) -> bool:
    """True when `one` has boundaries that `other` does not have."""
    return GRAINS.index(one) < GRAINS.index(other)


def _first_monday(first: datetime) -> datetime:
    """Return the first Monday of the month that begins on `first`."""
    return first + timedelta(days=-first.weekday() % 7)
