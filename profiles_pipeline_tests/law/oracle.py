"""What a project says, computed row by row in plain Python: id graph, vars, cohorts and feature views.

Knows nothing of the engine. Rows are mappings of column to value, times are naive UTC. Rows at or after the end time
are invisible, rows without a time are always visible, ids without anything to be seen do not exist.
"""

from __future__ import annotations

import hashlib
import statistics
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

NODE_SALT = "fe971b24-9572-4005-b22f-351e9c09274d"
GRAPH = "id graph"
"""Name of the source whose rows are the nodes of the id graph."""

Cell = Any
"""A value in a table, of whatever type."""

Row = Mapping[str, Cell]
Node = tuple[str, str]
"""Value and id type."""


@dataclass(frozen=True)
class Source:
    """Rows with ids: a given table, or what a query makes of the visible rows of others.

    Attributes:
        ids: (column, id type), in the order in which they decide whose a row is.
        time: the column with the time of a row.
        stitched: whether its rows join ids.
        query: makes the rows out of those of the sources before this one.
    """

    name: str
    ids: tuple[tuple[str, str], ...]
    time: str | None = None
    stitched: bool = False
    query: Callable[[Mapping[str, Sequence[Row]]], list[Row]] | None = None


@dataclass(frozen=True)
class RowVar:
    """A column that is computed over the rows of a source that share `partition` (None: the person) in an order.

    `value` is given these rows and the place of the row in question; rows without an order key come last.
    """

    name: str
    source: str
    value: Callable[[Sequence[Row], int], Cell]
    partition: str | None = None
    order: tuple[str, ...] = ()


@dataclass(frozen=True)
class Var:
    """One value per person: an aggregate over rows, or, without a source, something made of other vars.

    Attributes:
        kind: a key of `AGGREGATES`, or a function of the rows that match.
        column: what is aggregated: a column, or a function of row and person.
        where: which rows match, beside the windows.
        days: only rows of the day of the end time and this many days before it.
        hours: only rows at most this many hours before the end time.
        order: columns that put the rows in order; rows that tie are told apart by the value.
        derived: the value of a var without a source.
        cohort: whose var it is.
    """

    name: str
    kind: str | Callable[[Sequence[Row], Person], Cell] = "count_rows"
    source: str | None = None
    column: str | Callable[[Row, Person], Cell] = ""
    where: Callable[[Row, Person], Cell] = lambda *_: True
    days: int | None = None
    hours: int | None = None
    order: tuple[str, ...] = ()
    default: Cell = None
    derived: Callable[[Person], Cell] | None = None
    cohort: str | None = None


@dataclass(frozen=True)
class Cohort:
    """Persons of whom something holds; they have the vars of these cohorts, beside those of everybody."""

    name: str
    holds: Callable[[Person], Cell]
    has_vars_of: tuple[str, ...]


