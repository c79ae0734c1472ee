"""Binds the clock: functions that ask for the present become the end of the run's window."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlglot import exp

from profiles_pipeline.sql.copying import copied
from profiles_pipeline.sql.walking import transformed

_CLOCK = (
    exp.CurrentTimestamp,
    exp.CurrentTimestampLTZ,
    exp.CurrentDatetime,
    exp.Localtimestamp,
    exp.Systimestamp,
    exp.UtcTimestamp,
)
_DAY = (exp.CurrentDate, exp.UtcDate)
_TIME_OF_DAY = (exp.CurrentTime, exp.Localtime, exp.UtcTime)
_NAMES = {
    "GETDATE": exp.DType.TIMESTAMP,
    "GET_CURRENT_TIMESTAMP": exp.DType.TIMESTAMP,
    "GETUTCDATE": exp.DType.TIMESTAMP,
    "NOW": exp.DType.TIMESTAMP,
    "SYSDATE": exp.DType.TIMESTAMP,
    "SYSTIMESTAMP": exp.DType.TIMESTAMP,
    "STATEMENT_TIMESTAMP": exp.DType.TIMESTAMP,
    "TRANSACTION_TIMESTAMP": exp.DType.TIMESTAMP,
    "CLOCK_TIMESTAMP": exp.DType.TIMESTAMP,
    "LOCALTIMESTAMP": exp.DType.TIMESTAMP,
    "CURRENT_TIMESTAMP": exp.DType.TIMESTAMP,
    "CURDATE": exp.DType.DATE,
    "TODAY": exp.DType.DATE,
    "CURRENT_DATE": exp.DType.DATE,
    "CURRENT_TIME": exp.DType.TIME,
    "LOCALTIME": exp.DType.TIME,
}


def bind_time(tree: exp.Expr, end_time: datetime, target: str = "duckdb") -> exp.Expr:
    """Return a copy of `tree` in which every question for the present is answered with `end_time`.

    A time without a zone counts as UTC. Times become literals without a zone, in UTC, except under ``AT TIME ZONE``,
    where the zone is part of the meaning, and in BigQuery, whose time columns know their zone.
    """
    moment = end_time.astimezone(UTC) if end_time.tzinfo else end_time.replace(tzinfo=UTC)

    def bound(node: exp.Expr) -> exp.Expr:
        kind = clock_type(node)
        return node if kind is None else _literal(moment, _zoned(node, kind, target))

    return transformed(copied(tree), bound)


def clock_type(node: exp.Expr) -> exp.DType | None:
    """Return the type of the answer when `node` asks for the present, else None."""
    if isinstance(node, _CLOCK):
        return exp.DType.TIMESTAMP
    if isinstance(node, _DAY):
        return exp.DType.DATE
    if isinstance(node, _TIME_OF_DAY):
        return exp.DType.TIME
    if isinstance(node, exp.Anonymous) and not node.expressions:
        return _NAMES.get(node.name.upper())
    return None


def _zoned(node: exp.Expr, kind: exp.DType, target: str) -> exp.DType:
    parent = node.parent
    shifted = isinstance(parent, exp.AtTimeZone) or (
        isinstance(parent, exp.ConvertTimezone) and not parent.args.get("source_tz")
    )
    shifted = shifted or target == "bigquery"
    return exp.DType.TIMESTAMPTZ if shifted and kind == exp.DType.TIMESTAMP else kind


def _literal(moment: datetime, kind: exp.DType) -> exp.Expr:
    naive = moment.replace(tzinfo=None)
    text = {
        exp.DType.DATE: naive.date().isoformat(),
        exp.DType.TIME: naive.time().isoformat(),
        exp.DType.TIMESTAMPTZ: naive.isoformat(sep=" ") + "+00:00",
    }.get(kind, naive.isoformat(sep=" "))
    return exp.cast(exp.Literal.string(text), kind)
