"""Times as texts in the formats of Redshift and BigQuery, some elements of which DuckDB does not know."""

from __future__ import annotations

import re
from functools import reduce

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.formats import is_number_format
from profiles_pipeline.sql.rewrites.row import Rewrite, cast, function
from profiles_pipeline.sql.rewrites.temporal import moment, on_a_day

_REDSHIFT = re.compile(
    r'"(?P<quoted>[^"]*)"|(?P<fill>FM)?(?P<element>IYYY|YYYY|YY|HH24|HH12|HH|MI|SS|MS|US|MONTH|MON|MM|DDD|DD|DAY|DY|D'
    r"|IW|WW|W|Q|ID|AM|PM)|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_NUMBERS = {
    "IYYY": "%G", "YYYY": "%Y", "YY": "%y", "HH24": "%H", "HH12": "%I", "HH": "%I", "MI": "%M", "SS": "%S", "MS": "%g",
    "US": "%f", "MM": "%m", "DDD": "%j", "DD": "%d", "IW": "%V", "ID": "%u",
}  # fmt: skip
_NAMES = {"MONTH": "%B", "MON": "%b", "DAY": "%A", "DY": "%a", "AM": "%p", "PM": "%p"}
_PADDED = ("MONTH", "DAY")
_COMPUTED = {
    "D": "CAST(DAYOFWEEK(:time) + 1 AS TEXT)",
    "Q": "CAST(QUARTER(:time) AS TEXT)",
    "WW": "LPAD(CAST((DAYOFYEAR(:time) + 6) // 7 AS TEXT), 2, '0')",
    "W": "CAST((DAY(:time) + 6) // 7 AS TEXT)",
}
_BIGQUERY = re.compile(r"%Q|%E\*S|%E[0-9]S|%E4Y|%%")
_SHARED = re.compile(
    r'(YYYY|YY|MONTH|MON|MM|DDD|DD|DAY|DY|D|HH24|HH12|HH|MI|SS|AM|PM|"[^"]*"|[^A-Za-z"])+', re.IGNORECASE
)
_SECONDS = "REGEXP_REPLACE(STRFTIME(:time, '%S.%f'), '[.]?0+$', '')"


def _to_char(node: exp.Expr) -> exp.Expr:
    """``to_char(x, 'FMDay HH24')`` of Redshift: names have the case and, without FM, the width of the longest one."""
    pattern = node.args.get("format")
    if not isinstance(pattern, exp.Literal):
        return node
    time = on_a_day(moment(node.this))
    return _joined(time, [_piece(match, time) for match in _REDSHIFT.finditer(pattern.name)])


def _piece(match: re.Match[str], time: exp.Expr) -> str | exp.Expr:
    element = (match["element"] or "").upper()
    if element in _NUMBERS:
        return _NUMBERS[element].replace("%", "%-" if match["fill"] and element not in ("MS", "US") else "%")
    if element in _COMPUTED:
        return build(_COMPUTED[element], time=time)
    if element not in _NAMES:
        return (match["quoted"] or match["literal"] or "").replace("%", "%%")
    written, name = match["element"], _NAMES[element]
    as_it_is = written[:2].isupper() if element in ("AM", "PM") else written[0].isupper() and written[1:].islower()
    if as_it_is and (match["fill"] or element not in _PADDED):
        return name
    case = ":text" if as_it_is else "UPPER(:text)" if written.isupper() else "LOWER(:text)"
    shown = build(case, text=build("STRFTIME(:time, :name)", time=time, name=exp.Literal.string(name)))
    return shown if match["fill"] or element not in _PADDED else build("RPAD(:text, 9, ' ')", text=shown)


def _shown(node: exp.Expr) -> exp.Expr:
    """``format_timestamp('%E3S', x)`` of BigQuery."""
    pattern = node.args.get("format")
    if kind(node.this) == "time":
        node.set("this", on_a_day(node.this))
    if not isinstance(pattern, exp.Literal) or not _BIGQUERY.search(pattern.name):
        return node
    time = node.this if isinstance(node.this, exp.TsOrDsToDate) else _timestamp(node.this)
    pieces: list[str | exp.Expr] = []
    end = 0
    for match in _BIGQUERY.finditer(pattern.name):
        pieces += [pattern.name[end : match.start()], _element(match[0], time)]
        end = match.end()
    return _joined(time, [*pieces, pattern.name[end:]])


