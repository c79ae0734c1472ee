"""Finds out how each var of a table is brought up to date (`rollups`), given the table as of three times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile import rollups
from profiles_pipeline.compile.accumulators import rows_definition
from profiles_pipeline.compile.entity_vars import Growing
from profiles_pipeline.compile.rollups import Carried, Strategy, Texts
from profiles_pipeline.compile.rows import ids_on_rows
from profiles_pipeline.compile.var_reads import VarReads
from profiles_pipeline.resolve.model import EntityVar, Source


@dataclass(frozen=True)
class Strategies:
    """How the vars of a table are brought up to date, by their lower-case names.

    Attributes:
        found: name -> strategy.
        still: those that read the same at any end time.
        filled_the_same: those whose defaults read the same at any end time.
    """

    found: Mapping[str, Strategy]
    still: frozenset[str]
    filled_the_same: frozenset[str]


def find(table: Growing, carried: Carried, reads: VarReads) -> Strategies:
    """Return how the vars of a table are brought up to date."""
    return _Finder(table, carried, reads).strategies()


class _Finder:
    def __init__(self, table: Growing, carried: Carried, reads: VarReads) -> None:
        self.table = table
        self.c = table.c
        self.carried = carried
        self.reads = reads
        self.entity = table.cohort.entity
        self.why_rows_move = cache(self._why_rows_move)

    def strategies(self) -> Strategies:
        """Return the strategies of all vars."""
        table = self.table
        later = Growing(self.carried.later, table.model, table.relation)
        moving = {n for n in table.pending if rollups.words(table.read[n]) != rollups.words(later.read[n])}
        before = Growing(self.carried.before or self.c, table.model, table.relation) if moving else table
        found: dict[str, Strategy] = {}
        for name, var in table.pending.items():
            if var.source is None or table.read[name].select is None:
                found[name] = Strategy("derived", "computed from other vars")
            else:
                now = Texts(table.shared_expression(var), table.read[name])
                others = [now, now]  # what reads the same at any time
                if name in moving:
                    others = [Texts(each.shared_expression(var), each.read[name]) for each in (before, later)]
                found[name] = self._strategy(var, (now, others[0], others[1]))
        filled_the_same = frozenset(n for n in found if table.read[n].default == later.read[n].default)
        still = filled_the_same - moving
        return Strategies({name: self._with_needs(name, found, still) for name in found}, still, filled_the_same)

    def _strategy(self, var: EntityVar, texts: tuple[Texts, Texts, Texts]) -> Strategy:
        source = self.c.graph.models[str(var.source)]
        if isinstance(source, Source):
            if (why_not := self.why_rows_move(source.path)) is not None:
                return Strategy("full", why_not)
            if texts[0].read.columns & self.table.added_columns(source.path):
                return Strategy("full", "it looks at the main ids of others")
        inputs = [
            (v, rollups.reads_the_same(v, self.c.reader, self.carried.later.reader))
            for v in self.reads.behind(source.path, [var])
        ]
        return rollups.strategy(self.c, source, self.entity, texts, inputs, self.reads.own_ids)

    def _why_rows_move(self, path: str) -> str | None:
        """Return why the rows of a source, or the ids on them, may change without one of them changing."""
        source = self.c.graph.models[path]
        assert isinstance(source, Source)
        times = self.c, self.carried.later
        now, other = ((rows_definition(c, source), ids_on_rows(c, source, self.entity)) for c in times)
        if now[0] is None or other[0] is None or _texts(now[0]) != _texts(other[0]):
            return "which rows count depends on other tables or on the end time"
        if _texts(now[1]) != _texts(other[1]) or any(map(sql.has_subquery, now[1])):
            return "the ids on its rows depend on other tables or on the end time"
        return None

    def _with_needs(self, name: str, found: Mapping[str, Strategy], still: frozenset[str]) -> Strategy:
        """Return the strategy of a var, given those of the vars that it needs on rows."""
        own = found[name]
        if own.kind != "replay":
            return own
        for key in self.reads.needs(name):
            if not rollups.is_settled(key, self.table.model.path, self.c.graph.var_homes, found, still):
                return Strategy("full", f"it needs {key[1]} on its rows, which may change for everybody")
        return own


def _texts(trees: Iterable[exp.Expr]) -> list[str]:
    return [sql.canonical_text(tree) for tree in trees]
