"""Compiles sessions by the published rules: visitors are found by their aliases, and sessions are numbered.

The visitor of an anonymous id is the user id that was seen with it last. A pause is longer than the timeout by any
length of time, or by a whole minute where only whole minutes count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.rows import alias, col, text, visible_rows
from profiles_pipeline.compile.session_events import EARLIEST, id_of, source_of, time_of, value_of
from profiles_pipeline.compile.session_rejects import NO_ID, NO_TIME
from profiles_pipeline.compile.session_tracks import (
    MICROSECOND,
    fact_value,
    minutes,
    relation_of,
    track_facts,
    tracks_flow,
)
from profiles_pipeline.compile.statement import Compilation
from profiles_pipeline.resolve.session_models import EventSource, SessionKind, Sessions, SessionTable
from profiles_pipeline.sql import build


def _rows(c: Compilation, s: Sessions) -> exp.Expr:
    """Return the rows of all sources with the columns of the published tables, those without any id included."""
    parts = [_rows_of(c, source) for source in s.sources]
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)


def _rows_of(c: Compilation, source: EventSource) -> exp.Expr:
    columns = {
        "event_id": id_of(c, source),
        "anonymous_id": sql.text_of(value_of(c, source, source.anonymous_id)),
        "user_id": sql.text_of(value_of(c, source, source.user_id)),
        "timestamp": time_of(c, source),
        "event": sql.text_of(value_of(c, source, source.event)),
        "source": text(source.path),
    }
    named = [alias(value, name) for name, value in columns.items()]
    return build("SELECT :columns FROM :rows AS r", columns=named, rows=visible_rows(c, source_of(c, source)))


def _aliases_mapping(c: Compilation, model: SessionTable) -> exp.Expr:
    s = model.sessions
    return build(
        """
        WITH rows AS (
            SELECT anonymous_id, user_id, "timestamp", event_id FROM :rows AS r WHERE "timestamp" >= :earliest
        ), aliases AS (
            SELECT anonymous_id AS alias FROM rows WHERE anonymous_id IS NOT NULL
            UNION SELECT user_id FROM rows WHERE user_id IS NOT NULL
        ), latest AS (
            SELECT anonymous_id, user_id, ROW_NUMBER() OVER (
                PARTITION BY anonymous_id ORDER BY "timestamp" DESC, event_id DESC, user_id DESC
            ) AS nth
            FROM rows WHERE anonymous_id IS NOT NULL AND user_id IS NOT NULL
        )
        SELECT a.alias, COALESCE(l.user_id, a.alias) AS :visitor
        FROM aliases AS a LEFT JOIN latest AS l ON l.anonymous_id = a.alias AND l.nth = 1
        """,
        rows=_rows(c, s),
        visitor=s.visitor,
        earliest=EARLIEST.copy(),
    )


def _mapped_tracks(c: Compilation, model: SessionTable) -> exp.Expr:
    s, aliases = model.sessions, relation_of(c, model, "aliases_mapping")
    return build(
        """
        SELECT event_id, anonymous_id, :visitor, "timestamp", event, :idle AS idle_time_minutes
        FROM (
            SELECT r.event_id, r.anonymous_id, a.:visitor, r."timestamp", r.event, LAG(r."timestamp") OVER (
                PARTITION BY a.:visitor ORDER BY r."timestamp", r.event_id, r.event, r.anonymous_id
            ) AS previous_at
            FROM :rows AS r JOIN :aliases AS a ON a.alias = COALESCE(r.user_id, r.anonymous_id)
            WHERE r."timestamp" >= :earliest
        ) AS t
        """,
        visitor=s.visitor,
        idle=_minutes(s, col("previous_at"), col("timestamp")),
        rows=_rows(c, s),
        aliases=aliases,
        earliest=EARLIEST.copy(),
    )


def _session_tracks(c: Compilation, model: SessionTable) -> exp.Expr:
    s, tracks = model.sessions, relation_of(c, model, "mapped_tracks")
    return build(
        """
        SELECT CAST(session_sequence_number AS TEXT) || ' - ' || :visitor AS session_id, :visitor, session_start_at,
            session_sequence_number,
            LEAD(session_start_at) OVER (PARTITION BY :visitor ORDER BY session_start_at) AS next_session_start_at
        FROM (
            SELECT :visitor, "timestamp" AS session_start_at,
                ROW_NUMBER() OVER (PARTITION BY :visitor ORDER BY "timestamp") AS session_sequence_number
            FROM :tracks
            WHERE idle_time_minutes IS NULL
                OR idle_time_minutes > CAST(:timeout AS DOUBLE) / CAST(60000000 AS DOUBLE)
        ) AS starts
        """,
        visitor=s.visitor,
        tracks=tracks,
        timeout=exp.Literal.number(s.timeout // MICROSECOND),
    )


def _minutes(s: Sessions, begin: exp.Expr, end: exp.Expr) -> exp.Expr:
    """Return the minutes from one moment to a later one, as a project counts them."""
    if not s.whole_minutes:
        return minutes(begin, end)
    return build("DATE_DIFF('microsecond', :begin, :end) // 60000000", begin=begin, end=end)


def _session_track_facts(c: Compilation, model: SessionTable) -> exp.Expr:
    facts = relation_of(c, model, "track_facts")
    computed = [alias(fact_value(c, model, number), fact.name) for number, fact in enumerate(model.sessions.facts)]
    return build(
        """
        SELECT session_id, MAX("timestamp") AS ended_at, COUNT(DISTINCT event_id) AS num_pvs, :computed
        FROM :facts GROUP BY session_id
        """,
        computed=computed,
        facts=facts,
    )


def _session_duration(c: Compilation, model: SessionTable) -> exp.Expr:
    return build(
        """
        SELECT s.:visitor, s.session_id, :length AS session_duration
        FROM :sessions AS s JOIN :facts AS f ON f.session_id = s.session_id
        """,
        visitor=model.sessions.visitor,
        length=_minutes(model.sessions, col("session_start_at", "s"), col("ended_at", "f")),
        sessions=relation_of(c, model, "session_tracks"),
        facts=relation_of(c, model, "session_track_facts"),
    )


def _user_session_facts(c: Compilation, model: SessionTable) -> exp.Expr:
    return build(
        """
        SELECT :visitor, MIN(session_start_at) AS first_date, MAX(session_start_at) AS last_date,
            COUNT(*) AS number_of_sessions
        FROM :sessions GROUP BY :visitor
        """,
        visitor=model.sessions.visitor,
        sessions=relation_of(c, model, "session_tracks"),
    )


def _rejected(c: Compilation, model: SessionTable) -> exp.Expr:
    return build(
        """
        SELECT source, reason, COUNT(*) AS row_count FROM (
            SELECT source, CASE WHEN "timestamp" IS NULL OR "timestamp" < :earliest THEN :no_time
                WHEN anonymous_id IS NULL AND user_id IS NULL THEN :no_id END AS reason FROM :rows AS r
        ) AS q WHERE reason IS NOT NULL GROUP BY source, reason
        """,
        earliest=EARLIEST.copy(),
        no_time=text(NO_TIME),
        no_id=text(NO_ID),
        rows=_rows(c, model.sessions),
    )


PUBLISHED: Mapping[SessionKind, Callable[[Compilation, SessionTable], exp.Expr]] = {
    "aliases_mapping": _aliases_mapping,
    "mapped_tracks": _mapped_tracks,
    "session_tracks": _session_tracks,
    "track_facts": track_facts,
    "tracks_flow": tracks_flow,
    "session_track_facts": _session_track_facts,
    "session_duration": _session_duration,
    "user_session_facts": _user_session_facts,
    "rejected": _rejected,
}
"""The query of each relation."""