def _timestamp(node: exp.Expr) -> exp.Expr:
    """What DuckDB can format: a moment of BigQuery may know its zone."""
    operand = node.this if isinstance(node, exp.TsOrDsToTimestamp | exp.TsOrDsToDatetime) else node
    return exp.Cast(this=operand, to=exp.DataType(this=exp.DType.TIMESTAMP))


def _element(element: str, time: exp.Expr) -> str | exp.Expr:
    if element == "%E4Y":
        return "%Y"
    if element == "%Q":
        return build("CAST(QUARTER(:time) AS TEXT)", time=time)
    if element == "%E*S":
        return build(_SECONDS, time=time)
    if element == "%%":
        return element
    size = exp.Literal.number(int(element[2]) + 3 if element[2] != "0" else 2)
    return build("LEFT(STRFTIME(:time, '%S.%f'), :size)", time=time, size=size)


def _joined(time: exp.Expr, pieces: list[str | exp.Expr]) -> exp.Expr:
    """Return the pieces as one text, those that DuckDB can format together where they stand together."""
    parts: list[str | exp.Expr] = []
    for piece in pieces:
        if isinstance(piece, str) and parts and isinstance(parts[-1], str):
            parts[-1] += piece
        elif piece != "":
            parts.append(piece)
    texts = [_formatted(time, part) if isinstance(part, str) else part for part in parts]
    made = reduce(lambda left, right: build(":left || :right", left=left, right=right), texts)
    return typed(made, exp.DType.VARCHAR)


def _formatted(time: exp.Expr, pattern: str) -> exp.Expr:
    return exp.TimeToStr(this=time, format=exp.Literal.string(pattern))


def _parsed(node: exp.Expr) -> exp.Expr:
    """``parse_timestamp('%E*S', x)`` of BigQuery: the seconds may have a fraction."""
    pattern = node.args.get("format")
    if not isinstance(pattern, exp.Literal) or not _BIGQUERY.search(pattern.name):
        return node
    whole = re.sub(r"%E[*0-9]S", "%S", pattern.name.replace("%E4Y", "%Y"))
    node.set("format", exp.Literal.string(whole))
    if "%S" not in whole or not re.search(r"%E[*0-9]S", pattern.name):
        return node
    exact = node.copy()
    exact.set("format", exp.Literal.string(whole.replace("%S", "%S.%f")))
    exact.set("safe", True)
    return typed(build("COALESCE(:exact, :whole)", exact=exact, whole=node), exp.DType.TIMESTAMP)


def _counted(node: exp.Expr) -> exp.Expr:
    """``parse_timestamp('%s', x)`` of BigQuery: seconds since 1970."""
    if not isinstance(node.args.get("format"), exp.Literal) or node.args["format"].name != "%s":
        return node
    return typed(build("MAKE_TIMESTAMP(CAST(:text AS BIGINT) * 1000000)", text=node.this), exp.DType.TIMESTAMP)


def _cast_by_format(node: exp.Expr) -> exp.Expr:
    """``cast(ts as string format 'YYYY-MM-DD')`` of BigQuery, with the elements that mean the same in Redshift."""
    pattern, to = node.args.get("format"), node.args["to"].this
    if not isinstance(pattern, exp.Literal) or to not in exp.DataType.TEXT_TYPES:
        return node
    if is_number_format(pattern.name) or not _SHARED.fullmatch(pattern.name):
        return node
    return _to_char(exp.ToChar(this=_timestamp(on_a_day(node.this)), format=pattern))


def _truncated(node: exp.Expr) -> exp.Expr:
    """``time_trunc(t, hour)``"""
    time = build("DATE '1970-01-01' + :time", time=node.this)
    return cast(function("DATE_TRUNC", exp.Literal.string(node.text("unit")), time), exp.DType.TIME)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("to-char", "redshift", "duckdb", (exp.ToChar,), _to_char),
    Rewrite("format-elements", "bigquery", "duckdb", (exp.TimeToStr,), _shown),
    Rewrite("parse-elements", "bigquery", "duckdb", (exp.StrToTime,), _parsed),
    Rewrite("parse-seconds", "bigquery", "duckdb", (exp.StrToTime,), _counted),
    Rewrite("cast-by-format", "bigquery", "duckdb", (exp.Cast,), _cast_by_format),
    Rewrite("time-trunc", "bigquery", "duckdb", (exp.TimeTrunc,), _truncated),
)
