"""Rewrites of times. Those without a zone are TIMESTAMP_NTZ; moments become such in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import is_moment, moved
from profiles_pipeline.dialects.rewriting import Rewrite
from profiles_pipeline.dialects.rewriting import call as _call
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
    """x AT TIME ZONE 'UTC' of a moment: its time there."""
    if node.args["zone"].name.upper() != "UTC":
        return node
    return exp.cast(in_utc(node.this), "TIMESTAMP") if is_moment(node.this) else node


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


def _epoch(part: str) -> Callable[[list[exp.Expr]], exp.Expr]:
    return lambda args: _call("DATE_PART", exp.var(part), exp.cast(args[0], "TIMESTAMP"))


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "TRY_STRPTIME": _tried,
    "EPOCH_US": _epoch("EPOCH_MICROSECOND"),
    "EPOCH_MS": _epoch("EPOCH_MILLISECOND"),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("AT TIME ZONE 'UTC'", "CONVERT_TIMEZONE", (exp.AtTimeZone,), _at_zone),
    Rewrite("TO_TIMESTAMP", "TO_TIMESTAMP_NTZ of microseconds", (exp.UnixToTime,), _of_seconds),
    Rewrite("sums with intervals", "DATEADD", (exp.Add, exp.Sub), _moved),
    Rewrite("STRFTIME", "TO_CHAR", (exp.TimeToStr,), _formatted),
    Rewrite("STRPTIME", "TO_TIMESTAMP_NTZ", (exp.StrToTime,), _parsed),
    Rewrite("EXTRACT", "weeks and days of ISO 8601", (exp.Extract,), _part),
    Rewrite("DAYOFWEEK", "of ISO 8601", (exp.DayOfWeek,), lambda n: build(_PARTS_OF_TIME["DOW"], x=n.this)),
    Rewrite("EPOCH", "DATE_PART", (exp.TimeToUnix,), lambda n: build(_PARTS_OF_TIME["EPOCH"], x=n.this)),
)
