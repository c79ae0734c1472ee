"""Lays out a graph without circles from left to right: layers by longest path, few crossings, no overlaps.

The layered method of Sugiyama: an edge over several layers gets a bend in each, boxes and bends of a layer are
ordered by where their neighbours stand, and then moved towards them as far as there is room. Pure; lengths in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

GAP_ACROSS = 70
GAP_DOWN = 18
_SWEEPS = 12

Node = str | tuple[str, str, int]
"""A box by its name, or a bend: the ends of its edge and its layer."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a box."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Point:
    """A place, from the top left corner."""

    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """Where everything stands.

    Attributes:
        boxes: name -> top left corner.
        edges: (source, target) -> the points its line passes, from the right side of one to the left side of the other.
        size: of the whole.
    """

    boxes: Mapping[str, Point]
    edges: Mapping[tuple[str, str], tuple[Point, ...]]
    size: Size


def lay_out(sizes: Mapping[str, Size], edges: Sequence[tuple[str, str]]) -> Layout:
    """Return a layout of boxes, given in an order in which each stands after what its edges come from."""
    layer = _layers(list(sizes), edges)
    chains = {edge: _chain(edge, layer) for edge in edges}
    links = [pair for chain in chains.values() for pair in pairwise(chain)]
    rows = _rows(sizes, layer, chains.values())
    height = {node: sizes[node].height if isinstance(node, str) else 1.0 for row in rows for node in row}
    before, after = _neighbours(links)
    _untangle(rows, before, after)
    middle = _middles(rows, height, before, after)
    widths = [max((sizes[n].width for n in row if isinstance(n, str)), default=0.0) for row in rows]
    left = [sum(widths[:number]) + number * GAP_ACROSS for number in range(len(rows))]
    top = min((middle[node] - height[node] / 2 for node in middle), default=0.0)
    boxes = {name: Point(left[layer[name]], middle[name] - sizes[name].height / 2 - top) for name in sizes}

    def passed(edge: tuple[str, str], chain: Sequence[Node]) -> tuple[Point, ...]:
        source, target = edge
        bends = [  # level across the whole layer, so that no box of it is crossed
            Point(x, middle[node] - top)
            for node in chain
            if not isinstance(node, str)
            for x in (left[node[2]], left[node[2]] + widths[node[2]])
        ]
        begin = left[layer[source]]
        starts = [Point(begin + width, middle[source] - top) for width in {sizes[source].width, widths[layer[source]]}]
        return (*sorted(starts, key=lambda p: p.x), *bends, Point(left[layer[target]], middle[target] - top))

    whole = Size(
        max((boxes[name].x + size.width for name, size in sizes.items()), default=0.0),
        max((middle[node] + height[node] / 2 - top for node in middle), default=0.0),
    )
    return Layout(boxes, {edge: passed(edge, chain) for edge, chain in chains.items()}, whole)


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the layer of each box: right of everything it comes from, and close to what it leads to."""
    layer = dict.fromkeys(names, 0)
    for name in names:
        layer[name] = max((layer[source] + 1 for source, target in edges if target == name), default=0)
    for name in reversed(names):
        layer[name] = min((layer[target] - 1 for source, target in edges if source == name), default=layer[name])
    return layer


def _chain(edge: tuple[str, str], layer: Mapping[str, int]) -> tuple[Node, ...]:
    source, target = edge
    return (source, *((source, target, n) for n in range(layer[source] + 1, layer[target])), target)


def _rows(names: Iterable[str], layer: Mapping[str, int], chains: Iterable[tuple[Node, ...]]) -> list[list[Node]]:
    """Return the boxes and bends of each layer, in the order of their names' first mention."""
    rows: list[list[Node]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for name in names:
        rows[layer[name]].append(name)
    for chain in chains:
        for node in chain:
            if not isinstance(node, str):
                rows[node[2]].append(node)
    return rows


def _neighbours(links: Iterable[tuple[Node, Node]]) -> tuple[dict[Node, list[Node]], dict[Node, list[Node]]]:
    before: dict[Node, list[Node]] = {}
    after: dict[Node, list[Node]] = {}
    for one, other in links:
        before.setdefault(other, []).append(one)
        after.setdefault(one, []).append(other)
    return before, after


def _untangle(
    rows: list[list[Node]], before: Mapping[Node, Sequence[Node]], after: Mapping[Node, Sequence[Node]]
) -> None:
    """Order each row by the mean place of the neighbours in the row before, then in the row after, and again."""
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        near = before if forth else after
        for row in rows if forth else rows[::-1]:
            place = {node: number for other in rows for number, node in enumerate(other)}
            wanted = {n: fmean(place[o] for o in near[n]) if near.get(n) else place[n] for n in row}
            row.sort(key=wanted.__getitem__)


def _middles(
    rows: Sequence[Sequence[Node]],
    height: Mapping[Node, float],
    before: Mapping[Node, Sequence[Node]],
    after: Mapping[Node, Sequence[Node]],
) -> dict[Node, float]:
    """Return how far down the middle of each node is: near its neighbours, in the order of its row."""
    middle: dict[Node, float] = {}
    for row in rows:
        middle |= _apart(row, dict.fromkeys(row, 0.0), height)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            near = {node: [*before.get(node, ()), *after.get(node, ())] for node in row}
            wanted = {node: fmean(middle[o] for o in near[node]) if near[node] else middle[node] for node in row}
            middle |= _apart(row, wanted, height)
    return middle


def _apart(row: Sequence[Node], wanted: Mapping[Node, float], height: Mapping[Node, float]) -> dict[Node, float]:
    """Return places close to the wanted ones at which nodes keep their order and do not overlap."""

    def room(upper: Node, lower: Node) -> float:
        return (height[upper] + height[lower]) / 2 + GAP_DOWN

    down = {node: wanted[node] for node in row}
    for upper, lower in pairwise(row):
        down[lower] = max(down[lower], down[upper] + room(upper, lower))
    up = {node: wanted[node] for node in row}
    for lower, upper in pairwise(row[::-1]):
        up[upper] = min(up[upper], up[lower] - room(upper, lower))
    return {node: (down[node] + up[node]) / 2 for node in row}
