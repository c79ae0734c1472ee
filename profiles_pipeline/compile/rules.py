"""Manual rules of an id stitcher: a table that says which ids and edges to leave out or to add.

A rule with one id is about the id, a rule with two about the edge between them. Of several rules about the same ids the
newest counts. An id that is left out takes its edges with it; an edge that is left out leaves both ids behind. What is
added has no time, so it never makes an id older than its data. Rules count whenever they were written: they are part of
what the graph means, not of what happened.
"""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.compile.rows import col, text
from profiles_pipeline.compile.statement import Audit, Compilation
from profiles_pipeline.resolve.model import Input, Rules
from profiles_pipeline.sql import build

RULE_COLUMNS = ("entity", "id1", "id1_type", "id2", "id2_type", "action", "reason", "created_at")
"""Columns of the table that holds rules. All are texts but the last, a timestamp; `reason` is for people only."""

_LONE = "id1 = id2 AND id1_type = id2_type"


def rules_table(c: Compilation, rules: Rules) -> exp.Expr:
    """Return the rules that count, one per id or edge: ends in the order that edges have, action in capitals.

    A rule about one id is an edge from that id to itself.
    """
    return build(
        """
        WITH types AS (SELECT name, number FROM :types), named AS (
            SELECT r.id1, one.name AS id1_type, one.number AS number1, r.action, r.created_at,
                COALESCE(r.id2, r.id1) AS id2, COALESCE(two.name, one.name) AS id2_type,
                COALESCE(two.number, one.number) AS number2
            FROM :written AS r
            JOIN types AS one ON LOWER(one.name) = r.id1_type
            LEFT JOIN types AS two ON LOWER(two.name) = r.id2_type
            WHERE r.entity IN (:entities)
        ), placed AS (
            SELECT *, number1 < number2 OR (number1 = number2 AND id1 <= id2) AS in_order FROM named
        ), ordered AS (
            SELECT CASE WHEN in_order THEN id1 ELSE id2 END AS id1,
                CASE WHEN in_order THEN id1_type ELSE id2_type END AS id1_type,
                CASE WHEN in_order THEN id2 ELSE id1 END AS id2,
                CASE WHEN in_order THEN id2_type ELSE id1_type END AS id2_type, action, created_at
            FROM placed
        ), ranked AS (
            SELECT id1, id1_type, id2, id2_type, action, ROW_NUMBER() OVER (
                PARTITION BY id1, id1_type, id2, id2_type ORDER BY created_at DESC NULLS LAST, :first
            ) AS age
            FROM ordered
        )
        SELECT id1, id1_type, id2, id2_type, action FROM ranked WHERE age = 1
        """,
        types=_types(rules),
        written=_written(c, rules),
        entities=[text(name) for name in rules.entities],
        first=exp.Ordered(this=col("action"), desc=rules.priority == "include", nulls_first=False),
    )


def ruled_edges(rules: Rules, found: exp.Table, table: exp.Table) -> exp.Expr:
    """Return the edges that the rules leave and those they add, and an edge to itself for each id left alone.

    Args:
        rules: whether an id that is left out beats an edge that is added (priority ``exclude``) or yields to it.
        found: the edges that the data gives.
        table: the rules that count, as `rules_table` has them.
    """
    return build(
        """
        WITH gone AS (
            SELECT id1 AS id, id1_type AS id_type FROM :rules WHERE action = 'EXCLUDE' AND :lone
        ), kept AS (
            SELECT e.* FROM :found AS e
            WHERE NOT EXISTS (
                SELECT 1 FROM :rules AS r WHERE r.action = 'EXCLUDE'
                    AND r.id1 = e.id1 AND r.id1_type = e.id1_type AND r.id2 = e.id2 AND r.id2_type = e.id2_type
            )
            AND NOT EXISTS (SELECT 1 FROM gone AS g WHERE g.id = e.id1 AND g.id_type = e.id1_type)
            AND NOT EXISTS (SELECT 1 FROM gone AS g WHERE g.id = e.id2 AND g.id_type = e.id2_type)
        ), added AS (
            SELECT id1, id1_type, id2, id2_type, :source AS source, CAST(NULL AS TIMESTAMP) AS first_seen_at,
                CAST(NULL AS TIMESTAMP) AS last_seen_at, CAST(0 AS BIGINT) AS row_count
            FROM :rules AS r WHERE action = 'INCLUDE' AND :allowed
        ), together AS (
            SELECT * FROM kept UNION ALL SELECT * FROM added WHERE NOT (:lone)
        ), ends AS (
            SELECT id1 AS id, id1_type AS id_type FROM together UNION SELECT id2, id2_type FROM together
        ), seen AS (
            SELECT id1 AS id, id1_type AS id_type, source, first_seen_at, last_seen_at, row_count FROM :found
            UNION ALL
            SELECT id2, id2_type, source, first_seen_at, last_seen_at, row_count FROM :found
            UNION ALL
            SELECT id1, id1_type, source, first_seen_at, last_seen_at, row_count FROM added WHERE :lone
        )
        SELECT id1, id1_type, id2, id2_type, source, first_seen_at, last_seen_at, row_count FROM together
        UNION ALL
        SELECT s.id, s.id_type, s.id, s.id_type, s.source,
            MIN(s.first_seen_at), MAX(s.last_seen_at), CAST(SUM(s.row_count) AS BIGINT)
        FROM seen AS s
        WHERE NOT EXISTS (SELECT 1 FROM ends AS e WHERE e.id = s.id AND e.id_type = s.id_type)
            AND NOT EXISTS (SELECT 1 FROM gone AS g WHERE g.id = s.id AND g.id_type = s.id_type)
        GROUP BY s.id, s.id_type, s.source
        """,
        rules=table,
        found=found,
        lone=build(_LONE),
        source=text(rules.path),
        allowed=_allowed(rules),
    )


