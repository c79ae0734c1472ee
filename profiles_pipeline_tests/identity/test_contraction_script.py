"""The script that contracts a graph without anybody who counts: its labels are those of scipy, in few rounds."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sqlglot import exp

from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.dialects import render
from profiles_pipeline.dialects.loops import REPEATED
from profiles_pipeline.identity import contraction_script
from profiles_pipeline.sql import build

EDGES, NODES = exp.table_("edges"), exp.table_("nodes")
STEP = SolveComponents(
    edges=build("SELECT a, b FROM :edges", edges=EDGES),
    nodes=build("SELECT COUNT(*) FROM :nodes", nodes=NODES),
    vertices=NODES,
    result=exp.table_("solved", quoted=True),
    title="",
)


def labelled(count: int, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, int]:
    """The component of each node, and how often the rounds were repeated; nothing else is left behind."""
    script = contraction_script(STEP)
    with duckdb.connect() as connection:

        def run(tree: exp.Expr) -> object:
            return connection.execute(render(tree, "duckdb")).fetchone()

        connection.register("given", pa.table({"a": a, "b": b}))
        connection.execute("CREATE TABLE edges AS SELECT * FROM given")
        connection.execute(f"CREATE TABLE nodes AS SELECT range AS node FROM range({count})")
        for tree in (script.guard, *script.before):
            run(tree)
        times = 0
        while True:
            for tree in script.rounds:
                run(tree)
            times += 1
            if run(script.left) == (0,):
                break
        for tree in (script.check, *script.after):
            run(tree)
        assert {name for (name,) in connection.execute("SHOW TABLES").fetchall()} == {
            "edges",
            "nodes",
            "solved",
            "given",
        }
        rows = connection.execute("SELECT component FROM solved ORDER BY node").fetchnumpy()
        return rows["component"], times


def first_of_each(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each node the smallest one of its component."""
    _, labels = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)
    first = np.full(count, count)
    np.minimum.at(first, labels, np.arange(count))
    return first[labels]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_labels_are_those_of_another_solver(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    a, b = (np.array([edge[end] for edge in edges], dtype=np.int64) for end in (0, 1))
    found, _ = labelled(count, a, b)
    assert found.tolist() == first_of_each(count, a, b).tolist()


CHAIN = 20_000
LADDER = {
    "a chain in order": (np.arange(CHAIN - 1), np.arange(1, CHAIN)),
    "a chain from both ends": (np.arange(CHAIN - 1), CHAIN - 1 - np.arange(1, CHAIN)),
    "a star": (np.zeros(CHAIN - 1, dtype=np.int64), np.arange(1, CHAIN)),
    "a tree": ((np.arange(1, CHAIN) - 1) // 2, np.arange(1, CHAIN)),
}


@pytest.mark.parametrize("name", LADDER)
def test_rounds_suffice_where_they_are_written_out(name: str) -> None:
    a, b = LADDER[name]
    found, times = labelled(CHAIN, a, b)
    assert found.tolist() == first_of_each(CHAIN, a, b).tolist()
    assert times <= REPEATED


def test_a_script_that_is_not_done_fails() -> None:
    script = contraction_script(STEP)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE edges AS SELECT range AS a, range + 1 AS b FROM range(5)")
        connection.execute("CREATE TABLE nodes AS SELECT range AS node FROM range(6)")
        for tree in script.before:
            connection.execute(render(tree, "duckdb"))
        assert connection.execute(render(script.left, "duckdb")).fetchone() == (5,)
        # Here only whole quotients by zero fail.
        refusing = render(script.check, "duckdb").replace("/", "//")
        with pytest.raises(duckdb.Error, match="Division by zero"):
            connection.execute(refusing)
