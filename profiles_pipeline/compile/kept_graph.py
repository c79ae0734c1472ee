"""What is kept of an id graph from run to run: the edges of each day, the states of its mappings, and what changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile import cardinality, layout, node_metadata
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
from profiles_pipeline.compile.rows import alias, id_value, occurred
from profiles_pipeline.compile.statement import Compilation, Statement, beside, create
from profiles_pipeline.compile.versioned import Versioned
from profiles_pipeline.resolve.model import EdgeSource, Stitcher
from profiles_pipeline.sql import build, canonical_text

TIME = "state.time"
"""Name of the column with the time of a row."""

MAPPINGS = ("main_id", "other_id", "other_id_type", "valid_at", "first_seen_at", "component")
"""Columns of the mappings of a graph."""


@dataclass(frozen=True)
class Base:
    """The state of an id graph that a stitcher goes on from.

    Attributes:
        mappings: its mappings, a table or a query; None when there are none, and everything is new.
        version: number of the state that is made now: one more than that of the state before.
        is_plain: whether it was made of edges alone, without caps, manual rules and metadata.
        is_logged: whether there is the log of what changed up to it.
    """

    mappings: exp.Expr | None
    version: int
    is_plain: bool = False
    is_logged: bool = False


@dataclass(frozen=True)
class States:
    """All states of an id graph that is made of edges alone: its mappings, and its main ids."""

    mappings: Versioned
    people: Versioned

    @property
    def tables(self) -> tuple[Versioned, Versioned]:
        """Both tables."""
        return self.mappings, self.people


@dataclass(frozen=True)
class Restitching:
    """A stitcher with what it keeps.

    Attributes:
        sources: an accumulator for each edge source.
        changes: table of what changed for each id, by version.
        base: what it goes on from.
        states: where its states are kept; None for a graph that is solved as a whole each time.
    """

    sources: tuple[Accumulator, ...]
    changes: exp.Table
    base: Base
    states: States | None = None


def accumulators(
    c: Compilation, later: Compilation, model: Stitcher, kept: Mapping[str, Mapping[str, str]]
) -> tuple[Accumulator, ...] | None:
    """Return what is kept of the rows of each edge source; None when ids depend on more than their row.

    Args:
        c: what to compile against.
        later: the same for another end time, from which it shows what moves with it.
        model: the stitcher.
        kept: name of each accumulator that there is -> the files that it has whole, with their states.
    """
    found = []
    for source in model.sources:
        definition, other = _definition(c, model, source), _definition(later, model, source)
        if definition is None or definition != other:
            return None
        owner = f"{c.project.name}/{model.path}"
        name = layout.kept_name(owner, definition)
        table = exp.table_(name, db=c.relation(model.path).db, quoted=True)
        found.append(_accumulator(c, model, source, table, kept.get(name)))
    return tuple(found)


def changes_table(c: Compilation, model: Stitcher) -> exp.Table:
    """Return the table of what changed for each id of a stitcher, by version."""
    return _own_table(c, model, "changes")


def states(
    c: Compilation, model: Stitcher, version: int, exist: Collection[str] = (), current: Collection[str] = ()
) -> States | None:
    """Return where the states of a graph are kept; None for one that is solved as a whole each time.

    Args:
        c: what to compile against.
        model: the stitcher.
        version: number of the state that is made now.
        exist: names of the tables that there are.
        current: names of those that have the state before.
    """
    if not is_plain(model):
        return None
    tables = {"graph": MAPPINGS, "people": ("main_id",)}
    made = [(_own_table(c, model, name), columns) for name, columns in tables.items()]
    are_current = all(table.name in current for table, _ in made)
    return States(*(Versioned(table, columns, version, table.name in exist, are_current) for table, columns in made))


def _own_table(c: Compilation, model: Stitcher, what: str) -> exp.Table:
    name = f"{layout.kept_name(f'{c.project.name}/{model.path}', [what])}_{what}"
    return exp.table_(name, db=c.relation(model.path).db, quoted=True)


def _definition(c: Compilation, model: Stitcher, source: EdgeSource) -> list[str] | None:
    origin = c.graph.models[source.path]
    rows, values = rows_definition(c, origin), _values(c, model, source)
    return [canonical_text(tree) for tree in (*rows, *values)] if rows is not None and are_of_the_row(values) else None


def _values(c: Compilation, model: Stitcher, source: EdgeSource) -> list[exp.Expr]:
    types = {t.name: t for t in model.id_types}
    return [id_value(c, row_id, types[str(row_id.id_type)], source.path) for row_id in source.ids]


def _accumulator(
    c: Compilation, model: Stitcher, source: EdgeSource, table: exp.Table, files: Mapping[str, str] | None
) -> Accumulator:
    origin = c.graph.models[source.path]
    occurred_at = getattr(origin, "occurred_at", None)
    time = occurred(c, occurred_at, source.path) if occurred_at else exp.cast(exp.Null(), "TIMESTAMP")
    values = _values(c, model, source)
    keys = tuple(f"id_{number}" for number in range(len(values)))
    columns = [alias(time, TIME), *(alias(value, key) for value, key in zip(values, keys, strict=True))]
    read = columns_read([time, *values])
    return Accumulator(
        table=table,
        source=source.path,
        rows=bucketed(c, origin, columns),
        changed=bucketed(c, origin, columns, changed_range(c, origin, range_names(table))),
        seen=fingerprints(c, origin, read, None if files is None else (beside(table, "_seen"), files)),
        keys=keys,
        partials={
            "first_seen_at": build("MIN(r.:time)", time=TIME),
            "last_seen_at": build("MAX(r.:time)", time=TIME),
            "row_count": build("COUNT(*)"),
        },
        is_kept=files is not None,
    )


def is_plain(model: Stitcher) -> bool:
    """True when the edges alone decide on the graph: nothing but them can change what a component is."""
    return not cardinality.caps(model) and model.rules is None and not node_metadata.is_kept(model)


def all_tuples(a: Accumulator, where: exp.Expr | None = None) -> exp.Expr:
    """Return the combinations of ids that were seen until the end time, with when and how often."""
    return build(
        """
        SELECT :keys, MIN(first_seen_at) AS first_seen_at, MAX(last_seen_at) AS last_seen_at,
            CAST(SUM(row_count) AS BIGINT) AS row_count
        FROM :table AS t WHERE :where GROUP BY :by
        """,
        keys=list(a.keys),
        table=a.table,
        where=where,
        by=list(a.keys),
    )


def shown(mappings: exp.Table, made: States) -> Statement:
    """Return what makes the mappings of a run: a view of the state of now."""
    return Statement(create("view", mappings, made.mappings.now()), "main id of each id, as of this run")
