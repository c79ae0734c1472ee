"""What holds a cluster together: for each of its nodes, into which parts the cluster falls without it. Pure.

Array shapes are given in nodes and edges of the graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cut:
    """A node without which its cluster falls apart.

    Attributes:
        node: its number.
        parts: sizes of what is left, largest first; two or more.
    """

    node: int
    parts: tuple[int, ...]

    @property
    def groups(self) -> int:
        """How many of the parts have more than one node."""
        return sum(size > 1 for size in self.parts)

    @property
    def separated(self) -> int:
        """How many nodes, of those that are not left alone, end up outside the largest part."""
        return sum(size for size in self.parts[1:] if size > 1)


def adjacency(a: Ints, b: Ints, node_count: int) -> csr_array:
    """Return the symmetric adjacency of the edges a[i] - b[i]; loops and repeated edges do not matter.

    Args:
        a: shape (edges,), node numbers in 0 .. node_count - 1.
        b: shape (edges,), the other ends.
        node_count: how many nodes there are.
    """
    apart = a != b
    ends = np.concatenate([a[apart], b[apart]]), np.concatenate([b[apart], a[apart]])
    found = csr_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(node_count, node_count))
    found.sum_duplicates()
    found.data[:] = 1
    return found


def cuts(graph: csr_array) -> tuple[Cut, ...]:
    """Return every node of a connected graph whose removal leaves two or more parts, worst first.

    Depth-first search with low points (Hopcroft and Tarjan 1973); the sizes of the parts are those of the subtrees that
    no edge leads out of but through the node.
    """
    count = graph.shape[0]
    if count < 3:
        return ()
    parts: list[list[int]] = [[] for _ in range(count)]
    subtree = _depth_first(graph.indptr.tolist(), graph.indices.tolist(), parts)
    found = []
    for node, below in enumerate(parts):
        rest = subtree[0] - 1 - sum(below)
        sizes = sorted([*below, *([rest] if rest else [])], reverse=True)
        if len(sizes) > 1:
            found.append(Cut(node, tuple(sizes)))
    return tuple(sorted(found, key=lambda cut: (-cut.separated, -sum(cut.parts[1:]), cut.node)))


def _depth_first(first: list[int], neighbours: list[int], parts: list[list[int]]) -> list[int]:
    """Add to `parts` of each node the sizes of the subtrees it alone holds; return the size of every node's subtree."""
    count = len(parts)
    found_at, low = [-1] * count, [0] * count
    subtree, parent = [1] * count, [-1] * count
    following = list(first[:-1])
    clock, stack = 0, [0]
    found_at[0] = 0
    while stack:
        node = stack[-1]
        if following[node] < first[node + 1]:
            other = neighbours[following[node]]
            following[node] += 1
            if found_at[other] < 0:
                clock += 1
                found_at[other] = low[other] = clock
                parent[other] = node
                stack.append(other)
            elif other != parent[node]:
                low[node] = min(low[node], found_at[other])
            continue
        stack.pop()
        above = parent[node]
        if above >= 0:
            subtree[above] += subtree[node]
            low[above] = min(low[above], low[node])
            if low[node] >= found_at[above]:
                parts[above].append(subtree[node])
    return subtree


def shortest_path(graph: csr_array, start: int, end: int) -> tuple[int, ...]:
    """Return the nodes of a path with the fewest edges, both ends included; empty when no path joins them.

    Of several the one through the nodes with the smallest numbers nearest to `start`.
    """
    _, before = breadth_first_order(graph, start, directed=False, return_predecessors=True)
    path = [end]
    while path[-1] != start:
        previous = int(before[path[-1]])
        if previous < 0:
            return ()
        path.append(previous)
    return tuple(reversed(path))
