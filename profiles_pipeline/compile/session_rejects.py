"""Rows that are events of nobody: which these are, why, and how many."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from profiles_pipeline.compile.rows import col, id_values, identified_rows, text, visible_rows
from profiles_pipeline.compile.session_events import EARLIEST, id_of, is_known_by_ids, source_of, time_of
from profiles_pipeline.compile.statement import Compilation, beside
from profiles_pipeline.resolve.session_models import EventSource, Sessions
from profiles_pipeline.sql import build

NO_TIME = "no time"
NO_EVENT_ID = "no event id"
NO_ID = "no id"
UNKNOWN_ID = "id is not in the id graph"
REPEATED = "repeated event"
TOO_MANY = "too many events in a day"
"""Why a row is no event of anybody, in the order in which these are looked for."""

_NUMBER_OF_EVENTS = "(SELECT CAST(COALESCE(SUM(number_of_events), 0) AS BIGINT) FROM :rows AS s)"


def reason(c: Compilation, sessions: Sessions, source: EventSource) -> exp.Expr:
    """Return why a row of a source is no event, as an expression over that row alone; NULL where it is one."""
    assert sessions.entity is not None
    ids = id_values(c, source_of(c, source), sessions.entity)
    return build(
        """
        CASE WHEN :time IS NULL OR :time < :earliest THEN :no_time WHEN :event_id IS NULL THEN :no_event_id
            WHEN NOT (:known) THEN :no_id END
        """,
        time=time_of(c, source),
        earliest=EARLIEST.copy(),
        event_id=id_of(c, source),
        known=exp.or_(*(build(":id IS NOT NULL", id=value) for value in ids)) if ids else exp.true(),
        no_time=text(NO_TIME),
        no_event_id=text(NO_EVENT_ID),
        no_id=text(NO_ID),
    )


def counted_rows(c: Compilation, sessions: Sessions) -> exp.Expr:
    """Return the query of the number of rows of each source by the reason why they are none, NULL for events."""
    parts = [_counted(c, sessions, source) for source in sessions.sources]
    found = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
    return build("SELECT source, reason, CAST(SUM(n) AS BIGINT) AS row_count FROM :p AS p GROUP BY 1, 2", p=found)


def _counted(c: Compilation, sessions: Sessions, source: EventSource) -> exp.Expr:
    entity, model = str(sessions.entity), source_of(c, source)
    why = reason(c, sessions, source)
    rows: exp.Expr = visible_rows(c, model)
    if not is_known_by_ids(c, sessions, source):
        rows = identified_rows(c, model, [entity])
        unknown = text(UNKNOWN_ID if id_values(c, model, entity) else NO_ID)
        visitor = col(sessions.visitor)
        why = build("COALESCE(:why, CASE WHEN :visitor IS NULL THEN :no END)", why=why, visitor=visitor, no=unknown)
    query = build("SELECT :path AS source, :why AS reason FROM :rows AS r", path=text(source.path), why=why, rows=rows)
    return build("SELECT source, reason, COUNT(*) AS n FROM :q AS q GROUP BY 1, 2", q=query)


def rejected_rows(
    counts: exp.Expr, sessions: exp.Table, sources: Iterable[EventSource], quarantined: exp.Table | None = None
) -> exp.Expr:
    """Return the query of what is rejected: source, reason, row_count.

    Args:
        counts: number of rows by source and reason.
        sessions: the sessions that were made of them.
        sources: where rows come from.
        quarantined: the days that were left out; None where none are.
    """
    every = text(", ".join(dict.fromkeys(source.path for source in sources)))
    kept = build(_NUMBER_OF_EVENTS, rows=sessions)
    left_out = None if quarantined is None else build(_NUMBER_OF_EVENTS, rows=quarantined)
    found = build(
        """
        SELECT source, reason, row_count FROM :counts AS c WHERE reason IS NOT NULL
        UNION ALL
        SELECT :all, :repeated, given - kept FROM (
            SELECT (SELECT CAST(COALESCE(SUM(row_count), 0) AS BIGINT) FROM :counts AS c WHERE reason IS NULL) AS given,
                :kept AS kept
        ) AS sums WHERE given > kept
        """,
        counts=counts,
        kept=kept if left_out is None else exp.Add(this=kept, expression=left_out.copy()),
        all=every,
        repeated=text(REPEATED),
    )
    if left_out is None:
        return found
    days = build(
        "SELECT :all, :too_many, n FROM (SELECT :left_out AS n) AS d WHERE n > 0",
        all=every,
        too_many=text(TOO_MANY),
        left_out=left_out,
    )
    return exp.union(found, days, distinct=False, copy=False)


def rejected_table(sessions: exp.Table) -> exp.Table:
    """Return the table beside a relation of sessions that has what was rejected."""
    return beside(sessions, "_rejected")
