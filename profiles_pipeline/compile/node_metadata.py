"""What the id graph can say of each id besides its main id: where it was seen first, and its direct neighbours."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.compile.rows import alias
from profiles_pipeline.resolve.model import Stitcher
from profiles_pipeline.sql import build


def is_kept(model: Stitcher) -> bool:
    """True when the id graph has a column ``metadata``."""
    return model.log_direct_edge_info or model.log_node_metadata


def node_metadata(model: Stitcher, edges: exp.Table, seen: exp.Table, audit: exp.Table | None) -> exp.Expr:
    """Return id, type and ``metadata`` of every node, a JSON document with ``node_info`` and ``direct_edge_info``.

    Args:
        model: the stitcher; its options say which parts the documents have.
        edges: the edges that count.
        seen: the edges that the data gives, whether they count or not.
        audit: the edges that caps took away, if there are caps.
    """
    parts = []
    joins: list[tuple[str, exp.Expr]] = []
    if model.log_node_metadata:
        parts.append(("node_info", "n.node_info"))
        # Ids that only a rule knows are in no edge of the data.
        found = seen if model.rules is None else build("SELECT * FROM :s UNION ALL SELECT * FROM :e", s=seen, e=edges)
        joins.append(("n", _node_info(found)))
    if model.log_direct_edge_info:
        parts.append(("direct_edge_info", "{'edges_by_type': COALESCE(d.edges_by_type, CAST('{}' AS JSON))}"))
        joins.append(("d", _direct_edge_info(edges, audit)))
    document = exp.Anonymous(this="JSON_OBJECT", expressions=[])
    for name, value in parts:
        document.append("expressions", exp.Literal.string(name))
        document.append("expressions", build(value))
    query = exp.select("i.id", "i.id_type", alias(document, "metadata")).from_(
        exp.alias_(exp.Subquery(this=_ids(edges)), "i", table=True)
    )
    for name, tree in joins:
        on = build(f"{name}.id = i.id AND {name}.id_type = i.id_type")
        query = query.join(tree, on=on, join_type="left", join_alias=name)
    return query


def _ids(edges: exp.Table) -> exp.Expr:
    return build("SELECT id1 AS id, id1_type AS id_type FROM :e UNION SELECT id2, id2_type FROM :e", e=edges)


def _ends(edges: exp.Expr) -> exp.Expr:
    """Return every edge from both of its ends."""
    return build(
        """
        SELECT id1 AS id, id1_type AS id_type, id2 AS other, id2_type AS other_type, source, first_seen_at FROM :edges
        UNION ALL
        SELECT id2, id2_type, id1, id1_type, source, first_seen_at FROM :edges WHERE id1 <> id2 OR id1_type <> id2_type
        """,
        edges=edges,
    )


def _node_info(seen: exp.Expr) -> exp.Expr:
    return build(
        """
        SELECT id, id_type, LIST_VALUE({
            'first_seen_at': MIN(first_seen_at), 'source_model': LIST(DISTINCT source ORDER BY source)
        }) AS node_info
        FROM (
            SELECT *, RANK() OVER (PARTITION BY id, id_type ORDER BY first_seen_at NULLS LAST) AS sighting
            FROM :ends AS all_ends
        ) AS e
        WHERE sighting = 1 GROUP BY id, id_type
        """,
        ends=_ends(seen),
    )


def _direct_edge_info(edges: exp.Table, audit: exp.Table | None) -> exp.Expr:
    return build(
        """
        WITH ends AS (
            SELECT *, RANK() OVER (
                PARTITION BY id, id_type, other, other_type ORDER BY first_seen_at NULLS LAST
            ) AS sighting
            FROM :ends AS all_ends WHERE id <> other OR id_type <> other_type
        ), neighbours AS (
            SELECT id, id_type, other_type, other, MIN(first_seen_at) AS first_seen_at,
                LIST(DISTINCT source ORDER BY source) FILTER (WHERE sighting = 1) AS first_seen_source_model
            FROM ends GROUP BY id, id_type, other_type, other
        ), lists AS (
            SELECT id, id_type, other_type, COUNT(*) AS count, LIST({
                'id': other, 'first_seen_at': first_seen_at, 'first_seen_source_model': first_seen_source_model
            } ORDER BY other) AS edges
            FROM neighbours GROUP BY id, id_type, other_type
        ), origins AS (
            SELECT id, id_type, other_type, LIST(DISTINCT source ORDER BY source) AS sources
            FROM ends GROUP BY id, id_type, other_type
        ), caps AS (
            SELECT id, id_type, other_type, LIST({
                'id': other, 'reason': reason, 'rule_details': CAST(CAST(rule_details AS TEXT) AS JSON)
            } ORDER BY other) AS cardinality_info
            FROM :removed AS r GROUP BY id, id_type, other_type
        ), types AS (
            SELECT id, id_type, other_type FROM lists UNION SELECT id, id_type, other_type FROM caps
        )
        SELECT t.id, t.id_type, TO_JSON(MAP(LIST(t.other_type ORDER BY t.other_type), LIST({
            'count': COALESCE(l.count, 0), 'edges': COALESCE(l.edges, []), 'sources': COALESCE(o.sources, []),
            'cardinality_info': COALESCE(c.cardinality_info, [])
        } ORDER BY t.other_type))) AS edges_by_type
        FROM types AS t
        LEFT JOIN lists AS l ON l.id = t.id AND l.id_type = t.id_type AND l.other_type = t.other_type
        LEFT JOIN origins AS o ON o.id = t.id AND o.id_type = t.id_type AND o.other_type = t.other_type
        LEFT JOIN caps AS c ON c.id = t.id AND c.id_type = t.id_type AND c.other_type = t.other_type
        GROUP BY t.id, t.id_type
        """,
        ends=_ends(edges),
        removed=_removed(audit),
    )


def _removed(audit: exp.Table | None) -> exp.Expr:
    """Return the edges that caps took away, from both of their ends."""
    if audit is None:
        return build(
            """
            SELECT '' AS id, '' AS id_type, '' AS other, '' AS other_type, '' AS reason, '{}' AS rule_details
            WHERE FALSE
            """
        )
    return build(
        """
        SELECT id1 AS id, id1_type AS id_type, id2 AS other, id2_type AS other_type, reason, rule_details FROM :audit
        UNION ALL
        SELECT id2, id2_type, id1, id1_type, reason, rule_details FROM :audit
        """,
        audit=audit,
    )
