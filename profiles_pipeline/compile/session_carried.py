"""Compiles sessions that go on from the run before: only visitors with other events, or other ids, are gone over again.

Of each source it is kept which ids had events on which day, and how many rows were none, and why. A visitor is touched
who has an id on a row that came or went, or who had or has an id that belongs to somebody else now. All events of these
are read again; the sessions of all others are taken over, for they follow from the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile import session_events
from profiles_pipeline.compile.accumulators import (
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
    has_typed_ids,
    id_types,
    id_values,
    left_join,
    looked_up_ids,
    looked_up_rows,
    text,
)
from profiles_pipeline.compile.session_events import UNKNOWN_ID, Chosen, is_known_by_ids, source_of
from profiles_pipeline.compile.session_tracks import fact_value
from profiles_pipeline.compile.sessions import audits, rejected_step, sessions_query
from profiles_pipeline.compile.statement import Bind, Compilation, Script, Statement, Step, beside, create, scratch
from profiles_pipeline.resolve.session_models import EventSource, Sessions, SessionTable
from profiles_pipeline.sql import build

REASON = "state.reason"
"""Name of the column that says why a row is no event of anybody."""


@dataclass(frozen=True)
class CarriedSessions:
    """What sessions are made from, and what they go on from.

    Attributes:
        days: for each source, which ids had events on which day.
        changes: table of what changed for each id, by version of the id graph.
        since: the version that the sessions before were made for.
        base: the sessions before; None where there are none, and everything is read.
    """

    days: tuple[Accumulator, ...]
    changes: exp.Table
    since: int = 0
    base: exp.Table | None = None


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
    within = changed_range(c, rows, range_names(table))
    every, changed = (
        looked_up_rows(c, rows, entity, bucketed(c, rows, [why.copy()], where)) for where in (None, within)
    )
    return Accumulator(
        table=table,
        source=source.path,
        rows=every,
        changed=changed,
        seen=fingerprints(
            c, rows, _observed(c, model, source), None if files is None else (beside(table, "_seen"), files)
        ),
        keys=(*looked_up_ids(c, rows, entity), REASON),
        partials={"row_count": build("COUNT(*)")},
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


# --- the script ---------------------------------------------------------------------------------------------------


def compile_carried_sessions(c: Compilation, model: SessionTable, carried: CarriedSessions) -> Script:
    """Return the script that brings what is kept up to date, and the sessions of who is touched."""
    relation, s = c.relation(model.path), model.sessions
    steps = [step for a in carried.days for step in update_steps(a)]
    if carried.base is None:
        steps.append(Statement(create("table", relation, sessions_query(c, model)), str(model.description)))
    else:
        steps += _gone_on(c, model, carried, carried.base)
    counts = scratch(relation, "counts")
    steps += [
        Statement(create("temporary table", counts, _counts(c, s, carried.days)), "rows that are no events"),
        rejected_step(relation, counts, s),
    ]
    return Script("table", tuple(steps), audits(c, model))


def _gone_on(c: Compilation, model: SessionTable, carried: CarriedSessions, base: exp.Table) -> list[Step]:
    relation, s = c.relation(model.path), model.sessions
    people, ids, before = (scratch(relation, name) for name in ("touched", "touched_ids", "base"))
    steps: list[Step] = []
    if base.name == relation.name:
        copy = create("temporary table", before, build("SELECT * FROM :base", base=base))
        steps.append(Statement(copy, "sessions as they are"))
        base = before
    mappings = beside(c.relation(str(s.stitcher)), "_mappings")
    found = [*people_of_moved_ids(carried), *people_with_other_rows(c, s, carried, mappings)]
    united = exp.union(*found, distinct=False, copy=False) if len(found) > 1 else found[0]
    listed = build("SELECT DISTINCT main_id FROM :all AS p WHERE main_id IS NOT NULL", all=united)
    theirs = build("SELECT * FROM :m WHERE main_id IN (SELECT main_id FROM :t)", m=mappings, t=people)
    are_any = f"{people.name}_are_any"  # without anybody no row is looked at
    of_touched = sessions_query(c, model, Chosen(ids, exp.Placeholder(this=are_any)))
    query = build(
        """
        SELECT * FROM :base AS b WHERE :id NOT IN (SELECT main_id FROM :people)
        UNION ALL SELECT * FROM :of_touched AS n
        """,
        base=base,
        id=s.visitor,
        people=people,
        of_touched=of_touched,
    )
    return [
        *steps,
        Statement(create("temporary table", people, listed), "visitors who are touched"),
        Statement(create("temporary table", ids, theirs), "their ids"),
        Bind((are_any,), build("SELECT COUNT(*) > 0 FROM :people", people=people), "whether there are any"),
        Statement(create("table", relation, query), "sessions of theirs anew, those of others as they are"),
    ]


def people_of_moved_ids(carried: CarriedSessions) -> list[exp.Expr]:
    """Return the main ids, then and now, of ids that came, went, or belong to somebody else now."""
    return [
        build(
            "SELECT :side AS main_id FROM :changes WHERE version > :since AND change <> 'seen'",
            side=side,
            changes=carried.changes,
            since=exp.Literal.number(carried.since),
        )
        for side in ("main_id_before", "main_id_after")
    ]


def people_with_other_rows(
    c: Compilation, s: Sessions, carried: CarriedSessions, mappings: exp.Table
) -> list[exp.Expr]:
    """Return the main ids of ids on rows that came, went, or may belong to somebody else."""
    ids: list[exp.Expr] = []
    for source, a in zip(s.sources, carried.days, strict=True):
        types = id_types(source_of(c, source), str(s.entity))
        keys = list(zip(a.keys, types, strict=False))  # the last key is no id
        rows: list[exp.Expr] = [a.come, a.gone]
        if not is_known_by_ids(c, s, source):
            rows.append(_with_moved_ids(a, [key for key, _ in keys], carried))
        ids += [
            build(
                "SELECT r.:key AS id, :type AS id_type FROM :rows AS r WHERE r.:key IS NOT NULL",
                key=key,
                type=text(kind),
                rows=each,
            )
            for each in rows
            for key, kind in keys
        ]
    listed = exp.union(*ids, distinct=True, copy=False) if len(ids) > 1 else ids[0]
    return [
        build(
            "SELECT m.main_id FROM :ids AS i JOIN :m AS m ON m.other_id = i.id AND m.other_id_type = i.id_type",
            ids=listed,
            m=mappings,
        )
    ]


def _with_moved_ids(a: Accumulator, keys: Iterable[str], carried: CarriedSessions) -> exp.Expr:
    """Return the rows of an accumulator of which one of several ids is somebody else's now."""
    moved = build(
        "SELECT other_id FROM :changes WHERE version > :since AND change <> 'seen'",
        changes=carried.changes,
        since=exp.Literal.number(carried.since),
    )
    has_one = exp.or_(*(build(":key IN (:moved)", key=key, moved=moved) for key in keys))
    return build("SELECT * FROM :table AS t WHERE :has_one", table=a.table, has_one=has_one)


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
