"""Compiles an id stitcher: edges out of rows, nodes out of edges, components, and the main id of each.

Node = (id type, value). Edge = two nodes seen in one row. The main id of a component is the published hash of its
eldest node: earliest first seen, unknown times last, ties by the smallest hash. It depends on the data alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Literal

from sqlglot import exp

from profiles_pipeline.compile import cardinality, node_metadata, rules
from profiles_pipeline.compile.rows import alias, col, id_value, moment, occurred, text, visible_rows
from profiles_pipeline.compile.statement import (
    Audit,
    Compilation,
    Script,
    SolveComponents,
    Statement,
    Step,
    beside,
    create,
    scratch,
)
from profiles_pipeline.resolve.model import EdgeSource, Stitcher
from profiles_pipeline.sql import build

NODE_HASH_SALT = "fe971b24-9572-4005-b22f-351e9c09274d"


def compile_stitcher(
    c: Compilation,
    model: Stitcher,
    tuples_of: Callable[[EdgeSource], exp.Expr] | None = None,
    stored: Callable[[exp.Expr], Sequence[Step]] | None = None,
) -> Script:
    """Return the script that leaves ``_internal_edges``, ``_mappings`` and the id graph behind.

    Args:
        c: what to compile against.
        model: the stitcher.
        tuples_of: gives the distinct combinations of ids of a source where they are kept; None to read its rows.
        stored: gives the steps that leave the rows of a query behind as the mappings; None to make a table of them.
    """
    seen_together = tuples_of or (lambda source: _tuples(c, model, source))
    graph = c.relation(model.path)
    kind: Literal["table", "view"] = "table" if model.as_table else "view"
    edges, mappings = beside(graph, "_internal_edges"), beside(graph, "_mappings")
    nodes, components = scratch(graph, "nodes"), scratch(graph, "components")
    tuples = [scratch(graph, f"tuples_{number}") for number in range(len(model.sources))]
    # An id was seen whether or not a cap or a rule took its edges.
    seen = beside(graph, "_raw_edges") if cardinality.caps(model) or model.rules else edges
    steps: list[Step] = [
        *(
            Statement(create("temporary table", table, seen_together(source)), f"ids seen together in {source.path}")
            for table, source in zip(tuples, model.sources, strict=True)
        ),
        *_edge_steps(c, model, edges, tuples),
        Statement(create("temporary table", nodes, _nodes(model, edges, seen)), "distinct ids, numbered"),
        SolveComponents(
            edges=_numbered_edges(edges, nodes),
            nodes=build("SELECT COUNT(*) FROM :nodes", nodes=nodes),
            vertices=nodes,
            result=components,
            title="connected components",
        ),
        *_metadata_steps(c, model, edges, seen),
        *(stored or (lambda rows: [mappings_table(mappings, rows)]))(_mappings(c, model, nodes, components)),
        Statement(create(kind, graph, id_graph(c, model, mappings)), "id graph"),
    ]
    return Script(kind, tuple(steps), audits(c, model, graph))


def mappings_table(mappings: exp.Table, rows: exp.Expr) -> Statement:
    """Return the statement that makes a table of the mappings."""
    return Statement(create("table", mappings, rows), "main id of each id")


def _edge_steps(c: Compilation, model: Stitcher, edges: exp.Table, tuples: list[exp.Table]) -> list[Step]:
    """Return the steps that leave the edges behind; where there are caps or rules, also the raw edges.

    Caps come before rules: what somebody has said by hand holds whatever the cap.
    """
    graph = c.relation(model.path)
    found = edges_of(model, tuples)
    caps = cardinality.caps(model)
    if not caps and model.rules is None:
        return [Statement(create("table", edges, found), "distinct edges")]
    raw = beside(graph, "_raw_edges")
    steps: list[Step] = [Statement(create("table", raw, found), "distinct edges, before caps and rules")]
    if caps:
        audit = _cap_audit(model, graph)
        removed = cardinality.audit_table(caps, raw, graph.name)
        capped = scratch(graph, "capped_edges") if model.rules else edges
        kept = create("temporary table" if model.rules else "table", capped, cardinality.kept_edges(raw, audit))
        steps += [
            Statement(create("table", audit, removed), "edges of ids over their cap"),
            Statement(kept, "edges within the caps"),
        ]
        raw = capped
    if model.rules is not None:
        table = scratch(graph, "rules")
        steps += [
            Statement(create("temporary table", table, rules.rules_table(c, model.rules)), "manual rules that count"),
            Statement(create("table", edges, rules.ruled_edges(model.rules, raw, table)), "edges after manual rules"),
        ]
    return steps


def _cap_audit(model: Stitcher, graph: exp.Table) -> exp.Table:
    return beside(graph, f"_{model.entity}_CARDINALITY_AUDIT")


def _metadata_steps(c: Compilation, model: Stitcher, edges: exp.Table, seen: exp.Table) -> list[Step]:
    if not node_metadata.is_kept(model):
        return []
    graph = c.relation(model.path)
    audit = _cap_audit(model, graph) if cardinality.caps(model) else None
    documents = node_metadata.node_metadata(model, edges, seen, audit)
    return [Statement(create("temporary table", scratch(graph, "metadata"), documents), "evidence of each id")]


def _tuples(c: Compilation, model: Stitcher, source: EdgeSource) -> exp.Select:
    """Return the distinct combinations of ids on the rows of a source, with when they were seen and how often."""
    origin = c.graph.models[source.path]
    types = {t.name: t for t in model.id_types}
    values = [
        alias(id_value(c, row_id, types[str(row_id.id_type)], source.path), f"id_{number}")
        for number, row_id in enumerate(source.ids)
    ]
    occurred_at = getattr(origin, "occurred_at", None)
    time = occurred(c, occurred_at, source.path) if occurred_at else exp.cast(exp.Null(), "TIMESTAMP")
    names = [f"id_{number}" for number in range(len(source.ids))]
    some = exp.or_(*(build(":id IS NOT NULL", id=name) for name in names))
    query = build(
        """
        WITH rows AS (SELECT :values, :time AS occurred_at FROM :visible AS source_rows)
        SELECT :names, MIN(occurred_at) AS first_seen_at, MAX(occurred_at) AS last_seen_at, COUNT(*) AS row_count
        FROM rows WHERE :some GROUP BY :keys
        """,
        values=values,
        time=time,
        visible=visible_rows(c, origin),
        names=names,
        some=some,
        keys=names,
    )
    assert isinstance(query, exp.Select)
    return query


def edges_of(model: Stitcher, tuples: Sequence[exp.Expr]) -> exp.Expr:
    """Return the distinct edges of each source: each pair once, smaller end first; a lone id is an edge to itself."""
    parts = [_edges_of(table, source) for table, source in zip(tuples, model.sources, strict=True)]
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)


def _edges_of(table: exp.Expr, source: EdgeSource) -> exp.Expr:
    parts = [*_pairs(table, source), *_lone(table, source)]
    pairs = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
    types = [row_id.id_type for row_id in source.ids]
    if len(types) <= 2 and len(set(types)) == len(types):
        return pairs  # distinct combinations of up to two ids of different types are distinct edges already
    return build(
        """
        SELECT id1, id1_type, id2, id2_type, source, MIN(first_seen_at) AS first_seen_at,
            MAX(last_seen_at) AS last_seen_at, CAST(SUM(row_count) AS BIGINT) AS row_count
        FROM :pairs AS pairs
        GROUP BY id1, id1_type, id2, id2_type, source
        """,
        pairs=pairs,
    )


def _pairs(table: exp.Expr, source: EdgeSource) -> list[exp.Expr]:
    found = []
    for (i, one), (j, two) in combinations(enumerate(source.ids), 2):
        ends = sorted(((str(one.id_type), f"id_{i}"), (str(two.id_type), f"id_{j}")))
        (type1, id1), (type2, id2) = ends
        first: exp.Expr = col(id1)
        second: exp.Expr = col(id2)
        if type1 == type2:
            first, second = build("LEAST(:a, :b)", a=id1, b=id2), build("GREATEST(:a, :b)", a=id1, b=id2)
        both = f'"{id1}" IS NOT NULL AND "{id2}" IS NOT NULL'
        found.append(_edge(table, source, (first, type1), (second, type2), both))
    return found


def _lone(table: exp.Expr, source: EdgeSource) -> list[exp.Expr]:
    found = []
    for i, row_id in enumerate(source.ids):
        others = [f'"id_{j}" IS NULL' for j in range(len(source.ids)) if j != i]
        end = (col(f"id_{i}"), str(row_id.id_type))
        found.append(_edge(table, source, end, end, " AND ".join([f'"id_{i}" IS NOT NULL', *others])))
    return found


def _edge(
    table: exp.Expr,
    source: EdgeSource,
    one: tuple[exp.Expr, str],
    two: tuple[exp.Expr, str],
    condition: str,
) -> exp.Expr:
    return build(
        """
        SELECT :id1 AS id1, :type1 AS id1_type, :id2 AS id2, :type2 AS id2_type, :source AS source,
            first_seen_at, last_seen_at, row_count
        FROM :tuples WHERE :condition
        """,
        id1=one[0],
        type1=text(one[1]),
        id2=two[0],
        type2=text(two[1]),
        source=text(source.path),
        tuples=table,
        condition=build(condition),
    )


def _nodes(model: Stitcher, edges: exp.Table, seen: exp.Table) -> exp.Expr:
    """Return the distinct ids with when they were seen: those of the data, or, where there are rules, those left."""
    return build(
        """
        WITH ends AS (
            SELECT id1 AS id, id1_type AS id_type, first_seen_at, last_seen_at FROM :seen
            UNION ALL
            SELECT id2, id2_type, first_seen_at, last_seen_at FROM :seen
        ), ids AS (
            SELECT id, id_type, MIN(first_seen_at) AS first_seen_at, MAX(last_seen_at) AS last_seen_at
            FROM ends GROUP BY id, id_type
        )
        SELECT ROW_NUMBER() OVER () - 1 AS node, id, id_type, first_seen_at, last_seen_at FROM ids WHERE :left
        """,
        seen=seen if model.rules is None else build("SELECT * FROM :s UNION ALL SELECT * FROM :e", s=seen, e=edges),
        left=None if model.rules is None else _is_an_end(edges),
    )


def _is_an_end(edges: exp.Table) -> exp.Expr:
    return build(
        "(id, id_type) IN (SELECT (id1, id1_type) FROM :edges UNION ALL SELECT (id2, id2_type) FROM :edges)",
        edges=edges,
    )


def _numbered_edges(edges: exp.Table, nodes: exp.Table) -> exp.Expr:
    return build(
        """
        SELECT one.node AS a, two.node AS b
        FROM :edges AS e
        JOIN :nodes AS one ON one.id = e.id1 AND one.id_type = e.id1_type
        JOIN :nodes AS two ON two.id = e.id2 AND two.id_type = e.id2_type
        WHERE one.node <> two.node
        """,
        edges=edges,
        nodes=nodes,
    )


def _mappings(c: Compilation, model: Stitcher, nodes: exp.Table, components: exp.Table) -> exp.Expr:
    """Return main id, id, type and evidence times of every node, and its metadata where the stitcher keeps it."""
    found = named_nodes(nodes, components)
    if not node_metadata.is_kept(model):
        return found
    return build(
        """
        SELECT f.*, m.metadata FROM :found AS f
        JOIN :metadata AS m ON m.id = f.other_id AND m.id_type = f.other_id_type
        """,
        found=found,
        metadata=scratch(c.relation(model.path), "metadata"),
    )


def named_nodes(nodes: exp.Table, components: exp.Table) -> exp.Expr:
    """Return main id, id, type, evidence times and component of each node."""
    return build(
        """
        WITH labelled AS (
            SELECT n.id, n.id_type, n.first_seen_at, n.last_seen_at, c.component,
                COALESCE(n.first_seen_at, :never) AS seen_from
            FROM :nodes AS n JOIN :components AS c ON c.node = n.node
        ), eldest AS (
            SELECT component, MIN(seen_from) AS seen_from FROM labelled GROUP BY component
        ), named AS (
            SELECT l.component, MIN(:hash) AS main_id
            FROM labelled AS l JOIN eldest AS e ON e.component = l.component AND e.seen_from = l.seen_from
            GROUP BY l.component
        )
        SELECT named.main_id, l.id AS other_id, l.id_type AS other_id_type,
            l.last_seen_at AS valid_at, l.first_seen_at, l.component
        FROM labelled AS l JOIN named ON named.component = l.component
        """,
        nodes=nodes,
        components=components,
        never=moment("9999-12-31 00:00:00"),
        hash=node_hash(col("id", "l"), col("id_type", "l")),
    )


def node_hash(value: exp.Expr, id_type: exp.Expr) -> exp.Expr:
    """Return the published hash of a node: ``rid`` and 32 hex digits of nested, truncated SHA-1."""
    return build(
        "'rid' || SUBSTRING(SHA1(SUBSTRING(SHA1(:salt || :value), 1, 32) || :id_type), 1, 32)",
        salt=text(NODE_HASH_SALT),
        value=value,
        id_type=id_type,
    )


def id_graph(c: Compilation, model: Stitcher, mappings: exp.Table) -> exp.Expr:
    """Return the id graph, with the main id once under the name that each entity of the stitcher gives it."""
    names = [model.id_column, *(e.id_column for e in c.project.entities.values() if e.stitcher == model.path)]
    return build(
        "SELECT :main_ids, other_id, other_id_type, valid_at, first_seen_at, :metadata FROM :mappings",
        main_ids=[alias(exp.column("main_id"), name) for name in dict.fromkeys(names)],
        metadata=["metadata"] if node_metadata.is_kept(model) else [],
        mappings=mappings,
    )


def audits(c: Compilation, model: Stitcher, graph: exp.Table) -> tuple[Audit, ...]:
    """Return the checks of an id graph."""
    return (
        Audit(
            "every_id_in_one_cluster",
            build(
                """
                SELECT COUNT(*) FROM (
                    SELECT other_id, other_id_type FROM :graph GROUP BY other_id, other_id_type HAVING COUNT(*) > 1
                ) AS repeated
                """,
                graph=graph,
            ),
            "Every (id, type) is in exactly one cluster.",
        ),
        Audit(
            "main_id_not_null",
            build("SELECT COUNT(*) FROM :graph WHERE :id IS NULL", graph=graph, id=model.id_column),
            "Every id has a main id.",
        ),
        *([rules.audit(c, model.rules)] if model.rules else []),
    )
