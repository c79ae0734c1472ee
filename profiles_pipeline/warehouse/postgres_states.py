"""Tells whether the rows of a relation of PostgreSQL may be others than before, from what the server counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profiles_pipeline.warehouse.base import Source, Warehouse

# All that is read behind a relation: partitions and heirs, and what views name, however deep. The server counts what is
# inserted, updated and deleted in each table; what replaces all rows at once (TRUNCATE, REFRESH) gives it another file.
# The tree of a view names relations and functions by their numbers. It says more than the catalogue of dependencies,
# where those that the server came with are left out.
_STATE = r"""
    WITH RECURSIVE behind (oid) AS (
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ? AND c.relname = ?
        UNION
        SELECT further.oid FROM behind CROSS JOIN LATERAL (
            SELECT inhrelid FROM pg_inherits WHERE inhparent = behind.oid
            UNION ALL
            SELECT CAST((REGEXP_MATCHES(CAST(r.ev_action AS TEXT), ':relid (\d+)', 'g'))[1] AS OID)
            FROM pg_rewrite AS r JOIN pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v'
            WHERE r.ev_class = behind.oid AND r.rulename = '_RETURN'
        ) AS further (oid)
    ), found AS (
        SELECT c.oid, c.relkind, CAST(r.ev_action AS TEXT) AS tree,
            CONCAT_WS(' ', c.oid, c.relfilenode, s.n_tup_ins, s.n_tup_upd, s.n_tup_del) AS counted
        FROM behind JOIN pg_class AS c ON c.oid = behind.oid
        LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
        LEFT JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename = '_RETURN' AND c.relkind = 'v'
    )
    SELECT STRING_AGG(CONCAT_WS(' ', counted, MD5(tree)), ', ' ORDER BY oid),
        BOOL_OR(relkind = 'f' OR tree ~ '\{(SQLVALUEFUNCTION|TABLESAMPLECLAUSE) ' OR EXISTS (
            SELECT 1 FROM REGEXP_MATCHES(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS called (number)
            JOIN pg_proc AS p ON p.oid = CAST(called.number[1] AS OID)
            WHERE p.provolatile = 'v' OR (p.provolatile = 's' AND (
                p.oid >= 16384 OR p.proretset OR p.proname ~ '^(now|age|(transaction|statement)_timestamp)$'
                OR p.proname ~ '^(pg|current|has|inet|txid|query_to|table_to|schema_to|database_to|cursor_to)_'))
        ))
    FROM found
"""
_CONTENT = 'SELECT COUNT(*), SUM(HASHTEXTEXTENDED(CAST("state.row" AS TEXT), 0)) FROM {relation} AS "state.row"'


def state(warehouse: Warehouse, relation: Source) -> str:
    """Return another text when the rows of a relation may be others than before.

    Where the server does not know of every change, the rows are hashed: behind a foreign table, and where a view calls
    what may answer otherwise while no table has changed, such as the clock or a function of the user's own.
    """
    _, *names = relation.names
    ((counted, is_unknown),) = warehouse.query(_STATE, names).rows
    if not is_unknown:
        return str(counted)
    return f"{warehouse.describe(relation.select)} {warehouse.query(_CONTENT.format(relation=relation.sql)).rows}"
