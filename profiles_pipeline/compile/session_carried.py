"""Compiles sessions that go on from the run before: only visitors with other events, or other ids, are gone over again.

Of each source it is kept which ids had events on which day, and how many rows were none, and why. A visitor is touched
who has an id on a row that came or went, or who had or has an id that belongs to somebody else now, and is so from the
day on on which that shows. What ended longer than the timeout before is taken over, as are the sessions of all others,
for they follow from the same rows; events are read again from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from profiles_pipeline.compile.accumulators import (
    BUCKET,
    LATER,
    Accumulator,
    update_steps,
)
from profiles_pipeline.compile.rows import (
    col,
    id_types,
    moment,
    text,
    timestamp,
)
from profiles_pipeline.compile.session_days import REASON, counted_days
from profiles_pipeline.compile.session_events import Chosen, Stretch, is_known_by_ids, source_of
from profiles_pipeline.compile.session_quarantine import NOISY, quarantined_days, quarantined_table
from profiles_pipeline.compile.session_tracks import interval
from profiles_pipeline.compile.sessions import (
    audits,
    found_sessions,
    inner_columns,
    kept_columns,
    numbered,
    rejected_step,
    session_columns,
    sessions_query,
)
from profiles_pipeline.compile.statement import Bind, Compilation, Script, Statement, Step, beside, create, scratch
from profiles_pipeline.resolve.session_models import Sessions, SessionTable
from profiles_pipeline.sql import build

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
    counts = scratch(relation, "counts")
    steps += [
        *_shown(c, s, relation, carried.table),
        Statement(create("temporary table", counts, counted_days(c, s, carried.days)), "rows that are no events"),
        rejected_step(relation, counts, s),
    ]
    return Script("view", tuple(steps), audits(c, model))


def _shown(c: Compilation, s: Sessions, relation: exp.Table, table: exp.Table) -> list[Step]:
    """Return the steps that make the view of the sessions of now, and that of the days that are left out."""
    limits = {name: filling for name, filling in _limits(c).items() if name != "never"}
    rows = build("SELECT :columns FROM :table WHERE :from <= :end AND :to > :end", columns=kept_columns(s),
                 table=table, **limits)  # fmt: skip
    days = quarantined_table(s, relation)
    if days is None:
        return [Statement(create("view", relation, rows), "sessions as of the end time")]
    shown = build("SELECT :columns FROM :rows AS k WHERE :noisy IS NULL", columns=session_columns(s), rows=rows,
                  noisy=NOISY)  # fmt: skip
    return [
        Statement(create("view", relation, shown), "sessions as of the end time"),
        Statement(create("view", days, quarantined_days(s, rows.copy())), "days that are left out"),
    ]


def _limits(c: Compilation) -> dict[str, exp.Expr | str]:
    """Return what to fill in where the end times are said between which a session is so."""
    return {"end": timestamp(c), "never": moment(LATER), "from": FROM, "to": TO}


def _gone_on(c: Compilation, model: SessionTable, carried: CarriedSessions) -> list[Step]:
    relation, s = c.relation(model.path), model.sessions
    t = _Scratch(relation)
    columns = kept_columns(s)
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
    s, limits, columns = model.sessions, _limits(c), kept_columns(model.sessions)

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
        "INSERT INTO :table SELECT n.*, :end AS :from, :never AS :to FROM :other AS n",
        table=carried.table,
        **limits,
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
        WITH passed_on AS (
            SELECT v.main_id_before, v.main_id_after, MIN(i.day) AS day FROM :lost AS i
            JOIN :moved AS v ON v.other_id = i.id AND v.other_id_type = i.id_type
            GROUP BY v.main_id_before, v.main_id_after
        )
        SELECT main_id, MIN(day) AS since FROM (
            SELECT m.main_id, i.day FROM :own AS i
            JOIN :mappings AS m ON m.other_id = i.id AND m.other_id_type = i.id_type
            UNION ALL
            SELECT main_id_before, day FROM passed_on
            UNION ALL
            SELECT main_id_after, day FROM passed_on
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
            FROM (SELECT * FROM :base AS b WHERE :counts) AS b WHERE b.:id IN (SELECT main_id FROM :since)
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
        counts=_on_days_that_count(s),
        timeout=interval(s.timeout),
    )


def _on_days_that_count(s: Sessions) -> exp.Expr | None:
    """Return the condition of what is a session; None where everything is.

    What would be sessions of a day that is left out reaches nowhere. Were sessions taken up again within such a day,
    what is seen of it could be few enough events to count.
    """
    return None if s.max_events_per_day is None else build("b.:noisy IS NULL", noisy=NOISY)


def _anew(c: Compilation, model: SessionTable, base: exp.Expr, t: _Scratch, chosen: Chosen) -> exp.Expr:
    """Return the sessions of who is touched: those before they may differ, and the others made anew."""
    s = model.sessions
    columns = inner_columns(s)
    stay = build(
        "SELECT :columns FROM :base AS b JOIN :resume AS r ON r.main_id = b.:id AND b.session_start_at < r.resume_at",
        columns=[col(name, "b") for name in columns],
        base=base,
        resume=t("resume"),
        id=s.visitor,
    )
    anew = build("SELECT :columns FROM :found AS f", columns=columns, found=found_sessions(c, model, chosen))
    return numbered(s, _united([stay, anew]), s.visitor)
