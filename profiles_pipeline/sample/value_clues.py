"""Reads value expressions for clues: what each function, choice and path says about the columns in it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlglot import exp

from profiles_pipeline.sample.evidence import ELEMENT, STRONG, USUAL, WEAK, Kind, Ledger, Slot
from profiles_pipeline.sample.naming import suggested_kind
from profiles_pipeline.sample.patterns import regex_examples
from profiles_pipeline.sample.pieces import (
    Around,
    around_in_url,
    around_match,
    around_part,
    around_span,
    around_split,
    is_text,
)
from profiles_pipeline.sample.relations import NOTHING, Alternatives, Relation, Scope, Value, mixed
from profiles_pipeline.sql.rewrites.formats import is_number_format
from profiles_pipeline.sql.rewrites.semi_structured import schema_type
from profiles_pipeline.sql.times import clock_type
from profiles_pipeline.versions import ANY_TIME

NUMBER = re.compile(r"-?\d+(\.\d+)?")

_SAME = (
    exp.Paren, exp.Max, exp.Min, exp.AnyValue, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead,
    exp.IgnoreNulls, exp.RespectNulls, exp.Mode, exp.Filter, exp.WithinGroup, exp.Ordered, exp.ArgMax, exp.ArgMin,
    exp.Alias, exp.First, exp.Last, exp.HavingMax, exp.Order, exp.Collate, exp.Kwarg, exp.AtTimeZone,
)  # fmt: skip
_MIXED = (exp.Greatest, exp.Least)
_TEXTS = (
    exp.Length, exp.Substring, exp.Left, exp.Right, exp.Replace, exp.RegexpReplace, exp.RegexpExtract, exp.SplitPart,
    exp.Strtok, exp.StrPosition, exp.SubstringIndex, exp.Pad, exp.Repeat, exp.Reverse, exp.RegexpCount, exp.Translate,
)  # fmt: skip
_SAME_TEXT = (exp.Lower, exp.Upper, exp.Trim, exp.Initcap)
_HASHES = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA2)
_NUMBERS = (
    exp.Avg, exp.Median, exp.Round, exp.Abs, exp.Ceil, exp.Floor, exp.Sqrt, exp.Pow, exp.Ln, exp.Log, exp.Exp,
    exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Neg, exp.Sign, exp.ApproxQuantile,
    exp.Quantile, exp.Corr, exp.CovarPop, exp.CovarSamp, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.SafeDivide,
)  # fmt: skip
_BITS = (
    exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot, exp.BitwiseLeftShift, exp.BitwiseRightShift,
    exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.BitwiseXorAgg, exp.Getbit,
)  # fmt: skip
_TO_NUMBER = (
    exp.ToNumber, exp.ToDouble, exp.Int64, exp.Float64, exp.LaxInt64, exp.LaxFloat64, exp.ParseNumeric,
    exp.ParseBignumeric, exp.Nanvl,
)  # fmt: skip
_TO_BOOLEAN = (exp.ToBoolean, exp.JSONBool, exp.LaxBool)
_ARRAY_LENGTHS = ("JSON_ARRAY_LENGTH", "GET_ARRAY_LENGTH", "IS_VALID_JSON_ARRAY")
_TIMES = (
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

_NOW = ANY_TIME.strftime("%Y-%m-%d")
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

_TIME_NAMES = frozenset({
    "TO_TIMESTAMP", "TO_TIMESTAMP_NTZ", "TO_TIMESTAMP_LTZ", "TO_TIMESTAMP_TZ", "TRY_TO_TIMESTAMP",
    "TRY_TO_TIMESTAMP_NTZ", "TRY_TO_TIMESTAMP_TZ", "DATE", "TIMESTAMP", "DATE_FORMAT", "UNIX_TIMESTAMP", "DAYNAME",
    "TRY_TO_DATE", "TIME_SLICE",
})  # fmt: skip

_OF_MAPS = frozenset({"MAP_VALUES", "MAP_ENTRIES", "MAP_CONTAINS_KEY", "MAP_FILTER"})

Rule = Callable[[Any, exp.Expr, Scope], Value]
"""How a kind of expression is read: a method of the reader, the expression, where it stands."""


class ValueClues(ABC):
    """Reads expressions in the scope of a query and writes what they give away into a ledger.

    `columns` says what a column means in a scope, `queries` what a query yields, `rules` how each kind of expression is
    read; what has no rule is read part by part.
    """

    def __init__(
        self,
        ledger: Ledger,
        columns: Callable[[exp.Column, Scope], Value],
        queries: Callable[[exp.Expr, Scope], Relation],
        rules: Mapping[type[exp.Expr], Rule],
    ) -> None:
        self.ledger = ledger
        self.columns = columns
        self.queries = queries
        self.rules = rules

    # --- values -------------------------------------------------------------------------------------------------

    def value(self, node: exp.Expr | None, scope: Scope) -> Value:
        """Return what is known of an expression, after noting every clue in it."""
        if node is None:
            return NOTHING
        if clock_type(node) is not None:
            return Value(kind="timestamp", now=True)
        rule = next((self.rules[kind] for kind in type(node).__mro__ if kind in self.rules), ValueClues._children)
        return rule(self, node, scope)

    def _children(self, node: exp.Expr, scope: Scope) -> Value:
        for child in node.iter_expressions():
            self.value(child, scope)
        return NOTHING

    def _others(self, node: exp.Expr, scope: Scope, *, done: tuple[str, ...] = ("this",)) -> None:
        for child in node.iter_expressions():
            if child.arg_key not in done:
                self.value(child, scope)

    def _column(self, node: exp.Expr, scope: Scope) -> Value:
        assert isinstance(node, exp.Column)
        return self.columns(node, scope)

    def _query(self, node: exp.Expr, scope: Scope) -> Value:
        relation = self.queries(node, scope)
        return next((relation.value(name) for name in relation.columns), NOTHING)

    def _literal(self, node: exp.Expr, scope: Scope) -> Value:
        del scope
        if isinstance(node, exp.Boolean):
            return Value(kind="boolean", literal=bool(node.this))
        if node.is_string and str(node.this).startswith(_NOW):
            return Value(kind="timestamp", now=True)
        if node.is_string:
            return Value(kind="text", literal=str(node.this))
        return Value(kind="number", literal=float(node.this)) if NUMBER.fullmatch(str(node.this)) else NOTHING

    def _same(self, node: exp.Expr, scope: Scope) -> Value:
        if isinstance(node, exp.Filter):
            self.condition(node.expression.this, scope)
        else:
            self._others(node, scope)
        found = self.value(node.this, scope)
        if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont | exp.PercentileDisc):
            for ordered in node.find_all(exp.Ordered):
                self.vote(self.value(ordered.this, scope), "number")
            return Value(kind="number")
        return found

    def _window(self, node: exp.Expr, scope: Scope) -> Value:
        self._others(node, scope)
        return self.value(node.this, scope)

    def _distinct(self, node: exp.Expr, scope: Scope) -> Value:
        return mixed([self.value(child, scope) for child in node.expressions])

    def _sum(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        self.vote(found, "number")
        return Value(found.slots, "number", total=True)

    def _count(self, node: exp.Expr, scope: Scope) -> Value:
        if isinstance(node, exp.CountIf | exp.LogicalOr | exp.LogicalAnd):
            self.condition(node.this, scope)
            return Value(kind="number" if isinstance(node, exp.CountIf) else "boolean")
        self._children(node, scope)
        return Value(kind="number")

    def _number(self, node: exp.Expr, scope: Scope) -> Value:
        values = [self.value(child, scope) for child in node.iter_expressions()]
        for found in values:
            self.vote(found, "number")
        ratio = isinstance(node, exp.Div | exp.SafeDivide)  # a sum divided by a count is of the size of what is summed
        return Value(mixed(values).slots, "number", total=not ratio and any(v.total for v in values))

    def _minus(self, node: exp.Expr, scope: Scope) -> Value:
        """``-100`` is a literal, too."""
        found = self._number(node, scope)
        literal = self.value(node.this, scope).literal if isinstance(node.this, exp.Literal) else None
        return replace(found, literal=-literal) if isinstance(literal, float) else found

    def _truncated(self, node: exp.Expr, scope: Scope) -> Value:
        """``trunc(x)`` is of a number or of a time: what it is of, or what takes it, may tell."""
        is_time = self.value(node.this, scope).kind in ("date", "timestamp") or isinstance(node.parent, _TIMES)
        return self._same_time(node, scope) if is_time else self._number(node, scope)

    def _bits(self, node: exp.Expr, scope: Scope) -> Value:
        found = self._number(node, scope)
        for slot in found.slots:
            self.ledger.of(slot).whole = True
        return found

    def _to_number(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        self.vote(found, "number", WEAK)
        self._number_inside(found)
        return Value(found.slots, "number", total=found.total)

    def _sum_of_two(self, node: exp.Expr, scope: Scope) -> Value:
        left, right = self.value(node.this, scope), self.value(node.expression, scope)
        if isinstance(node.expression, exp.Interval):
            self.vote(left, "timestamp")
            return Value(left.slots, "timestamp")
        if isinstance(node.expression, exp.Mul) and node.expression.find(exp.Interval) is not None:
            if _is_epoch(left):
                return self._epoch(right, node.expression)
            self.vote(left, "timestamp")
            return Value(left.slots, "timestamp")
        days = left.literal is not None or right.literal is not None
        if _temporal(left) or _temporal(right):
            if isinstance(node, exp.Sub) and not days:
                self.vote(left, "timestamp", WEAK)
                self.vote(right, "timestamp", WEAK)
                return Value(kind="number")
            return Value(left.slots, left.kind)
        self.vote(left, "number")
        self.vote(right, "number")
        slots = (*left.slots, *right.slots) if isinstance(node, exp.Add) else left.slots or right.slots
        return Value(slots, "number", total=left.total or right.total)

    def _text(self, node: exp.Expr, scope: Scope) -> Value:
        self._others(node, scope)
        found = self.value(node.this, scope)
        self.vote(found, "text")
        if isinstance(node, exp.RegexpExtract) and is_text(node.expression):
            for slot in found.slots:
                self.ledger.of(slot).regexes[node.expression.name] = None
        if isinstance(node, exp.Replace | exp.RegexpReplace):
            return replace(found, kind="text", literal=None)
        if isinstance(node, exp.StrPosition) and node.args["substr"].is_string:
            for slot in found.slots:
                self.ledger.of(slot).likes[f"%{node.args['substr'].name}%"] = None
        if isinstance(node, exp.SplitPart | exp.SubstringIndex):
            return _piece(found, around_split(node))
        if isinstance(node, exp.RegexpExtract):
            return _piece(found, around_match(node))
        if isinstance(node, exp.Left | exp.Right | exp.Substring):
            return _piece(found, around_span(node))
        if isinstance(node, exp.Length):
            return Value(kind="number", measured=found.slots)
        counts = isinstance(node, exp.StrPosition | exp.RegexpCount)
        return Value(kind="number" if counts else "text")

    def _same_text(self, node: exp.Expr, scope: Scope) -> Value:
        self._others(node, scope)
        found = self.value(node.this, scope)
        self.vote(found, "text")
        return replace(found, kind="text", literal=None)

    def _concat(self, node: exp.Expr, scope: Scope) -> Value:
        for child in node.iter_expressions():
            self.vote(self.value(child, scope), "text", WEAK)
        return Value(kind="text")

    def _times(self, node: exp.Expr, scope: Scope) -> Value:
        times: tuple[Slot, ...] = ()
        for child in node.iter_expressions():
            found = self.value(child, scope)
            if child.arg_key in ("this", "expression"):
                self.vote(found, "timestamp")
                times += found.slots
        if isinstance(node, exp.TimeToStr | exp.Monthname | exp.Dayname):
            return Value(kind="text", calendar=times, part="text")
        return Value(kind="number", calendar=times, part=_PARTS.get(type(node), ""))

    def _extract(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.expression, scope)
        self.vote(found, "timestamp")
        return Value(kind="number", calendar=found.slots, part=node.name.lower())

    def _same_time(self, node: exp.Expr, scope: Scope) -> Value:
        self._others(node, scope, done=("this", "expression"))
        found, amount = self.value(node.this, scope), self.value(node.args.get("expression"), scope)
        if _is_epoch(found) and amount.slots:
            return self._epoch(amount, node)
        self.vote(amount, "number")
        fmt = node.args.get("format")
        if fmt is not None and fmt.is_string:
            self._formatted(found, str(fmt.this))
        else:
            self.vote(found, "timestamp")
        return Value(found.slots, "timestamp", found.literal, now=found.now and isinstance(node, _SAME_MOMENT))

    def _parsed_time(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        fmt = node.args.get("format")
        self._formatted(found, str(fmt.this) if fmt is not None and fmt.is_string else _ISO)
        return Value(kind="timestamp")

    def _unix_time(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        fmt = node.args.get("format")
        written = fmt.name.replace(_STRICT, "") if fmt is not None and fmt.is_string else _ISO
        if written != _ISO:
            self._formatted(found, written)
        else:
            self.vote(found, "timestamp")
        return Value(kind="number")

    def _formatted(self, found: Value, fmt: str) -> None:
        self.vote(found, "text", STRONG)
        for slot in found.slots:
            self.ledger.of(slot).formats[_SECONDS.sub("%S", fmt.replace(_STRICT, "").replace("%E4Y", "%Y"))] = None

    def _zone(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.args.get("timestamp"), scope)
        self.vote(found, "timestamp")
        return Value(found.slots, "timestamp")

    def _from_epoch(self, node: exp.Expr, scope: Scope) -> Value:
        return self._epoch(self.value(node.this, scope), node)

    def _epoch(self, found: Value, node: exp.Expr) -> Value:
        """Note that a number counts seconds since 1970, or days or parts of a second where SQL says so."""
        self.ledger.vote(found.slots, "number", STRONG)
        written = {node.text("unit").upper(), *(str(literal.this) for literal in node.find_all(exp.Literal))}
        written |= {"DAY"} if isinstance(node, exp.DateFromUnixDate) else set()
        unit = next((unit for unit, marks in _UNITS.items() if marks & written), _SECOND)
        for slot in found.slots:
            self.ledger.of(slot).epoch = unit
        return Value(found.slots, "timestamp")

    def _named(self, node: exp.Expr, scope: Scope) -> Value:
        values = [self.value(child, scope) for child in node.expressions]
        name = str(node.name).upper()
        if name in _TIME_NAMES and values:
            if values[0].kind == "number" or (len(values) > 1 and values[1].kind == "number"):
                return self._epoch(values[0], node)
            self.vote(values[0], "timestamp")
            return Value(values[0].slots, "timestamp", values[0].literal, now=values[0].now)
        if name == "FROM_UNIXTIME" and values:
            return self._epoch(values[0], node)
        if name == "FORMAT_NUMBER" and values:
            self.vote(values[0], "number")
        if name in (*_ARRAY_LENGTHS, "JSON_EXTRACT_ARRAY_ELEMENT_TEXT") and values:
            element = self.step(values[0], [ELEMENT])
            return Value(kind="number") if name in _ARRAY_LENGTHS else element
        for place, found in enumerate(values):
            if name in _OF_MAPS and place == 0:
                self.ledger.vote(found.slots, "map", STRONG)
            if name == "HAVERSINE":
                self._coordinate(found, 90.0 if place % 2 == 0 else 180.0)
        return Value(kind="number") if name == "HAVERSINE" else NOTHING

    def _point(self, node: exp.Expr, scope: Scope) -> Value:
        """``st_point(longitude, latitude)``."""
        self._coordinate(self.value(node.this, scope), 180.0)
        self._coordinate(self.value(node.expression, scope), 90.0)
        return NOTHING

    def _coordinate(self, found: Value, most: float) -> None:
        self.vote(found, "number")
        for slot in found.slots:
            self.ledger.of(slot).most = most

    def _cast(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        to = kind_of_type(node.args["to"])
        if to == "text":
            return replace(found, kind="text", now=False)
        if to == "json":
            return found
        if to == "number":
            self._number_inside(found)
        if to == "number" and found.kind != "text":
            self.vote(found, "number", WEAK if isinstance(node.this, exp.Column) else USUAL)
        elif to is not None:
            self.vote(found, to, WEAK if to == "number" else USUAL)
        kind: Kind | None = "timestamp" if to == "date" else to
        return Value(found.slots, kind, found.literal, found.total, found.now)

    def _number_inside(self, found: Value) -> None:
        """Note that a piece of a text is a number."""
        before, after = (text.replace("one", "1").replace("two", "2") for text in found.around)
        for slot in found.inside:
            self.ledger.of(slot).around_numbers[before, after] = None

    def _to_boolean(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        self.vote(found, "boolean", WEAK)
        return Value(found.slots, "boolean")

    def _to_text(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        fmt = node.args.get("format")
        if fmt is None or not fmt.is_string:
            return Value(found.slots, "text")
        if is_number_format(fmt.name):
            self.vote(found, "number")
            return Value(kind="text")
        self.vote(found, "timestamp")
        return Value(kind="text", calendar=found.slots, part="text")

    # --- choices ------------------------------------------------------------------------------------------------

    def _coalesce(self, node: exp.Expr, scope: Scope) -> Value:
        return self._branches([node.this, *node.expressions], scope)

    def _branches(self, nodes: Iterable[exp.Expr | None], scope: Scope) -> Value:
        """Return the value of one of several expressions, which all have to be of one kind."""
        values = [self.value(node, scope) for node in nodes if node is not None]
        for found in values:
            for other in values:
                if found is not other and other.slots:
                    self._alike(found, other)
        return mixed(values)

    def _alike(self, one: Value, other: Value) -> None:
        """Note that `other`, which has slots, has values of the kind of `one`."""
        if one.slots:
            self.ledger.related(one.slots, other.slots)
        elif isinstance(one.literal, str) and one.kind == "text":
            self.like_text(other.slots, one.literal)
        elif one.kind is not None:
            self.vote(other, one.kind)

    def _case(self, node: exp.Expr, scope: Scope) -> Value:
        subject = node.args.get("this")
        results = []
        for branch in node.args["ifs"]:
            if subject is not None:
                self.condition(exp.EQ(this=subject.copy(), expression=branch.this.copy()), scope)
            else:
                self.condition(branch.this, scope)
            results.append(branch.args.get("true"))
        return self._branches([*results, node.args.get("default")], scope)

    def _if(self, node: exp.Expr, scope: Scope) -> Value:
        self.condition(node.this, scope)
        return self._branches([node.args.get("true"), node.args.get("false")], scope)

    def _decode(self, node: exp.Expr, scope: Scope) -> Value:
        subject, *rest = node.expressions
        pairs = list(zip(rest[::2], rest[1::2], strict=False))
        for found, _ in pairs:
            self.condition(exp.EQ(this=subject.copy(), expression=found.copy()), scope)
        default = rest[-1] if len(rest) % 2 else None
        return self._branches([*(result for _, result in pairs), default], scope)

    def _nullif(self, node: exp.Expr, scope: Scope) -> Value:
        found, other = self.value(node.this, scope), self.value(node.expression, scope)
        if found.slots and other.literal not in (None, 0.0):
            self._alike(other, found)
        elif other.kind == "number":
            self.vote(found, "number")
        return found

    # --- JSON ---------------------------------------------------------------------------------------------------

    def _json_path(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        if isinstance(node.this, exp.ParseUrl):
            return _piece(found, around_in_url(json_steps(node.expression)))
        return self.step(found, json_steps(node.expression))

    def _url(self, node: exp.Expr, scope: Scope) -> Value:
        """``parse_url(url, 'HOST')``: a part of a text; without a part the text itself, into which a path may lead."""
        found = self.value(node.this, scope)
        self.vote(found, "text")
        if isinstance(node, exp.Host | exp.RegDomain):
            return _piece(found, around_in_url(["host"]))
        part = node.args.get("part_to_extract")
        if part is None:
            return found
        key = node.args.get("key")
        return _piece(found, around_in_url([part.name, key.name] if key is not None else [part.name]))

    def _json_array(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        self.vote(found, "json", STRONG)
        path = node.args.get("expression")
        array = self.step(found, json_steps(path)) if path is not None else Value(found.slots)
        self.step(array, [ELEMENT])
        return array

    def _bracket(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        keys = node.expressions or [node.expression]
        if isinstance(node.this, exp.ParseUrl):
            return _piece(found, around_in_url([keys[0].name]))
        if found.parts:
            number = int(keys[0].name) - (node.args.get("offset") or 0) if keys[0].is_int else 0
            return _piece(found, around_part(found.around[0], number + 1))
        if found.kind == "number":  # a list that was made of numbers, such as one of percentiles
            return Value(kind="number")
        if isinstance(keys[0], exp.Literal) and keys[0].is_string:
            return self.step(found, [str(keys[0].this)])
        return self.element(found) if isinstance(keys[0], exp.Literal) or self.ledger.structs else NOTHING

    def _field(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        if isinstance(node.expression, exp.Identifier) and self.ledger.structs:
            return Value(self.ledger.member(found.slots, [node.expression.name]))
        self.value(node.expression, scope)
        return NOTHING

    def _exploded(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        return self.element(found)

    def _parse_json(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        self.vote(found, "json", STRONG)
        return Value(found.slots)

    def _typed_json(self, node: exp.Expr, scope: Scope) -> Value:
        found = self._parse_json(node, scope)
        if isinstance(node.expression, exp.Literal):
            self._of_type(found, schema_type(node.expression.name))
        return found

    def _of_type(self, found: Value, data_type: exp.DataType) -> None:
        """Note what the type of a JSON value says about the values inside."""
        kind = kind_of_type(data_type)
        if kind != "json":
            self.ledger.vote(found.slots, kind or "text", STRONG)
        for part in data_type.expressions:
            named = isinstance(part, exp.ColumnDef)
            inner = self.step(found, [part.name if named else ELEMENT])
            self._of_type(inner, part.args["kind"] if named else part)

    def _split(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        self.vote(found, "text")
        mark = str(node.expression.name) or ","
        if isinstance(node, exp.RegexpSplit):
            mark = next(iter(regex_examples(mark, 1)), ",")
        for slot in found.slots:
            self.ledger.of(slot).separator = mark
        return Value(found.slots, parts=True, around=(mark, mark))

    def _array(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        inner = Value(found.slots) if found.parts else self.element(found)
        if isinstance(node, exp.ArrayContains):
            other = self.value(node.expression, scope)
            if isinstance(other.literal, str):
                self.like_text(inner.slots, other.literal)
            return Value(kind="boolean")
        self._others(node, scope)
        return Value(kind="number") if isinstance(node, exp.ArraySize) else NOTHING

    def _reduced(self, node: exp.Expr, scope: Scope) -> Value:
        """``aggregate(a, 0, (total, x) -> total + x)``: the elements are of the kind of the first total, unless they
        are made something else first."""
        start = self.value(node.args.get("initial"), scope)
        element = self.element(self.value(node.this, scope))
        if _plainly_used(node.args.get("merge")):
            self._alike(start, element)
        return Value(kind=start.kind)

    def _of_elements(self, node: exp.Expr, scope: Scope) -> Value:
        """``array_max(a)`` and ``sort_array(a)``: one of the elements, or the array."""
        found = self.value(node.this, scope)
        element = self.element(found)
        return element if isinstance(node, exp.ArrayMax | exp.ArrayMin) else found

    def _map_keys(self, node: exp.Expr, scope: Scope) -> Value:
        self.ledger.vote(self.value(node.this, scope).slots, "map", STRONG)
        return NOTHING

    def _each(self, node: exp.Expr, scope: Scope) -> Value:
        """``filter(a, x -> x > 1)``: what is said of x is said of any element."""
        body = node.args.get("expression")
        if isinstance(node, exp.Exists) and body is None:
            return self._children(node, scope)
        found = self.value(node.this, scope)
        if not isinstance(body, exp.Lambda) or len(body.expressions) != 1:
            return NOTHING
        said, name = exp.Paren(this=body.this.copy()), body.expressions[0].name.lower()
        for use in [one for one in said.find_all(exp.Identifier) if one.name.lower() == name]:
            use.replace(exp.Bracket(this=node.this.copy(), expressions=[exp.Literal.number(0)]))
        self.value(said, scope)
        return found if isinstance(node, exp.ArrayFilter) else NOTHING

    def element(self, found: Value) -> Value:
        """Return any element of an array; of the parts of a text a piece, with which the text may begin and end."""
        if found.parts:
            return Value(kind="text", inside=found.slots)
        return Value(self.ledger.member(found.slots, [ELEMENT])) if self.ledger.structs else self.step(found, [ELEMENT])

    def step(self, found: Value, steps: Iterable[str]) -> Value:
        """Return what lies inside a JSON value."""
        steps = tuple(steps)
        inner = tuple(Slot(s.table, s.column, (*s.path, *(step for step in steps))) for s in found.slots)
        for slot in inner:
            self.ledger.of(slot)
            self.ledger.vote([slot.whole], "json", STRONG)
        return Value(inner)

    def vote(self, found: Value, kind: Kind, weight: int = USUAL) -> None:
        """Note that a value is used as `kind`, unless it was turned into that on the way."""
        if found.kind != kind or kind == "text":
            self.ledger.vote(found.slots, kind, weight)

    @abstractmethod
    def condition(self, node: exp.Expr | None, scope: Scope) -> Alternatives:
        """Return the ways to make a condition true, after noting them."""

    @abstractmethod
    def like_text(self, slots: Iterable[Slot], literal: str) -> None:
        """Note that values are compared with a text."""


VALUE_RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Column: ValueClues._column,
    exp.Literal: ValueClues._literal,
    exp.Boolean: ValueClues._literal,
    exp.Window: ValueClues._window,
    exp.Distinct: ValueClues._distinct,
    exp.Sum: ValueClues._sum,
    exp.Count: ValueClues._count,
    exp.CountIf: ValueClues._count,
    exp.LogicalOr: ValueClues._count,
    exp.LogicalAnd: ValueClues._count,
    exp.Add: ValueClues._sum_of_two,
    exp.Sub: ValueClues._sum_of_two,
    exp.Concat: ValueClues._concat,
    exp.ConcatWs: ValueClues._concat,
    exp.DPipe: ValueClues._concat,
    exp.GroupConcat: ValueClues._concat,
    exp.Extract: ValueClues._extract,
    exp.StrToTime: ValueClues._parsed_time,
    exp.StrToDate: ValueClues._parsed_time,
    exp.StrToUnix: ValueClues._unix_time,
    exp.ConvertTimezone: ValueClues._zone,
    exp.UnixToTime: ValueClues._from_epoch,
    exp.DateFromUnixDate: ValueClues._from_epoch,
    exp.Anonymous: ValueClues._named,
    exp.Cast: ValueClues._cast,
    exp.Trunc: ValueClues._truncated,
    **dict.fromkeys(_TO_BOOLEAN, ValueClues._to_boolean),
    exp.ToChar: ValueClues._to_text,
    exp.Coalesce: ValueClues._coalesce,
    exp.Case: ValueClues._case,
    exp.If: ValueClues._if,
    exp.DecodeCase: ValueClues._decode,
    exp.Nullif: ValueClues._nullif,
    exp.JSONExtract: ValueClues._json_path,
    exp.JSONExtractScalar: ValueClues._json_path,
    exp.JSONExtractArray: ValueClues._json_array,
    exp.JSONValueArray: ValueClues._json_array,
    exp.GetExtract: ValueClues._bracket,
    exp.Bracket: ValueClues._bracket,
    exp.ParseJSON: ValueClues._parse_json,
    exp.FromJson: ValueClues._typed_json,
    exp.Dot: ValueClues._field,
    exp.Explode: ValueClues._exploded,
    exp.Split: ValueClues._split,
    exp.RegexpSplit: ValueClues._split,
    exp.ParseUrl: ValueClues._url,
    exp.Host: ValueClues._url,
    exp.RegDomain: ValueClues._url,
    exp.StPoint: ValueClues._point,
    exp.NetFunc: ValueClues._same,
    exp.SplitToTable: ValueClues._split,
    exp.ArraySize: ValueClues._array,
    exp.ArrayContains: ValueClues._array,
    exp.ArrayFilter: ValueClues._each,
    exp.Transform: ValueClues._each,
    exp.Exists: ValueClues._each,
    exp.Reduce: ValueClues._reduced,
    exp.ArrayMax: ValueClues._of_elements,
    exp.ArrayMin: ValueClues._of_elements,
    exp.SortArray: ValueClues._of_elements,
    exp.MapKeys: ValueClues._map_keys,
    exp.ArrayToString: ValueClues._array,
    exp.ArrayDistinct: ValueClues._array,
    exp.Query: ValueClues._query,
    exp.Select: ValueClues._query,
    exp.SetOperation: ValueClues._query,
    exp.Subquery: ValueClues._query,
    **dict.fromkeys(_SAME, ValueClues._same),
    **dict.fromkeys(_TEXTS, ValueClues._text),
    **dict.fromkeys(_SAME_TEXT, ValueClues._same_text),
    **dict.fromkeys(_HASHES, ValueClues._same_text),
    **dict.fromkeys(_NUMBERS, ValueClues._number),
    exp.Neg: ValueClues._minus,
    **dict.fromkeys(_BITS, ValueClues._bits),
    **dict.fromkeys(_TO_NUMBER, ValueClues._to_number),
    **dict.fromkeys(_TIMES, ValueClues._times),
    **dict.fromkeys(_SAME_TIME, ValueClues._same_time),
    **dict.fromkeys(_MIXED, ValueClues._coalesce),
}


def _plainly_used(body: exp.Expr | None) -> bool:
    """Tell whether ``(total, x) -> total + x`` computes with x itself, not with what a function makes of it."""
    if not isinstance(body, exp.Lambda) or not body.expressions:
        return True
    name = body.expressions[-1].name.lower()
    uses = (use for use in body.this.find_all(exp.Identifier) if use.name.lower() == name)
    return all(isinstance(use.parent, exp.Binary | exp.Paren) for use in uses)


def kind_of_type(data_type: exp.DataType) -> Kind | None:
    """Return the kind of a SQL type."""
    if data_type.is_type(*exp.DataType.TEXT_TYPES):
        return "text"
    if data_type.is_type(*exp.DataType.NUMERIC_TYPES):
        return "number"
    if data_type.is_type("date", "date32"):
        return "date"
    if data_type.is_type(*exp.DataType.TEMPORAL_TYPES):
        return "timestamp"
    if data_type.is_type("boolean"):
        return "boolean"
    return "json" if data_type.is_type("variant", "object", "json", "array", "struct", "map", "super") else None


def json_steps(path: exp.Expr) -> list[str]:
    """Return the steps of a JSON path, those into an array as ELEMENT."""
    if not isinstance(path, exp.JSONPath):
        return [str(path.name)] if path.name else []
    steps = []
    for part in path.expressions:
        if isinstance(part, exp.JSONPathKey):
            steps.append(str(part.name))
        elif isinstance(part, exp.JSONPathSubscript | exp.JSONPathWildcard):
            steps.append(str(part.this) if isinstance(part.this, str) else ELEMENT)
    return steps[1:] if steps[:1] == ["$"] else steps


def _piece(found: Value, around: Around | None) -> Value:
    """Return a piece of a text; where `around` is None, one of which it is not known where it stands."""
    if around is None:
        return Value(kind="text")
    if found.slots:
        return Value(kind="text", inside=found.slots, around=around)
    whole = found.around[0] + around[0], around[1] + found.around[1]
    return Value(kind="text", inside=found.inside, around=whole)


def _is_epoch(found: Value) -> bool:
    return str(found.literal).startswith(("1970-01-01", "epoch"))


def _temporal(found: Value) -> bool:
    if found.kind in ("timestamp", "date"):
        return True
    names = [slot.column for slot in found.slots if not slot.path]
    return found.kind is None and any(suggested_kind(name) in ("timestamp", "date") for name in names)
