"""Lengths of time as people write them: ``24h``, ``7d``, ``1h30m``, ``720h0m0s``."""

from __future__ import annotations

import re
from datetime import timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)(w|d|h|ms|m|s)")
_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
EXPECTED = "a duration such as 30m, 24h or 7d"


def duration(text: str) -> timedelta | None:
    """Return the length of time that a text says, never a negative one; None when it says none."""
    body = text.strip().lower()
    if body == "0":
        return timedelta(0)
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        return None
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta(0))
    except OverflowError:
        return None


def shown(length: timedelta) -> str:
    """Return a length of time as one number and a unit: ``30m``, ``24h``, ``7d``."""
    for unit, name in ((_UNITS["d"], "d"), (_UNITS["h"], "h"), (_UNITS["m"], "m")):
        if length >= unit and not length % unit and (unit, length) != (_UNITS["d"], _UNITS["d"]):
            return f"{length // unit}{name}"
    return f"{length.total_seconds():g}s"