def _allowed(rules: Rules) -> exp.Expr:
    """Return the condition under which a rule may add its edge."""
    if rules.priority == "include":
        return exp.true()
    return build(
        """
        NOT EXISTS (SELECT 1 FROM gone AS g WHERE g.id = r.id1 AND g.id_type = r.id1_type)
        AND NOT EXISTS (SELECT 1 FROM gone AS g WHERE g.id = r.id2 AND g.id_type = r.id2_type)
        """
    )


def audit(c: Compilation, rules: Rules) -> Audit:
    """Return the check that every rule can be understood: a rule with a slip of the pen must not be passed over."""
    tree = build(
        """
        WITH types AS (SELECT name, number FROM :types)
        SELECT COUNT(*) FROM :written AS r
        LEFT JOIN types AS one ON LOWER(one.name) = r.id1_type
        LEFT JOIN types AS two ON LOWER(two.name) = r.id2_type
        WHERE COALESCE(r.entity, '') NOT IN (:known)
            OR (r.entity IN (:entities) AND (
                COALESCE(r.action, '') NOT IN ('INCLUDE', 'EXCLUDE') OR r.id1 IS NULL OR one.name IS NULL
                OR (r.id2 IS NULL) <> (r.id2_type IS NULL) OR (r.id2 IS NOT NULL AND two.name IS NULL)
            ))
        """,
        types=_types(rules),
        written=_written(c, rules),
        known=[text(name) for name in c.project.entities],
        entities=[text(name) for name in rules.entities],
    )
    words = f"{' or '.join(rules.id_types)} as id types, and INCLUDE or EXCLUDE"
    return Audit("rules_can_be_read", tree, f"Every manual rule names an entity, {words}.")


def _written(c: Compilation, rules: Rules) -> exp.Expr:
    """Return the rules as they are written: blank texts as NULL, entity and types in small letters."""
    table = c.graph.models[rules.path]
    assert isinstance(table, Input)
    written = build(
        """
        SELECT LOWER(TRIM(CAST(entity AS TEXT))) AS entity,
            CASE WHEN TRIM(CAST(id1 AS TEXT)) <> '' THEN CAST(id1 AS TEXT) END AS id1,
            NULLIF(LOWER(TRIM(CAST(id1_type AS TEXT))), '') AS id1_type,
            CASE WHEN TRIM(CAST(id2 AS TEXT)) <> '' THEN CAST(id2 AS TEXT) END AS id2,
            NULLIF(LOWER(TRIM(CAST(id2_type AS TEXT))), '') AS id2_type,
            UPPER(TRIM(CAST(action AS TEXT))) AS action, CAST(created_at AS TIMESTAMP) AS created_at
        FROM :source AS written
        """,
        source=c.source(table),
    )
    stays = _about_nobody_suppressed(c, rules)
    return build("SELECT * FROM :written AS w WHERE :stays", written=written, stays=stays) if stays else written


def _about_nobody_suppressed(c: Compilation, rules: Rules) -> exp.Expr | None:
    """Return the condition that a rule names no identifier of somebody who was forgotten; None where all may stay."""
    if c.suppressed is None:
        return None
    found = [
        build(":type = :name AND :has", type=f"{end}_type", name=text(id_type.lower()), has=c.suppressed.has(
            col(end), entity, id_type))
        for entity in rules.entities
        for id_type in rules.id_types
        if c.suppressed.concerns(entity, id_type)
        for end in ("id1", "id2")
    ]  # fmt: skip
    return build("NOT COALESCE(:named, FALSE)", named=exp.paren(exp.or_(*found))) if found else None


def _types(rules: Rules) -> exp.Values:
    rows = [
        exp.Tuple(expressions=[text(name), exp.Literal.number(number)])
        for number, name in enumerate(sorted(rules.id_types))
    ]
    columns = [exp.to_identifier(name) for name in ("name", "number")]
    return exp.Values(expressions=rows, alias=exp.TableAlias(this=exp.to_identifier("id_types"), columns=columns))
