"""Who is behind an id, and why: everything known of one person, and the evidence that makes two ids one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NoReturn

from sqlglot import exp

from profiles_pipeline import run
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import fail
from profiles_pipeline.names import FEATURE_VIEW
from profiles_pipeline.queries.cuts import adjacency, shortest_path
from profiles_pipeline.queries.id_graph import IdGraph, as_count, as_moment, cluster_of, newest_material


@dataclass(frozen=True, slots=True)
class KnownId:
    """An id of a person: when it was seen first and last, and with how many other ids it shares rows."""

    id_type: str
    id: str
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    neighbours: int


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of the entity behind an id.

    Attributes:
        features: name and value of each feature; None when the feature view has not been built.
    """

    main_id: str
    ids: tuple[KnownId, ...]
    features: tuple[tuple[str, object], ...] | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a source says about two ids: rows that have both, and when."""

    source: str
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    rows: int


@dataclass(frozen=True, slots=True)
class Hop:
    """Two ids that belong together directly.

    Attributes:
        removed: True when a cap or a manual rule has taken the edge away, so that it does not count.
    """

    one: tuple[str, str]
    two: tuple[str, str]
    evidence: tuple[Evidence, ...]
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two ids are, or are not, one.

    Attributes:
        main_ids: of the one and of the other.
        hops: a shortest chain of edges from the one to the other. When they are not one, a chain over edges that caps
            or rules have taken away; empty when there is none.
    """

    one: tuple[str, str]
    two: tuple[str, str]
    main_ids: tuple[str, str]
    hops: tuple[Hop, ...]

    @property
    def connected(self) -> bool:
        """True when both are ids of one."""
        return self.main_ids[0] == self.main_ids[1]


@dataclass(frozen=True, slots=True)
class _Found:
    id_type: str
    id: str
    main_id: str
    component: int


def people(graph: IdGraph, value: str) -> tuple[Person, ...]:
    """Return everybody who has `value` as an id or as the main id; it may be written ``type:value``.

    Raises:
        ProjectError: nobody has it.
    """
    found = {each.main_id: each for each in _find(graph, value)}
    return tuple(_person(graph, each) for each in found.values())


def explain(graph: IdGraph, one: str, two: str) -> Explanation:
    """Return why two ids are one, or are not; each may be written ``type:value``.

    Raises:
        ProjectError: one of them is unknown, or is an id of several types.
    """
    ends = _single(graph, one), _single(graph, two)
    same = ends[0].component == ends[1].component
    edges = graph.edges if same else graph.raw_edges
    hops = _chain(graph, edges, ends) if edges else ()
    first, second = ((each.id_type, each.id) for each in ends)
    return Explanation(first, second, (ends[0].main_id, ends[1].main_id), hops)


# --- ids ----------------------------------------------------------------------------------------------------------


def _find(graph: IdGraph, value: str) -> tuple[_Found, ...]:
    columns = "SELECT other_id_type, other_id, main_id, component"
    kind, id_type, rest = _typed(graph, value)
    where, params = ("other_id_type = ? AND other_id = ?", [id_type, rest]) if kind else ("other_id = ?", [value])
    rows = graph.query(f"{columns} FROM {graph.mappings} WHERE {where} ORDER BY 1", params).rows
    if not rows:
        rows = graph.query(f"{columns} FROM {graph.mappings} WHERE main_id = ? ORDER BY 1, 2 LIMIT 1", [value]).rows
    if not rows:
        _fail_unknown(graph, value)
    return tuple(_Found(str(t), str(i), str(m), as_count(c)) for t, i, m, c in rows)


def _typed(graph: IdGraph, value: str) -> tuple[bool, str, str]:
    """Return whether a value says its type, the type and the id."""
    head, colon, rest = value.partition(":")
    names = {t.name.lower(): t.name for t in graph.stitcher.id_types}
    return (True, names[head.lower()], rest) if colon and head.lower() in names else (False, "", value)


def _fail_unknown(graph: IdGraph, value: str) -> NoReturn:
    rest = _typed(graph, value)[2]
    text = f"SELECT other_id_type, other_id FROM {graph.mappings} WHERE LOWER(other_id) = LOWER(TRIM(?)) ORDER BY 1, 2"
    near = graph.query(f"{text} LIMIT 1", [rest]).rows
    entity = graph.session.project.project.entities[graph.stitcher.entity].name
    hint = f"there is {near[0][0]} '{near[0][1]}'" if near else "ids that a filter drops are not in the graph either"
    seen = f"SELECT COUNT(*) FROM {graph.raw_edges or graph.edges} WHERE ? IN (id1, id2)"
    if as_count(graph.session.warehouse.scalar(seen, [rest])):
        hint = "its rows were seen, but a manual rule leaves it out"
    fail("unknown-id", f"no {entity} has the id '{value}' in seq_no {graph.material.seq_no}", hint=hint)


