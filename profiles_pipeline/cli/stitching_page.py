"""Writes the report of an identity graph as one HTML page: styles and drawings inside, nothing fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import log10

import jinja2

from profiles_pipeline.cli.radial import in_circles
from profiles_pipeline.queries.stitching import LargeCluster, StitchingReport, size_bins

_COLOURS = ("#2f6db3", "#d1762a", "#3b8f5a", "#8a5bb0", "#b8494f", "#6f7a80", "#a68a1d", "#3d9aa3")
_MOST_DRAWN = 150
_RADIUS = 230
_MARGIN = 24
_LABEL_ROOM = 190
_LABELLED = 45


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart: its name, what it counts, its length from 0 to 1, and words beside it."""

    name: str
    value: str
    length: float
    colour: str = _COLOURS[0]


@dataclass(frozen=True, slots=True)
class Dot:
    """A node of a drawing."""

    x: float
    y: float
    size: float
    colour: str
    title: str
    label: str


@dataclass(frozen=True)
class Network:
    """A drawing of a cluster: dots, lines between them, and how many ids are not drawn."""

    dots: tuple[Dot, ...]
    lines: tuple[tuple[float, float, float, float], ...]
    hidden: int
    width: int = 2 * (_RADIUS + _LABEL_ROOM)
    height: int = 2 * (_RADIUS + _MARGIN)


def page(report: StitchingReport) -> str:
    """Return the page about a graph."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = files("profiles_pipeline.cli").joinpath("stitching_page.html.jinja").read_text(encoding="utf-8")
    colours = {use.id_type: _COLOURS[n % len(_COLOURS)] for n, use in enumerate(report.types)}
    return environment.from_string(text).render(
        report=report,
        colours=colours,
        sizes=_size_bars(report.sizes),
        types=[(use, _per_cluster_bars(use.per_cluster, colours[use.id_type])) for use in report.types],
        networks=[(found, network(found, colours)) for found in report.largest],
    )


def _size_bars(sizes: Mapping[int, int]) -> list[Bar]:
    bins = size_bins(sizes)
    lengths = _logarithmic([clusters for _, clusters, _ in bins])
    return [
        Bar(name, f"{clusters:,} with {ids:,} ids in all", length)
        for (name, clusters, ids), length in zip(bins, lengths, strict=True)
    ]


def _per_cluster_bars(per_cluster: Mapping[int, int], colour: str) -> list[Bar]:
    few = {str(n): per_cluster[n] for n in range(1, 6) if n in per_cluster}
    many = sum(count for n, count in per_cluster.items() if n > 5)
    counts = few | ({"6+": many} if many else {})
    lengths = _logarithmic(list(counts.values()))
    return [
        Bar(name, f"{count:,}", length, colour) for (name, count), length in zip(counts.items(), lengths, strict=True)
    ]


def _logarithmic(counts: Sequence[int]) -> list[float]:
    """Return a length from 0 to 1 for each count; ten times as many is a fixed step longer."""
    most = max(counts, default=1)
    return [(1 + log10(count)) / (1 + log10(most)) for count in counts]


def network(found: LargeCluster, colours: Mapping[str, str]) -> Network:
    """Return the drawing of a cluster around the id that holds it together most, or else has most neighbours."""
    cluster = found.cluster
    edges = list(zip(cluster.a.tolist(), cluster.b.tolist(), strict=True))
    degree = Counter(end for edge in edges for end in edge)
    number = {node: place for place, node in enumerate(cluster.ids)}
    hubs = [number[hub.id_type, hub.id] for hub in found.hubs or ()]
    centre = hubs[0] if hubs else max(range(len(cluster.ids)), key=lambda node: (degree[node], -node))
    circles = in_circles(edges, centre, _MOST_DRAWN)
    right, down = _RADIUS + _LABEL_ROOM, _RADIUS + _MARGIN
    places = {node: (right + _RADIUS * x, down + _RADIUS * y) for node, (x, y) in circles.places.items()}
    labelled = {*hubs[:5], *places} if len(places) <= _LABELLED else {*hubs[:5]}
    dots = tuple(
        Dot(
            x=round(x, 1),
            y=round(y, 1),
            size=round(4 + 4 * log10(max(degree[node], 1)), 1),
            colour=colours[cluster.ids[node][0]],
            title=f"{cluster.ids[node][0]} {cluster.ids[node][1]}, shares rows with {degree[node]}",
            label=_short(cluster.ids[node][1]) if node in labelled else "",
        )
        for node, (x, y) in places.items()
    )
    lines = tuple(
        (round(places[a][0], 1), round(places[a][1], 1), round(places[b][0], 1), round(places[b][1], 1))
        for a, b in edges
        if a in places and b in places
    )
    return Network(dots, lines, len(cluster.ids) - len(places))


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "\N{HORIZONTAL ELLIPSIS}"
