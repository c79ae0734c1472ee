"""The solver: two nodes have one label exactly when a path joins them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles_pipeline.identity.in_memory import component_labels

Edges = list[tuple[int, int]]


def labels(edges: Edges, node_count: int) -> list[int]:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    found = component_labels(ends[:, 0], ends[:, 1], node_count)
    assert found.shape == (node_count,)
    return found.tolist()


def union_find(edges: Edges, node_count: int) -> list[int]:
    parent = list(range(node_count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in edges:
        parent[root(one)] = root(other)
    return [root(node) for node in range(node_count)]


def same_partition(one: list[int], other: list[int]) -> bool:
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


def chain(n: int) -> Edges:
    return [(i, i + 1) for i in range(n - 1)]


SHAPES: dict[str, tuple[Edges, int]] = {
    "no node": ([], 0),
    "one node": ([], 1),
    "nodes without edges": ([], 5),
    "an edge from a node to itself": ([(0, 0), (1, 2)], 3),
    "an edge given many times": ([(0, 1)] * 300, 2),
    "ordered chain": (chain(10_000), 10_000),
    "chain read backwards": (chain(10_000)[::-1], 10_000),
    "interleaved chain": ([(i, (i + 7919) % 10_000) for i in range(9_999)], 10_000),
    "star": ([(0, i) for i in range(1, 10_000)], 10_000),
    "star around the last node": ([(9_999, i) for i in range(9_999)], 10_000),
    "two stars and a bridge": ([(0, i) for i in range(2, 50)] + [(1, i) for i in range(50, 100)] + [(2, 50)], 100),
    "ring": ([*chain(1000), (999, 0)], 1000),
    "pairs": ([(2 * i, 2 * i + 1) for i in range(5_000)], 10_000),
    "binary tree": ([(i, (i - 1) // 2) for i in range(1, 4_095)], 4_095),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shapes(shape: tuple[Edges, int]) -> None:
    assert same_partition(labels(*shape), union_find(*shape))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_random_graphs(data: st.DataObject) -> None:
    node_count = data.draw(st.integers(1, 60))
    node = st.integers(0, node_count - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=80))
    assert same_partition(labels(edges, node_count), union_find(edges, node_count))


@pytest.mark.parametrize("mean_degree", [0.3, 0.9, 1.1, 3.0])
def test_large_random_graphs(mean_degree: float) -> None:
    """Below, around and above the degree at which one component swallows most nodes."""
    random = np.random.default_rng(7)
    edges = [tuple(pair) for pair in random.integers(0, 20_000, size=(int(20_000 * mean_degree / 2), 2)).tolist()]
    assert same_partition(labels(edges, 20_000), union_find(edges, 20_000))
