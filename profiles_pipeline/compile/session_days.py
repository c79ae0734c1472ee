"""What is kept of the rows that sessions are made of: which ids had events on which day, and how many rows were none.

An accumulator has no room for the rows themselves, but a hash of what they say: a row that is corrected on its day came
and went, whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from profiles_pipeline.compile import layout, session_events
from profiles_pipeline.compile.accumulators import (
    Accumulator,
    are_of_the_row,
    bucketed,
    changed_range,
    columns_read,
    range_names,
    rows_definition,
)
from profiles_pipeline.compile.fingerprints import fingerprints
from profiles_pipeline.compile.rows import (
    alias,
    col,
    has_typed_ids,
    id_types,
    id_values,
    left_join,
    looked_up_ids,
    looked_up_rows,
    text,
)
from profiles_pipeline.compile.session_events import is_known_by_ids, source_of
from profiles_pipeline.compile.session_rejects import UNKNOWN_ID, reason
from profiles_pipeline.compile.session_tracks import fact_value
from profiles_pipeline.compile.statement import Compilation, beside
from profiles_pipeline.resolve.session_models import EventSource, Sessions, SessionTable
from profiles_pipeline.sql import build, canonical_text

REASON = "state.reason"
"""Name of the column that says why a row is no event of anybody."""


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
        if trees is None or other is None or [*map(canonical_text, trees)] != [*map(canonical_text, other)]:
            return None
        name = layout.kept_name(f"{c.project.name}/{model.path}", [str(number), *definition])
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
    why = alias(reason(c, s, source), REASON)
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


def counted_days(c: Compilation, s: Sessions, days: Iterable[Accumulator]) -> exp.Expr:
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
