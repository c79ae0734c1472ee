"""Which nodes hold a graph together, against taking each away; shortest chains, against counting steps."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.csgraph import shortest_path as all_distances

from profiles_pipeline.queries.cuts import Cut, adjacency, cuts, shortest_path

Edges = list[tuple[int, int]]


def graph_of(edges: Edges, node_count: int) -> csr_array:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return adjacency(ends[:, 0], ends[:, 1], node_count)


def by_taking_away(graph: csr_array) -> dict[int, tuple[int, ...]]:
    found = {}
    for node in range(graph.shape[0]):
        rest = [other for other in range(graph.shape[0]) if other != node]
        count, labels = connected_components(graph[rest][:, rest], directed=False)
        if count > 1:
            found[node] = tuple(sorted(np.bincount(labels).tolist(), reverse=True))
    return found


@st.composite
def connected_graphs(draw: st.DrawFn) -> tuple[Edges, int]:
    count = draw(st.integers(1, 12))
    tree = [(draw(st.integers(0, node - 1)), node) for node in range(1, count)]
    node = st.integers(0, count - 1)
    order = draw(st.permutations(range(count)))
    edges = [*tree, *draw(st.lists(st.tuples(node, node), max_size=8))]
    return [(order[a], order[b]) for a, b in edges], count


@given(connected_graphs())
@settings(max_examples=150, deadline=None)
def test_cuts_are_what_taking_away_shows(drawn: tuple[Edges, int]) -> None:
    graph = graph_of(*drawn)
    assert {cut.node: cut.parts for cut in cuts(graph)} == by_taking_away(graph)


def test_the_worst_cut_comes_first() -> None:
    # A star of leaves around 0, and a bridge 4 between the triangles 5-6-7 and 8-9-10.
    edges = [(0, 1), (0, 2), (0, 3), (0, 5), (5, 6), (6, 7), (7, 5), (4, 7), (4, 8), (8, 9), (9, 10), (10, 8)]
    found = cuts(graph_of(edges, 11))
    assert [(cut.node, cut.parts, cut.groups, cut.separated) for cut in found] == [
        (5, (6, 4), 2, 4),
        (7, (6, 4), 2, 4),
        (4, (7, 3), 2, 3),
        (8, (8, 2), 2, 2),
        (0, (7, 1, 1, 1), 1, 0),
    ]


def test_a_long_chain_is_no_matter_of_recursion() -> None:
    chain = [(node, node + 1) for node in range(20_000)]
    assert cuts(graph_of(chain, 20_001))[0] == Cut(node=10_000, parts=(10_000, 10_000))


@given(connected_graphs(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_shortest_path_is_one(drawn: tuple[Edges, int], data: st.DataObject) -> None:
    graph = graph_of(*drawn)
    start, end = (data.draw(st.integers(0, drawn[1] - 1)) for _ in range(2))
    path = shortest_path(graph, start, end)
    assert (path[0], path[-1], len(path) - 1) == (start, end, all_distances(graph, unweighted=True)[start, end])
    assert all(graph[a, b] for a, b in pairwise(path))


@pytest.mark.parametrize("ends", [(0, 3), (3, 0)])
def test_no_path_between_two_graphs(ends: tuple[int, int]) -> None:
    assert shortest_path(graph_of([(0, 1), (2, 3)], 4), *ends) == ()
