"""Keeps what changed in an id graph from run to run: which ids came, went, and belong to somebody else now.

Roll-ups know by it who is touched; people look it up in the view ``<stitcher>_id_changes``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile.rows import timestamp
from profiles_pipeline.compile.statement import Compilation, Statement, Step, beside, create, scratch
from profiles_pipeline.resolve.model import Stitcher
from profiles_pipeline.sql import build

_COLUMNS = "main_id, other_id, other_id_type, valid_at, first_seen_at"


@dataclass(frozen=True, slots=True)
class Log:
    """The log of what changed in a graph.

    Attributes:
        table: the table that keeps it.
        version: number of the state of the graph that is made now.
        goes_on: whether it is there; else it begins.
    """

    table: exp.Table
    version: int
    goes_on: bool


def change_steps(c: Compilation, model: Stitcher, log: Log, sides: tuple[exp.Expr, exp.Expr] | None) -> list[Step]:
    """Return the steps that add to the log every id whose row in the graph is another one now.

    Args:
        c: what to compile against.
        model: the stitcher.
        log: where it is written.
        sides: rows of the graph that may have changed, as they were and as they are; None when nothing was before.
    """
    graph = c.relation(model.path)
    nobody = build(f"SELECT {_COLUMNS} FROM :mappings WHERE FALSE", mappings=beside(graph, "_mappings"))
    before, after = scratch(graph, "before"), scratch(graph, "after")
    was, now = sides or (nobody, nobody.copy())
    found = _found(c, log.version, before, after)
    steps: list[Step] = [
        Statement(create("temporary table", before, was), "ids that may have changed, before"),
        Statement(create("temporary table", after, now), "and after"),
    ]
    if log.goes_on:
        put = build("INSERT INTO :log SELECT * FROM :found AS found", log=log.table, found=found)
        steps.append(Statement(put, "what changed for whom"))
    else:
        steps.append(
            Statement(create("table", log.table, found), "no changes yet" if sides is None else "what changed")
        )
    shown = build(
        """
        SELECT end_time, other_id, other_id_type, main_id_before, main_id_after, change
        FROM :log WHERE change <> 'seen' AND change <> 'new'
        """,
        log=log.table,
    )
    public = exp.table_(f"{model.name}_id_changes", db=log.table.db, quoted=True)
    return [*steps, Statement(create("view", public, shown), "changes of main ids")]


def graph_rows(relation: exp.Expr, where: exp.Expr | None = None) -> exp.Expr:
    """Return the rows of mappings as they are compared."""
    return build(f"SELECT {_COLUMNS} FROM :relation AS g WHERE :where", relation=relation, where=where)


def _found(c: Compilation, version: int, before: exp.Table, after: exp.Table) -> exp.Expr:
    return build(
        """
        SELECT CAST(:version AS BIGINT) AS version, :end AS end_time,
            COALESCE(a.other_id, b.other_id) AS other_id, COALESCE(a.other_id_type, b.other_id_type) AS other_id_type,
            b.main_id AS main_id_before, a.main_id AS main_id_after,
            CASE
                WHEN b.other_id IS NULL THEN 'new'
                WHEN a.other_id IS NULL THEN 'gone'
                WHEN a.main_id = b.main_id THEN 'seen'
                WHEN a.main_id IN (SELECT main_id FROM :before) THEN 'merge'
                WHEN b.main_id IN (SELECT main_id FROM :after) THEN 'split'
                ELSE 'renamed'
            END AS change
        FROM :before AS b
        FULL JOIN :after AS a ON a.other_id = b.other_id AND a.other_id_type = b.other_id_type
        WHERE a.main_id IS NULL OR b.main_id IS NULL OR a.main_id <> b.main_id
            OR a.valid_at IS DISTINCT FROM b.valid_at OR a.first_seen_at IS DISTINCT FROM b.first_seen_at
        """,
        version=exp.Literal.number(version),
        end=timestamp(c),
        before=before,
        after=after,
    )
