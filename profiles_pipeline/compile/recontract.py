"""Re-solves what changed edges touch, and takes over the rest of an id graph.

New edges are contracted onto the components that are known: each of these is one vertex, whatever its size. A component
that lost an edge falls apart into its ids, which are solved from the edges that remain. Whether anything is touched is
found out in SQL, so the script is the same whatever came in.
"""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.compile import stitch
from profiles_pipeline.compile.kept_graph import MAPPINGS, Restitching, all_tuples, shown
from profiles_pipeline.compile.rows import text, timestamp
from profiles_pipeline.compile.statement import (
    Bind,
    Compilation,
    Script,
    SolveComponents,
    Statement,
    Step,
    beside,
    create,
    scratch,
)
from profiles_pipeline.resolve.model import Stitcher
from profiles_pipeline.sql import build


def resolved(c: Compilation, model: Stitcher, r: Restitching) -> Script:
    """Return the script that re-solves what changed and takes over the rest."""
    graph = c.relation(model.path)
    edges, mappings = beside(graph, "_internal_edges"), beside(graph, "_mappings")
    s = _Scratch(graph)
    base = r.base.mappings
    assert base is not None
    steps: list[Step] = [
        _temporary(s("come"), stitch.edges_of(model, [a.come for a in r.sources]), "edges that are new"),
        _temporary(s("gone"), lost_evidence(model, r, s), "edges of which less is seen than before"),
        _temporary(s("touched"), _ends(s("come"), s("gone")), "ids with new or lost evidence"),
        _temporary(
            s("components"),
            build(
                """
                SELECT DISTINCT b.component FROM :base AS b
                JOIN :touched AS t ON t.id = b.other_id AND t.id_type = b.other_id_type
                """,
                base=base,
                touched=s("touched"),
            ),
            "people they belong to",
        ),
        _temporary(s("doubtful"), _ends(s("gone")), "ids that may have lost an edge"),
        *_edges_at(model, r, s, ("doubtful", "around")),
        _temporary(s("loose"), ids_of_fallen(base, s), "ids of people who lost an edge"),
        *_edges_at(model, r, s, ("loose", "remaining")),
        _temporary(s("members"), _members(base, s), "ids that may change, with the vertex that they are part of"),
        _temporary(s("points"), _points(s), "vertices, numbered"),
        SolveComponents(
            edges=_numbered(s),
            nodes=build("SELECT COUNT(*) FROM :points", points=s("points")),
            vertices=s("points"),
            result=s("solved"),
            title="connected components of what changed",
        ),
        _temporary(s("numbers"), _new_numbers(base, s), "numbers for the new components"),
        _temporary(s("nodes"), _nodes(s), "ids of what changed"),
        _temporary(s("affected"), stitch.named_nodes(s("nodes"), s("numbers")), "their main ids"),
        Statement(create("view", edges, _all_edges(c, model, r)), "distinct edges"),
        *_replaced(base, mappings, r, s),
        Statement(
            create("table" if model.as_table else "view", graph, stitch.id_graph(c, model, mappings)), "id graph"
        ),
    ]
    return Script("table" if model.as_table else "view", tuple(steps), stitch.audits(c, model, graph))


def lost_evidence(model: Stitcher, r: Restitching, s: _Scratch) -> exp.Expr:
    """Return the edges of days that changed for which the same days do not say as much as before: they are seen no
    more, or for the first time later, or for the last time earlier.

    The day of a run that is not over yet changes with every run, and mostly just more is seen on it.
    """
    return build(
        """
        WITH was AS (
            SELECT id1, id1_type, id2, id2_type, MIN(first_seen_at) AS first_seen_at, MAX(last_seen_at) AS last_seen_at
            FROM :gone AS gone GROUP BY id1, id1_type, id2, id2_type
        ), is_now AS (
            SELECT id1, id1_type, id2, id2_type, MIN(first_seen_at) AS first_seen_at, MAX(last_seen_at) AS last_seen_at
            FROM :come AS come GROUP BY id1, id1_type, id2, id2_type
        )
        SELECT was.id1, was.id1_type, was.id2, was.id2_type FROM was
        LEFT JOIN is_now AS n
            ON n.id1 = was.id1 AND n.id1_type = was.id1_type AND n.id2 = was.id2 AND n.id2_type = was.id2_type
        WHERE n.id1 IS NULL
            OR COALESCE(n.first_seen_at > was.first_seen_at, was.first_seen_at IS NOT NULL)
            OR COALESCE(n.last_seen_at < was.last_seen_at, was.last_seen_at IS NOT NULL)
        """,
        gone=stitch.edges_of(model, [a.gone for a in r.sources]),
        come=s("come"),
    )


