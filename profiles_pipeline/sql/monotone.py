"""Whether the value of an expression rises or falls with the time that it is computed from.

An expression over one column of times is followed through the tree: where each step keeps or turns the order of times,
so does the whole. All of this is true of columns that hold dates or timestamps, in a session whose time zone is UTC. A
column that holds texts or numbers is sorted in another way than the times that it may be converted to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from profiles_pipeline.sql.analysis import is_aggregate_call, is_deterministic
from profiles_pipeline.sql.kinds import kind

Direction = Literal["constant", "rising", "falling"]
"""How a value moves as the column grows; while it rises it may stand still, but never falls."""

MONTHS_PASSED = "months_passed"
"""In the meta of a call: it counts the whole months between the two times of the list inside."""

_Measure = Literal["date", "midnight", "moment", "difference", "number", "span", "months", "text"]
"""What a value is. ``midnight`` is a timestamp or date without a time of day, ``moment`` any of them; ``difference``
lies between two of them, as a number of days or an interval; ``span`` is an interval that always takes as long,
``months`` one that may not; ``text`` is a literal that becomes what it is compared with."""

_FLIPPED: dict[Direction, Direction] = {"constant": "constant", "rising": "falling", "falling": "rising"}
_DAYS: tuple[_Measure, ...] = ("date", "midnight")
_TIMES: tuple[_Measure, ...] = ("date", "midnight", "moment")
_TIMES_OR_TEXT: tuple[_Measure, ...] = (*_TIMES, "text")
_LENGTHS: tuple[_Measure, ...] = ("difference", "number", "span", "months")

_FIXED_UNITS = {"MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK"}
_DAY_UNITS = {"DAY", "WEEK", "ISOWEEK", "MONTH", "QUARTER", "YEAR"}
_UNITS = _FIXED_UNITS | _DAY_UNITS
_RISING_PARTS = {"YEAR", "ISOYEAR", "EPOCH", "EPOCH_SECOND", "EPOCH_MILLISECOND", "EPOCH_MICROSECOND"}
_PLAIN_NUMBER = re.compile(r"\s*-?\d+(\.\d+)?\s*")
_STEADY_ZONE = re.compile(r"(Etc/)?(UTC|GMT)|Etc/GMT[+-]\d+", re.IGNORECASE)
"""Zones whose clocks are never set back."""

_DATE_TYPES = {exp.DType.DATE, exp.DType.DATE32}
_MOMENT_TYPES = exp.DataType.TEMPORAL_TYPES - _DATE_TYPES - {exp.DType.TIME, exp.DType.TIMETZ}
_NOT_CONSTANT = (
    exp.Column, exp.Star, exp.Query, exp.Window, exp.Placeholder, exp.Parameter, exp.Lambda, exp.Any, exp.All,
    exp.NextValueFor,
)  # fmt: skip
_STRICT = (exp.Cast, exp.TryCast, exp.Div, exp.AtTimeZone, exp.UnixToTime, exp.Paren)


@dataclass(frozen=True, slots=True)
class _Term:
    direction: Direction
    measure: _Measure


def direction(tree: exp.Expr, column: str) -> Direction | None:
    """Return how the value of `tree`, translated and with its time bound, moves as the times in `column` grow.

    It is NULL where the column is, unless it is constant. None: it mentions another column, or it is not known.
    """
    if any(column_name(found).lower() != column.lower() for found in tree.find_all(exp.Column)):
        return None
    term = _term(tree)
    return term.direction if term else None


def is_monotone_comparison(left: exp.Expr, right: exp.Expr) -> bool:
    """Return whether ``left < right``, over one column, holds up to some moment or from some moment on, nowhere else.

    So do the comparisons with ``<=``, ``>`` and ``>=`` then.
    """
    first, second = _term(left), _term(right)
    if first is None or second is None or not _comparable(first, second):
        return False
    return _joined(first.direction, _FLIPPED[second.direction]) in ("rising", "falling")


def column_name(column: exp.Column) -> str:
    """Return the name of a column as written, with its qualifiers."""
    return ".".join(part.name for part in column.parts)


def _comparable(first: _Term, second: _Term) -> bool:
    measures = {first.measure, second.measure}
    if "text" in measures:
        return len(measures) == 2
    if "difference" in measures:
        return measures <= {*_LENGTHS}
    return measures <= {*_TIMES} or measures == {"number"}


def _term(node: exp.Expr | None) -> _Term | None:
    """Return what is known of a value over at most one column."""
    rule = _RULES.get(type(node))
    found = rule(node) if rule is not None and node is not None else None
    return found or (_constant(node) if node is not None else None)


def _constant(node: exp.Expr) -> _Term | None:
    for part in node.walk():
        unknown = isinstance(part, exp.Anonymous) and part.name.upper() not in _CALLS
        if isinstance(part, _NOT_CONSTANT) or unknown or is_aggregate_call(part):
            return None
    measures: dict[str | None, _Measure] = {"date": "date", "timestamp": "moment", "number": "number"}
    measure = measures.get(kind(node))
    return _Term("constant", measure) if measure and is_deterministic(node) else None


def _joined(first: Direction, second: Direction) -> Direction | None:
    """Return how a sum moves whose parts move so."""
    if second in (first, "constant"):
        return first
    return second if first == "constant" else None


def _column(node: exp.Expr) -> _Term | None:
    measures: dict[str | None, _Measure] = {None: "moment", "timestamp": "moment", "date": "date"}
    measure = measures.get(kind(node))
    return _Term("rising", measure) if measure else None


def _literal(node: exp.Expr) -> _Term:
    return _Term("constant", "text" if node.is_string else "number")


def _same(node: exp.Expr) -> _Term | None:
    return _term(node.this)


def _cast(node: exp.Expr) -> _Term | None:
    term, dtype = _term(node.this), node.args["to"].this
    if term is None or node.args.get("format") or node.args.get("default"):
        return None
    if dtype in _DATE_TYPES:
        return _as(term, "date", _TIMES_OR_TEXT)
    if dtype in _MOMENT_TYPES:
        return _as(term, "midnight" if term.measure in _DAYS else "moment", _TIMES_OR_TEXT)
    if dtype in exp.DataType.NUMERIC_TYPES:
        return _as(term, "number", ("number", "text"))
    return None


def _as(term: _Term | None, measure: _Measure, of: tuple[_Measure, ...]) -> _Term | None:
    return _Term(term.direction, measure) if term is not None and term.measure in of else None


def _day(node: exp.Expr) -> _Term | None:
    """``to_date(ts)``, ``last_day(ts)``, ``next_day(ts, 'mo')``: the result is a DATE."""
    more = ("format", "zone", "expressions", "default_date")
    return None if any(node.args.get(key) for key in more) else _as(_term(node.this), "date", _TIMES)


def _next_day(node: exp.Expr) -> _Term | None:
    return _day(node) if isinstance(node.expression, exp.Literal) else None


def _stamp(node: exp.Expr) -> _Term | None:
    more = ("zone", "expression")
    return None if any(node.args.get(key) for key in more) else _as(_term(node.this), "moment", _TIMES)


def _unit(node: exp.Expr) -> str:
    """Return the unit of time in upper case, without a plural; ``WEEK`` for weeks from whatever day."""
    unit = node.args.get("unit")
    if isinstance(unit, exp.WeekStart):
        return "WEEK"
    return unit.name.upper().removesuffix("S") if isinstance(unit, exp.Var | exp.Literal) else ""


def _truncated(node: exp.Expr) -> _Term | None:
    unit = _unit(node)
    if unit not in _UNITS or node.args.get("zone"):
        return None
    return _as(_term(node.this), "midnight" if unit in _DAY_UNITS else "moment", _TIMES)


def _sliced(node: exp.Expr) -> _Term | None:
    steady = isinstance(node.expression, exp.Literal) and _unit(node) in _UNITS
    return _as(_term(node.this), "moment", _TIMES) if steady else None


def _boundaries(node: exp.Expr) -> _Term | None:
    """``datediff(unit, start, end)`` counts the boundaries of the unit between two times."""
    steady = (_unit(node) or "DAY") in _UNITS and not node.args.get("zone")
    return _counted_between(node.expression, node.this) if steady else None


def _counted_between(first: exp.Expr, last: exp.Expr) -> _Term | None:
    start, end = _term(first), _term(last)
    if end is None or start is None or end.measure not in _TIMES_OR_TEXT or start.measure not in _TIMES_OR_TEXT:
        return None
    moved = _joined(end.direction, _FLIPPED[start.direction])
    return _Term(moved, "number") if moved else None


def _interval(node: exp.Expr) -> _Term | None:
    length, unit = _term(node.this), _unit(node)
    if length is None or length.direction != "constant":
        return None
    plain = length.measure == "number" or _PLAIN_NUMBER.fullmatch(node.this.name) is not None
    return _Term("constant", "span" if plain and unit in _FIXED_UNITS else "months")


def _shifted(node: exp.Expr) -> _Term | None:
    """``dateadd(unit, amount, x)`` and its kin, in either direction."""
    base, amount, unit = _term(node.this), _term(node.expression), _unit(node) or "DAY"
    if base is None or amount is None or amount.direction != "constant" or unit not in _UNITS:
        return None
    by = amount.measure if amount.measure in ("span", "months") else "span" if unit in _FIXED_UNITS else "months"
    return _moved(base, _Term("constant", by))


def _months_later(node: exp.Expr) -> _Term | None:
    base, amount = _term(node.this), _term(node.expression)
    if base is None or amount is None or amount.direction != "constant":
        return None
    moved = _moved(base, _Term("constant", "months"))
    return _Term(moved.direction, base.measure) if moved else None


def _moved(base: _Term, by: _Term) -> _Term | None:
    """Return `base` plus `by`.

    Months put the last days of a long month on the last one of a short month: the night before that day passes then
    for later than its morning. So only whole days keep their order.
    """
    moved = _joined(base.direction, by.direction)
    if moved is None or base.measure not in (*_TIMES, "number"):
        return None
    if by.measure == "number":
        return _Term(moved, base.measure)
    if base.measure == "number" or by.measure not in ("span", "months"):
        return None
    if by.measure == "months" and base.direction != "constant" and base.measure not in _DAYS:
        return None
    return _Term(moved, "moment")


def _sum(node: exp.Expr) -> _Term | None:
    left, right = _term(node.this), _term(node.expression)
    if left is None or right is None:
        return None
    return _moved(left, right) or _moved(right, left)


def _difference(node: exp.Expr) -> _Term | None:
    left, right = _term(node.this), _term(node.expression)
    if left is None or right is None:
        return None
    less = _Term(_FLIPPED[right.direction], right.measure)
    if left.measure in _TIMES and right.measure in _TIMES:
        moved = _joined(left.direction, less.direction)
        days = left.measure == right.measure == "date"
        return _Term(moved, "number" if days else "difference") if moved else None
    return _moved(left, less)


def _product(node: exp.Expr) -> _Term | None:
    return _scaled(node.this, node.expression) or _scaled(node.expression, node.this)


def _quotient(node: exp.Expr) -> _Term | None:
    return _scaled(node.this, node.expression)


def _scaled(value: exp.Expr, factor: exp.Expr) -> _Term | None:
    term, sign = _as(_term(value), "number", ("number",)), _sign(factor)
    if term is None or sign == 0:
        return None
    return term if sign > 0 else _Term(_FLIPPED[term.direction], "number")


def _sign(node: exp.Expr) -> int:
    """Return 1 for what surely is a positive number, -1 for a negative one, else 0."""
    if isinstance(node, exp.Paren):
        return _sign(node.this)
    if isinstance(node, exp.Neg):
        return -_sign(node.this)
    if isinstance(node, exp.Mul):
        return _sign(node.this) * _sign(node.expression)
    number = isinstance(node, exp.Literal) and not node.is_string and _PLAIN_NUMBER.fullmatch(node.name)
    return 1 if number and float(node.name) > 0 else 0


def _negative(node: exp.Expr) -> _Term | None:
    term = _as(_term(node.this), "number", ("number",))
    return _Term(_FLIPPED[term.direction], "number") if term else None


def _rounded(node: exp.Expr) -> _Term | None:
    steady = isinstance(node.args.get("decimals"), exp.Literal | None)
    more = node.args.get("to") or node.args.get("truncate")
    return _as(_term(node.this), "number", ("number",)) if steady and not more else None


def _counted(node: exp.Expr) -> _Term | None:
    """``year(ts)``, ``epoch(ts)``: counts years, seconds ... from some beginning."""
    return _as(_term(node.this), "number", _TIMES)


def _part(node: exp.Expr) -> _Term | None:
    rising = node.name.upper() in _RISING_PARTS
    return _as(_term(node.expression), "number", _TIMES) if rising else None


def _called(node: exp.Expr) -> _Term | None:
    times = node.find(exp.Array) if node.meta.get(MONTHS_PASSED) else None
    if times is not None:
        return _counted_between(*times.expressions)
    measure = _CALLS.get(node.name.upper())
    term = _term(node.expressions[0]) if len(node.expressions) == 1 else None
    if measure == "span":
        return _Term("constant", "span") if term == _Term("constant", "number") else None
    return _as(term, measure, _TIMES) if measure else None


def _in_zone(node: exp.Expr) -> _Term | None:
    zones = [node.args.get(key) for key in ("zone", "source_tz", "target_tz")]
    steady = all(isinstance(z, exp.Literal) and _STEADY_ZONE.fullmatch(z.name) for z in zones if z is not None)
    moment = node.args.get("timestamp") or node.this
    return _as(_term(moment), "moment", _TIMES) if steady and not node.args.get("options") else None


def _first_reading(node: exp.Expr) -> _Term | None:
    """``to_timestamp(ts)``: what reads texts and numbers as well takes the first way where the column holds times."""
    first = node.this
    if not isinstance(first, exp.Cast | exp.TryCast) or not isinstance(first.this, exp.Column):
        return None
    return _as(_term(first), "moment", _TIMES) if all(map(_is_strict, node.expressions)) else None


def _is_strict(node: exp.Expr) -> bool:
    """Return whether a value is surely NULL where the column is."""
    if isinstance(node, exp.Column):
        return True
    return isinstance(node, _STRICT) and any(map(_is_strict, node.iter_expressions()))


_CALLS: dict[str, _Measure] = {"TO_DAYS": "span", "EPOCH": "number", "EPOCH_MS": "number", "EPOCH_US": "number"}

_Rule = Callable[[exp.Expr], _Term | None]

_BY_RULE: dict[_Rule, tuple[type[exp.Expr], ...]] = {
    _column: (exp.Column,),
    _literal: (exp.Literal,),
    _same: (exp.Paren,),
    _cast: (exp.Cast, exp.TryCast),
    _day: (exp.Date, exp.TsOrDsToDate, exp.LastDay),
    _next_day: (exp.NextDay, exp.PreviousDay),
    _stamp: (exp.Datetime, exp.Timestamp, exp.TsOrDsToDatetime, exp.TsOrDsToTimestamp),
    _truncated: (exp.DateTrunc, exp.TimestampTrunc, exp.DatetimeTrunc),
    _sliced: (exp.TimeSlice,),
    _boundaries: (exp.DateDiff, exp.TimestampDiff, exp.DatetimeDiff, exp.TsOrDsDiff),
    _interval: (exp.Interval,),
    _shifted: (
        exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimestampSub, exp.DatetimeAdd, exp.DatetimeSub, exp.TsOrDsAdd,
    ),
    _months_later: (exp.AddMonths,),
    _sum: (exp.Add,),
    _difference: (exp.Sub,),
    _product: (exp.Mul,),
    _quotient: (exp.Div, exp.IntDiv),
    _negative: (exp.Neg,),
    _rounded: (exp.Floor, exp.Ceil, exp.Round, exp.Trunc),
    _counted: (
        exp.Year, exp.YearOfWeek, exp.YearOfWeekIso, exp.UnixSeconds, exp.UnixMillis, exp.UnixMicros, exp.UnixDate,
        exp.TimeToUnix,
    ),
    _part: (exp.Extract,),
    _called: (exp.Anonymous,),
    _in_zone: (exp.AtTimeZone, exp.ConvertTimezone),
    _first_reading: (exp.Coalesce,),
}  # fmt: skip

_RULES: dict[type[exp.Expr | None], _Rule] = {node: rule for rule, nodes in _BY_RULE.items() for node in nodes}
