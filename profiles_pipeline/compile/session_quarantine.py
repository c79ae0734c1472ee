"""Days on which a visitor has too many events to be a person: what is left out of sessions, and where it is listed."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.compile.statement import beside
from profiles_pipeline.resolve.session_models import Sessions
from profiles_pipeline.sql import build

NOISY = "state.noisy"
"""Name of the column with the day of an event where that is left out, since the visitor has too many events on it."""


def noisy_columns(s: Sessions) -> tuple[str, ...]:
    """Return the names of the columns that sessions have beside their own while they are made."""
    return () if s.max_events_per_day is None else (NOISY,)


def noted(s: Sessions, found: exp.Expr) -> exp.Expr:
    """Return events, each once, with NOISY where there is a limit to the events of a day."""
    if s.max_events_per_day is None:
        return found
    return build(
        """
        SELECT n.*, CASE WHEN COUNT(*) OVER (PARTITION BY profiles_visitor, :day) > :most THEN :day END AS :noisy
        FROM :events AS n
        """,
        day=build("DATE_TRUNC('day', \"timestamp\")"),
        most=exp.Literal.number(s.max_events_per_day),
        noisy=NOISY,
        events=found,
    )


def of_sessions(s: Sessions, found: exp.Expr) -> exp.Expr:
    """Return those of events, each once, that are part of sessions."""
    if s.max_events_per_day is None:
        return found
    return build("SELECT * FROM :events AS q WHERE :noisy IS NULL", events=noted(s, found), noisy=NOISY)


def quarantined_table(s: Sessions, sessions: exp.Table) -> exp.Table | None:
    """Return what is beside a relation of sessions and has the days that were left out; None where none are."""
    return None if s.max_events_per_day is None else beside(sessions, "_quarantined")


def quarantined_days(s: Sessions, sessions: exp.Expr) -> exp.Expr:
    """Return the query of the days that are left out, from the sessions that would be on them."""
    return build(
        """
        SELECT :id, CAST(:noisy AS DATE) AS day, CAST(SUM(number_of_events) AS BIGINT) AS number_of_events,
            MIN(session_start_at) AS first_event_at, MAX(ended_at) AS last_event_at
        FROM :sessions AS s WHERE :noisy IS NOT NULL GROUP BY :id, CAST(:noisy AS DATE)
        """,
        id=s.visitor,
        noisy=NOISY,
        sessions=sessions,
    )
