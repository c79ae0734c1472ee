"""Rewrites of times. Those without a zone are DATETIME, moments are TIMESTAMP."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import is_moment, moved
from profiles_pipeline.dialects.rewriting import Rewrite, call
from profiles_pipeline.dialects.spoken import refuse, said_format
from profiles_pipeline.sql import build

_UNITS = {
    unit: unit for unit in ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "QUARTER", "YEAR")
} | {"WEEK": "ISOWEEK"}
_FORMAT = re.compile(r"(?:%[YymdHIMSpbBaAjuVG%]|[^%])*")


def time_format(pattern: str) -> str | None:
    """Return a format of strftime as one of FORMAT_DATETIME; None for one that this does not know."""
    found = pattern.replace("%S.%f", "%E6S").replace("%S.%g", "%E3S")
    return found if _FORMAT.fullmatch(found.replace("%E6S", "").replace("%E3S", "")) else None


def _difference(node: exp.Expr) -> exp.Expr:
    """DATE_DIFF(unit, a, b): how many boundaries lie between; weeks begin on Monday."""
    unit = _UNITS.get(node.args["unit"].name.upper())
    if unit is None:
        refuse("BigQuery", f"DATE_DIFF in {node.args['unit'].name}")
    ends = [exp.cast(end, "TIMESTAMP") for end in (node.this, node.expression)]
    return call("DATETIME_DIFF", *ends, exp.var(unit))


def _truncated(node: exp.Expr) -> exp.Expr:
    unit = _UNITS.get(node.args["unit"].name.upper())
    return node if unit is None else call("DATETIME_TRUNC", exp.cast(node.this, "TIMESTAMP"), exp.var(unit))


def _moved(node: exp.Expr) -> exp.Expr:
    said = moved(node)
    if said is None or said.unit not in (*_UNITS, "WEEK"):
        return node
    interval = exp.Interval(this=exp.cast(said.count, "BIGINT") if _is_computed(said.count) else said.count)
    interval.set("unit", exp.var(said.unit))
    return call("DATETIME_ADD", exp.cast(said.time, "TIMESTAMP"), interval)


def _is_computed(count: exp.Expr) -> bool:
    return not isinstance(count, exp.Literal) and not isinstance(count.unnest(), exp.Neg)


def _formatted(node: exp.Expr) -> exp.Expr:
    wanted = said_format(node.args["format"], time_format, "BigQuery")
    return call("FORMAT_DATETIME", wanted, exp.cast(node.this, "TIMESTAMP"))


def _parsed(text: exp.Expr, given: exp.Expr, name: str) -> exp.Expr:
    wanted = said_format(given, time_format, "BigQuery")
    return call(name, wanted, exp.cast(text, "TEXT"))


def _at_zone(node: exp.Expr) -> exp.Expr:
    """x AT TIME ZONE 'UTC': a moment as it is told in UTC, or the moment that is told so."""
    if node.args["zone"].name.upper() != "UTC":
        return node
    return exp.cast(node.this, "TIMESTAMP" if is_moment(node.this) else "TIMESTAMPTZ")


def _of_seconds(node: exp.Expr) -> exp.Expr:
    """TO_TIMESTAMP(s): the moment so many seconds after 1970, with their fraction."""
    micros = build("CAST(ROUND(:x * CAST(1000000 AS DOUBLE)) AS BIGINT)", x=node.this)
    return exp.cast(call("TIMESTAMP_MICROS", micros), "TIMESTAMPTZ")


_PARTS = {
    "DOW": "EXTRACT(DAYOFWEEK FROM :x) - 1",
    "DAYOFWEEK": "EXTRACT(DAYOFWEEK FROM :x) - 1",
    "WEEKDAY": "EXTRACT(DAYOFWEEK FROM :x) - 1",
    "ISODOW": "MOD(EXTRACT(DAYOFWEEK FROM :x) + 5, 7) + 1",
    "WEEK": "EXTRACT(ISOWEEK FROM :x)",
    "WEEKOFYEAR": "EXTRACT(ISOWEEK FROM :x)",
    "DOY": "EXTRACT(DAYOFYEAR FROM :x)",
    "EPOCH": "UNIX_MICROS(CAST(:x AS TIMESTAMPTZ)) / CAST(1000000 AS DOUBLE)",
}


def part(name: str) -> Callable[[exp.Expr], exp.Expr]:
    """Return what says a part of a time."""
    return lambda node: exp.Paren(this=build(_PARTS[name], x=node.this))


def _extracted(node: exp.Expr) -> exp.Expr:
    said = _PARTS.get(node.name.upper())
    return node if said is None else exp.Paren(this=build(said, x=node.expression))


def _plain_part(node: exp.Expr) -> exp.Expr:
    """DAY(x), MONTH(x): EXTRACT."""
    return exp.Extract(this=exp.var(type(node).__name__.upper()), expression=node.this)


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "TRY_STRPTIME": lambda a: _parsed(a[0], a[1], "SAFE.PARSE_DATETIME"),
    "EPOCH_US": lambda a: call("UNIX_MICROS", exp.cast(a[0], "TIMESTAMPTZ")),
    "EPOCH_MS": lambda a: call("UNIX_MILLIS", exp.cast(a[0], "TIMESTAMPTZ")),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("DATE_DIFF", "DATETIME_DIFF, weeks by ISO 8601", (exp.DateDiff, exp.TimestampDiff), _difference),
    Rewrite("DATE_TRUNC", "DATETIME_TRUNC, weeks by ISO 8601", (exp.TimestampTrunc, exp.DateTrunc), _truncated),
    Rewrite("sums with intervals", "DATETIME_ADD", (exp.Add, exp.Sub), _moved),
    Rewrite("STRFTIME", "FORMAT_DATETIME", (exp.TimeToStr,), _formatted),
    Rewrite(
        "STRPTIME", "PARSE_DATETIME", (exp.StrToTime,), lambda n: _parsed(n.this, n.args["format"], "PARSE_DATETIME")
    ),
    Rewrite("AT TIME ZONE 'UTC'", "a cast", (exp.AtTimeZone,), _at_zone),
    Rewrite("TO_TIMESTAMP", "TIMESTAMP_MICROS", (exp.UnixToTime,), _of_seconds),
    Rewrite("EXTRACT", "weeks and days of ISO 8601", (exp.Extract,), _extracted),
    Rewrite(
        "YEAR, QUARTER, MONTH, DAY, HOUR, MINUTE, SECOND",
        "EXTRACT",
        (exp.Year, exp.Quarter, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Second),
        _plain_part,
    ),
    Rewrite("DAYOFWEEK", "EXTRACT, less one", (exp.DayOfWeek,), part("DOW")),
    Rewrite("ISODOW", "EXTRACT, from Monday on", (exp.DayOfWeekIso,), part("ISODOW")),
    Rewrite("DAYOFYEAR", "EXTRACT", (exp.DayOfYear,), part("DOY")),
    Rewrite("WEEK", "EXTRACT", (exp.Week, exp.WeekOfYear), part("WEEK")),
    Rewrite("EPOCH", "UNIX_MICROS", (exp.TimeToUnix,), part("EPOCH")),
)
