"""Pieces that sessions by the main id and those by the published rules have in common."""

from __future__ import annotations

from datetime import timedelta

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.aggregates import as_aggregate, filtered, settled, sorted_later
from profiles_pipeline.compile.rows import alias, col, placed, text
from profiles_pipeline.compile.statement import Compilation
from profiles_pipeline.errors import fail
from profiles_pipeline.resolve.readings import Window
from profiles_pipeline.resolve.session_models import SessionKind, SessionTable
from profiles_pipeline.sql import build

MICROSECOND = timedelta(microseconds=1)


def interval(length: timedelta) -> exp.Expr:
    """Return a length of time as an interval: of seconds where it is a whole number of them."""
    microseconds = length // MICROSECOND
    whole = microseconds % 1_000_000 == 0
    number = microseconds // 1_000_000 if whole else microseconds
    return exp.Interval(this=text(str(number)), unit=exp.Var(this="SECOND" if whole else "MICROSECOND"))


def seconds(begin: exp.Expr, end: exp.Expr) -> exp.Expr:
    """Return the seconds from one moment to another, fractions included."""
    return build(
        "CAST(DATE_DIFF('microsecond', :begin, :end) AS DOUBLE) / CAST(1000000 AS DOUBLE)", begin=begin, end=end
    )


def mean_seconds(begin: exp.Expr, end: exp.Expr) -> exp.Expr:
    """Return the mean of the seconds between pairs of moments: from a sum of whole microseconds, which has no order."""
    return build(
        """
        CAST(SUM(DATE_DIFF('microsecond', :begin, :end)) AS DOUBLE) / NULLIF(COUNT(:end), 0) / CAST(1000000 AS DOUBLE)
        """,
        begin=begin,
        end=end,
    )


def minutes(begin: exp.Expr, end: exp.Expr) -> exp.Expr:
    """Return the minutes from one moment to another, fractions included."""
    return build(
        "CAST(DATE_DIFF('microsecond', :begin, :end) AS DOUBLE) / CAST(60000000 AS DOUBLE)", begin=begin, end=end
    )


def fact_value(c: Compilation, model: SessionTable, number: int) -> exp.Expr:
    """Return a fact as an aggregate over the events of a session, in their order where it shows.

    Raises:
        ProjectError: it is none.
    """
    fact = model.sessions.facts[number]
    select = placed(c, c.reader.expression(fact.select, model.path).tree)
    in_order = Window(order_by=(exp.Ordered(this=col("timestamp")), exp.Ordered(this=col("event_id"))))
    value = None if sql.has_window(select) or sql.has_subquery(select) else as_aggregate(select, in_order)
    if value is None:
        message = f"fact '{fact.name}' of sessions '{model.sessions.name}' is no aggregate: '{fact.select}'"
        fail(
            "not-an-aggregate",
            message,
            fact.select.span or model.span,
            hint="such as count(*), sum(amount), max(price)",
        )
    if fact.where is not None:
        value = filtered(value, placed(c, c.reader.expression(fact.where, model.path).tree))
    return settled(sorted_later(value))


def relation_of(c: Compilation, model: SessionTable, kind: SessionKind) -> exp.Table:
    """Return the relation of another kind in the family of a model."""
    return c.relation(model.sessions.paths[kind])


def track_facts(c: Compilation, model: SessionTable) -> exp.Expr:
    """Return events with their session: the one that began at or before them and whose successor began later."""
    s = model.sessions
    order: list[exp.Expr] = [col("timestamp", "t"), col("event_id", "t")]
    more: list[exp.Expr] = []
    if s.is_as_published:  # there, rows with one event id may be several
        more = [col("anonymous_id", "t")]
        order += [col("event", "t"), *more]
    return build(
        """
        SELECT :more, t."timestamp", t.event_id, t.event, s.session_id, t.:id,
            ROW_NUMBER() OVER (PARTITION BY s.session_id ORDER BY :order) AS track_sequence_number
        FROM :tracks AS t JOIN :sessions AS s ON s.:id = t.:id AND t."timestamp" >= s.session_start_at
            AND (t."timestamp" < s.next_session_start_at OR s.next_session_start_at IS NULL)
        """,
        more=more,
        id=s.visitor,
        order=order,
        tracks=relation_of(c, model, "mapped_tracks"),
        sessions=relation_of(c, model, "session_tracks" if s.is_as_published else "sessions"),
    )


def tracks_flow(c: Compilation, model: SessionTable) -> exp.Expr:
    """Return each event with those that follow it in its session."""
    following = [
        alias(
            build(f"LEAD(event, {number - 1}) OVER (PARTITION BY session_id ORDER BY track_sequence_number)"),
            f"event_{number}",
        )
        for number in range(2, model.sessions.flow_events + 1)
    ]
    return build(
        """
        SELECT event_id, session_id, track_sequence_number, event, :id, "timestamp", :following FROM :facts
        """,
        id=model.sessions.visitor,
        following=following,
        facts=relation_of(c, model, "track_facts"),
    )
