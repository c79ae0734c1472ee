"""Compiles the relations of a family of sessions: what follows from the sessions, and from the events in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from profiles_pipeline.compile import session_events
from profiles_pipeline.compile.published_sessions import PUBLISHED
from profiles_pipeline.compile.rows import alias, col, text
from profiles_pipeline.compile.session_quarantine import of_sessions, quarantined_table
from profiles_pipeline.compile.session_rejects import rejected_table
from profiles_pipeline.compile.session_tracks import mean_seconds, minutes, relation_of, track_facts, tracks_flow
from profiles_pipeline.compile.sessions import audits, compile_sessions, furthest, people
from profiles_pipeline.compile.statement import Compilation, Script, Statement, create
from profiles_pipeline.resolve.session_models import SessionKind, SessionTable
from profiles_pipeline.sql import build


def compile_session_table(c: Compilation, model: SessionTable) -> Script:
    """Return the script that makes a relation of a family of sessions."""
    if model.kind == "sessions":
        return compile_sessions(c, model)
    relation = c.relation(model.path)
    kind = "table" if model.as_table else "view"
    queries = PUBLISHED if model.sessions.is_as_published else _QUERIES
    query = queries[model.kind](c, model)
    step = Statement(create(kind, relation, query), str(model.description))  # type: ignore[arg-type]
    return Script(kind, (step,), audits(c, model), _count(c, model))  # type: ignore[arg-type]


def _session_tracks(c: Compilation, model: SessionTable) -> exp.Expr:
    return build(
        "SELECT session_id, :id, session_start_at, session_sequence_number, next_session_start_at FROM :sessions",
        id=model.sessions.visitor,
        sessions=relation_of(c, model, "sessions"),
    )


def _session_duration(c: Compilation, model: SessionTable) -> exp.Expr:
    return build(
        "SELECT :id, session_id, duration_seconds / CAST(60 AS DOUBLE) AS session_duration FROM :sessions",
        id=model.sessions.visitor,
        sessions=relation_of(c, model, "sessions"),
    )


def _rejected(c: Compilation, model: SessionTable) -> exp.Expr:
    return build("SELECT * FROM :rejected", rejected=rejected_table(relation_of(c, model, "sessions")))


def _quarantined(c: Compilation, model: SessionTable) -> exp.Expr:
    days = quarantined_table(model.sessions, relation_of(c, model, "sessions"))
    return build("SELECT * FROM :days", days=days)


def _mapped_tracks(c: Compilation, model: SessionTable) -> exp.Expr:
    s = model.sessions
    key = session_events.person_key(c, s)
    return build(
        """
        SELECT e.event_id, p.main_id AS :id, e."timestamp", e.event, e.source, :idle AS idle_time_minutes
        FROM (
            SELECT k.*,
                LAG("timestamp") OVER (PARTITION BY profiles_visitor ORDER BY "timestamp", event_id) AS previous_at
            FROM :kept AS k
        ) AS e JOIN :people AS p ON p.person = e.profiles_visitor
        """,
        id=s.visitor,
        idle=minutes(col("previous_at", "e"), col("timestamp", "e")),
        kept=of_sessions(s, session_events.once(s, session_events.events(c, s, (), key), ())),
        people=people(c, s, key),
    )


def _user_session_facts(c: Compilation, model: SessionTable) -> exp.Expr:
    s, sessions = model.sessions, relation_of(c, model, "sessions")
    stages = [alias(build("MIN(:at)", at=stage.column), stage.column) for stage in s.stages]
    if s.stages:
        stages.append(alias(furthest(s.stages, lambda at: build("MIN(:at)", at=at)), "furthest_stage"))
    return build(
        """
        SELECT :id, MIN(session_start_at) AS first_session_at, MAX(session_start_at) AS last_session_at,
            MAX(ended_at) AS last_seen_at, COUNT(*) AS number_of_sessions,
            CAST(SUM(number_of_events) AS BIGINT) AS number_of_events, :mean AS mean_session_seconds, :stages
        FROM :sessions AS s GROUP BY :id
        """,
        id=s.visitor,
        mean=mean_seconds(col("session_start_at"), col("ended_at")),
        stages=stages,
        sessions=sessions,
    )


def _funnel(c: Compilation, model: SessionTable) -> exp.Expr:
    """Return for each stage how many sessions and visitors got there or further, and how soon it was reached."""
    s, sessions = model.sessions, relation_of(c, model, "sessions")
    counts: list[exp.Expr] = []
    for number, stage in enumerate(s.stages):
        there = exp.or_(*(build(":at IS NOT NULL", at=later.column) for later in s.stages[number:]))
        soon = mean_seconds(col("session_start_at"), col(stage.column))
        counts += [
            alias(build("COUNT(CASE WHEN :there THEN 1 END)", there=there), f"sessions_{number}"),
            alias(
                build("COUNT(DISTINCT CASE WHEN :there THEN :id END)", there=there, id=s.visitor), f"visitors_{number}"
            ),
            alias(soon, f"seconds_{number}"),
        ]
    parts = [
        build(
            """
            SELECT :number AS stage_number, :stage AS stage, :sessions AS sessions, :visitors AS visitors,
                CAST(:sessions AS DOUBLE) / NULLIF(:first, 0) AS share_of_first,
                CAST(:sessions AS DOUBLE) / NULLIF(:previous, 0) AS share_of_previous, :seconds AS mean_seconds
            FROM counts
            """,
            number=exp.Literal.number(number + 1),
            stage=text(stage.name),
            sessions=f"sessions_{number}",
            visitors=f"visitors_{number}",
            first="sessions_0",
            previous=f"sessions_{max(number - 1, 0)}",
            seconds=f"seconds_{number}",
        )
        for number, stage in enumerate(s.stages)
    ]
    united = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
    return build(
        "WITH counts AS (SELECT :counts FROM :sessions AS s) SELECT * FROM :united AS u",
        counts=counts,
        sessions=sessions,
        united=united,
    )


_QUERIES: Mapping[SessionKind, Callable[[Compilation, SessionTable], exp.Expr]] = {
    "mapped_tracks": _mapped_tracks,
    "session_tracks": _session_tracks,
    "track_facts": track_facts,
    "tracks_flow": tracks_flow,
    "session_duration": _session_duration,
    "user_session_facts": _user_session_facts,
    "rejected": _rejected,
    "quarantined": _quarantined,
    "funnel": _funnel,
}


def _count(c: Compilation, model: SessionTable) -> exp.Expr | None:
    """Return a cheaper way to count the rows of a view over events."""
    if model.as_table or model.kind not in ("mapped_tracks", "track_facts", "tracks_flow"):
        return None
    return build(
        "SELECT COALESCE(SUM(number_of_events), 0) FROM :sessions",
        sessions=c.relation(model.sessions.paths["sessions"]),
    )
