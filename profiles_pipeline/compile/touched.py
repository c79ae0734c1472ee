"""Who is touched by what changed: whose rows are others, whose id graph is another, for whom a window has moved.

Nobody else's values can have changed: their rows are the same, and so are their ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile import window_flags
from profiles_pipeline.compile.accumulators import Accumulator
from profiles_pipeline.compile.partials import Split
from profiles_pipeline.compile.rollups import Carried
from profiles_pipeline.compile.rows import has_typed_ids, id_types, is_stitched_from, text
from profiles_pipeline.compile.statement import Compilation, Statement, Step, create
from profiles_pipeline.sql import build


@dataclass(frozen=True)
class People:
    """Temporary tables of people: their main ids, and all their identifiers."""

    people: exp.Table
    ids: exp.Table


@dataclass(frozen=True)
class Found:
    """Where people were found: queries of their main ids, and of identifiers of theirs with the types of these."""

    people: tuple[exp.Expr, ...] = ()
    ids: tuple[exp.Expr, ...] = ()

    def __add__(self, other: Found) -> Found:
        """Return the people of both."""
        return Found((*self.people, *other.people), (*self.ids, *other.ids))


class Touched:
    """Finds the people of an entity that are touched since the run before."""

    def __init__(self, c: Compilation, entity: str, carried: Carried, mappings: exp.Table) -> None:
        """Look among the people of the mappings of an id graph."""
        self.c = c
        self.entity = entity
        self.carried = carried
        self.mappings = mappings

    def listed(self, made: People, found: Found) -> list[Step]:
        """Return the steps that list people, those behind some identifiers among them, and all identifiers of them."""
        mappings, ids, people = self.mappings, found.ids, found.people
        if ids:
            behind = "SELECT m.main_id FROM :ids AS i JOIN :m AS m ON m.other_id = i.id AND m.other_id_type = i.id_type"
            listed = exp.union(*ids, distinct=True, copy=False) if len(ids) > 1 else ids[0]
            people = (*people, build(behind, ids=listed, m=mappings))
        everybody = exp.union(*people, distinct=False, copy=False) if len(people) > 1 else people[0]
        query = build("SELECT DISTINCT main_id FROM :all AS p WHERE main_id IS NOT NULL", all=everybody)
        nodes = build("SELECT * FROM :m WHERE main_id IN (SELECT main_id FROM :t)", m=mappings, t=made.people)
        return [
            Statement(create("temporary table", made.people, query), "who is touched"),
            Statement(create("temporary table", made.ids, nodes), "their ids"),
        ]

    def whose_graph_changed(self) -> Found:
        """Return the main ids, then and now, of ids whose row in the graph is another one."""
        since = exp.Literal.number(self.carried.since)
        sides = (
            build(
                "SELECT :side AS main_id FROM :changes WHERE version > :since",
                side=side,
                changes=self.carried.changes,
                since=since.copy(),
            )
            for side in ("main_id_before", "main_id_after")
        )
        return Found(tuple(sides))

    def with_other_rows(self, accumulators: Iterable[Accumulator]) -> Found:
        """Return whose rows came, went, or may belong to somebody else."""
        found = Found()
        for a in accumulators:
            if a.is_kept:
                found += self._whose(a, a.come) + self._whose(a, a.gone) + self._regrouped(a)
        return found

    def in_moved_windows(self, kept: Iterable[tuple[Accumulator, Split, Split]]) -> Found:
        """Return whose rows a window in time counts in another way than at the end time of the run before.

        Args:
            kept: accumulators, each with the parts of its vars as of now, and as of the run before.
        """
        found = Found()
        for days, now, before in kept:
            if days.is_kept and now.windows:
                found += self._whose(days, window_flags.moved(days.table, now, before))
        return found

    def _whose(self, a: Accumulator, rows: exp.Expr) -> Found:
        """Return whose some rows of an accumulator are."""
        if has_typed_ids(self.c.graph.models[a.source], self.entity):
            return Found(ids=tuple(self._ids_on(a, rows)))
        return Found((build("SELECT r.:key AS main_id FROM :rows AS r", key=a.keys[0], rows=rows),))

    def _ids_on(self, a: Accumulator, rows: exp.Expr) -> list[exp.Expr]:
        """Return the identifiers on some rows of an accumulator, with their types."""
        types = id_types(self.c.graph.models[a.source], self.entity)
        return [
            build(
                "SELECT r.:key AS id, :type AS id_type FROM :rows AS r WHERE r.:key IS NOT NULL",
                rows=rows,
                key=key,
                type=text(id_type),
            )
            for key, id_type in zip(a.keys, types, strict=True)
        ]

    def _regrouped(self, a: Accumulator) -> Found:
        """Return the ids on rows that may change hands, because one of several ids on them is somebody else's now.

        A row that carries the main id of somebody else is another row.
        """
        source = self.c.graph.models[a.source]
        if is_stitched_from(self.c, source, self.entity) or not has_typed_ids(source, self.entity):
            return Found()
        moved = build(
            "SELECT other_id FROM :changes WHERE version > :since AND change <> 'seen'",
            changes=self.carried.changes,
            since=exp.Literal.number(self.carried.since),
        )
        has_one = exp.or_(*(build(":key IN (:moved)", key=key, moved=moved) for key in a.keys))
        rows = build("SELECT * FROM :table AS t WHERE :has_one", table=a.table, has_one=has_one)
        return Found(ids=tuple(self._ids_on(a, rows)))
