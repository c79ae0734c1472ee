"""Who may have another row than when it was published: told by the tables that keep rows for as long as they are so.

A publication notes which states it was made from. What these tables have closed or added since then names the people
for whom anything can be different; everybody else has the row that is published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from sqlglot import exp

from profiles_pipeline.compile.rows import text
from profiles_pipeline.compile.versioned import OPEN, SINCE, UNTIL
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.sql import build


@dataclass(frozen=True, slots=True)
class State:
    """A state of a table of which every state can be read.

    Attributes:
        table: the table.
        main_id: its column with the main id.
        version: number of the state.
    """

    table: exp.Table
    main_id: str
    version: int


def row_count(state: State) -> exp.Expr:
    """Return the query of how many rows a state has: as many as before, unless some were taken out of it."""
    return build("SELECT COUNT(*) FROM :table AS v WHERE :holds", table=state.table, holds=_holds(state))


def moved_query(states: Iterable[State]) -> exp.Expr:
    """Return the query of the main ids, ``main_id``, of which a row has come or gone since any of some states."""
    queries = [
        build(
            """
            SELECT :id AS main_id FROM :table AS v
            WHERE :since > :version OR (:since <= :version AND :until > :version AND :until < :open)
            """,
            id=state.main_id,
            table=state.table,
            since=SINCE,
            until=UNTIL,
            version=exp.Literal.number(state.version),
            open=exp.Literal.number(OPEN),
        )
        for state in states
    ]
    rows = reduce(lambda one, other: exp.union(one, other, distinct=False), queries)
    return build("SELECT DISTINCT main_id FROM :rows AS m", rows=rows)


def keys_before(publisher: Publisher, rows: State, ids: State | None, people: exp.Table) -> exp.Expr:
    """Return the query of the keys, ``publish_key``, that some people had in the states that were published.

    It may have keys under which they were not published, because another id of theirs was.
    """
    state, key = (rows, publisher.key) if ids is None else (ids, "other_id")
    meant = exp.and_(_holds(state), build(":id IN (SELECT main_id FROM :people)", id=state.main_id, people=people))
    if ids is not None:
        meant = exp.and_(meant, build("other_id_type = :type", type=text(publisher.key)))
    return build(
        """
        SELECT DISTINCT CAST(:key AS VARCHAR) AS publish_key FROM :table AS v WHERE :meant
        """,
        key=key,
        table=state.table,
        meant=meant,
    )


def only(rows: exp.Expr, key: str, compared: exp.Table) -> exp.Expr:
    """Return those rows of a published table whose keys are among the compared ones."""
    return build(
        "SELECT p.* FROM :rows AS p JOIN :keys AS k ON k.publish_key = p.:key", rows=rows, key=key, keys=compared
    )


def compared_keys(before: exp.Table, desired: exp.Table) -> exp.Expr:
    """Return the query of the keys that some people had, or are to have: ``publish_key``, and whether it is one they
    ``had``.
    """
    return build(
        """
        SELECT publish_key, BOOL_OR(had) AS had FROM (
            SELECT publish_key, TRUE AS had FROM :before WHERE NOT publish_key IS NULL
            UNION ALL SELECT publish_key, FALSE FROM :desired WHERE publish_reason IS NULL
        ) AS k GROUP BY publish_key
        """,
        before=before,
        desired=desired,
    )


def taken_keys(publisher: Publisher, table: exp.Table, compared: exp.Table) -> exp.Expr:
    """Return the query of how many keys of some people are published for somebody else, who has not moved."""
    live = exp.condition("p.deleted_at IS NULL") if publisher.deletes == "soft" else exp.true()
    return build(
        "SELECT COUNT(*) FROM :table AS p JOIN :keys AS k ON k.publish_key = p.:key WHERE NOT k.had AND :live",
        table=table,
        keys=compared,
        key=publisher.key_column,
        live=live,
    )


def content_query(table: exp.Table, columns: Iterable[str]) -> exp.Expr:
    """Return the query of how many rows a table has, and what some of its columns add up to: another sum as soon as a
    value is another one.
    """
    value = exp.Anonymous(this="HASH", expressions=[exp.column(name, quoted=True) for name in sorted(columns)])
    return build("SELECT COUNT(*), SUM(CAST(:value AS HUGEINT)) FROM :table AS t", value=value, table=table)


def _holds(state: State) -> exp.Expr:
    return build(
        ":since <= :version AND :until > :version",
        since=SINCE,
        until=UNTIL,
        version=exp.Literal.number(state.version),
    )
