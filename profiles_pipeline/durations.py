"""Lengths of time as people write them: ``24h``, ``7d``, ``1h30m``, ``720h0m0s``, ``30 minutes``."""

from __future__ import annotations

import re
from datetime import timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_NAMES = {
    timedelta(weeks=1): ("w", "week", "weeks"),
    timedelta(days=1): ("d", "day", "days"),
    timedelta(hours=1): ("h", "hour", "hours"),
    timedelta(minutes=1): ("m", "min", "mins", "minute", "minutes"),
    timedelta(seconds=1): ("s", "sec", "secs", "second", "seconds"),
    timedelta(milliseconds=1): ("ms", "millisecond", "milliseconds"),
}
_UNITS = {name: unit for unit, names in _NAMES.items() for name in names}
EXPECTED = "a duration such as 30m, 24h or 7d"


def duration(text: str) -> timedelta | None:
    """Return the length of time that a text says, never a negative one; None when it says none."""
    body = text.strip().lower()
    if body == "0":
        return timedelta(0)
    parts = list(_PART.finditer(body))
    if not parts or "".join(part[0] for part in parts) != body or not all(part[2] in _UNITS for part in parts):
        return None
    try:
        return sum((float(part[1]) * _UNITS[part[2]] for part in parts), timedelta(0))
    except OverflowError:
        return None


def shown(length: timedelta) -> str:
    """Return a length of time as one number and a unit: ``30m``, ``24h``, ``7d``."""
    for unit, name in ((_UNITS["d"], "d"), (_UNITS["h"], "h"), (_UNITS["m"], "m")):
        if length >= unit and not length % unit and (unit, length) != (_UNITS["d"], _UNITS["d"]):
            return f"{length // unit}{name}"
    return f"{length.total_seconds():g}s"
