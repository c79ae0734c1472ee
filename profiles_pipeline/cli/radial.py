"""Lays out a connected graph in circles around a node: each node as far out as it is edges away. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Circles:
    """Where nodes stand.

    Attributes:
        places: node -> x and y, in circles from the middle; the outermost is 1.
        hidden: how many nodes were left out because there were too many.
    """

    places: dict[int, tuple[float, float]]
    hidden: int


def in_circles(edges: Sequence[Edge], centre: int, most: int) -> Circles:
    """Return places for the nodes nearest to `centre`, at most `most` of them.

    A node's part of the circle is as wide as the nodes behind it are many, so that no two edges of the tree of shortest
    paths cross; nodes that hang together without the centre stand side by side.
    """
    neighbours: dict[int, list[int]] = {centre: []}
    for a, b in edges:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    order, depth, children = _tree(neighbours, centre, most)
    leaves = {node: 1 for node in order}
    for node in reversed(order):
        if children[node]:
            leaves[node] = sum(leaves[child] for child in children[node])
    deepest = max(depth.values()) or 1
    places: dict[int, tuple[float, float]] = {}
    starts = {centre: 0.0}
    for node in order:
        angle = 2 * pi * (starts[node] + leaves[node] / 2) / leaves[centre]
        radius = depth[node] / deepest
        places[node] = (radius * cos(angle), radius * sin(angle))
        at = starts[node]
        for child in children[node]:
            starts[child] = at
            at += leaves[child]
    return Circles(places, len(neighbours) - len(order))


def _tree(
    neighbours: dict[int, list[int]], centre: int, most: int
) -> tuple[list[int], dict[int, int], dict[int, list[int]]]:
    """Return nodes in the order of distance, their distances, and for each the nodes reached through it."""
    order, depth = [centre], {centre: 0}
    children: dict[int, list[int]] = {centre: []}
    group = _groups(neighbours, centre)
    for node in order:
        for other in sorted(set(neighbours[node]), key=lambda n: (group.get(n, -1), n)):
            if other not in depth and len(order) < most:
                order.append(other)
                depth[other] = depth[node] + 1
                children[other] = []
                children[node].append(other)
    return order, depth, children


def _groups(neighbours: dict[int, list[int]], centre: int) -> dict[int, int]:
    """Return for each other node the number of the part it is in when the centre is taken away."""
    group: dict[int, int] = {}
    for start in sorted(neighbours):
        todo = [start] if start != centre and start not in group else []
        while todo:
            node = todo.pop()
            if node != centre and node not in group:
                group[node] = start
                todo += neighbours[node]
    return group
