"""Stitches rows with the compiled stitcher on an in-memory DuckDB, and, for comparison, with a union-find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from sqlglot import exp

from profiles_pipeline import identity, plan
from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.dialects import render
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.stages import State
from profiles_pipeline.testing import main_id
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings

END = datetime(2024, 2, 1, tzinfo=UTC)

Solver = Callable[[Warehouse, SolveComponents], object]
Node = tuple[str, str]
Row = tuple[object, ...]
"""The values of the id columns, then the time (a naive UTC datetime or None)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an id graph says of a node."""

    main_id: str
    valid_at: datetime | None
    first_seen_at: datetime | None


Graph = dict[Node, Found]


@dataclass(frozen=True)
class Bench:
    """A warehouse with one table of events and the compiled stitcher over it."""

    warehouse: Warehouse
    steps: tuple[SolveComponents | str, ...]
    relation: str
    width: int
    solve: Solver

    def graph(self, rows: Sequence[Row]) -> Graph:
        """Return the id graph of these rows."""
        self.warehouse.execute("DELETE FROM events")
        if rows:
            marks = ", ".join(f"({', '.join('?' * (self.width + 1))})" for _ in rows)
            self.warehouse.execute(f"INSERT INTO events VALUES {marks}", [value for row in rows for value in row])
        for step in self.steps:
            if isinstance(step, SolveComponents):
                self.solve(self.warehouse, step)
            else:
                self.warehouse.execute(step)
        query = f"SELECT other_id_type, other_id, user_main_id, valid_at, first_seen_at FROM {self.relation}"
        found = self.warehouse.query(query).rows
        graph = {(str(kind), str(value)): Found(str(main), valid, first) for kind, value, main, valid, first in found}  # type: ignore[arg-type]
        assert len(graph) == len(found), "a node has two rows"
        return graph


@contextmanager
def bench(
    folder: Path, id_types: Sequence[str], filters: str = "[]", solve: Solver = identity.solve
) -> Iterator[Bench]:
    """Yield a bench whose events carry one id of each given type, in this order; a type may come twice."""
    project = _project(folder, tuple(id_types), filters)
    with connect_duckdb(DuckDBSettings(path=MEMORY, base=folder), purpose="test") as warehouse:
        columns = ", ".join(f"id{n} VARCHAR" for n in range(len(id_types)))
        warehouse.execute(f"CREATE TABLE events ({columns}, ts TIMESTAMP)")
        sources = plan.Sources(of_input=lambda _: exp.to_table("events"), of_table=lambda table: table)
        request = plan.Request(("models/user_default_id_stitcher",))
        planned = plan.build(project, State(), plan.Window(1, END), sources, schema="main", request=request)
        (stage,) = planned.materials
        steps = tuple(s if isinstance(s, SolveComponents) else render(s.tree, "duckdb") for s in stage.script.steps)
        yield Bench(warehouse, steps, f'main."{stage.material}"', len(id_types), solve)


@lru_cache
def _project(folder: Path, id_types: tuple[str, ...], filters: str) -> ProfilesProject:
    kinds = sorted(set(id_types))
    ids = [f"{{select: id{n}, type: {kind}, entity: user}}" for n, kind in enumerate(id_types)]
    (folder / "pb_project.yaml").write_text(
        "name: graphs\nschema_version: 98\nmodel_folders: [inputs.yaml]\n"
        f"entities: [{{name: user, id_types: [{', '.join(kinds)}]}}]\n"
        f"id_types: [{', '.join(f'{{name: {kind}, filters: {filters}}}' for kind in kinds)}]\n"
    )
    (folder / "inputs.yaml").write_text(
        f"inputs: [{{name: events, table: events, occurred_at_col: ts, ids: [{', '.join(ids)}]}}]\n"
    )
    return ProfilesProject.load(folder)


def union_find_graph(id_types: Sequence[str], rows: Sequence[Row]) -> Graph:
    """Return the id graph by the book: join what stands on one row, then name each cluster by its eldest node."""
    parent: dict[Node, Node] = {}
    times: dict[Node, list[datetime]] = {}

    def root(node: Node) -> Node:
        while parent[node] != node:
            node = parent[node]
        return node

    for *values, ts in rows:
        nodes = [(k, str(v)) for k, v in zip(id_types, values, strict=True) if v is not None and str(v).strip(" ")]
        for node in nodes:
            parent.setdefault(node, node)
            times.setdefault(node, []).extend([ts] if isinstance(ts, datetime) else [])
            parent[root(node)] = root(nodes[0])
    eldest: dict[Node, tuple[datetime, str]] = {}
    for node in parent:
        age = (min(times[node], default=datetime.max), main_id(*node))
        eldest[root(node)] = min(eldest.get(root(node), age), age)
    return {n: Found(eldest[root(n)][1], max(times[n], default=None), min(times[n], default=None)) for n in parent}


def clusters(graph: Graph) -> set[frozenset[Node]]:
    """Return the partition of the nodes."""
    members: dict[str, set[Node]] = {}
    for node, found in graph.items():
        members.setdefault(found.main_id, set()).add(node)
    return {frozenset(nodes) for nodes in members.values()}
