"""Formats of ``to_char``: how times and numbers are written as texts."""

from __future__ import annotations

import re
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.dialects.snowflake import Snowflake

from profiles_pipeline.errors import fail
from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import Rewrite
from profiles_pipeline.sql.rewrites.semi_structured import scalar
from profiles_pipeline.sql.rewrites.temporal import moment, on_a_day

_JAVA_TIME = re.compile(r"HH:mm")
_ELEMENT = re.compile(r"Y{4}|YY|M{4}|MONTH|MON|MM|MI|DD|DAY|DY|HH24|HH12|SS|FF\d?|TZ[HM]|AM|PM", re.IGNORECASE)
_PARSED_ELEMENT = re.compile(rf"%-?[a-z](?:_[a-z]+)?|{_ELEMENT.pattern}", re.IGNORECASE)
_SPELLED = {"MONTH": "MMMM", "DAY": "%A"}
_QUOTED = re.compile(r'"([^"]*)"')
# Times have six digits after the second, and DuckDB cannot write one, two, four or five of them.
_FRACTIONS = {"%f_zero": "", "%f_seven": "%f0", "%f_eight": "%f00", "%f_nine": "%f000"}
_LOST_FRACTION = re.compile(r"%f_(one|two|four|five)")
_OF_NUMBERS = re.compile(r"(FM|MI|[SB$])*[09.,DGX]*[09X][09.,DGX]*(MI|S|E+)?|TM[9E]?", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<fill>FM)?(?P<money>[$])?(?P<whole>[09]*(,[09]{3})*)(?P<rest>[.]0*9*)?", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"0?X{1,15}")
_NUMBER_TEXT = """
    LIST_TRANSFORM([:number], LAMBDA n :
      CASE
        WHEN ABS(n) >= :limit THEN CASE WHEN n < 0 THEN '-' ELSE :blank END || :money || :overflow
        ELSE :whole || :rest
      END
    )[1]
"""
_HEXADECIMAL_TEXT = """
    LIST_TRANSFORM([CAST(:number AS BIGINT)], LAMBDA n :
      CASE
        WHEN n >= :limit OR n < -:limit THEN :overflow
        ELSE LPAD(TO_HEX(CASE WHEN n < 0 THEN n + :limit ELSE n END), :size, :blank)
      END
    )[1]
"""
_DIGITS = "REPEAT('0', :least - LENGTH(SPLIT_PART(ABS(n)::TEXT, '.', 1))) || SPLIT_PART(ABS(n)::TEXT, '.', 1)"
_GROUPED = f"REVERSE(RTRIM(REGEXP_REPLACE(REVERSE({_DIGITS}), '([0-9]{{3}})', '\\1,', 'g'), ','))"
_SIGNED = "CASE WHEN n < 0 THEN '-' ELSE '' END || :money || "
_REST = "'.' || REGEXP_REPLACE(SPLIT_PART(ABS(n)::TEXT, '.', 2), :zeros, '')"


def is_number_format(pattern: str) -> bool:
    """Tell whether a format of ``to_char`` writes numbers: else it writes times."""
    return _OF_NUMBERS.fullmatch(pattern) is not None


def _formatted(node: exp.Expr) -> exp.Expr:
    """``to_char(x, 'YYYY-MM')``, ``to_char(x, '9,990.00')``: the format tells whether x is a time or a number."""
    pattern = node.args.get("format")
    if pattern is None:
        return node
    if not isinstance(pattern, exp.Literal):
        _refuse(pattern.sql(), "only a format written out as a text can be")
    if kind(node.this) == "number" or is_number_format(pattern.name):
        return _number_text(node.this, pattern.name)
    return typed(exp.TimeToStr(this=on_a_day(moment(node.this)), format=_time_format(pattern.name)), exp.DType.VARCHAR)


def _of_number(node: exp.Expr) -> exp.Expr:
    """``to_char(x, '999')`` of Redshift."""
    pattern = node.args.get("format")
    written = isinstance(pattern, exp.Literal) and is_number_format(pattern.name)
    return _number_text(node.this, pattern.name) if isinstance(pattern, exp.Literal) and written else node


def _refuse(pattern: str, why: str) -> NoReturn:
    fail("sql-untranslatable", f"the format {pattern} of to_char cannot be translated to duckdb: {why}")


def _time_format(pattern: str) -> exp.Expr | None:
    """Snowflake's formats do not care for case; one that tells minutes from months by it is written the Java way."""
    if _JAVA_TIME.search(pattern):
        return Databricks().format_time(exp.Literal.string(pattern))
    parts = _QUOTED.split(pattern)  # every other part stands in quotes, as it is
    for position in range(0, len(parts), 2):
        read = Snowflake().format_time(exp.Literal.string(_ELEMENT.sub(_upper, parts[position])))
        parts[position] = read.name if read is not None else ""
    joined = "".join(parts)
    for element, written in _FRACTIONS.items():
        joined = joined.replace(element, written)
    if _LOST_FRACTION.search(joined):
        _refuse(f"'{pattern}'", "FF, FF0, FF3 and FF6 to FF9 can be, other fractions of a second not")
    return exp.Literal.string(joined)


