"""Connected components as a script that needs nobody to count its rounds: trees, to be repeated until no edge is left.

The contraction of `contraction`, in tables of the same names each time, and with pointers that are followed twice per
round instead of to their ends: where they lead suffices, since the next round goes on from there. Two rounds are taken
by one map, as there; the map lies in a table, since it is another one each time.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.compile.statement import create, scratch
from profiles_pipeline.identity.contraction import NARROW, smallest_neighbours
from profiles_pipeline.sql import build

_FACTOR, _SHIFT = 1_103_515_245, 12_345
"""The first map, and by what the next follows from each."""

_STEP = 48_271
"""A primitive root of the prime: all factors come before one comes again."""


@dataclass(frozen=True, slots=True)
class Contraction:
    """How to label the nodes of a graph.

    Attributes:
        before: statements to begin with.
        rounds: statements to repeat until `left` is 0: two rounds.
        left: query that counts the edges that are left.
        after: statements that make the result.
        guard: query that fails where there are more nodes than can be told apart.
        check: query that fails while edges are left.
    """

    before: tuple[exp.Expr, ...]
    rounds: tuple[exp.Expr, ...]
    left: exp.Expr
    after: tuple[exp.Expr, ...]
    guard: exp.Expr
    check: exp.Expr


def contraction_script(step: SolveComponents) -> Contraction:
    """Return the statements that make the result of a step, whatever the graph."""
    t = _Tables(step)
    edges, roots, moved = t("edges"), t("roots"), t("map")
    begin = build("SELECT CAST(:f AS BIGINT) AS factor, CAST(:s AS BIGINT) AS shift", **_numbers(f=_FACTOR, s=_SHIFT))
    ends = build("SELECT :x AS x, :y AS y FROM :edges AS e CROSS JOIN :map AS m WHERE e.a <> e.b",
                 x=_moved(build("e.a")), y=_moved(build("e.b")), edges=step.edges, map=moved)  # fmt: skip
    everybody = build("SELECT n.node, :root AS root FROM :nodes AS n CROSS JOIN :map AS m",
                      root=_moved(build("n.node")), nodes=step.vertices, map=moved)  # fmt: skip
    found = build("SELECT r.node, MIN(r.node) OVER (PARTITION BY r.root) AS component FROM :roots AS r", roots=roots)
    return Contraction(
        before=(t.make("map", begin), t.make("edges", _oriented(ends)), t.make("roots", everybody)),
        rounds=(*_round(t, "", "_then"), *_round(t, "_then", "")),
        left=build("SELECT COUNT(*) AS edges_left FROM :edges AS e", edges=edges),
        after=(
            create("temporary table", step.result, found),
            *(build("DROP TABLE :table", table=table) for table in t.made),
        ),
        guard=_fails_unless("COUNT(*) < :most", step.vertices, most=exp.Literal.number(NARROW)),
        check=_fails_unless("COUNT(*) = 0", edges),
    )


class _Tables:
    """Names of the tables of a script, those that were made in the order of their first making."""

    def __init__(self, step: SolveComponents) -> None:
        self._result = step.result
        self.made: list[exp.Table] = []

    def __call__(self, name: str) -> exp.Table:
        return scratch(self._result, name)

    def make(self, name: str, query: exp.Expr) -> exp.Expr:
        table = self(name)
        if table not in self.made:
            self.made.append(table)
        return create("temporary table", table, query)


def _round(t: _Tables, old: str, new: str) -> tuple[exp.Expr, ...]:
    """Return one round, from the tables with one ending to those with the other; the second one changes the map."""
    pointers, map_ = t("followed_twice"), t(f"map{new}")
    to, fro = (build(f"{side}.target") for side in "pq")
    root = build("COALESCE(p.target, r.root)")
    if new:
        following = build("SELECT m.factor, m.shift FROM :map AS m", map=t(f"map{old}"))
    else:
        to, fro, root = map(_moved, (to, fro, root))
        values = {name: _by_prime(build(f"m.{name} * :step + :on", **_numbers(step=_STEP, on=on)))
                  for name, on in (("factor", 0), ("shift", 1))}  # fmt: skip
        following = build("SELECT :factor AS factor, :shift AS shift FROM :map AS m", **values, map=t(f"map{old}"))
    roots = build(
        """
        SELECT r.node, :root AS root FROM :roots AS r CROSS JOIN :map AS m
        LEFT JOIN :pointers AS p ON p.node = r.root
        """,
        root=root,
        roots=t(f"roots{old}"),
        map=map_,
        pointers=pointers,
    )
    ends = build(
        """
        SELECT :x AS x, :y AS y FROM :edges AS e CROSS JOIN :map AS m
        JOIN :pointers AS p ON p.node = e.high JOIN :pointers AS q ON q.node = e.low WHERE p.target <> q.target
        """,
        x=to,
        y=fro,
        edges=t(f"edges{old}"),
        map=map_,
        pointers=pointers,
    )
    return (
        t.make("pointers", smallest_neighbours(t(f"edges{old}"))),
        t.make("followed", _followed(t("pointers"))),
        t.make("followed_twice", _followed(t("followed"))),
        t.make(f"map{new}", following),
        t.make(f"roots{new}", roots),
        t.make(f"edges{new}", _oriented(ends)),
    )


def _followed(pointers: exp.Table) -> exp.Expr:
    return build("SELECT p.node, q.target FROM :p AS p JOIN :p AS q ON q.node = p.target", p=pointers)


def _oriented(ends: exp.Expr) -> exp.Expr:
    return build("SELECT DISTINCT GREATEST(x, y) AS high, LEAST(x, y) AS low FROM :ends AS ends", ends=ends)


def _moved(number: exp.Expr) -> exp.Expr:
    """Return where the map of a round puts a number: a permutation of the numbers below the prime."""
    return _by_prime(build("m.factor * CAST(:x AS BIGINT) + m.shift", x=number))


def _by_prime(number: exp.Expr) -> exp.Expr:
    return exp.Mod(this=exp.Paren(this=number), expression=exp.cast(exp.Literal.number(NARROW), "BIGINT"))


def _fails_unless(holds: str, table: exp.Table, **numbers: exp.Expr) -> exp.Expr:
    """Return a query that divides by zero unless something holds of the rows of a table."""
    return build(f"SELECT 1 / CASE WHEN {holds} THEN 1 ELSE 0 END AS holds FROM :table AS t", table=table, **numbers)


def _numbers(**numbers: int) -> dict[str, exp.Expr]:
    return {name: exp.cast(exp.Literal.number(number), "BIGINT") for name, number in numbers.items()}