@dataclass(frozen=True)
class Spec:
    """What a project declares. `keeps` says per id type which ids are not filtered out."""

    sources: tuple[Source, ...]
    vars: tuple[Var, ...]
    row_vars: tuple[RowVar, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    keeps: Mapping[str, Callable[[str], bool]] | None = None


@dataclass(frozen=True)
class Seen:
    """What the id graph says of a node."""

    main_id: str
    first_seen: datetime | None
    last_seen: datetime | None


def main_id(value: str, id_type: str) -> str:
    """Return the main id of a cluster whose eldest node is this one."""
    inner = hashlib.sha1((NODE_SALT + value).encode()).hexdigest()[:32]
    return "rid" + hashlib.sha1((inner + id_type).encode()).hexdigest()[:32]


def is_blank(text: str) -> bool:
    """True when nothing of a text can be seen."""
    return all(unicodedata.category(c)[0] == "Z" or unicodedata.category(c) in ("Cc", "Cf") for c in text)


class Person:
    """One main id with its vars, by name; each is computed when it is asked for."""

    def __init__(self, world: World, main_id: str) -> None:
        self.world = world
        self.main_id = main_id
        self.now = world.end
        self._known: dict[str, Cell] = {}

    def __getitem__(self, name: str) -> Cell:
        if name not in self._known:
            self._known[name] = self._value(self.world.vars[name])
        return self._known[name]

    def _value(self, var: Var) -> Cell:
        if var.derived is not None:
            value = var.derived(self)
        elif var.source is None:
            value = None
        else:
            rows = [row for row in self.world.rows_of[var.source][self.main_id] if self._matches(var, row)]
            value = self._aggregate(var, rows) if rows else None
        return var.default if value is None else value

    def _matches(self, var: Var, row: Row) -> bool:
        if var.days is not None and not (row["ts"] and (self.now.date() - row["ts"].date()).days <= var.days):
            return False
        if var.hours is not None and not (row["ts"] and row["ts"] >= self.now - timedelta(hours=var.hours)):
            return False
        return bool(var.where(row, self))

    def _aggregate(self, var: Var, rows: list[Row]) -> Cell:
        if callable(var.kind):
            return var.kind(rows, self)
        column = var.column
        values = [column(row, self) if callable(column) else row.get(column) for row in rows]
        if var.order:
            keys = [(*(row[key] for key in var.order), value) for row, value in zip(rows, values, strict=True)]
            values = [key[-1] for key in sorted(keys, key=lambda key: [_last_if_none(part) for part in key])]
        return AGGREGATES[var.kind](values)


class World:
    """What a project says of given tables at an end time."""

    def __init__(self, spec: Spec, tables: Mapping[str, Sequence[Row]], end: datetime) -> None:
        self.spec = spec
        self.end = end
        self.vars = {var.name: var for var in spec.vars}
        self.visible: dict[str, Sequence[Row]] = {}
        for source in spec.sources:
            rows = source.query(self.visible) if source.query else tables[source.name]
            self.visible[source.name] = [
                row for row in rows if not source.time or row[source.time] is None or row[source.time] < end
            ]
        self.graph = self._graph()
        self.persons = {main: Person(self, main) for main in sorted({seen.main_id for seen in self.graph.values()})}

    def _nodes(self, source: Source, row: Row) -> list[Node]:
        """The ids of a row that count, in the order of the source."""
        keeps = self.spec.keeps or {}
        found = [(str(row[column]), kind) for column, kind in source.ids if row[column] is not None]
        return [(v, kind) for v, kind in found if not is_blank(v) and (kind not in keeps or keeps[kind](v))]

    def _graph(self) -> dict[Node, Seen]:
        parent: dict[Node, Node] = {}
        times: dict[Node, list[datetime]] = defaultdict(list)

        def root(node: Node) -> Node:
            while parent[node] != node:
                node = parent[node]
            return node

        for source in self.spec.sources:
            for row in self.visible[source.name] if source.stitched else ():
                nodes = self._nodes(source, row)
                for node in nodes:
                    parent.setdefault(node, node)
                    parent[root(node)] = root(nodes[0])
                    if source.time and row[source.time] is not None:
                        times[node].append(row[source.time])
        names: dict[Node, tuple[datetime, str]] = {}
        for node in parent:
            age = (min(times[node], default=datetime.max), main_id(*node))
            names[root(node)] = min(names.get(root(node), age), age)
        return {
            node: Seen(names[root(node)][1], min(times[node], default=None), max(times[node], default=None))
            for node in parent
        }

    @cached_property
    def rows_of(self) -> dict[str, dict[str | None, list[Row]]]:
        """Source -> main id -> its visible rows, with their row vars."""
        owned: dict[str, dict[str | None, list[Row]]] = {GRAPH: defaultdict(list)}
        for (value, kind), seen in self.graph.items():
            owned[GRAPH][seen.main_id].append({"other_id": value, "other_id_type": kind, "ts": seen.last_seen})
        for source in self.spec.sources:
            by_person = owned[source.name] = defaultdict(list)
            for row in self.rows_with_vars(source.name):
                by_person[row["main id"]].append(row)
        return owned

    def rows_with_vars(self, name: str) -> list[dict[str, Cell]]:
        """Return the visible rows of a source with their row vars; "main id" is that of the first id that has one."""
        source = next(source for source in self.spec.sources if source.name == name)
        rows = []
        for row in self.visible[name]:
            known = (self.graph[node].main_id for node in self._nodes(source, row) if node in self.graph)
            rows.append({**row, "main id": next(known, None)})
        for var in self.spec.row_vars:
            if var.source == name:
                _add(var, rows)
        return rows

    def features(self, cohort: Cohort | None) -> dict[str, dict[str, Cell]]:
        """Return main id -> vars of the persons of a cohort; of all for None."""
        names = [v.name for v in self.spec.vars if v.cohort is None or (cohort and v.cohort in cohort.has_vars_of)]
        members = [person for person in self.persons.values() if cohort is None or cohort.holds(person)]
        return {person.main_id: {name: person[name] for name in names} for person in members}

    def persons_by_id(self, id_type: str) -> dict[str, str]:
        """Return id -> main id of every id of a type."""
        return {value: seen.main_id for (value, kind), seen in self.graph.items() if kind == id_type}


def _add(var: RowVar, rows: list[dict[str, Cell]]) -> None:
    groups: dict[Cell, list[dict[str, Cell]]] = defaultdict(list)
    for row in rows:
        groups[row[var.partition or "main id"]].append(row)
    for group in groups.values():
        ordered = sorted(group, key=lambda row: tuple(_last_if_none(row[key]) for key in var.order))
        values = [var.value(ordered, place) for place in range(len(ordered))]
        for row, value in zip(ordered, values, strict=True):
            row[var.name] = value


def _last_if_none(value: Cell) -> tuple[bool, Cell]:
    return (value is None, 0 if value is None else value)


def _known(values: Sequence[Cell]) -> list[Cell]:
    return [value for value in values if value is not None]


AGGREGATES: Mapping[str, Callable[[list[Cell]], Cell]] = {
    "count_rows": len,
    "count": lambda values: len(_known(values)),
    "count_distinct": lambda values: len(set(_known(values))),
    "sum": lambda values: sum(_known(values)) if _known(values) else None,
    "avg": lambda values: statistics.fmean(_known(values)) if _known(values) else None,
    "min": lambda values: min(_known(values), default=None),
    "max": lambda values: max(_known(values), default=None),
    "median": lambda values: statistics.median(_known(values)) if _known(values) else None,
    "stddev": lambda values: statistics.stdev(_known(values)) if len(_known(values)) > 1 else None,
    "most_frequent": lambda values: min(statistics.multimode(_known(values)), default=None),
    "any": lambda values: any(_known(values)) if _known(values) else None,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "last_known": lambda values: next(reversed(_known(values)), None),
    "list": _known,
    "distinct": lambda values: sorted(set(_known(values))),
    "joined": lambda values: ",".join(sorted(set(_known(values)))),
}
