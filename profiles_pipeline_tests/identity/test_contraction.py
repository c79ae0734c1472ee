"""The contraction in SQL: the partition of the solver in memory, on every engine, in a bounded number of rounds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as within
from hypothesis import strategies as st
from sqlglot import exp

from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.compile.statement import create
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.identity import contraction
from profiles_pipeline.sql import build
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings, Settings
from profiles_pipeline_tests.identity.test_components import SHAPES, Edges, chain, labels, same_partition
from profiles_pipeline_tests.warehouse.postgres import settings

STEP = SolveComponents(
    edges=build("SELECT a, b FROM edges"),
    nodes=build("SELECT COUNT(*) FROM nodes"),
    vertices=exp.to_table("nodes"),
    result=exp.to_table("solved"),
    title="connected components",
)


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    place: Settings = DuckDBSettings(path=MEMORY)
    if request.param == "postgres":
        place = settings(request.getfixturevalue("postgres_port"), "contraction")
    with connect(place, purpose="test") as opened:
        opened.ensure_schema("contraction")
        yield opened


LEFT = {
    "duckdb": "SELECT table_name FROM duckdb_tables() WHERE temporary ORDER BY 1",
    "postgres": "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r' ORDER BY 1",
}


def contracted(
    warehouse: Warehouse, edges: Edges, node_count: int, prime: int | None = None
) -> tuple[list[int], contraction.Contracted]:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    tables = {
        "edges": pa.table({"a": ends[:, 0], "b": ends[:, 1]}),
        "nodes": pa.table({"node": np.arange(node_count, dtype=np.int64)}),
    }
    for name, rows in tables.items():
        with warehouse.arrow_relation("given", rows):
            kept = create("temporary table", exp.to_table(name), build("SELECT * FROM given"))
            warehouse.execute(render(kept, warehouse.dialect))
    how = contraction.solve(warehouse, STEP, prime)
    found = warehouse.query("SELECT node, component FROM solved ORDER BY node").rows
    assert [node for node, _ in found] == list(range(node_count))
    assert warehouse.query(LEFT[warehouse.dialect]).rows == [("edges",), ("nodes",), ("solved",)]
    return [int(str(component)) for _, component in found], how


def assert_shrinks(how: contraction.Contracted) -> None:
    """Each round leaves fewer edges, and each order of the nodes, which is used twice, at most three quarters."""
    assert list(how.edges) == sorted(set(how.edges), reverse=True)
    assert all(later <= 0.75 * earlier for earlier, later in zip(how.edges[::2], how.edges[2::2], strict=False))


@pytest.mark.parametrize("prime", [None, contraction.WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shapes(warehouse: Warehouse, shape: tuple[Edges, int], prime: int | None) -> None:
    found, _ = contracted(warehouse, *shape, prime)
    assert same_partition(found, labels(*shape))


@given(st.data())
@within(max_examples=150, deadline=None)
def test_random_graphs(warehouse: Warehouse, data: st.DataObject) -> None:
    node_count = data.draw(st.integers(1, 60))
    node = st.integers(0, node_count - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=80))
    found, _ = contracted(warehouse, edges, node_count)
    assert same_partition(found, labels(edges, node_count))


@pytest.mark.parametrize("mean_degree", [0.3, 0.9, 1.1, 3.0])
def test_large_random_graphs(warehouse: Warehouse, mean_degree: float) -> None:
    chance = np.random.default_rng(7)
    edges = [tuple(pair) for pair in chance.integers(0, 20_000, size=(int(20_000 * mean_degree / 2), 2)).tolist()]
    found, how = contracted(warehouse, edges, 20_000)
    assert same_partition(found, labels(edges, 20_000))
    assert_shrinks(how)


LONG = 100_000


@pytest.mark.parametrize(
    ("edges", "most_rounds"),
    [
        (chain(LONG), 20),
        ([(0, n) for n in range(1, LONG)], 2),
        ([(LONG - 1, n) for n in range(LONG - 1)], 2),
        ([(n % 10, n) for n in range(LONG)] + [(n, n + 1) for n in range(9)], 4),
    ],
    ids=["ordered chain", "star", "star around the last node", "ten hubs in a row"],
)
def test_large_graphs_take_few_rounds_each_with_less_to_do(
    warehouse: Warehouse, edges: Edges, most_rounds: int
) -> None:
    found, how = contracted(warehouse, edges, LONG)
    assert same_partition(found, labels(edges, LONG))
    assert how.rounds <= most_rounds
    assert_shrinks(how)
    assert max(how.jumps) <= 6


def test_the_same_edges_take_the_same_rounds(warehouse: Warehouse) -> None:
    edges = chain(5_000)
    assert contracted(warehouse, edges, 5_000) == contracted(warehouse, edges[::-1], 5_000)


def test_a_round_that_leaves_all_edges_is_told(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pointers that lead nowhere else would go round for ever."""
    nowhere = build("SELECT e.high AS x, e.low AS y FROM :edges AS e", edges=exp.to_table("solved_edges_0"))
    monkeypatch.setattr(contraction, "_between_targets", lambda *_: nowhere)
    with pytest.raises(WarehouseError, match="round 1 of the contraction has left 9 edges of 9"):
        contracted(warehouse, chain(10), 10)


@given(st.sampled_from([contraction.NARROW, contraction.WIDE]), st.data())
@within(max_examples=50, deadline=None)
def test_maps(warehouse: Warehouse, prime: int, data: st.DataObject) -> None:
    numbers = st.integers(0, prime - 1)
    one = contraction.Affine(data.draw(st.integers(1, prime - 1)), data.draw(numbers), prime)
    two = contraction.Affine(data.draw(st.integers(1, prime - 1)), data.draw(numbers), prime)
    x = data.draw(numbers)
    image = (one.factor * x + one.shift) % prime

    def computed(asked: contraction.Affine, number: int) -> object:
        query = exp.select(asked.of(build(f"CAST({number} AS BIGINT)")))
        return warehouse.scalar(render(query, warehouse.dialect))

    assert computed(one, x) == image
    assert computed(one.inverse, image) == x
    assert computed(one.then(two), x) == (two.factor * image + two.shift) % prime