def _single(graph: IdGraph, value: str) -> _Found:
    found = _find(graph, value)
    if len(found) > 1:
        types = ", ".join(f"{each.id_type}:{each.id}" for each in found)
        fail("ambiguous-id", f"'{value}' is an id of several types", hint=f"write one of {types}")
    return found[0]


# --- people -------------------------------------------------------------------------------------------------------


def _person(graph: IdGraph, found: _Found) -> Person:
    rows = graph.query(
        f"""
        WITH ids AS (SELECT * FROM {graph.mappings} WHERE component = {found.component}), ends AS (
            SELECT id1 AS id, id1_type AS id_type, id2 AS other, id2_type AS other_type FROM {graph.edges} AS e
            JOIN ids AS i ON i.other_id = e.id1 AND i.other_id_type = e.id1_type
            UNION
            SELECT id2, id2_type, id1, id1_type FROM {graph.edges} AS e
            JOIN ids AS i ON i.other_id = e.id2 AND i.other_id_type = e.id2_type
        )
        SELECT i.other_id_type, i.other_id, i.first_seen_at, i.valid_at,
            COUNT(e.other) FILTER (WHERE e.other <> e.id OR e.other_type <> e.id_type)
        FROM ids AS i LEFT JOIN ends AS e ON e.id = i.other_id AND e.id_type = i.other_id_type
        GROUP BY 1, 2, 3, 4 ORDER BY i.other_id_type, i.first_seen_at NULLS LAST, i.other_id
        """
    ).rows
    ids = tuple(KnownId(str(t), str(i), as_moment(a), as_moment(b), as_count(n)) for t, i, a, b, n in rows)
    return Person(found.main_id, ids, _features(graph.session, graph, found.main_id))


def _features(session: run.Session, graph: IdGraph, main_id: str) -> tuple[tuple[str, object], ...] | None:
    entity = session.project.project.entities[graph.stitcher.entity]
    material = newest_material(session, f"{entity.all_cohort}/{FEATURE_VIEW}", graph.asked)
    if material is None:
        return None
    relation = render(exp.table_(material.name, db=session.output.schema, quoted=True), session.warehouse.dialect)
    column = render(exp.column(entity.id_column, quoted=True), session.warehouse.dialect)
    rows = session.warehouse.query(f"SELECT * FROM {relation} WHERE {column} = ?", [main_id])
    if not rows.rows:
        return ()
    named = zip(rows.columns, rows.rows[0], strict=True)
    return tuple((name, value) for name, value in named if name.lower() != entity.id_column.lower())


# --- evidence -----------------------------------------------------------------------------------------------------


def _chain(graph: IdGraph, edges: str, ends: Sequence[_Found]) -> tuple[Hop, ...]:
    found = cluster_of(graph, edges, sorted({each.component for each in ends}))
    number = {node: place for place, node in enumerate(found.ids)}
    one, two = (number[each.id_type, each.id] for each in ends)
    path = shortest_path(adjacency(found.a, found.b, len(found.ids)), one, two)
    return tuple(_hop(graph, edges, found.ids[a], found.ids[b]) for a, b in pairwise(path))


def _hop(graph: IdGraph, edges: str, one: tuple[str, str], two: tuple[str, str]) -> Hop:
    evidence = _evidence(graph, edges, one, two)
    removed = edges != graph.edges and not _evidence(graph, graph.edges, one, two)
    return Hop(one, two, evidence, removed)


def _evidence(graph: IdGraph, edges: str, one: tuple[str, str], two: tuple[str, str]) -> tuple[Evidence, ...]:
    """Return what each source says about a pair of ids, in the order of first sighting."""
    same = "id1_type = ? AND id1 = ? AND id2_type = ? AND id2 = ?"
    rows = graph.query(
        f"""SELECT source, first_seen_at, last_seen_at, row_count FROM {edges} WHERE ({same}) OR ({same})
        ORDER BY first_seen_at NULLS LAST, source""",
        [*one, *two, *two, *one],
    ).rows
    return tuple(Evidence(str(s), as_moment(a), as_moment(b), as_count(n)) for s, a, b, n in rows)
