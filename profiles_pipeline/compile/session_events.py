"""Events: the rows of the sources of sessions with their visitor, each event once, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.rows import (
    alias,
    all_rows,
    col,
    has_typed_ids,
    identified_rows,
    is_stitched_from,
    moment,
    occurred,
    placed,
    text,
)
from profiles_pipeline.compile.session_tracks import interval
from profiles_pipeline.compile.statement import Compilation
from profiles_pipeline.errors import fail
from profiles_pipeline.resolve.model import Source
from profiles_pipeline.resolve.session_models import EventSource, Sessions, SessionTable, Stage
from profiles_pipeline.resolve.sessions import EVENT_COLUMNS, RESERVED
from profiles_pipeline.sql import build

EARLIEST = moment("0001-01-01 00:00:00")
"""The first moment at which something can have happened. What is before it, such as -infinity, is no time."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which events of some visitors are read.

    Attributes:
        ids: their rows of the mappings of the id graph.
        begin: the first moment of it.
        end: the moment after it; None for the end time.
    """

    ids: exp.Table
    begin: exp.Expr
    end: exp.Expr | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The visitors whose events are read, where these are not all.

    Attributes:
        ids: their rows of the mappings of the id graph.
        resume: their main ids, and from when on sessions of theirs are made anew, in a column resume_at.
        stretches: when events are read: all from resume_at on, and those before that may be the same events.
    """

    ids: exp.Table
    resume: exp.Table
    stretches: tuple[Stretch, ...]


def source_of(c: Compilation, source: EventSource) -> Source:
    """Return the model whose rows are events."""
    model = c.graph.models[source.path]
    assert isinstance(model, Source)
    return model


def time_of(c: Compilation, source: EventSource) -> exp.Expr:
    """Return when an event happened, as an expression over the rows of its source."""
    model = source_of(c, source)
    assert model.occurred_at is not None
    return occurred(c, model.occurred_at, model.path)


def value_of(c: Compilation, source: EventSource, written: str) -> exp.Expr:
    """Return an expression over the rows of a source."""
    return placed(c, c.reader.expression(written, source.path).tree)


def id_of(c: Compilation, source: EventSource) -> exp.Expr:
    """Return what tells an event from others of its visitor, as text."""
    return sql.text_of(value_of(c, source, source.event_id))


def fact_columns(c: Compilation, model: SessionTable) -> tuple[str, ...]:
    """Return the lower-case names of the columns that facts and stages look at, beside those of every event."""
    texts = [t for fact in model.sessions.facts for t in (fact.select, fact.where) if t is not None]
    texts += [stage.condition for stage in model.sessions.stages]
    named: set[str] = set()
    for written in texts:
        columns = {name.lower() for name in sql.columns_of_rows(c.reader.expression(written, model.path).tree)}
        if own := sorted(name for name in columns if name.startswith(RESERVED)):
            message = f"column '{own[0]}' cannot be read here: sessions are made with columns of such names themselves"
            hint = f"give it another name under `columns` of the source, one that does not begin with {RESERVED}"
            fail("reserved-name", message, written.span or model.span, hint=hint)
        named |= columns
    return tuple(sorted(named - set(EVENT_COLUMNS)))


def person_key(c: Compilation, sessions: Sessions) -> str:
    """Return what stands for a visitor while sessions are made: the number of the person where it can be looked up."""
    assert sessions.entity is not None
    typed = all(has_typed_ids(source_of(c, source), sessions.entity) for source in sessions.sources)
    return "component" if typed else "main_id"


def condition_of(c: Compilation, model: SessionTable, stage: Stage) -> exp.Expr:
    """Return the condition of an event that reaches a stage.

    Raises:
        ProjectError: it is none over a single event.
    """
    tree = c.reader.expression(stage.condition, model.path).tree
    of_many = sql.is_aggregate(tree) or sql.has_window(tree)
    if of_many or (isinstance(tree, exp.Column) and tree.name.lower() in EVENT_COLUMNS):
        why = "looks at more than one event" if of_many else "is a value"
        message = f"stage '{stage.name}' of sessions '{model.sessions.name}' is no condition: '{stage.condition}' {why}"
        place = stage.condition.span or model.span
        fail("not-a-condition", message, place, hint="such as event = 'product_viewed' or amount > 100")
    return placed(c, tree)


def events(
    c: Compilation, sessions: Sessions, columns: Iterable[str], key: str, chosen: Chosen | None = None
) -> exp.Expr:
    """Return the query of the events of visitors: profiles_visitor, the EVENT_COLUMNS, more columns; repeated ones too.

    Args:
        c: what to compile against.
        sessions: the declaration.
        columns: lower-case names of more columns.
        key: what stands for a visitor, `component` or `main_id`.
        chosen: whose events; None for everybody's.
    """
    names = list(columns)
    if chosen is None:
        parts = [_events_of(c, sessions, source, names, key) for source in sessions.sources]
        return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
    parts = [_events_of(c, sessions, f, names, key, at) for f in sessions.sources for at in chosen.stretches]
    return build(
        """
        SELECT e.*, w.resume_at AS profiles_resume_at FROM :events AS e JOIN (
            SELECT DISTINCT i.:key AS person, r.resume_at FROM :ids AS i JOIN :resume AS r ON r.main_id = i.main_id
        ) AS w ON w.person = e.profiles_visitor AND e."timestamp" >= w.resume_at - :length
        """,
        events=parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False),
        key=key,
        ids=chosen.ids,
        resume=chosen.resume,
        length=interval(sessions.repeats_within),
    )


