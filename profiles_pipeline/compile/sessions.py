"""Compiles sessions: what a visitor did without a pause longer than the timeout.

A pause is measured in microseconds between one event of a visitor and the next, in the order of time and event id. A
run of events without a longer pause is one session, or, where it goes on for longer than `max_duration`, one for each
such length since its first event. All of this is found in two passes of windows over the events of each visitor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from profiles_pipeline.compile import session_events
from profiles_pipeline.compile.rows import alias, col, moment, text
from profiles_pipeline.compile.session_events import Chosen
from profiles_pipeline.compile.session_quarantine import (
    NOISY,
    noisy_columns,
    noted,
    quarantined_days,
    quarantined_table,
)
from profiles_pipeline.compile.session_rejects import counted_rows, rejected_rows, rejected_table
from profiles_pipeline.compile.session_tracks import (
    MICROSECOND,
    fact_value,
    interval,
    seconds,
)
from profiles_pipeline.compile.statement import Audit, Compilation, Script, Statement, beside, create, scratch
from profiles_pipeline.resolve.session_models import Sessions, SessionTable, Stage
from profiles_pipeline.sql import build


def compile_sessions(c: Compilation, model: SessionTable) -> Script:
    """Return the script that makes sessions from all events, and counts what is none."""
    relation = c.relation(model.path)
    counts = scratch(relation, "counts")
    s = model.sessions
    steps = (
        *_sessions_steps(c, model),
        Statement(create("temporary table", counts, counted_rows(c, s)), "rows by whether they are events"),
        rejected_step(relation, counts, s),
    )
    return Script("table", steps, audits(c, model))


def _sessions_steps(c: Compilation, model: SessionTable) -> tuple[Statement, ...]:
    """Return the steps that make the table of sessions, and beside it that of the days that are left out."""
    relation, s, query = c.relation(model.path), model.sessions, sessions_query(c, model)
    days = quarantined_table(s, relation)
    if days is None:
        return (Statement(create("table", relation, query), str(model.description)),)
    every = scratch(relation, "every")
    shown = build("SELECT :columns FROM :every AS e WHERE :noisy IS NULL", columns=session_columns(s), every=every,
                  noisy=NOISY)  # fmt: skip
    return (
        Statement(create("temporary table", every, query), "sessions, those of days with too many events among them"),
        Statement(create("table", relation, shown), str(model.description)),
        Statement(create("table", days, quarantined_days(s, every)), "days that are left out"),
    )


def rejected_step(relation: exp.Table, counts: exp.Table, s: Sessions) -> Statement:
    """Return the step that writes down what was rejected."""
    quarantined = quarantined_table(s, relation)
    found = rejected_rows(counts, relation, s.sources, quarantined)
    return Statement(create("table", rejected_table(relation), found), "rows that are events of nobody")


# --- sessions -----------------------------------------------------------------------------------------------------


def sessions_query(c: Compilation, model: SessionTable) -> exp.Expr:
    """Return the query of the sessions of all visitors."""
    return numbered(model.sessions, found_sessions(c, model), "profiles_visitor")


def core_columns(s: Sessions) -> list[str]:
    """Return the columns of a session that follow from its own events."""
    own = ("session_id", s.visitor, "session_start_at", "ended_at", "number_of_events", "duration_seconds")
    facts = [fact.name for fact in s.facts]
    return [*own, "entry_event", "exit_event", *facts, *(stage.column for stage in s.stages)]


def session_columns(s: Sessions) -> list[str]:
    """Return all columns of a session, in order."""
    core = core_columns(s)
    own = [*core[:3], "session_sequence_number", "next_session_start_at", *core[3:]]
    return [*own, "furthest_stage"] if s.stages else own


def inner_columns(s: Sessions) -> list[str]:
    """Return the core columns, and NOISY where there is a limit to the events of a day."""
    return [*core_columns(s), *noisy_columns(s)]


def kept_columns(s: Sessions) -> list[str]:
    """Return all columns of a session, and NOISY where there is a limit to the events of a day."""
    return [*session_columns(s), *noisy_columns(s)]


def numbered(s: Sessions, found: exp.Expr, by: str) -> exp.Expr:
    """Return sessions with their place among those of their visitor, who is told by the column `by`.

    Those of days that are left out have a place among themselves.
    """
    first, rest = core_columns(s)[:3], core_columns(s)[3:]
    shown: list[exp.Expr] = [col(name, "s") for name in rest]
    if s.stages:
        shown.append(alias(furthest(s.stages), "furthest_stage"))
    shown += [col(name, "s") for name in noisy_columns(s)]
    return build(
        """
        SELECT :first, ROW_NUMBER() OVER (PARTITION BY :by ORDER BY s.session_start_at) AS session_sequence_number,
            LEAD(s.session_start_at) OVER (PARTITION BY :by ORDER BY s.session_start_at) AS next_session_start_at,
            :shown
        FROM :found AS s
        """,
        first=[col(name, "s") for name in first],
        by=[col(name, "s") for name in (by, *noisy_columns(s))],
        shown=shown,
        found=found,
    )


def found_sessions(c: Compilation, model: SessionTable, chosen: Chosen | None = None) -> exp.Expr:
    """Return the query of sessions by themselves: the core columns, and what stands for their visitor.

    Args:
        c: what to compile against.
        model: the sessions.
        chosen: whose sessions, and from when on; None for all.
    """
    s, names = model.sessions, session_events.fact_columns(c, model)
    key = session_events.person_key(c, s)
    kept = session_events.once(s, session_events.events(c, s, names, key, chosen), names)
    if chosen is not None:
        kept = build('SELECT * FROM :kept AS k WHERE "timestamp" >= profiles_resume_at', kept=kept)
    # A day on which sessions are taken up again is one that counts, so it is no matter that not all of it is seen.
    kept = noted(s, kept)
    cut = s.max_duration is not None
    return build(
        """
        WITH gaps AS (
            SELECT e.*,
                LAG("timestamp") OVER (PARTITION BY :whose ORDER BY "timestamp", event_id) AS profiles_previous_at,
                LEAD("timestamp") OVER (PARTITION BY :whose ORDER BY "timestamp", event_id) AS profiles_next_at
            FROM :kept AS e
        ), runs AS (
            SELECT g.*, MAX(CASE WHEN :begins THEN "timestamp" END) OVER (
                PARTITION BY :whose ORDER BY "timestamp", event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS profiles_run_started_at
            FROM gaps AS g
        ), marked AS (
            SELECT r.*, :piece AS profiles_piece, :is_first AS profiles_is_first, :is_last AS profiles_is_last
            FROM runs AS r
        ), sessions AS (
            SELECT :whose, MIN("timestamp") AS session_start_at, MAX("timestamp") AS ended_at,
                COUNT(*) AS number_of_events,
                MAX(CASE WHEN profiles_is_first THEN event_id END) AS profiles_first_event_id,
                MAX(CASE WHEN profiles_is_first THEN event END) AS entry_event,
                MAX(CASE WHEN profiles_is_last THEN event END) AS exit_event, :computed
            FROM marked AS m GROUP BY :whose, profiles_run_started_at, profiles_piece
        )
        SELECT s.profiles_visitor, MD5(p.main_id || '|' || s.profiles_first_event_id || '|' || :begin) AS session_id,
            p.main_id AS :id, s.session_start_at, s.ended_at, s.number_of_events, :duration AS duration_seconds,
            s.entry_event, s.exit_event, :more
        FROM sessions AS s JOIN :people AS p ON p.person = s.profiles_visitor
        """,
        kept=kept,
        begins=_is_pause(s, col("profiles_previous_at"), col("timestamp")),
        piece=_piece(s, col("timestamp")) if cut else exp.Literal.number(0),
        is_first=_is_edge(s, col("profiles_previous_at"), col("timestamp"), col("profiles_previous_at")),
        is_last=_is_edge(s, col("timestamp"), col("profiles_next_at"), col("profiles_next_at")),
        computed=list(_computed(c, model)),
        id=s.visitor,
        begin=_digits(col("session_start_at", "s")),
        duration=seconds(col("session_start_at", "s"), col("ended_at", "s")),
        more=[col(name, "s") for name in inner_columns(s)[8:]],
        whose=[exp.column("profiles_visitor"), *map(col, noisy_columns(s))],
        people=people(c, s, key, chosen),
    )


def _digits(time: exp.Expr) -> exp.Expr:
    """Return a moment as text: the microseconds since 1970. An event id may come again after long."""
    return build(
        "CAST(DATE_DIFF('microsecond', :epoch, :time) AS TEXT)", epoch=moment("1970-01-01 00:00:00"), time=time
    )


def _is_pause(s: Sessions, before: exp.Expr, after: exp.Expr) -> exp.Expr:
    """Return the condition that more than the timeout lies between two events, or that there is only one of them."""
    return build(
        ":before IS NULL OR :after IS NULL OR :after > :before + :timeout",
        before=before,
        after=after,
        timeout=interval(s.timeout),
    )


def _is_edge(s: Sessions, before: exp.Expr, after: exp.Expr, other: exp.Expr) -> exp.Expr:
    """Return the condition that a session ends between two events, the one at hand and `other`."""
    pause = _is_pause(s, before, after)
    if s.max_duration is None:
        return pause
    pieces = build(":one <> :two", one=_piece(s, col("timestamp")), two=_piece(s, other))
    return exp.or_(pause, pieces)


def _piece(s: Sessions, time: exp.Expr) -> exp.Expr:
    """Return how many whole lengths of `max_duration` lie before a moment of a run; a border belongs to the earlier."""
    assert s.max_duration is not None
    return build(
        """
        CASE WHEN :time = profiles_run_started_at THEN 0
            ELSE (DATE_DIFF('microsecond', profiles_run_started_at, :time) - 1) // :length END
        """,
        time=time,
        length=exp.Literal.number(s.max_duration // MICROSECOND),
    )


def _computed(c: Compilation, model: SessionTable) -> Iterable[exp.Expr]:
    """Yield facts and the times of stages, as aggregates over the events of a session."""
    for number, fact in enumerate(model.sessions.facts):
        yield alias(fact_value(c, model, number), fact.name)
    for stage in model.sessions.stages:
        condition = session_events.condition_of(c, model, stage)
        yield alias(build('MIN(CASE WHEN :c THEN "timestamp" END)', c=condition), stage.column)


def furthest(stages: Iterable[Stage], of: Callable[[exp.Column], exp.Expr] = lambda at: at) -> exp.Expr:
    """Return the name of the last stage that has a time, or of whose times `of` makes one; NULL where none has."""
    found = exp.Case()
    for stage in reversed(list(stages)):
        found = found.when(build(":at IS NOT NULL", at=of(col(stage.column))), text(stage.name), copy=False)
    return found


def people(c: Compilation, s: Sessions, key: str, chosen: Chosen | None = None) -> exp.Expr:
    """Return the main id of each visitor by what stands for them while sessions are made."""
    mappings = chosen.ids if chosen is not None else beside(c.relation(str(s.stitcher)), "_mappings")
    return build("SELECT DISTINCT :key AS person, main_id FROM :mappings", key=key, mappings=mappings)


# --- checks -------------------------------------------------------------------------------------------------------


def audits(c: Compilation, model: SessionTable) -> tuple[Audit, ...]:
    """Return the checks of a relation of sessions."""
    relation = c.relation(model.path)
    s = model.sessions
    if model.kind == ("session_tracks" if s.is_as_published else "sessions"):
        wrong = build(
            """
            SELECT COUNT(*) FROM :r
            WHERE session_id IS NULL OR :id IS NULL OR next_session_start_at <= session_start_at
            """,
            r=relation,
            id=s.visitor,
        )
        said = "Every session has an id and a visitor, and begins before the next."
        return (Audit("sessions_in_order", wrong, said),)
    if model.kind == "track_facts" and model.as_table:
        tracks = c.relation(s.paths["mapped_tracks"])
        lost = build("SELECT ABS((SELECT COUNT(*) FROM :t) - (SELECT COUNT(*) FROM :r))", t=tracks, r=relation)
        return (Audit("every_event_in_one_session", lost, "Every event is in exactly one session."),)
    if model.kind == "session_duration" and model.as_table:
        missing = build("SELECT COUNT(*) FROM :r WHERE session_duration IS NULL", r=relation)
        return (Audit("session_duration_not_null", missing, "Every session has a duration."),)
    return ()
