"""Go's times as templates see them: layouts, durations and accessors, all in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from profiles_pipeline.template.faults import RenderError

_LAYOUT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST"
    r"|2006|_2006|__2|_2|002|01|02|03|04|05|06|15"
    r"|Z07:00:00|Z07:00|Z070000|Z0700|Z07|-07:00:00|-07:00|-070000|-0700|-07|PM|pm"
    r"|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5"
)
_STRFTIME = {
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "MST": "UTC",
    "002": "%j",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "PM": "%p",
}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def in_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; a naive one is UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def go_format(moment: datetime, layout: str) -> str:
    """Return `moment` (UTC) written like Go's reference time in `layout`; other text is kept."""
    return _LAYOUT.sub(lambda found: _element(moment, found.group()), layout)


def _element(moment: datetime, element: str) -> str:
    unpadded = {
        "1": moment.month,
        "2": moment.day,
        "3": moment.hour % 12 or 12,
        "4": moment.minute,
        "5": moment.second,
        "_2": f"{moment.day:2}",
        "__2": f"{moment.timetuple().tm_yday:3}",
        "2006": f"{moment.year:04}",
        "_2006": f"_{moment.year:04}",
        "pm": "am" if moment.hour < 12 else "pm",
    }
    if element in unpadded:
        return str(unpadded[element])
    if element in _STRFTIME:
        return moment.strftime(_STRFTIME[element])
    if element[0] == "Z":
        return "Z"
    if element[0] == "-":
        return "+" + re.sub(r"\d", "0", element[1:])
    digits = f"{moment.microsecond:06}000"[: len(element) - 1].ljust(len(element) - 1, "0")
    if element[1] == "9":
        digits = digits.rstrip("0")
    return element[0] + digits if digits else ""


def go_duration(text: object) -> timedelta:
    """Return a Go duration such as ``168h`` or ``-1h30m``, to the microsecond. Raises RenderError."""
    body = text.strip() if isinstance(text, str) else ""
    sign = -1 if body.startswith("-") else 1
    body = body.lstrip("+-")
    parts = _DURATION_PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        if body == "0":
            return timedelta(0)
        raise RenderError("template-runtime", f"'{text}' is not a duration", hint="write it like '168h' or '1h30m'")
    return sign * timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def iso(moment: datetime) -> str:
    """Return `moment` (UTC) as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp_literal(moment: datetime) -> str:
    """Return `moment` (UTC) as a typed SQL literal without a zone, which every dialect reads."""
    fraction = f".{moment.microsecond:06}" if moment.microsecond else ""
    return f"CAST('{moment.strftime('%Y-%m-%d %H:%M:%S')}{fraction}' AS TIMESTAMP)"