def _events_of(
    c: Compilation,
    sessions: Sessions,
    source: EventSource,
    columns: list[str],
    key: str,
    at: Stretch | None = None,
) -> exp.Expr:
    assert sessions.entity is not None
    are_chosen = None if at is None else _chosen(c, sessions, source, at)
    among: exp.Expr | None = None
    if at is not None:
        if is_known_by_ids(c, sessions, source):  # any id of a row tells who it is
            c = replace(c, mappings={**c.mappings, str(sessions.stitcher): at.ids})
        else:
            among = build("r.:visitor IN (SELECT :key FROM :ids)", visitor=sessions.visitor, key=key, ids=at.ids)
    rows = identified_rows(c, source_of(c, source), [sessions.entity], key=key, where=are_chosen)  # type: ignore[arg-type]
    return build(
        """
        SELECT * FROM (
            SELECT :visitor AS profiles_visitor, :event_id AS event_id, :event AS event, :time AS "timestamp",
                :path AS source, :columns
            FROM :rows AS r WHERE :among
        ) AS e
        WHERE profiles_visitor IS NOT NULL AND event_id IS NOT NULL AND "timestamp" >= :earliest
        """,
        visitor=col(sessions.visitor, "r"),
        event_id=id_of(c, source),
        event=sql.text_of(value_of(c, source, source.event)),
        time=time_of(c, source),
        path=text(source.path),
        columns=[alias(value, name) for name, value in _columns_of(c, sessions, source, columns).items()],
        rows=rows,
        among=among,
        earliest=EARLIEST.copy(),
    )


def _chosen(c: Compilation, sessions: Sessions, source: EventSource, at: Stretch) -> exp.Expr:
    """Return the condition that a row lies in a stretch of time and may be of somebody who is meant.

    What is written for an id is compared before anything is made of it, which rules out most rows of long ago.
    """
    time = time_of(c, source)
    within = build(":time >= :begin", time=time, begin=at.begin)
    if at.end is None:
        return within
    ids = [i for i in source_of(c, source).ids if i.entity == sessions.entity]
    named = [sql.text_of(value_of(c, source, i.select)) for i in ids]
    theirs = [build(":id IN (SELECT other_id FROM :ids)", id=each, ids=at.ids) for each in named]
    return exp.and_(within, build(":time < :end", time=time, end=at.end), exp.paren(exp.or_(*theirs)))


def _columns_of(
    c: Compilation, sessions: Sessions, source: EventSource, columns: Iterable[str]
) -> Mapping[str, exp.Expr]:
    found = {name: _column_of(c, source, name) for name in columns}
    return {
        name: _null_like(c, sessions, name) if isinstance(value, exp.Null) else value for name, value in found.items()
    }


def _column_of(c: Compilation, source: EventSource, name: str) -> exp.Expr:
    given = dict(source.columns)
    return value_of(c, source, given[name]) if name in given else exp.column(name)


def _null_like(c: Compilation, sessions: Sessions, name: str) -> exp.Expr:
    """Return a NULL of the type that a column has in the first source that has it; some engines unite no others."""
    for source in sessions.sources:
        value = _column_of(c, source, name)
        if not isinstance(value, exp.Null):
            rows = all_rows(c, source_of(c, source))
            return exp.paren(build("SELECT :value FROM :rows AS r WHERE FALSE", value=value, rows=rows))
    return exp.null()


def once(s: Sessions, found: exp.Expr, columns: Iterable[str]) -> exp.Expr:
    """Return events without repetitions: those that no event of the same id and visitor came before, of late.

    Those of the same moment are told apart by what they say, so that the order of rows does not matter.
    """
    order = [col("timestamp"), col("source"), col("event"), *map(col, columns)]
    return build(
        """
        SELECT * FROM (
            SELECT e.*, LAG("timestamp") OVER (PARTITION BY profiles_visitor, event_id ORDER BY :order)
                AS profiles_came_before
            FROM :events AS e
        ) AS n WHERE profiles_came_before IS NULL OR "timestamp" > profiles_came_before + :length
        """,
        order=[exp.Ordered(this=key, nulls_first=False) for key in order],
        events=found,
        length=interval(s.repeats_within),
    )


def is_known_by_ids(c: Compilation, sessions: Sessions, source: EventSource) -> bool:
    """True when every identifier on the rows of a source is somebody's: all of them are in the id graph."""
    model, entity = source_of(c, source), str(sessions.entity)
    return has_typed_ids(model, entity) and is_stitched_from(c, model, entity)
