"""Compiles sessions that go on from the run before: only visitors with other events, or other ids, are gone over again.

Of each source it is kept which ids had events on which day, and how many rows were none, and why. A visitor is touched
who has an id on a row that came or went, or who had or has an id that belongs to somebody else now, and is so from the
day on on which that shows. What ended longer than the timeout before is taken over, as are the sessions of all others,
for they follow from the same rows; events are read again from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from profiles_pipeline.compile import session_events
from profiles_pipeline.compile.accumulators import (
    BUCKET,
    LATER,
    Accumulator,
    accumulator_name,
    are_of_the_row,
    bucketed,
    changed_range,
    columns_read,
    fingerprints,
    range_names,
    rows_definition,
    update_steps,
)
from profiles_pipeline.compile.rows import (
    alias,
    col,
    has_typed_ids,
    id_types,
    id_values,
    left_join,
    looked_up_ids,
    looked_up_rows,
    moment,
    text,
    timestamp,
)
from profiles_pipeline.compile.session_events import UNKNOWN_ID, Chosen, Stretch, is_known_by_ids, source_of
from profiles_pipeline.compile.session_tracks import fact_value, interval
from profiles_pipeline.compile.sessions import (
    audits,
    core_columns,
    found_sessions,
    numbered,
    rejected_step,
    session_columns,
    sessions_query,
)
from profiles_pipeline.compile.statement import Bind, Compilation, Script, Statement, Step, beside, create, scratch
from profiles_pipeline.resolve.session_models import EventSource, Sessions, SessionTable
from profiles_pipeline.sql import build

REASON = "state.reason"
"""Name of the column that says why a row is no event of anybody."""

FROM, TO = "state.from", "state.to"
"""Names of the columns with the end time from which on a session is so, and the one from which on it is not."""


@dataclass(frozen=True)
class CarriedSessions:
    """What sessions are made from, and what they go on from.

    Attributes:
        days: for each source, which ids had events on which day.
        changes: table of what changed for each id, by version of the id graph.
        table: the table that keeps sessions, each with the end times from which on, and up to which, it is so.
        since: the version that the sessions before were made for; None where there are none, and everything is read.
        oldest: the earliest end time that anybody may still ask for.
    """

    days: tuple[Accumulator, ...]
    changes: exp.Table
    table: exp.Table
    since: int | None = None
    oldest: datetime | None = None


def days_of_ids(
    times: tuple[Compilation, Compilation],
    model: SessionTable,
    definition: Sequence[str],
    kept: Mapping[str, Mapping[str, str]],
) -> tuple[Accumulator, ...] | None:
    """Return what is kept of the rows of each source; None when events depend on more than their row.

    Args:
        times: what to compile against, and the same for another end time, which shows what moves with it.
        model: the sessions.
        definition: texts that change with whatever decides on the sessions.
        kept: name of each accumulator that there is -> the files that it has whole, with their states.
    """
    c, later = times
    found = []
    for number, source in enumerate(model.sessions.sources):
        trees, other = _trees(c, model, source), _trees(later, model, source)
        if trees is None or other is None or [t.sql() for t in trees] != [t.sql() for t in other]:
            return None
        name = accumulator_name(f"{c.project.name}/{model.path}", [str(number), *definition])
        table = exp.table_(name, db=c.relation(model.path).db, quoted=True)
        found.append(_days_of_ids(c, model, source, table, kept.get(name)))
    return tuple(found)


def _trees(c: Compilation, model: SessionTable, source: EventSource) -> list[exp.Expr] | None:
    """Return all that decides on the events of a source and what is made of them; None when other tables do."""
    s, rows = model.sessions, source_of(c, source)
    definition = rows_definition(c, rows)
    if definition is None or not has_typed_ids(rows, str(s.entity)):
        return None
    texts = [source.event_id, source.event, *(written for _, written in source.columns)]
    trees = [session_events.value_of(c, source, written) for written in texts]
    trees += [fact_value(c, model, number) for number in range(len(s.facts))]
    trees += [session_events.condition_of(c, model, stage) for stage in s.stages]
    trees += id_values(c, rows, str(s.entity))
    return [*definition, *trees] if are_of_the_row(trees) else None


def _days_of_ids(
    c: Compilation, model: SessionTable, source: EventSource, table: exp.Table, files: Mapping[str, str] | None
) -> Accumulator:
    s, rows = model.sessions, source_of(c, source)
    entity = str(s.entity)
    why = alias(session_events.reason(c, s, source), REASON)
    within, observed = changed_range(c, rows, range_names(table)), _observed(c, model, source)
    every, changed = (
        looked_up_rows(c, rows, entity, bucketed(c, rows, [why.copy()], where)) for where in (None, within)
    )
    return Accumulator(
        table=table,
        source=source.path,
        rows=every,
        changed=changed,
        seen=fingerprints(c, rows, observed, None if files is None else (beside(table, "_seen"), files)),
        keys=(*looked_up_ids(c, rows, entity), REASON),
        # What rows say is part of it: one that is corrected on its day came and went, whatever their number.
        partials={
            "row_count": build("COUNT(*)"),
            "content": build("SUM(CAST(:hash AS HUGEINT))", hash=_content(observed)),
        },
        is_kept=files is not None,
    )


def _observed(c: Compilation, model: SessionTable, source: EventSource) -> frozenset[str] | None:
    """Return the columns of a source whose values decide on sessions; None for all."""
    given = dict(source.columns)
    own = [name for name in session_events.fact_columns(c, model) if name not in given]
    trees = [session_events.value_of(c, source, t) for t in (source.event_id, source.event, *given.values())]
    trees += [session_events.time_of(c, source), *id_values(c, source_of(c, source), str(model.sessions.entity))]
    trees += rows_definition(c, source_of(c, source)) or []
    found = columns_read(trees)
    return None if found is None else found | frozenset(own)


def _content(columns: frozenset[str] | None) -> exp.Expr:
    """Return the hash of what a row says in these columns; of all for None."""
    named: list[exp.Expr] = [col("r")] if columns is None else [col(name, "r") for name in sorted(columns)]
    return exp.Anonymous(this="HASH", expressions=named or [exp.Literal.number(0)])


# --- the script ---------------------------------------------------------------------------------------------------


def compile_carried_sessions(c: Compilation, model: SessionTable, carried: CarriedSessions) -> Script:
    """Return the script that brings what is kept up to date, and the sessions of who is touched.

    The material is a view of what is kept, as of its end time: sessions that are as they were are not written again,
    and those that are no longer so stay for the materials of earlier end times.
    """
    relation, s = c.relation(model.path), model.sessions
    steps = [step for a in carried.days for step in update_steps(a)]
    if carried.since is None:
        kept = build(
            "SELECT q.*, :end AS :from, :never AS :to FROM :query AS q",
            **_limits(c),
            query=sessions_query(c, model),
        )
        steps.append(Statement(create("table", carried.table, kept), str(model.description)))
    else:
        steps += _gone_on(c, model, carried)
    shown = build(
        "SELECT :columns FROM :table WHERE :from <= :end AND :to > :end",
        columns=session_columns(s),
        table=carried.table,
        **{name: filling for name, filling in _limits(c).items() if name != "never"},
    )
    counts = scratch(relation, "counts")
    steps += [
        Statement(create("view", relation, shown), "sessions as of the end time"),
        Statement(create("temporary table", counts, _counts(c, s, carried.days)), "rows that are no events"),
        rejected_step(relation, counts, s),
    ]
    return Script("view", tuple(steps), audits(c, model))


def _limits(c: Compilation) -> dict[str, exp.Expr | str]:
    """Return what to fill in where the end times are said between which a session is so."""
    return {"end": timestamp(c), "never": moment(LATER), "from": FROM, "to": TO}


def _gone_on(c: Compilation, model: SessionTable, carried: CarriedSessions) -> list[Step]:
    relation, s = c.relation(model.path), model.sessions
    t = _Scratch(relation)
    columns = session_columns(s)
    base = build(
        "SELECT :columns FROM :table WHERE :to = :never", columns=columns, table=carried.table, to=TO,
        never=moment(LATER),
    )  # fmt: skip
    mappings = beside(c.relation(str(s.stitcher)), "_mappings")
    theirs = build("SELECT * FROM :m WHERE main_id IN (SELECT main_id FROM :since)", m=mappings, since=t("since"))
    begin, recent = (exp.Placeholder(this=f"{relation.name}_{name}") for name in ("begin", "recent"))
    early = build(
        "SELECT i.* FROM :ids AS i JOIN :resume AS r ON r.main_id = i.main_id AND r.resume_at - :length < :recent",
        ids=t("touched_ids"),
        resume=t("resume"),
        length=interval(s.repeats_within),
        recent=recent,
    )
    stretches = (Stretch(t("touched_ids"), recent), Stretch(t("early_ids"), begin, recent))
    chosen = Chosen(t("touched_ids"), t("resume"), stretches)
    return [
        _temporary(t("moved"), moved_ids(carried), "ids that came, went, or belong to somebody else now"),
        _temporary(t("since"), _since(c, s, carried, t("moved"), mappings), "visitors who are touched, since when"),
        _temporary(t("resume"), _resume(s, base, t("since")), "from when on their sessions are made anew"),
        _temporary(t("touched_ids"), theirs, "their ids"),
        Bind((str(begin.this), str(recent.this)), _begins(s, carried, t), "from when on events are read"),
        _temporary(t("early_ids"), early, "ids of those whose events are read from earlier on than most"),
        _temporary(t("anew"), _anew(c, model, base, t, chosen), "their sessions as they are now"),
        _temporary(t("were"), _of_touched(base, s, t), "and as they were"),
        *_replacing(c, model, carried, t),
    ]


def _replacing(c: Compilation, model: SessionTable, carried: CarriedSessions, t: _Scratch) -> list[Step]:
    """Return the steps that put the sessions that are not as they were in the place of those that they were."""
    s, limits, columns = model.sessions, _limits(c), session_columns(model.sessions)

    def other(one: str, two: str) -> exp.Expr:
        both = [build("SELECT :columns FROM :rows", columns=columns, rows=t(name)) for name in (one, two)]
        return exp.Except(this=both[0], expression=both[1], distinct=True)

    gone = build(
        'SELECT :id AS "gone.id", session_start_at AS "gone.start" FROM :other AS o',
        id=s.visitor,
        other=other("were", "anew"),
    )
    closed = build(
        """
        UPDATE :table SET :to = :end WHERE :to = :never AND EXISTS (
            SELECT 1 FROM :gone WHERE "gone.id" = :id AND "gone.start" = session_start_at
        )
        """,
        table=carried.table,
        gone=t("gone"),
        id=s.visitor,
        **{name: filling for name, filling in limits.items() if name != "from"},
    )
    put = build(
        "INSERT INTO :table SELECT n.*, :end, :never FROM :other AS n",
        table=carried.table,
        end=timestamp(c),
        never=moment(LATER),
        other=other("anew", "were"),
    )
    steps: list[Step] = [
        _temporary(t("gone"), gone, "those that are no longer so"),
        Statement(closed, "are so no longer"),
        Statement(put, "and others are"),
    ]
    if carried.oldest is not None:
        ended = moment(carried.oldest.replace(tzinfo=None).isoformat(sep=" "))
        forgotten = build("DELETE FROM :table WHERE :to <= :ended", table=carried.table, to=TO, ended=ended)
        steps.append(Statement(forgotten, "what no material shows any more"))
    return steps


def _of_touched(base: exp.Expr, s: Sessions, t: _Scratch) -> exp.Expr:
    return build("SELECT * FROM :b AS b WHERE :id IN (SELECT main_id FROM :r)", b=base, id=s.visitor, r=t("resume"))


def _begins(s: Sessions, carried: CarriedSessions, t: _Scratch) -> exp.Expr:
    """Return from when on events are read of anybody, and of everybody who is touched.

    Mostly, days change that are over since the run before. Who is touched since before these, for ids that moved, is
    read apart, so that the others' sake is no reason to read the rows of long ago.
    """
    days = _united([_days(rows) for a in carried.days for rows in (a.come, a.gone)])
    return build(
        """
        SELECT COALESCE(MIN(r.resume_at) - :length, :never),
            COALESCE(MIN(CASE WHEN w.since >= d.first THEN r.resume_at END), MIN(r.resume_at), :later) - :length
        FROM :resume AS r JOIN :since AS w ON w.main_id = r.main_id
        CROSS JOIN (SELECT MIN(day) AS first FROM :days AS e) AS d
        """,
        length=interval(s.repeats_within),
        never=moment(LATER),
        later=moment(LATER),
        resume=t("resume"),
        since=t("since"),
        days=days,
    )


def _days(rows: exp.Table) -> exp.Expr:
    return build(
        "SELECT r.:bucket AS day FROM :rows AS r WHERE r.:reason IS NULL", bucket=BUCKET, rows=rows, reason=REASON
    )


class _Scratch:
    """Names of the scratch tables of a relation."""

    def __init__(self, relation: exp.Table) -> None:
        self.relation = relation

    def __call__(self, name: str) -> exp.Table:
        return scratch(self.relation, name)


def _temporary(table: exp.Table, query: exp.Expr, title: str) -> Statement:
    return Statement(create("temporary table", table, query), title)


def moved_ids(carried: CarriedSessions) -> exp.Expr:
    """Return the ids whose person is another one, with their main ids then and now."""
    return build(
        """
        SELECT DISTINCT other_id, other_id_type, main_id_before, main_id_after
        FROM :changes WHERE version > :since AND change <> 'seen'
        """,
        changes=carried.changes,
        since=exp.Literal.number(carried.since or 0),
    )


def changed_rows(a: Accumulator) -> tuple[exp.Table, ...]:
    """Return the rows of an accumulator that came or went."""
    return a.come, a.gone


def _since(c: Compilation, s: Sessions, carried: CarriedSessions, moved: exp.Table, mappings: exp.Table) -> exp.Expr:
    """Return the main ids of who is touched, each with the beginning of the first day on which that shows.

    A row that came or went shows for whoever has its ids now; one with an id that belongs to somebody else now, for
    both. Where several ids on a row need not be one person, it shows for all of them.
    """
    own, lost = [], []
    for source, a in zip(s.sources, carried.days, strict=True):
        keys = list(zip(a.keys, id_types(source_of(c, source), str(s.entity)), strict=False))  # the last one is no id
        rows: list[exp.Expr] = [*changed_rows(a)]
        if not is_known_by_ids(c, s, source):
            among = [build(":key IN (SELECT other_id FROM :moved)", key=key, moved=moved) for key, _ in keys]
            rows.append(build("SELECT * FROM :table AS t WHERE :any", table=a.table, any=exp.or_(*among)))
        own += [_ids_on(each, key, kind) for each in rows for key, kind in keys]
        lost += [_ids_on(each, key, kind) for each in (a.table, a.gone) for key, kind in keys]
    return build(
        """
        SELECT main_id, MIN(day) AS since FROM (
            SELECT m.main_id, i.day FROM :own AS i
            JOIN :mappings AS m ON m.other_id = i.id AND m.other_id_type = i.id_type
            UNION ALL
            SELECT v.main_id_before, i.day FROM :lost AS i
            JOIN :moved AS v ON v.other_id = i.id AND v.other_id_type = i.id_type
            UNION ALL
            SELECT v.main_id_after, i.day FROM :lost AS i
            JOIN :moved AS v ON v.other_id = i.id AND v.other_id_type = i.id_type
        ) AS found WHERE main_id IS NOT NULL GROUP BY main_id
        """,
        own=_united(own),
        lost=_united(lost),
        mappings=mappings,
        moved=moved,
    )


def _ids_on(rows: exp.Expr, key: str, id_type: str) -> exp.Expr:
    """Return the ids of one kind on rows that are events, with their days."""
    return build(
        """
        SELECT r.:key AS id, :type AS id_type, r.:bucket AS day FROM :rows AS r
        WHERE r.:key IS NOT NULL AND r.:reason IS NULL
        """,
        key=key,
        type=text(id_type),
        bucket=BUCKET,
        rows=rows,
        reason=REASON,
    )


def _united(parts: Sequence[exp.Expr]) -> exp.Expr:
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)


def _resume(s: Sessions, base: exp.Expr, since: exp.Table) -> exp.Expr:
    """Return from when on the sessions of who is touched are made anew.

    What ended longer than the timeout before the first change stays, unless the run of events that it belongs to goes
    on up to there.
    """
    return build(
        """
        WITH theirs AS (
            SELECT b.:id AS main_id, b.session_start_at, b.ended_at,
                LAG(b.ended_at) OVER (PARTITION BY b.:id ORDER BY b.session_start_at) AS ended_before
            FROM :base AS b WHERE b.:id IN (SELECT main_id FROM :since)
        ), runs AS (
            SELECT t.*, MAX(
                CASE WHEN ended_before IS NULL OR session_start_at > ended_before + :timeout THEN session_start_at END
            ) OVER (
                PARTITION BY main_id ORDER BY session_start_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS run_started_at
            FROM theirs AS t
        ), reached AS (
            SELECT w.main_id, MIN(r.run_started_at) AS run_started_at
            FROM :since AS w JOIN runs AS r ON r.main_id = w.main_id AND r.ended_at + :timeout >= w.since
            GROUP BY w.main_id
        )
        SELECT w.main_id,
            CASE WHEN r.run_started_at < w.since THEN r.run_started_at ELSE w.since END AS resume_at
        FROM :since AS w LEFT JOIN reached AS r ON r.main_id = w.main_id
        """,
        id=s.visitor,
        base=base,
        since=since,
        timeout=interval(s.timeout),
    )


def _anew(c: Compilation, model: SessionTable, base: exp.Expr, t: _Scratch, chosen: Chosen) -> exp.Expr:
    """Return the sessions of who is touched: those before they may differ, and the others made anew."""
    s = model.sessions
    columns = core_columns(s)
    stay = build(
        "SELECT :columns FROM :base AS b JOIN :resume AS r ON r.main_id = b.:id AND b.session_start_at < r.resume_at",
        columns=[col(name, "b") for name in columns],
        base=base,
        resume=t("resume"),
        id=s.visitor,
    )
    anew = build("SELECT :columns FROM :found AS f", columns=columns, found=found_sessions(c, model, chosen))
    return numbered(s, _united([stay, anew]), s.visitor)


def _counts(c: Compilation, s: Sessions, days: Iterable[Accumulator]) -> exp.Expr:
    """Return the number of rows of each source by the reason why they are no events, NULL for those that are."""
    parts = [_counted(c, s, source, a) for source, a in zip(s.sources, days, strict=True)]
    found = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
    return build("SELECT source, reason, CAST(SUM(n) AS BIGINT) AS row_count FROM :p AS p GROUP BY 1, 2", p=found)


def _counted(c: Compilation, s: Sessions, source: EventSource, a: Accumulator) -> exp.Expr:
    why: exp.Expr = build("a.:reason", reason=REASON)
    query = exp.Select().from_(exp.alias_(a.table.copy(), "a", table=True))
    if not is_known_by_ids(c, s, source):
        mappings, found = beside(c.relation(str(s.stitcher)), "_mappings"), []
        for number, (key, kind) in enumerate(zip(a.keys, id_types(source_of(c, source), str(s.entity)), strict=False)):
            graph = build(
                "SELECT other_id FROM :mappings WHERE other_id_type = :type", mappings=mappings, type=text(kind)
            )
            named = exp.Subquery(this=graph, alias=exp.TableAlias(this=exp.to_identifier(f"g{number}")))
            left_join(query, named, build(f"g{number}.other_id = a.:key", key=key))
            found.append(build(f"g{number}.other_id IS NULL"))
        unknown = build("CASE WHEN :none THEN :why END", none=exp.and_(*found), why=text(UNKNOWN_ID))
        why = build("COALESCE(:why, :unknown)", why=why, unknown=unknown)
    return query.select(alias(text(source.path), "source"), alias(why, "reason"), alias(build("a.row_count"), "n"))
