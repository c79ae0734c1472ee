"""What functions of times say about the columns in them: formats, epochs, parts of the calendar."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from profiles_pipeline.sample.evidence import STRONG, Slot
from profiles_pipeline.sample.relations import Scope, Value
from profiles_pipeline.sample.value_clues import Rule, ValueClues

OF_TIMES = (
    exp.DateDiff, exp.TsOrDsDiff, exp.TimestampDiff, exp.DatetimeDiff, exp.MonthsBetween, exp.Year, exp.Month, exp.Day,
    exp.DayOfWeek, exp.DayOfWeekIso, exp.DayOfMonth, exp.DayOfYear, exp.Week, exp.WeekOfYear, exp.Quarter,
    exp.Hour, exp.Minute, exp.Second, exp.Monthname, exp.Dayname, exp.TimeToStr, exp.UnixSeconds, exp.UnixMillis,
    exp.TimeToUnix,
)  # fmt: skip
_PARTS: dict[type[exp.Expr], str] = {
    exp.Year: "year", exp.Quarter: "quarter", exp.Month: "month", exp.Day: "day", exp.DayOfMonth: "day",
    exp.Hour: "hour",
}  # fmt: skip
_SAME_TIME = (
    exp.TsOrDsToDate, exp.TsOrDsToTimestamp, exp.Date, exp.Timestamp, exp.TimestampTrunc, exp.DateTrunc, exp.DateAdd,
    exp.DateSub, exp.TimestampAdd, exp.TimestampSub, exp.DatetimeAdd, exp.DatetimeSub, exp.AddMonths, exp.LastDay,
    exp.NextDay, exp.TsOrDsAdd, exp.DatetimeTrunc, exp.Datetime, exp.TsOrDsToTime,
)  # fmt: skip
_SAME_MOMENT = (exp.TsOrDsToDate, exp.TsOrDsToTimestamp, exp.Date, exp.Timestamp, exp.Datetime)
_SECONDS = re.compile(r"%E[*0-9]S")
"""Seconds with a fraction, or with none, in the formats of BigQuery."""
_ISO = "%Y-%m-%d %H:%M:%S"
_STRICT = "strict"
"""What follows the elements of formats that are read from Databricks and allow no fewer digits."""
_SECOND = 1_000_000
_UNITS = {
    1: {"1000000", "6", "US", "MICROSECOND", "MICROSECONDS"},
    1000: {"1000", "3", "MS", "MILLISECOND", "MILLISECONDS"},
    86_400 * _SECOND: {"DAY", "DAYS"},
}
"""Units of time in microseconds, and by what SQL shows that it has such."""


def _times(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    times: tuple[Slot, ...] = ()
    for child in node.iter_expressions():
        found = reader.value(child, scope)
        if child.arg_key in ("this", "expression"):
            reader.vote(found, "timestamp")
            times += found.slots
    if isinstance(node, exp.TimeToStr | exp.Monthname | exp.Dayname):
        return Value(kind="text", calendar=times, part="text")
    return Value(kind="number", calendar=times, part=_PARTS.get(type(node), ""))


def _extract(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.expression, scope)
    reader.vote(found, "timestamp")
    return Value(kind="number", calendar=found.slots, part=node.name.lower())


def same_time(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """Return the value of a time that is moved, cut off, or given another type."""
    reader.others(node, scope, done=("this", "expression"))
    found, amount = reader.value(node.this, scope), reader.value(node.args.get("expression"), scope)
    if is_epoch(found) and amount.slots:
        return epoch(reader, amount, node)
    reader.vote(amount, "number")
    fmt = node.args.get("format")
    if fmt is not None and fmt.is_string:
        _formatted(reader, found, str(fmt.this))
    else:
        reader.vote(found, "timestamp")
    return Value(found.slots, "timestamp", found.literal, now=found.now and isinstance(node, _SAME_MOMENT))


def _parsed_time(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    fmt = node.args.get("format")
    _formatted(reader, found, str(fmt.this) if fmt is not None and fmt.is_string else _ISO)
    return Value(kind="timestamp")


def _unix_time(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    fmt = node.args.get("format")
    written = fmt.name.replace(_STRICT, "") if fmt is not None and fmt.is_string else _ISO
    if written != _ISO:
        _formatted(reader, found, written)
    else:
        reader.vote(found, "timestamp")
    return Value(kind="number")


def _formatted(reader: ValueClues, found: Value, fmt: str) -> None:
    reader.vote(found, "text", STRONG)
    for slot in found.slots:
        reader.ledger.of(slot).formats[_SECONDS.sub("%S", fmt.replace(_STRICT, "").replace("%E4Y", "%Y"))] = None


def _zone(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.args.get("timestamp"), scope)
    reader.vote(found, "timestamp")
    return Value(found.slots, "timestamp")


def _from_epoch(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    return epoch(reader, reader.value(node.this, scope), node)


def epoch(reader: ValueClues, found: Value, node: exp.Expr) -> Value:
    """Note that a number counts seconds since 1970, or days or parts of a second where SQL says so."""
    reader.ledger.vote(found.slots, "number", STRONG)
    written = {node.text("unit").upper(), *(str(literal.this) for literal in node.find_all(exp.Literal))}
    written |= {"DAY"} if isinstance(node, exp.DateFromUnixDate) else set()
    unit = next((unit for unit, marks in _UNITS.items() if marks & written), _SECOND)
    for slot in found.slots:
        reader.ledger.of(slot).epoch = unit
    return Value(found.slots, "timestamp")


def is_epoch(found: Value) -> bool:
    """Tell whether a value is the moment from which seconds are counted."""
    return str(found.literal).startswith(("1970-01-01", "epoch"))


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Extract: _extract,
    exp.StrToTime: _parsed_time,
    exp.StrToDate: _parsed_time,
    exp.StrToUnix: _unix_time,
    exp.ConvertTimezone: _zone,
    exp.UnixToTime: _from_epoch,
    exp.DateFromUnixDate: _from_epoch,
    **dict.fromkeys(OF_TIMES, _times),
    **dict.fromkeys(_SAME_TIME, same_time),
}
