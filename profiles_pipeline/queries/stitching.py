"""What a stitcher made of its ids: counts before and after, sizes of clusters, the largest, and what glues them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from profiles_pipeline.queries.cuts import Cut, adjacency, cuts
from profiles_pipeline.queries.id_graph import Cluster, IdGraph, as_count, as_moment, cluster

LARGEST = 10
HUBS = 10
_BINS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 1_000, 10_000, 100_000)
_MOST_EDGES_SEARCHED = 500_000


@dataclass(frozen=True, slots=True)
class Count:
    """How many ids or edges there were before caps and manual rules, and how many are left."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class TypeUse:
    """An id type: its ids, the clusters that have one, and how many ids of the type these have.

    Attributes:
        per_cluster: number of ids of the type -> number of clusters with so many; clusters without are not counted.
    """

    id_type: str
    ids: int
    clusters: int
    most: int
    per_cluster: Mapping[int, int]

    @property
    def mean(self) -> float:
        """How many ids of the type a cluster has that has any."""
        return self.ids / self.clusters if self.clusters else 0.0


@dataclass(frozen=True, slots=True)
class SourceUse:
    """What a source says about two id types: distinct edges, the rows behind them, and when they were seen.

    An id that was seen without another is counted under its own type twice, with `lone`.
    """

    source: str
    type1: str
    type2: str
    lone: bool
    edges: int
    rows: int
    first_seen_at: datetime | None
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hub:
    """An id that holds a cluster together.

    Attributes:
        degree: with how many other ids it shares rows, by type.
        parts: sizes of what its cluster falls into without it, largest first.
        separated: ids, of those that are not left alone, that would end up outside the largest part.
    """

    main_id: str
    id_type: str
    id: str
    degree: Mapping[str, int]
    parts: tuple[int, ...]
    groups: int
    separated: int


@dataclass(frozen=True)
class LargeCluster:
    """One of the largest clusters, or one that was asked for, and the ids that hold it together, worst first.

    These are None when it was too large.
    """

    cluster: Cluster
    by_type: Mapping[str, int]
    hubs: tuple[Hub, ...] | None


@dataclass(frozen=True)
class StitchingReport:
    """What a stitcher made of its ids.

    Attributes:
        sizes: number of ids -> number of clusters of that size.
        findings: sentences about what deserves a look.
    """

    path: str
    name: str
    entity: str
    material: str
    seq_no: int
    end: datetime
    ids: Count
    edges: Count
    clusters: int
    sizes: Mapping[int, int]
    types: tuple[TypeUse, ...]
    sources: tuple[SourceUse, ...]
    largest: tuple[LargeCluster, ...]
    hubs: tuple[Hub, ...]
    removed_by_caps: int
    findings: tuple[str, ...]


def stitching_report(graph: IdGraph, largest: int = LARGEST, seeds: Sequence[tuple[str, str]] = ()) -> StitchingReport:
    """Return the report of a graph with its `largest` clusters, or with those of `seeds`: ids and their types."""
    material, stitcher = graph.material, graph.stitcher
    sizes = _sizes(graph)
    types = _types(graph)
    top = tuple(_clusters(graph, _seeded(graph, seeds) if seeds else _largest(graph, largest)))
    hubs = sorted((h for c in top for h in c.hubs or ()), key=lambda h: (-h.separated, -sum(h.parts[1:]), h.id))
    ids = sum(size * count for size, count in sizes.items())
    report = StitchingReport(
        path=stitcher.path,
        name=stitcher.name,
        entity=graph.session.project.project.entities[stitcher.entity].name,
        material=material.name,
        seq_no=material.seq_no,
        end=material.end,
        ids=Count(_ids(graph, graph.raw_edges) if graph.raw_edges else ids, ids),
        edges=Count(_pairs(graph, graph.raw_edges or graph.edges), _pairs(graph, graph.edges)),
        clusters=sum(sizes.values()),
        sizes=sizes,
        types=types,
        sources=tuple(_sources(graph)),
        largest=top,
        hubs=tuple(hubs[:HUBS]),
        removed_by_caps=_removed(graph),
        findings=(),
    )
    return replace(report, findings=tuple(_findings(graph, report)))


def size_bins(sizes: Mapping[int, int]) -> list[tuple[str, int, int]]:
    """Return a name, the number of clusters and of ids in them, for each range of sizes that has a cluster."""
    found = []
    for first, following in zip(_BINS, (*_BINS[1:], None), strict=True):
        inside = {n: c for n, c in sizes.items() if n >= first and (following is None or n < following)}
        name = f"{first:,}" if following == first + 1 else f"{first:,}+" if following is None else ""
        if inside:
            name = name or f"{first:,}-{(following or 0) - 1:,}"
            found.append((name, sum(inside.values()), sum(n * c for n, c in inside.items())))
    return found


# --- counts -------------------------------------------------------------------------------------------------------


def _pairs(graph: IdGraph, edges: str) -> int:
    text = f"""SELECT COUNT(*) FROM (
        SELECT DISTINCT id1, id1_type, id2, id2_type FROM {edges} WHERE id1 <> id2 OR id1_type <> id2_type) AS pairs"""
    return as_count(graph.session.warehouse.scalar(text))


def _ids(graph: IdGraph, edges: str) -> int:
    text = f"SELECT COUNT(*) FROM (SELECT id1, id1_type FROM {edges} UNION SELECT id2, id2_type FROM {edges}) AS ids"
    return as_count(graph.session.warehouse.scalar(text))


