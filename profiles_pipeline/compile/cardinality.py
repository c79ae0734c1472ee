"""Caps on how many ids of one type an id may be tied to (`maximum_edges`).

A node over its cap loses all its edges to ids of that type, not just the surplus: nobody can tell which one is right.
The nodes stay, alone if need be, and each removed edge has a row in the audit table.
"""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.compile.rows import text
from profiles_pipeline.resolve.model import Stitcher
from profiles_pipeline.sql import build

Cap = tuple[str, str, int]
"""Id type, id type of its neighbours, and how many different ones it may have."""


def caps(model: Stitcher) -> list[Cap]:
    """Return the caps that matter for a stitcher, in a stable order."""
    used = {t.name for t in model.id_types}
    return sorted((t.name, other, most) for t in model.id_types for other, most in t.maximum_edges if other in used)


def audit_table(rules: list[Cap], raw: exp.Table, material: str) -> exp.Expr:
    """Return the query for the audit table: one row for each edge that a cap removes, and the first cap that does."""
    head, _, run = material.rpartition("_")
    return build(
        """
        WITH ends AS (
            SELECT id1 AS id, id1_type AS id_type, id2 AS other, id2_type AS other_type FROM :raw
            UNION
            SELECT id2, id2_type, id1, id1_type FROM :raw
        ), rules AS (
            SELECT id_type, other_type, max_edges FROM :rules
        ), offenders AS (
            SELECT e.id, e.id_type, e.other_type, r.max_edges, COUNT(*) AS current_count
            FROM ends AS e JOIN rules AS r ON r.id_type = e.id_type AND r.other_type = e.other_type
            WHERE e.id <> e.other OR e.id_type <> e.other_type
            GROUP BY e.id, e.id_type, e.other_type, r.max_edges
            HAVING COUNT(*) > r.max_edges
        ), removed AS (
            SELECT e.id1, e.id1_type, e.id2, e.id2_type, e.source, o.max_edges, o.current_count
            FROM :raw AS e JOIN offenders AS o
                ON o.id = e.id1 AND o.id_type = e.id1_type AND o.other_type = e.id2_type
            WHERE e.id1 <> e.id2 OR e.id1_type <> e.id2_type
            UNION ALL
            SELECT e.id1, e.id1_type, e.id2, e.id2_type, e.source, o.max_edges, o.current_count
            FROM :raw AS e JOIN offenders AS o
                ON o.id = e.id2 AND o.id_type = e.id2_type AND o.other_type = e.id1_type
            WHERE e.id1 <> e.id2 OR e.id1_type <> e.id2_type
        )
        SELECT :run AS run_id, :hash AS model_hash, id1, id1_type, id2, id2_type,
            'CARDINALITY_VIOLATION' AS reason,
            '{"max_edges": ' || CAST(MIN(max_edges) AS TEXT)
                || ', "current_count": ' || CAST(MAX(current_count) AS TEXT) || '}' AS rule_details,
            STRING_AGG(DISTINCT source, ', ' ORDER BY source) AS source_models
        FROM removed
        GROUP BY id1, id1_type, id2, id2_type
        """,
        raw=raw,
        rules=_rules(rules),
        run=text(run),
        hash=text(head.rpartition("_")[2]),
    )


def kept_edges(raw: exp.Table, audit: exp.Table) -> exp.Expr:
    """Return the edges that no cap removes, and an edge to itself for each node that has lost all of its edges."""
    return build(
        """
        WITH kept AS (
            SELECT e.* FROM :raw AS e
            WHERE NOT EXISTS (
                SELECT 1 FROM :audit AS a
                WHERE a.id1 = e.id1 AND a.id1_type = e.id1_type AND a.id2 = e.id2 AND a.id2_type = e.id2_type
            )
        ), ends AS (
            SELECT id1 AS id, id1_type AS id_type FROM kept UNION SELECT id2, id2_type FROM kept
        ), lost AS (
            SELECT id1 AS id, id1_type AS id_type, source, first_seen_at, last_seen_at, row_count FROM :raw
            UNION ALL
            SELECT id2, id2_type, source, first_seen_at, last_seen_at, row_count FROM :raw
        )
        SELECT id1, id1_type, id2, id2_type, source, first_seen_at, last_seen_at, row_count FROM kept
        UNION ALL
        SELECT l.id, l.id_type, l.id, l.id_type, l.source,
            MIN(l.first_seen_at), MAX(l.last_seen_at), CAST(SUM(l.row_count) AS BIGINT)
        FROM lost AS l
        WHERE NOT EXISTS (SELECT 1 FROM ends AS e WHERE e.id = l.id AND e.id_type = l.id_type)
        GROUP BY l.id, l.id_type, l.source
        """,
        raw=raw,
        audit=audit,
    )


def _rules(rules: list[Cap]) -> exp.Values:
    rows = [exp.Tuple(expressions=[text(a), text(b), exp.Literal.number(most)]) for a, b, most in rules]
    columns = [exp.to_identifier(name) for name in ("id_type", "other_type", "max_edges")]
    return exp.Values(expressions=rows, alias=exp.TableAlias(this=exp.to_identifier("caps"), columns=columns))
