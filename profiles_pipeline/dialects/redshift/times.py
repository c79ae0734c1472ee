"""Rewrites of times. Those without a zone are TIMESTAMP, moments are TIMESTAMPTZ; the session is in UTC."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import is_moment, moved
from profiles_pipeline.dialects.postgres.formats import time_format
from profiles_pipeline.dialects.rewriting import Rewrite, call
from profiles_pipeline.dialects.spoken import refuse, said_format
from profiles_pipeline.sql import build

_UNITS = ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def _difference(node: exp.Expr) -> exp.Expr:
    """DATE_DIFF(unit, a, b): how many boundaries lie between; weeks begin on Monday."""
    unit = node.args["unit"].name.upper()
    if unit not in _UNITS:
        refuse("Redshift", f"DATE_DIFF in {unit}")
    ends: list[exp.Expr] = [exp.cast(end, "TIMESTAMP") for end in (node.expression, node.this)]
    if unit != "WEEK":
        return call("DATEDIFF", exp.var(unit), *ends)
    mondays = [call("DATE_TRUNC", exp.Literal.string("week"), end) for end in ends]
    return exp.Paren(this=build(":days / 7", days=call("DATEDIFF", exp.var("DAY"), *mondays)))


def _truncated(node: exp.Expr) -> exp.Expr:
    unit = node.args["unit"].name.lower()
    if unit.upper() not in _UNITS:
        refuse("Redshift", f"DATE_TRUNC to {unit}")
    return call("DATE_TRUNC", exp.Literal.string(unit), exp.cast(node.this, "TIMESTAMP"))


def _moved(node: exp.Expr) -> exp.Expr:
    said = moved(node)
    if said is None or said.unit not in _UNITS:
        return node
    return call("DATEADD", exp.var(said.unit), said.count, exp.cast(said.time, "TIMESTAMP"))


def _formatted(node: exp.Expr) -> exp.Expr:
    wanted = said_format(node.args["format"], time_format, "Redshift")
    return call("TO_CHAR", exp.cast(node.this, "TIMESTAMP"), wanted)


def _parsed(node: exp.Expr) -> exp.Expr:
    wanted = said_format(node.args["format"], time_format, "Redshift")
    return exp.cast(call("TO_TIMESTAMP", exp.cast(node.this, "TEXT"), wanted), "TIMESTAMP")


def _at_zone(node: exp.Expr) -> exp.Expr:
    """x AT TIME ZONE 'UTC': a moment as it is told in UTC, or the moment that is told so."""
    if node.args["zone"].name.upper() != "UTC":
        return node
    return exp.cast(node.this, "TIMESTAMP" if is_moment(node.this) else "TIMESTAMPTZ")


def micros(value: exp.Expr) -> exp.Expr:
    """Return the microseconds since 1970."""
    beginning = exp.cast(exp.Literal.string("1970-01-01"), "TIMESTAMP")
    return call("DATEDIFF", exp.var("MICROSECOND"), beginning, exp.cast(value, "TIMESTAMP"))


def _of_seconds(node: exp.Expr) -> exp.Expr:
    """TO_TIMESTAMP(s): the moment so many seconds after 1970, with their fraction."""
    count = build("CAST(ROUND(:x * CAST(1000000 AS DOUBLE)) AS BIGINT)", x=node.this)
    beginning = exp.cast(exp.Literal.string("1970-01-01"), "TIMESTAMP")
    return exp.cast(call("DATEADD", exp.var("MICROSECOND"), count, beginning), "TIMESTAMPTZ")


def _seconds(value: exp.Expr) -> exp.Expr:
    return exp.Paren(this=build(":m / CAST(1000000 AS DOUBLE)", m=exp.cast(micros(value), "DOUBLE")))


def _weekday(value: exp.Expr) -> exp.Expr:
    return build("MOD(EXTRACT(DOW FROM :x) + 6, 7) + 1", x=value)


def _extracted(node: exp.Expr) -> exp.Expr:
    part = node.name.upper()
    if part == "EPOCH":
        return _seconds(node.expression)
    if part == "ISODOW":
        return exp.Paren(this=_weekday(node.expression))
    node.set("this", exp.var({"DAYOFWEEK": "DOW", "WEEKDAY": "DOW", "WEEKOFYEAR": "WEEK"}.get(part, part)))
    return node


def _plain_part(name: str = "") -> Callable[[exp.Expr], exp.Expr]:
    """DAY(x), MONTH(x): EXTRACT."""
    return lambda node: exp.Extract(this=exp.var(name or type(node).__name__.upper()), expression=node.this)


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "EPOCH_US": lambda a: micros(a[0]),
    "EPOCH_MS": lambda a: build("CAST(FLOOR(:m / CAST(1000 AS DOUBLE)) AS BIGINT)", m=exp.cast(micros(a[0]), "DOUBLE")),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("DATE_DIFF", "DATEDIFF, weeks by their Mondays", (exp.DateDiff, exp.TimestampDiff), _difference),
    Rewrite("DATE_TRUNC", "of a time", (exp.TimestampTrunc, exp.DateTrunc), _truncated),
    Rewrite("sums with intervals", "DATEADD", (exp.Add, exp.Sub), _moved),
    Rewrite("STRFTIME", "TO_CHAR", (exp.TimeToStr,), _formatted),
    Rewrite("STRPTIME", "TO_TIMESTAMP", (exp.StrToTime,), _parsed),
    Rewrite("AT TIME ZONE 'UTC'", "a cast; the session is in UTC", (exp.AtTimeZone,), _at_zone),
    Rewrite("TO_TIMESTAMP", "DATEADD to 1970", (exp.UnixToTime,), _of_seconds),
    Rewrite("EXTRACT", "days of ISO 8601 from those of the week", (exp.Extract,), _extracted),
    Rewrite(
        "YEAR, QUARTER, MONTH, DAY, HOUR, MINUTE, SECOND",
        "EXTRACT",
        (exp.Year, exp.Quarter, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Second),
        _plain_part(),
    ),
    Rewrite("DAYOFWEEK", "EXTRACT(DOW ...)", (exp.DayOfWeek,), _plain_part("DOW")),
    Rewrite("DAYOFYEAR", "EXTRACT(DOY ...)", (exp.DayOfYear,), _plain_part("DOY")),
    Rewrite("WEEK", "EXTRACT(WEEK ...)", (exp.Week, exp.WeekOfYear), _plain_part("WEEK")),
    Rewrite(
        "ISODOW", "EXTRACT(DOW ...), from Monday on", (exp.DayOfWeekIso,), lambda n: exp.Paren(this=_weekday(n.this))
    ),
    Rewrite("EPOCH", "DATEDIFF from 1970", (exp.TimeToUnix,), lambda n: _seconds(n.this)),
)