class _Scratch:
    """Names of the scratch tables of a graph."""

    def __init__(self, graph: exp.Table) -> None:
        self.graph = graph

    def __call__(self, name: str) -> exp.Table:
        return scratch(self.graph, name)


def _temporary(table: exp.Table, query: exp.Expr, title: str) -> Statement:
    return Statement(create("temporary table", table, query), title)


def _ends(*edges: exp.Table) -> exp.Expr:
    """Return the distinct ids at the ends of edges."""
    parts = [build("SELECT id1 AS id, id1_type AS id_type FROM :e", e=e) for e in edges]
    parts += [build("SELECT id2, id2_type FROM :e", e=e) for e in edges]
    return exp.union(*parts, distinct=True, copy=False)


def _edges_at(model: Stitcher, r: Restitching, s: _Scratch, tables: tuple[str, str]) -> tuple[Step, Step]:
    """Make a table of the edges of today that have one of some ids at an end, and perhaps others of the same rows.

    Args:
        model: the stitcher.
        r: what it keeps.
        s: names of scratch tables.
        tables: the table of ids, and that of their edges.
    """
    ids, edges = map(s, tables)
    any_at_all = f"any_{tables[0]}"
    found = []
    for source, a in zip(model.sources, r.sources, strict=True):
        has_one = [
            build(
                ":key IN (SELECT id FROM :ids WHERE id_type = :type)", key=key, ids=ids, type=text(str(row_id.id_type))
            )
            for key, row_id in zip(a.keys, source.ids, strict=True)
        ]
        # Mostly there are none, and then nothing needs to be read.
        where = exp.and_(exp.Placeholder(this=any_at_all), exp.paren(exp.or_(*has_one)))
        found.append(all_tuples(a, where))
    count = build("SELECT COUNT(*) > 0 FROM :ids", ids=ids)
    query = stitch.edges_of(model, [_as_rows(each) for each in found])
    return Bind((any_at_all,), count, "whether there are any"), _temporary(edges, query, "edges that these still have")


def _all_edges(c: Compilation, model: Stitcher, r: Restitching) -> exp.Expr:
    before = build("first_seen_at IS NULL OR first_seen_at < :end", end=timestamp(c))
    return stitch.edges_of(model, [_as_rows(all_tuples(a, before.copy())) for a in r.sources])


def _as_rows(query: exp.Expr) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("tuples")))


def ids_of_fallen(base: exp.Expr, s: _Scratch) -> exp.Expr:
    """Return the ids of the components that lost an edge. A lone id that is seen no more has lost the one to itself."""
    return build(
        """
        WITH lost AS (
            SELECT id1, id1_type, id2, id2_type FROM :gone
            EXCEPT SELECT id1, id1_type, id2, id2_type FROM :around
        ), ends AS (
            SELECT id1 AS id, id1_type AS id_type FROM lost UNION SELECT id2, id2_type FROM lost
        ), fallen AS (
            SELECT DISTINCT b.component FROM :base AS b
            JOIN ends AS e ON e.id = b.other_id AND e.id_type = b.other_id_type
        )
        SELECT b.other_id AS id, b.other_id_type AS id_type
        FROM :base AS b JOIN fallen ON fallen.component = b.component
        """,
        gone=s("gone"),
        around=s("around"),
        base=base,
    )


def _members(base: exp.Expr, s: _Scratch) -> exp.Expr:
    """Return the ids of touched components and the new ones: a component that lost nothing is one vertex."""
    return build(
        """
        WITH known AS (
            SELECT b.other_id AS id, b.other_id_type AS id_type, b.component, b.first_seen_at,
                b.valid_at AS last_seen_at, l.id IS NOT NULL AS is_loose
            FROM :base AS b JOIN :components AS t ON t.component = b.component
            LEFT JOIN :loose AS l ON l.id = b.other_id AND l.id_type = b.other_id_type
        )
        SELECT id, id_type, first_seen_at, last_seen_at, is_loose,
            CASE WHEN is_loose THEN 'id ' || id_type || ' ' || id
                ELSE 'component ' || CAST(component AS TEXT) END AS key
        FROM known
        UNION ALL
        SELECT t.id, t.id_type, NULL, NULL, TRUE, 'id ' || t.id_type || ' ' || t.id
        FROM :touched AS t LEFT JOIN known AS k ON k.id = t.id AND k.id_type = t.id_type WHERE k.id IS NULL
        """,
        base=base,
        components=s("components"),
        loose=s("loose"),
        touched=s("touched"),
    )


