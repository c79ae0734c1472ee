"""Rewrites of times. Those without a zone are TIMESTAMP_NTZ; moments become such in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import is_moment, moved
from profiles_pipeline.dialects.rewriting import Rewrite
from profiles_pipeline.dialects.rewriting import call as _call
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build

_FORMATS = {
    "Y": "YYYY",
    "y": "YY",
    "m": "MM",
    "d": "DD",
    "H": "HH24",
    "I": "HH12",
    "M": "MI",
    "S": "SS",
    "f": "FF6",
    "g": "FF3",
    "p": "AM",
    "b": "MON",
    "B": "MMMM",
    "a": "DY",
}
_PARTS = re.compile(r"%(-?[A-Za-z%])|([^%]+)")
_PLAIN = re.compile(r"[\s\-/:.,]*")


def time_format(pattern: str) -> str | None:
    """Return a format of strftime as one of TO_CHAR; None for one that TO_CHAR does not know."""
    found = []
    for part, rest in _PARTS.findall(pattern):
        if part == "%":
            found.append("%")
        elif part:
            if part not in _FORMATS:
                return None
            found.append(_FORMATS[part])
        else:
            found.append(rest if _PLAIN.fullmatch(rest) else f'"{rest}"')
    return "".join(found)


def in_utc(node: exp.Expr) -> exp.Expr:
    """Return a moment as it is told in UTC."""
    return exp.ConvertTimezone(target_tz=exp.Literal.string("UTC"), timestamp=node)


def _at_zone(node: exp.Expr) -> exp.Expr:
    """x AT TIME ZONE z: of a moment its time there, of a time without a zone the moment when it is so late there."""
    zone, given = node.args["zone"], node.this.unnest()
    if isinstance(given, exp.AtTimeZone):  # in UTC, or it would have been rewritten
        return _converted(_UTC, zone, given.this)
    if is_moment(given):
        told = given.this.unnest()
        if isinstance(told, exp.ConvertTimezone) and told.args["target_tz"] == _UTC and told.args.get("source_tz"):
            return _converted(told.args["source_tz"], zone, told.args["timestamp"])
        in_utc_there = exp.cast(in_utc(given), "TIMESTAMP")
        return in_utc_there if zone == _UTC else _converted(_UTC, zone, in_utc_there)
    return node if zone == _UTC else exp.cast(_converted(zone, _UTC, given), "TIMESTAMPTZ")


_UTC = exp.Literal.string("UTC")


def _converted(source: exp.Expr, target: exp.Expr, time: exp.Expr) -> exp.Expr:
    """Return a time without a zone as it is told in another one."""
    given = exp.cast(time, "TIMESTAMPNTZ")
    return exp.ConvertTimezone(source_tz=source.copy(), target_tz=target.copy(), timestamp=given)


def _of_seconds(node: exp.Expr) -> exp.Expr:
    """TO_TIMESTAMP(s): the moment so many seconds after 1970, with their fraction."""
    if node.args.get("scale") is not None:
        return node
    micros = build("CAST(ROUND(:x * CAST(1000000 AS DOUBLE)) AS BIGINT)", x=node.this)
    return exp.cast(_call("TO_TIMESTAMP_NTZ", micros, exp.Literal.number(6)), "TIMESTAMPTZ")


def _moved(node: exp.Expr) -> exp.Expr:
    """x + INTERVAL n unit: DATEADD."""
    said = moved(node)
    return node if said is None else _call("DATEADD", exp.var(said.unit), said.count, exp.cast(said.time, "TIMESTAMP"))


def _formatted(node: exp.Expr) -> exp.Expr:
    given = node.args["format"]
    wanted = time_format(given.name) if isinstance(given, exp.Literal) else None
    return node if wanted is None else _call("TO_CHAR", exp.cast(node.this, "TIMESTAMP"), exp.Literal.string(wanted))


def _parsed(node: exp.Expr) -> exp.Expr:
    given = node.args["format"]
    wanted = time_format(given.name) if isinstance(given, exp.Literal) else None
    return (
        node if wanted is None else _call("TO_TIMESTAMP_NTZ", exp.cast(node.this, "TEXT"), exp.Literal.string(wanted))
    )


def _tried(args: list[exp.Expr]) -> exp.Expr | None:
    wanted = time_format(args[1].name) if isinstance(args[1], exp.Literal) else None
    text = exp.cast(args[0], "TEXT")
    return None if wanted is None else _call("TRY_TO_TIMESTAMP_NTZ", text, exp.Literal.string(wanted))


_PARTS_OF_TIME = {
    "DOW": "MOD(DAYOFWEEKISO(:x), 7)",
    "DAYOFWEEK": "MOD(DAYOFWEEKISO(:x), 7)",
    "WEEKDAY": "MOD(DAYOFWEEKISO(:x), 7)",
    "ISODOW": "DAYOFWEEKISO(:x)",
    "WEEK": "WEEKISO(:x)",
    "WEEKOFYEAR": "WEEKISO(:x)",
    "EPOCH": "DATE_PART(EPOCH_MICROSECOND, CAST(:x AS TIMESTAMP)) / CAST(1000000 AS DOUBLE)",
}


def _part(node: exp.Expr) -> exp.Expr:
    """EXTRACT of what is counted otherwise."""
    said = _PARTS_OF_TIME.get(node.name.upper())
    return node if said is None else build(said, x=node.expression)


_DAYS = 10959
"""Days from 1970 on to where slices are counted from elsewhere, a Monday."""
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}


def _sliced(node: exp.Expr) -> exp.Expr:
    """TIME_BUCKET(w, x): slices are counted from 1970 on here."""
    width = node.this.unnest()
    length = width.this.unnest() if isinstance(width, exp.Interval) and width.this is not None else None
    if not isinstance(length, exp.Literal) or not length.name.isdigit() or width.args.get("unit") is None:
        refuse("Snowflake", "TIME_BUCKET of a computed width")
    count, unit = int(length.name), width.args["unit"].name.upper().removesuffix("S")
    same = (
        _DAYS * 86400 % (count * _SECONDS[unit]) == 0
        if unit in _SECONDS
        else 30 * 12 % (count * _MONTHS[unit]) == 0
        if unit in _MONTHS
        else unit == "WEEK" and count == 1
    )
    if not same:
        refuse("Snowflake", f"TIME_BUCKET of {count} {unit}, which is counted from another day on here")
    return _call(
        "TIME_SLICE",
        exp.cast(node.expression, "TIMESTAMPNTZ"),
        exp.Literal.number(count),
        exp.Literal.string(unit),
    )


def _epoch(part: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    return lambda args: _call("DATE_PART", exp.var(part), exp.cast(args[0], "TIMESTAMP"))


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "TRY_STRPTIME": _tried,
    "EPOCH_US": _epoch("EPOCH_MICROSECOND"),
    "EPOCH_MS": _epoch("EPOCH_MILLISECOND"),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("AT TIME ZONE", "CONVERT_TIMEZONE of a time without a zone", (exp.AtTimeZone,), _at_zone),
    Rewrite("TIME_BUCKET", "TIME_SLICE where it counts alike", (exp.DateBin,), _sliced),
    Rewrite("TO_TIMESTAMP", "TO_TIMESTAMP_NTZ of microseconds", (exp.UnixToTime,), _of_seconds),
    Rewrite("sums with intervals", "DATEADD", (exp.Add, exp.Sub), _moved),
    Rewrite("STRFTIME", "TO_CHAR", (exp.TimeToStr,), _formatted),
    Rewrite("STRPTIME", "TO_TIMESTAMP_NTZ", (exp.StrToTime,), _parsed),
    Rewrite("EXTRACT", "weeks and days of ISO 8601", (exp.Extract,), _part),
    Rewrite("DAYOFWEEK", "of ISO 8601", (exp.DayOfWeek,), lambda n: build(_PARTS_OF_TIME["DOW"], x=n.this)),
    Rewrite("EPOCH", "DATE_PART", (exp.TimeToUnix,), lambda n: build(_PARTS_OF_TIME["EPOCH"], x=n.this)),
)
