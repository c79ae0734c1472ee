"""Grammars of SQL dialects. Names are quoted as in the project's dialect, whatever dialect a text is in."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.dialects.databricks import Databricks
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.redshift import Redshift
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.parsers.databricks import DatabricksParser
from sqlglot.parsers.redshift import RedshiftParser
from sqlglot.parsers.snowflake import SnowflakeParser

_FOREIGN = ("JSON_EXTRACT_ARRAY", "REGEXP_EXTRACT")
_UNITS = {"YEAR", "QUARTER", "MONTH", "WEEK", "ISOWEEK", "DAY", "HOUR", "MINUTE", "SECOND"}
_GROUP = re.compile(r"(?<!\\)\((?!\?)")
_date_trunc = SnowflakeParser.FUNCTIONS["DATE_TRUNC"]
_path_text = SnowflakeParser.FUNCTIONS["JSON_EXTRACT_PATH_TEXT"]


def _keys_or_path(args: list[exp.Expr], dialect: Dialect) -> exp.Expr:
    """``json_extract_path_text``: Snowflake's takes one path, Redshift's takes keys."""
    return (
        _path_text(args, dialect) if len(args) == 2 else exp.Anonymous(this="JSON_EXTRACT_PATH_TEXT", expressions=args)
    )


def _unit_first(args: list[exp.Expr]) -> exp.Expr:
    """``date_trunc(x, month)``: the unit comes last in BigQuery."""
    if len(args) == 2 and _is_unit(args[1]) and not _is_unit(args[0]):
        args = [exp.Literal.string(args[1].name), args[0]]
    read: exp.Expr = _date_trunc(args)
    return read


def _is_unit(node: exp.Expr) -> bool:
    if isinstance(node, exp.Literal):
        return node.is_string
    return isinstance(node, exp.Column | exp.Var) and not node.text("table") and node.name.upper() in _UNITS


def _match(name: str) -> Callable[[list[exp.Expr], Dialect], exp.Expr]:
    """``regexp_substr(x, '(a)b', 1, 1, 'e')``: with ``e`` and no number the first group is meant, if there is one."""

    def read(args: list[exp.Expr], dialect: Dialect) -> exp.Expr:
        by_group = len(args) == 5 and isinstance(args[4], exp.Literal) and "e" in args[4].name
        if by_group and (not isinstance(args[1], exp.Literal) or _GROUP.search(args[1].name)):
            args = [*args, exp.Literal.number(1)]
        found: exp.Expr = SnowflakeParser.FUNCTIONS[name](args, dialect)
        return found

    return read


class StrtokSplitToTable(exp.SplitToTable):
    """``strtok_split_to_table(text, ' ,.')``: the words between any of the marks, a blank when there are none."""

    _sql_names: ClassVar = ["STRTOK_SPLIT_TO_TABLE"]


def _words(args: list[exp.Expr]) -> exp.Expr:
    return StrtokSplitToTable(this=args[0], expression=args[1] if len(args) > 1 else exp.Literal.string(" "))


class _Snowflake(Snowflake):
    """Snowflake, without the functions that it has not and sqlglot would read as it reads its own."""

    class Parser(SnowflakeParser):
        FUNCTIONS: ClassVar = {
            **{name: reader for name, reader in SnowflakeParser.FUNCTIONS.items() if name not in _FOREIGN},
            "DATE_TRUNC": _unit_first,
            "JSON_EXTRACT_PATH_TEXT": _keys_or_path,
            **{name: _match(name) for name in ("REGEXP_SUBSTR", "REGEXP_SUBSTR_ALL")},
            "STRTOK_SPLIT_TO_TABLE": _words,
            "TO_CHAR": exp.ToChar.from_arg_list,
            "TO_VARCHAR": exp.ToChar.from_arg_list,
        }


def _days_or_units(args: list[exp.Expr]) -> exp.Expr:
    """``datediff(end, start)`` counts days of the calendar, ``datediff(unit, start, end)`` whole units that passed."""
    found: exp.Expr = DatabricksParser.FUNCTIONS["TIMESTAMPDIFF" if len(args) == 3 else "DATEDIFF"](args)
    return found


def _part_of_time(args: list[exp.Expr]) -> exp.Expr:
    """``date_part('dow', x)`` is ``extract(dow from x)``."""
    if len(args) != 2 or not isinstance(args[0], exp.Literal):
        return exp.Anonymous(this="DATE_PART", expressions=args)
    return exp.Extract(this=exp.var(args[0].name.upper()), expression=args[1])


def _converted(dtype: exp.DType, args: list[exp.Expr]) -> exp.Expr:
    return exp.cast(args[0], dtype)


def _tried_time(args: list[exp.Expr], dialect: Dialect) -> exp.Expr:
    """``try_to_timestamp(x, 'yyyy-MM-dd')``"""
    read: exp.Expr = DatabricksParser.FUNCTIONS["TO_TIMESTAMP"](args, dialect)
    if isinstance(read, exp.Cast):
        return exp.TryCast(**read.args)
    read.set("safe", True)
    return read


def _tried_number(args: list[exp.Expr]) -> exp.Expr:
    return exp.ToNumber(this=args[0], format=args[1] if len(args) > 1 else None, safe=True)


def _element(args: list[exp.Expr]) -> exp.Expr:
    """``get(a, 0)`` is ``a[0]``; what another index is counts from zero, too."""
    array, index = args
    if isinstance(index, exp.Literal):
        return exp.Bracket(this=array, expressions=[index])
    after = exp.Add(this=exp.paren(index, copy=False), expression=exp.Literal.number(1))
    return exp.Bracket(this=array, expressions=[after], offset=1)


def _typed_path(made: type[exp.Cast], name: str, args: list[exp.Expr], dialect: Dialect) -> exp.Expr:
    """``variant_get(v, '$.a', 'int')``: the third text is a type."""
    if len(args) != 3 or not isinstance(args[2], exp.Literal):
        return exp.Anonymous(this=name, expressions=args)
    found = exp.JSONExtract(this=args[0], expression=dialect.to_json_path(args[1]))
    return made(this=found, to=exp.DataType.build(args[2].name, dialect=dialect))


class _Databricks(Databricks):
    """Databricks, whose two kinds of DATEDIFF sqlglot does not tell apart."""

    class Parser(DatabricksParser):
        FUNCTIONS: ClassVar = {
            **DatabricksParser.FUNCTIONS,
            "DATEDIFF": _days_or_units,
            "DATE_DIFF": _days_or_units,
            "DATE_PART": _part_of_time,
            "DATEPART": _part_of_time,
            "TO_UNIX_TIMESTAMP": DatabricksParser.FUNCTIONS["UNIX_TIMESTAMP"],
            "TRY_TO_TIMESTAMP": _tried_time,
            "TRY_TO_DATE": lambda args, dialect: exp.cast(_tried_time(args, dialect), exp.DType.DATE),
            "TRY_TO_NUMBER": _tried_number,
            "GET": _element,
            "VARIANT_GET": partial(_typed_path, exp.Cast, "VARIANT_GET"),
            "TRY_VARIANT_GET": partial(_typed_path, exp.TryCast, "TRY_VARIANT_GET"),
            **{name: partial(_converted, exp.DType[name]) for name in ("BIGINT", "SMALLINT", "TINYINT")},
        }


def _redshift_match(args: list[exp.Expr]) -> exp.Expr:
    """``regexp_substr(x, '(a)b', 1, 1, 'e')``: with ``e`` the first group is meant, if there is one."""
    found: exp.Expr = RedshiftParser.FUNCTIONS["REGEXP_SUBSTR"](args)
    pattern = found.expression
    if "e" in found.text("parameters") and isinstance(pattern, exp.Literal) and _GROUP.search(pattern.name):
        found.set("group", exp.Literal.number(1))
    return found


class _Redshift(Redshift):
    """Redshift, with groups of regular expressions and with formats as they are written."""

    class Parser(RedshiftParser):
        FUNCTIONS: ClassVar = {
            **RedshiftParser.FUNCTIONS,
            "REGEXP_SUBSTR": _redshift_match,
            "TO_CHAR": exp.ToChar.from_arg_list,
        }


class _SnowflakeQuoted(_Snowflake):
    class Tokenizer(Snowflake.Tokenizer):
        IDENTIFIERS: ClassVar = ['"', "`"]


class _DatabricksQuoted(_Databricks):
    class Tokenizer(Databricks.Tokenizer):
        IDENTIFIERS: ClassVar = ["`", '"']
        QUOTES: ClassVar = ["'"]


class _BigQuery(BigQuery):
    class Tokenizer(BigQuery.Tokenizer):
        IDENTIFIERS: ClassVar = ["`", '"']
        QUOTES: ClassVar = ["'"]


_MENDED: dict[str, type[Dialect]] = {"snowflake": _Snowflake, "databricks": _Databricks, "redshift": _Redshift}
_WITH_QUOTED_NAMES: dict[str, type[Dialect]] = {
    "snowflake": _SnowflakeQuoted,
    "redshift": _Redshift,
    "databricks": _DatabricksQuoted,
    "bigquery": _BigQuery,
}

_SURELY = {
    "databricks": re.compile(r"\blateral\s+view\b", re.IGNORECASE),
    "bigquery": re.compile(
        r"\[\s*(safe_)?(offset|ordinal)\s*\(|\bsafe_cast\s*\(|\bignore\s+nulls\s+order\s+by\b", re.IGNORECASE
    ),
}
_BIGQUERY = re.compile(r"`[^`]*\.[^`]*`|\b(r'|(float|int)64\b|unnest *\(|safe_cast *\()", re.IGNORECASE)


def surely(text: str) -> list[str]:
    """Return the dialects of which a text has something that sqlglot would take for Snowflake, but Snowflake not."""
    return [name for name, sign in _SURELY.items() if sign.search(text)]


def others(text: str, own: str) -> list[str]:
    """Return the dialects that a text may be in if it is not in that of its project, `own`, the likeliest first."""
    by_bigquery = _BIGQUERY.search(text) is not None
    found = sorted(_WITH_QUOTED_NAMES, key=lambda name: by_bigquery and name != "bigquery")
    return [name for name in found if name != own]


@lru_cache(maxsize=16)
def grammar(dialect: str, quoted_names: bool) -> Dialect:
    """Return what splits and parses texts of `dialect`; with `quoted_names` names stand in either kind of quotes."""
    found = (_WITH_QUOTED_NAMES.get(dialect) if quoted_names else None) or _MENDED.get(dialect)
    return Dialect.get_or_raise(dialect) if found is None else found()
