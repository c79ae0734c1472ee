"""Finds connected components in SQL: nothing but counts is fetched, and only temporary tables are written.

Randomised contraction with pointer jumping. In a round, every node points at its smallest neighbour, or at itself where
none is smaller; pointers are followed until each leads to a node that points at itself; every edge is then put between
the nodes where the pointers of its ends lead, and one from a node to itself is dropped. What is small is decided by an
affine map of the node numbers modulo a prime: by the numbers themselves, a path whose nodes are numbered in order would
be one long pointer.

Each round leaves fewer edges, since the greatest node of every component that has one points elsewhere. A map is used
for two rounds. In the first, a star is left with those of its leaves that are smaller than its centre, around the
smallest of them; in the second, these point at it, and nothing is left. The next map is independent of the one before,
by which no graph is expected to keep more than three quarters of its nodes from map to map, however it was built; what
occurs in practice keeps a few hundredths.

H. Boegeholz, M. Brand, R.-A. Todor: In-database connected component analysis, ICDE 2020 (the contraction and its maps);
Y. Shiloach, U. Vishkin: An O(log n) parallel connectivity algorithm, Journal of Algorithms 3, 1982 (the jumps).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.compile.statement import create, scratch
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.sql import build
from profiles_pipeline.warehouse.base import Warehouse

NARROW = 2**31 - 1
"""The largest prime whose products fit into 64 bits."""

WIDE = 2**61 - 1
"""A prime for more nodes than that; its products need decimals of 37 digits."""

_SEED = 20
"""Makes a run repeatable: the same edges take the same rounds."""


@dataclass(frozen=True, slots=True)
class Affine:
    """The map ``x -> (factor * x + shift) mod prime``: a permutation of the numbers below the prime."""

    factor: int
    shift: int
    prime: int

    def of(self, number: exp.Expr) -> exp.Expr:
        """Return the SQL for the image of a number."""
        kind = "BIGINT" if self.prime <= NARROW else "DECIMAL(38, 0)"
        literals = {name: exp.cast(exp.Literal.number(value), kind) for name, value in self._values().items()}
        image = build(":factor * :x + :shift", x=exp.cast(number.copy(), kind), **literals)
        return exp.cast(exp.Mod(this=exp.Paren(this=image), expression=exp.cast(str(self.prime), kind)), "BIGINT")

    def _values(self) -> dict[str, int]:
        return {"factor": self.factor, "shift": self.shift}

    def then(self, other: Affine) -> Affine:
        """Return the map that does this and then the other."""
        factor = other.factor * self.factor % self.prime
        return Affine(factor, (other.factor * self.shift + other.shift) % self.prime, self.prime)

    @property
    def inverse(self) -> Affine:
        """The map that undoes this one."""
        factor = pow(self.factor, -1, self.prime)
        return Affine(factor, -factor * self.shift % self.prime, self.prime)


@dataclass(frozen=True, slots=True)
class Contracted:
    """How a graph was contracted.

    Attributes:
        edges: number of edges at the beginning of each round, the smaller the later.
        jumps: how often pointers were followed in each round.
    """

    edges: tuple[int, ...]
    jumps: tuple[int, ...]

    @property
    def rounds(self) -> int:
        """How many rounds it took."""
        return len(self.edges)


def solve(warehouse: Warehouse, step: SolveComponents, prime: int | None = None) -> Contracted:
    """Make the temporary table of `step` with the component of each node, and return how.

    The number of a component is that of one of its nodes.

    Args:
        warehouse: where.
        step: which graph.
        prime: must be greater than any node number; None chooses by the number of nodes.

    Raises:
        WarehouseError: the warehouse refuses a statement, or a round has left as many edges as there were.
    """
    nodes = _number(warehouse, step.nodes)
    loop = _Loop(warehouse, step, prime or (NARROW if nodes < NARROW else WIDE))
    contracted = loop.contract()
    loop.label()
    return contracted


class _Loop:
    """The loop over one graph. Every table that it makes is temporary, and dropped as soon as it is not needed."""

    def __init__(self, warehouse: Warehouse, step: SolveComponents, prime: int) -> None:
        self._warehouse = warehouse
        self._step = step
        self._maps = _maps(prime)
        self._orders: list[Affine] = []
        self._pointers: list[exp.Table] = []

    def contract(self) -> Contracted:
        """Leave the pointers of every round behind; afterwards no edge is left."""
        counts, jumps = [], []
        order = self._maps()
        self._make(self._table("edges", 0), _oriented(self._step.edges, order, ("a", "b")))
        left = self._count(self._table("edges", 0))
        while left:
            counts.append(left)
            number = len(self._orders)
            self._orders.append(order)
            edges, first = self._table("edges", number), self._table("pointers", number, 0)
            self._make(first, smallest_neighbours(edges))
            pointers, steps = self._flatten(first)
            self._pointers.append(pointers)
            jumps.append(steps)
            following = self._maps() if number % 2 else order
            contracted, moved = self._table("edges", number + 1), order.inverse.then(following)
            self._make(contracted, _oriented(_between_targets(edges, pointers), moved, ("x", "y")))
            self._drop(edges)
            order, left = following, self._count(contracted)
            if left >= counts[-1]:
                raise WarehouseError(f"round {number + 1} of the contraction has left {left} edges of {counts[-1]}")
        self._drop(self._table("edges", len(self._orders)))
        return Contracted(tuple(counts), tuple(jumps))

    def label(self) -> None:
        """Make the result out of the pointers, from those of the last round to those of the first."""
        last = len(self._orders) - 1
        for number in range(last, -1, -1):
            pointers = self._pointers[number]
            target = self._orders[number].inverse.of(build("p.target"))
            if number == last:
                query = build("SELECT p.node, :target AS root FROM :pointers AS p", target=target, pointers=pointers)
            else:
                query = build(
                    """
                    SELECT p.node, COALESCE(r.root, :target) AS root FROM :pointers AS p
                    LEFT JOIN :roots AS r ON r.node = :moved
                    """,
                    target=target,
                    pointers=pointers,
                    roots=self._table("roots", number + 1),
                    moved=self._orders[number].inverse.then(self._orders[number + 1]).of(build("p.target")),
                )
            self._make(self._table("roots", number), query)
            self._drop(pointers)
            if number < last:
                self._drop(self._table("roots", number + 1))
        self._make(self._step.result, self._components())
        if self._orders:
            self._drop(self._table("roots", 0))

    def _components(self) -> exp.Expr:
        if not self._orders:
            return build("SELECT n.node, n.node AS component FROM :nodes AS n", nodes=self._step.vertices)
        return build(
            """
            SELECT n.node, COALESCE(r.root, n.node) AS component FROM :nodes AS n
            LEFT JOIN :roots AS r ON r.node = :image
            """,
            nodes=self._step.vertices,
            roots=self._table("roots", 0),
            image=self._orders[0].of(build("n.node")),
        )

    def _flatten(self, pointers: exp.Table) -> tuple[exp.Table, int]:
        """Follow pointers until every one leads to a node that points at itself; return them, and how many it took."""
        jumps = 0
        while self._is_followed(pointers):
            jumps += 1
            further = self._table("pointers", len(self._orders) - 1, jumps)
            self._make(
                further,
                build(
                    """
                    SELECT p.node, q.target FROM :pointers AS p JOIN :pointers AS q ON q.node = p.target
                    """,
                    pointers=pointers,
                ),
            )
            self._drop(pointers)
            pointers = further
        return pointers, jumps

    def _is_followed(self, pointers: exp.Table) -> bool:
        query = (
            "SELECT COUNT(*) FROM :pointers AS p JOIN :pointers AS q ON q.node = p.target WHERE q.target <> p.target"
        )
        return _number(self._warehouse, build(query, pointers=pointers)) > 0

    def _table(self, kind: str, *numbers: int) -> exp.Table:
        return scratch(self._step.result, "_".join([kind, *map(str, numbers)]))

    def _make(self, table: exp.Table, query: exp.Expr) -> None:
        self._run(create("temporary table", table, query))

    def _drop(self, table: exp.Table) -> None:
        self._run(build("DROP TABLE :table", table=table))

    def _run(self, tree: exp.Expr) -> None:
        self._warehouse.execute(render(tree, self._warehouse.dialect))

    def _count(self, table: exp.Table) -> int:
        return _number(self._warehouse, build("SELECT COUNT(*) FROM :table", table=table))


def _maps(prime: int) -> Callable[[], Affine]:
    chance = random.Random(_SEED)  # noqa: S311 - spreads the nodes, guards nothing
    return lambda: Affine(chance.randrange(1, prime), chance.randrange(prime), prime)


def _oriented(edges: exp.Expr, move: Affine, ends: tuple[str, str]) -> exp.Expr:
    """Return edges in another order of the nodes, each once and its greater end first, but none of a node to itself."""
    one, other = ends
    return build(
        """
        SELECT DISTINCT GREATEST(one, other) AS high, LEAST(one, other) AS low
        FROM (SELECT :one AS one, :other AS other FROM :edges AS e WHERE :left <> :right) AS moved
        """,
        one=move.of(exp.column(one)),
        other=move.of(exp.column(other)),
        left=exp.column(one),
        right=exp.column(other),
        edges=edges,
    )


def smallest_neighbours(edges: exp.Expr) -> exp.Expr:
    """Return a pointer from each node that has an edge to its smallest neighbour, or itself where none is smaller."""
    return build(
        """
        SELECT node, MIN(target) AS target
        FROM (SELECT high AS node, low AS target FROM :edges AS e UNION ALL SELECT low, low FROM :edges AS e) AS near
        GROUP BY node
        """,
        edges=edges,
    )


def _between_targets(edges: exp.Expr, pointers: exp.Expr) -> exp.Expr:
    return build(
        """
        SELECT p.target AS x, q.target AS y FROM :edges AS e
        JOIN :pointers AS p ON p.node = e.high JOIN :pointers AS q ON q.node = e.low
        """,
        edges=edges,
        pointers=pointers,
    )


def _number(warehouse: Warehouse, query: exp.Expr) -> int:
    return int(str(warehouse.scalar(render(query, warehouse.dialect))))
