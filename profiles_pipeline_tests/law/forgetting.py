"""People are forgotten in the middle of a history: whom that is about, and what must be left of them afterwards.

The oracle knows one rule: a row that carries an identifier of somebody who was forgotten was never there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from hypothesis import strategies as st

from profiles_pipeline_tests.law import projects
from profiles_pipeline_tests.law.histories import (
    COLUMNS,
    Forget,
    History,
    Layout,
    Tables,
    TakeBack,
    histories,
)
from profiles_pipeline_tests.law.oracle import Node, World
from profiles_pipeline_tests.law.place import Relations
from profiles_pipeline_tests.law.projects import Shape

ID_TYPES = ("user_id", "anonymous_id", "email")
"""Every column of this name is declared to hold ids of the type."""


@dataclass(frozen=True)
class Meant:
    """Whom a request is about: the identifiers that are named, and all that go, with their main ids."""

    named: tuple[Node, ...]
    ids: frozenset[Node]
    main_ids: frozenset[str]


@dataclass
class Memory:
    """Who is forgotten, and what the finished runs have seen.

    Attributes:
        requests: the identifiers of each request that holds.
        runs: the end time of each finished run, with the project and the rows that it read.
    """

    requests: list[frozenset[Node]] = field(default_factory=list)
    runs: list[tuple[datetime, Shape, Tables]] = field(default_factory=list)

    def seen(self, tables: Tables) -> Tables:
        """Return tables as runs read them now."""
        gone = frozenset().union(*self.requests)
        if not gone:
            return tables
        return {name: [row for row in rows if not _carries(name, row, gone)] for name, rows in tables.items()}

    def meant(self, act: Forget) -> Meant | None:
        """Return whom a request is about, by the newest window that was built; None where nobody has been seen."""
        _, (end, shape, tables) = max(enumerate(self.runs), key=lambda each: (each[1][0], each[0]))
        graph = World(projects.spec_of(shape), tables, end).graph
        nodes = sorted(graph, key=lambda node: ("~" in node[0], node))  # those of the history itself, then the crowd
        if not nodes:
            return None
        named = tuple(dict.fromkeys(nodes[at % len(nodes)] for at in act.at))
        main_ids = frozenset(graph[node].main_id for node in named)
        return Meant(named, frozenset(node for node in nodes if graph[node].main_id in main_ids), main_ids)

    def taken_back(self, act: TakeBack) -> Node | None:
        """Take requests back that an identifier is in, and return that; None where nobody is forgotten."""
        nodes = sorted(frozenset().union(*self.requests))
        if not nodes:
            return None
        node = nodes[act.at % len(nodes)]
        self.requests = [ids for ids in self.requests if node not in ids]
        return node


def _carries(table: str, row: Mapping[str, object], ids: frozenset[Node]) -> bool:
    return any((row[kind], kind) in ids for kind in ID_TYPES if kind in COLUMNS[table])


def broken(before: Relations, after: Relations, meant: Meant) -> Iterable[str]:
    """Yield what is wrong with what a run before has left, once people were taken out of it, a sentence each.

    Rows may go, and no other may change or come. No cell may have an identifier, or the main id.
    """
    names = [*(value for value, _ in meant.ids), *meant.main_ids]
    for path, relation in after.items():
        rows = Counter(map(repr, relation.rows))
        if others := rows - Counter(map(repr, before[path].rows)):
            yield f"{path}: rows have changed or come: {list(others)[:2]}"
        if left := [row for row in rows if any(f"'{name}'" in row for name in names)]:
            yield f"{path}: somebody is left in {left[:2]}"


_ASKED = st.lists(
    st.one_of(
        st.builds(Forget, st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True).map(tuple)),
        st.builds(TakeBack, st.integers(0, 20)),
    ),
    max_size=2,
).map(tuple)


@st.composite
def forgetful(draw: st.DrawFn, layout: Layout, most_steps: int) -> History:
    """Draw a history in which people are forgotten."""
    history = draw(histories(layout, most_steps))
    first, *steps = history.steps
    who = draw(st.lists(st.integers(0, 20), min_size=1, max_size=2, unique=True))
    steps = [replace(step, asked=draw(_ASKED)) for step in steps]
    return replace(history, steps=(replace(first, asked=(Forget(tuple(who)),)), *steps))