def _removed(graph: IdGraph) -> int:
    return graph.session.warehouse.row_count(graph.removed) if graph.removed else 0


def _sizes(graph: IdGraph) -> dict[int, int]:
    rows = graph.query(
        f"""SELECT size, COUNT(*) FROM (SELECT COUNT(*) AS size FROM {graph.mappings} GROUP BY component) AS sizes
        GROUP BY size ORDER BY size"""
    ).rows
    return {as_count(size): as_count(count) for size, count in rows}


def _types(graph: IdGraph) -> tuple[TypeUse, ...]:
    rows = graph.query(
        f"""SELECT other_id_type, n, COUNT(*) FROM (
            SELECT other_id_type, component, COUNT(*) AS n FROM {graph.mappings} GROUP BY 1, 2) AS uses
        GROUP BY other_id_type, n ORDER BY other_id_type, n"""
    ).rows
    found: dict[str, dict[int, int]] = {}
    for kind, size, count in rows:
        found.setdefault(str(kind), {})[as_count(size)] = as_count(count)
    return tuple(
        TypeUse(kind, sum(n * c for n, c in per.items()), sum(per.values()), max(per), per)
        for kind, per in found.items()
    )


def _sources(graph: IdGraph) -> Iterator[SourceUse]:
    rows = graph.query(
        f"""SELECT source, id1_type, id2_type, id1 = id2 AND id1_type = id2_type AS lone, COUNT(*), SUM(row_count),
            MIN(first_seen_at), MAX(last_seen_at)
        FROM {graph.edges} GROUP BY 1, 2, 3, 4 ORDER BY source, lone, id1_type, id2_type"""
    ).rows
    for source, one, two, lone, edges, count, first, last in rows:
        yield SourceUse(
            str(source), str(one), str(two), bool(lone), as_count(edges), as_count(count),
            as_moment(first), as_moment(last),
        )  # fmt: skip


# --- clusters -----------------------------------------------------------------------------------------------------


def _largest(graph: IdGraph, count: int) -> list[int]:
    """Return the components of the largest clusters, largest first."""
    rows = graph.query(
        f"""SELECT component FROM {graph.mappings} GROUP BY component HAVING COUNT(*) > 1
        ORDER BY COUNT(*) DESC, MIN(main_id) LIMIT {int(count)}"""
    ).rows
    return [as_count(component) for (component,) in rows]


def _seeded(graph: IdGraph, seeds: Sequence[tuple[str, str]]) -> list[int]:
    """Return the components of some ids, each once, largest first."""
    marks = ", ".join("(?, ?)" for _ in seeds)
    ids = [part for value, kind in seeds for part in (value, kind.lower())]
    rows = graph.query(
        f"""SELECT component FROM {graph.mappings} GROUP BY component
        HAVING COUNT(CASE WHEN (other_id, LOWER(other_id_type)) IN ({marks}) THEN 1 END) > 0
        ORDER BY COUNT(*) DESC, MIN(main_id)""",
        ids,
    ).rows
    return [as_count(component) for (component,) in rows]


def _clusters(graph: IdGraph, components: Iterable[int]) -> Iterator[LargeCluster]:
    searched = 0
    for component in components:
        found = cluster(graph, component)
        searched += len(found.a)
        hubs = _hubs(found) if searched <= _MOST_EDGES_SEARCHED else None
        yield LargeCluster(found, Counter(kind for kind, _ in found.ids), hubs)


def _hubs(found: Cluster) -> tuple[Hub, ...]:
    matrix = adjacency(found.a, found.b, len(found.ids))

    def hub(cut: Cut) -> Hub:
        kind, value = found.ids[cut.node]
        around = matrix.indices[matrix.indptr[cut.node] : matrix.indptr[cut.node + 1]]
        degree = Counter(found.ids[int(other)][0] for other in around)
        return Hub(found.main_id, kind, value, degree, cut.parts, cut.groups, cut.separated)

    return tuple(hub(cut) for cut in cuts(matrix)[:HUBS])


# --- findings -----------------------------------------------------------------------------------------------------


def _findings(graph: IdGraph, report: StitchingReport) -> Iterator[str]:
    """Yield what deserves a look, most important first."""
    stitcher = graph.stitcher
    biggest = max(report.sizes, default=0)
    if biggest >= 100 or (biggest >= 10 and biggest > report.ids.after / 10):
        share = biggest / report.ids.after
        yield f"the largest cluster has {biggest:,} ids, {share:.1%} of all: is that one {report.entity}?"
    for hub in report.hubs:
        if hub.groups > 1 and hub.separated >= 3:
            yield (
                f"{hub.id_type} '{hub.id}' alone holds {hub.groups} groups together; without it {hub.separated} ids "
                "would not be with the largest of them"
            )
    seen = {use.id_type for use in report.types}
    for id_type in stitcher.id_types:
        if id_type.name not in seen:
            yield f"there is no id of type {id_type.name}: are its columns empty, or do filters drop every value?"
        elif not id_type.filters and not id_type.maximum_edges:
            yield f"type {id_type.name} has neither a filter nor a cap on its edges: junk values would join strangers"
    for source in stitcher.sources:
        if len({row_id.select for row_id in source.ids}) == 1:
            yield f"{source.path} has one id per row, so it adds ids but joins none"