def _points(s: _Scratch) -> exp.Expr:
    return build(
        "SELECT ROW_NUMBER() OVER () - 1 AS node, key FROM (SELECT DISTINCT key FROM :members) AS keys",
        members=s("members"),
    )


def _numbered(s: _Scratch) -> exp.Expr:
    """Return the edges between vertices by their numbers."""
    return build(
        """
        WITH edges AS (
            SELECT id1, id1_type, id2, id2_type FROM :come UNION SELECT id1, id1_type, id2, id2_type FROM :remaining
        )
        SELECT DISTINCT p.node AS a, q.node AS b FROM edges AS e
        JOIN :members AS m ON m.id = e.id1 AND m.id_type = e.id1_type JOIN :points AS p ON p.key = m.key
        JOIN :members AS n ON n.id = e.id2 AND n.id_type = e.id2_type JOIN :points AS q ON q.key = n.key
        WHERE p.node <> q.node
        """,
        come=s("come"),
        remaining=s("remaining"),
        members=s("members"),
        points=s("points"),
    )


def _new_numbers(base: exp.Expr, s: _Scratch) -> exp.Expr:
    """Return the components by numbers that no component of the base has."""
    return build(
        """
        SELECT node, component + (SELECT COALESCE(MAX(component), -1) + 1 FROM :base AS b) AS component FROM :solved
        """,
        base=base,
        solved=s("solved"),
    )


def _nodes(s: _Scratch) -> exp.Expr:
    """Return the ids of what changed with when they were seen.

    One that may have lost evidence is as its remaining edges say, and is no more where there are none. For all others
    what is new is added to what was known.
    """
    return build(
        """
        WITH evidence AS (
            SELECT id, id_type, first_seen_at, last_seen_at FROM :members AS m
            WHERE NOT is_loose AND NOT EXISTS (
                SELECT 1 FROM :doubtful AS d WHERE d.id = m.id AND d.id_type = m.id_type
            )
            UNION ALL SELECT id1, id1_type, first_seen_at, last_seen_at FROM :come
            UNION ALL SELECT id2, id2_type, first_seen_at, last_seen_at FROM :come
            UNION ALL SELECT id1, id1_type, first_seen_at, last_seen_at FROM :around
            UNION ALL SELECT id2, id2_type, first_seen_at, last_seen_at FROM :around
            UNION ALL SELECT id1, id1_type, first_seen_at, last_seen_at FROM :remaining
            UNION ALL SELECT id2, id2_type, first_seen_at, last_seen_at FROM :remaining
        ), ids AS (
            SELECT id, id_type, MIN(first_seen_at) AS first_seen_at, MAX(last_seen_at) AS last_seen_at
            FROM evidence GROUP BY id, id_type
        )
        SELECT p.node, i.id, i.id_type, i.first_seen_at, i.last_seen_at
        FROM ids AS i JOIN :members AS m ON m.id = i.id AND m.id_type = i.id_type JOIN :points AS p ON p.key = m.key
        """,
        members=s("members"),
        doubtful=s("doubtful"),
        come=s("come"),
        around=s("around"),
        remaining=s("remaining"),
        points=s("points"),
    )


def _replaced(base: exp.Expr, mappings: exp.Table, r: Restitching, s: _Scratch) -> list[Step]:
    """Return the steps that leave the mappings behind: those of touched people are replaced."""
    both = {"components": s("components"), "affected": s("affected")}
    title = "main id of each id"
    made = r.states
    assert made is not None
    if not made.mappings.is_current:
        rows = build(
            """
            SELECT :columns FROM :base AS b WHERE component NOT IN (SELECT component FROM :components)
            UNION ALL SELECT :columns FROM :affected AS a
            """,
            columns=list(MAPPINGS),
            base=base,
            **both,
        )
        everybody = build("SELECT DISTINCT main_id FROM :rows AS m", rows=made.mappings.now())
        return [
            *made.mappings.begun(rows, title),
            *made.people.begun(everybody, "main ids"),
            shown(mappings, made),
        ]
    gone = build("component IN (SELECT component FROM :components)", components=both["components"])
    were = build("SELECT main_id FROM :base AS b WHERE :gone", base=base, gone=gone)
    no_more = build(
        "main_id IN (:were) AND main_id NOT IN (SELECT main_id FROM :affected)", were=were, affected=both["affected"]
    )
    come = build(
        "SELECT DISTINCT main_id FROM :affected AS a WHERE main_id NOT IN (:were)", were=were, affected=both["affected"]
    )
    return [
        *made.people.replaced(no_more, come, "main ids"),
        *made.mappings.replaced(gone, s("affected"), title),
        shown(mappings, made),
    ]