def _upper(match: re.Match[str]) -> str:
    return _SPELLED.get(match[0].upper(), match[0].upper())


def _parsed(node: exp.Expr) -> exp.Expr:
    """``to_date(x, 'dd-Mon-yyyy')``: sqlglot knows the elements in upper and in lower case, and no quotes."""
    pattern = node.args.get("format")
    if not isinstance(pattern, exp.Literal):
        return node
    if pattern.name.upper() == "AUTO":  # as without a format
        to = exp.DType.TIMESTAMP if isinstance(node, exp.StrToTime) else exp.DType.DATE
        made = exp.TryCast if node.args.get("safe") else exp.Cast
        return typed(made(this=node.this, to=exp.DataType(this=to)), to)
    text = pattern.name.replace("HH:%m", "%H:%M").replace('"', "")
    read = _PARSED_ELEMENT.sub(lambda match: match[0] if match[0][0] == "%" else _element(match), text)
    node.set("format", exp.Literal.string(read))
    return node


def _element(match: re.Match[str]) -> str:
    read = Snowflake().format_time(exp.Literal.string(_upper(match)))
    return match[0] if read is None else read.name


def _number_text(number: exp.Expr, pattern: str) -> exp.Expr:
    """The sign has a place before the digits, and blanks stand for digits that are missing, unless FM says not."""
    if _HEXADECIMAL.fullmatch(pattern):
        return _hexadecimal_text(number, pattern)
    read = _NUMBER.fullmatch(pattern)
    digits = "" if read is None else read["whole"].replace(",", "")
    if read is None or not digits or _irregular(read["whole"]):
        _refuse(f"'{pattern}'", "digits 0, 9 and X, commas at thousands, a decimal point, $ and FM can be")
    rest = read["rest"] or ""
    made = build(
        _NUMBER_TEXT,
        number=_decimal(number, max(0, len(rest) - 1)),
        limit=exp.Literal.number("1" + "0" * len(digits)),
        blank=exp.Literal.string("" if read["fill"] else " "),
        money=exp.Literal.string(read["money"] or ""),
        overflow=exp.Literal.string(re.sub("[09]", "#", read["whole"] + rest)),
        whole=exp.Paren(this=_whole_part(read["whole"], read["money"] or "", filled=not read["fill"])),
        rest=exp.Paren(this=_rest_part(rest, filled=not read["fill"])),
    )
    return typed(made, exp.DType.VARCHAR)


def _hexadecimal_text(number: exp.Expr, pattern: str) -> exp.Expr:
    """A number below zero is its complement: there is no place for a sign."""
    made = build(
        _HEXADECIMAL_TEXT,
        number=scalar(number) if kind(number) == "json" else number,
        limit=exp.Literal.number(16 ** len(pattern)),
        size=exp.Literal.number(len(pattern)),
        blank=exp.Literal.string("0" if pattern[0] == "0" else " "),
        overflow=exp.Literal.string("#" * len(pattern)),
    )
    return typed(made, exp.DType.VARCHAR)


def _decimal(number: exp.Expr, scale: int) -> exp.Expr:
    operand = scalar(number) if kind(number) == "json" else number
    sizes = [exp.DataTypeParam(this=exp.Literal.number(size)) for size in (38, scale)]
    return exp.Cast(this=operand, to=exp.DataType(this=exp.DType.DECIMAL, expressions=sizes))


def _whole_part(whole: str, money: str, filled: bool) -> exp.Expr:
    least = exp.Literal.number(len(whole.replace(",", "").lstrip("9")) or 1)
    digits = _GROUPED if "," in whole else _DIGITS
    shown = build(_SIGNED + digits, least=least, money=exp.Literal.string(money))
    size = exp.Literal.number(1 + len(money) + len(whole))
    return build("LPAD(:text, :size, ' ')", text=shown, size=size) if filled else shown


def _rest_part(rest: str, filled: bool) -> exp.Expr:
    if not rest:
        return exp.Literal.string("")
    shown = build(_REST, zeros=exp.Literal.string(f"0{{0,{rest.count('9')}}}$"))
    return build("RPAD(:text, :size, ' ')", text=shown, size=exp.Literal.number(len(rest))) if filled else shown


def _irregular(whole: str) -> bool:
    """Tell whether commas stand elsewhere than before every third digit."""
    first, *groups = whole.split(",")
    return bool(groups) and not 1 <= len(first) <= 3


ROWS: tuple[Rewrite, ...] = (
    Rewrite("date-format", "snowflake", "duckdb", (exp.ToChar,), _formatted),
    Rewrite("number-format", "redshift", "duckdb", (exp.ToChar,), _of_number),
    Rewrite("java-times", "snowflake", "duckdb", (exp.StrToTime, exp.StrToDate, exp.TsOrDsToDate), _parsed),
)
