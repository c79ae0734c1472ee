"""Rewrites of times. Those without a zone are TIMESTAMP_NTZ, moments are TIMESTAMP; the session is in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import moved
from profiles_pipeline.dialects.rewriting import Rewrite, call
from profiles_pipeline.dialects.spoken import refuse, said_format
from profiles_pipeline.sql import build

_FORMATS = {
    "Y": "yyyy",
    "y": "yy",
    "m": "MM",
    "d": "dd",
    "H": "HH",
    "I": "hh",
    "M": "mm",
    "S": "ss",
    "f": "SSSSSS",
    "g": "SSS",
    "p": "a",
    "b": "MMM",
    "B": "MMMM",
    "a": "EEE",
    "A": "EEEE",
    "j": "DDD",
    "-d": "d",
    "-m": "M",
    "-H": "H",
    "-I": "h",
    "-M": "m",
    "-S": "s",
    "-j": "D",
}
_PARTS = re.compile(r"%(-?[A-Za-z%])|([A-Za-z']+)|([^%A-Za-z']+)")
_UNITS = ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def time_format(pattern: str) -> str | None:
    """Return a format of strftime as one of DATE_FORMAT; None for one that this does not know."""
    found = []
    for part, letters, rest in _PARTS.findall(pattern):
        if part and part != "%":
            if part not in _FORMATS:
                return None
            found.append(_FORMATS[part])
        elif letters:
            quoted = letters.replace("'", "''")
            found.append(f"'{quoted}'")
        else:
            found.append(part or rest)
    return "".join(found)


def _difference(node: exp.Expr) -> exp.Expr:
    """DATE_DIFF(unit, a, b): how many boundaries lie between, while TIMESTAMPDIFF counts whole units."""
    unit = node.args["unit"].name.upper()
    if unit not in _UNITS:
        refuse("Databricks SQL", f"DATE_DIFF in {unit}")
    ends: list[exp.Expr] = [exp.cast(end, "TIMESTAMP") for end in (node.expression, node.this)]
    if unit != "MICROSECOND":
        ends = [call("DATE_TRUNC", exp.Literal.string(unit), end) for end in ends]
    return call("TIMESTAMPDIFF", exp.var(unit), *ends)


def _truncated(node: exp.Expr) -> exp.Expr:
    unit = node.args["unit"].name.upper()
    if unit not in _UNITS:
        return node
    cut = call("DATE_TRUNC", exp.Literal.string(unit), exp.cast(node.this, "TIMESTAMP"))
    return exp.cast(cut, "TIMESTAMP")


def _moved(node: exp.Expr) -> exp.Expr:
    said = moved(node)
    if said is None or said.unit not in _UNITS:
        return node
    return call("TIMESTAMPADD", exp.var(said.unit), said.count, exp.cast(said.time, "TIMESTAMP"))


def _formatted(node: exp.Expr) -> exp.Expr:
    wanted = said_format(node.args["format"], time_format, "Databricks SQL")
    return call("DATE_FORMAT", node.this, wanted)


def _parsed(text: exp.Expr, given: exp.Expr, name: str) -> exp.Expr:
    wanted = said_format(given, time_format, "Databricks SQL")
    return exp.cast(call(name, exp.cast(text, "TEXT"), wanted), "TIMESTAMP")


def _at_zone(node: exp.Expr) -> exp.Expr:
    """x AT TIME ZONE 'UTC': a moment as it is told in UTC."""
    return exp.cast(node.this, "TIMESTAMP") if node.args["zone"].name.upper() == "UTC" else node


def _of_seconds(node: exp.Expr) -> exp.Expr:
    """TO_TIMESTAMP(s): the moment so many seconds after 1970, with their fraction."""
    if node.args.get("scale") is not None:
        return node
    micros = build("CAST(ROUND(:x * CAST(1000000 AS DOUBLE)) AS BIGINT)", x=node.this)
    return exp.cast(call("TIMESTAMP_MICROS", micros), "TIMESTAMPTZ")


def _micros(value: exp.Expr) -> exp.Expr:
    return call("UNIX_MICROS", exp.cast(value, "TIMESTAMPTZ"))


_PARTS_OF_TIME: dict[str, str] = {
    "DOW": "DAYOFWEEK(:x) - 1",
    "DAYOFWEEK": "DAYOFWEEK(:x) - 1",
    "WEEKDAY": "DAYOFWEEK(:x) - 1",
    "ISODOW": "WEEKDAY(:x) + 1",
    "WEEK": "WEEKOFYEAR(:x)",
    "WEEKOFYEAR": "WEEKOFYEAR(:x)",
    "DOY": "DAYOFYEAR(:x)",
    "SECOND": "SECOND(:x)",
    "EPOCH": "UNIX_MICROS(CAST(:x AS TIMESTAMPTZ)) / CAST(1000000 AS DOUBLE)",
}


def _part(node: exp.Expr) -> exp.Expr:
    said = _PARTS_OF_TIME.get(node.name.upper())
    return node if said is None else exp.Paren(this=build(said, x=node.expression))


def _named_part(name: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: exp.Paren(this=build(_PARTS_OF_TIME[name], x=node.this))


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "TRY_STRPTIME": lambda a: _parsed(a[0], a[1], "TRY_TO_TIMESTAMP"),
    "EPOCH_US": lambda a: _micros(a[0]),
    "EPOCH_MS": lambda a: call("UNIX_MILLIS", exp.cast(a[0], "TIMESTAMPTZ")),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("DATE_DIFF", "TIMESTAMPDIFF of truncated times", (exp.DateDiff, exp.TimestampDiff), _difference),
    Rewrite("DATE_TRUNC", "of a time, which it stays", (exp.TimestampTrunc, exp.DateTrunc), _truncated),
    Rewrite("sums with intervals", "TIMESTAMPADD", (exp.Add, exp.Sub), _moved),
    Rewrite("STRFTIME", "DATE_FORMAT", (exp.TimeToStr,), _formatted),
    Rewrite("STRPTIME", "TO_TIMESTAMP", (exp.StrToTime,), lambda n: _parsed(n.this, n.args["format"], "TO_TIMESTAMP")),
    Rewrite("AT TIME ZONE 'UTC'", "a cast; the session is in UTC", (exp.AtTimeZone,), _at_zone),
    Rewrite("TO_TIMESTAMP", "TIMESTAMP_MICROS", (exp.UnixToTime,), _of_seconds),
    Rewrite("EXTRACT", "weeks and days of ISO 8601", (exp.Extract,), _part),
    Rewrite("DAYOFWEEK", "DAYOFWEEK, less one", (exp.DayOfWeek,), _named_part("DOW")),
    Rewrite("ISODOW", "WEEKDAY, and one", (exp.DayOfWeekIso,), _named_part("ISODOW")),
    Rewrite("EPOCH", "UNIX_MICROS", (exp.TimeToUnix,), _named_part("EPOCH")),
)
