"""Compiles a stitcher that keeps what it has read: it reads only days that changed, and re-solves only what they touch.

A graph that edges alone decide on is re-solved where they changed (`recontract`); another one as a whole, from the
edges that are kept.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from profiles_pipeline.compile import stitch
from profiles_pipeline.compile.accumulators import update_steps
from profiles_pipeline.compile.id_changes import Log, change_steps, graph_rows
from profiles_pipeline.compile.kept_graph import Restitching, all_tuples, is_plain, shown
from profiles_pipeline.compile.recontract import resolved
from profiles_pipeline.compile.statement import Compilation, Script, Statement, Step, beside, create, scratch
from profiles_pipeline.resolve.model import EdgeSource, Stitcher
from profiles_pipeline.sql import build


def compile_restitching(c: Compilation, model: Stitcher, r: Restitching) -> Script:
    """Return the script that brings the kept rows of a stitcher up to date, and its id graph with them."""
    updates = [step for source in r.sources for step in update_steps(source)]
    r, taken = _set_aside(c, model, r)
    updates += taken
    goes_on = r.base.mappings is not None and all(source.is_kept for source in r.sources)
    plain = is_plain(model) and r.base.is_plain
    script = resolved(c, model, r) if goes_on and plain else _solved(c, model, r)
    sides = _sides(c, model, r, goes_on and plain)
    changes = change_steps(c, model, Log(r.changes, r.base.version, r.base.is_logged), sides)
    return Script(script.kind, (*updates, *script.steps, *changes), script.audits)


def _sides(c: Compilation, model: Stitcher, r: Restitching, goes_on: bool) -> tuple[exp.Expr, exp.Expr] | None:
    """Return the rows of the graph that may have changed, before and after; None when there was no graph before."""
    graph = c.relation(model.path)
    if r.base.mappings is None:
        return None
    if not goes_on:
        return graph_rows(r.base.mappings), graph_rows(beside(graph, "_mappings"))
    touched = build("component IN (SELECT component FROM :components)", components=scratch(graph, "components"))
    return graph_rows(r.base.mappings, touched), graph_rows(scratch(graph, "affected"))


def _set_aside(c: Compilation, model: Stitcher, r: Restitching) -> tuple[Restitching, list[Step]]:
    """Return the stitcher with a copy of the graph it goes on from, where that is the one to be replaced."""
    graph, base = c.relation(model.path), r.base.mappings
    if not isinstance(base, exp.Table) or base.name != beside(graph, "_mappings").name:
        return r, []
    copy = scratch(graph, "base")
    steps: list[Step] = [
        Statement(create("temporary table", copy, build("SELECT * FROM :base", base=base)), "the id graph as it is")
    ]
    return replace(r, base=replace(r.base, mappings=copy)), steps


def _solved(c: Compilation, model: Stitcher, r: Restitching) -> Script:
    """Return the script that solves the graph as a whole, from the kept rows."""
    found = dict(zip((source.path for source in model.sources), r.sources, strict=True))

    def tuples(source: EdgeSource) -> exp.Expr:
        return all_tuples(found[source.path])

    def stored(rows: exp.Expr) -> list[Step]:
        mappings = beside(c.relation(model.path), "_mappings")
        if r.states is None:
            return [stitch.mappings_table(mappings, rows)]
        everybody = build("SELECT DISTINCT main_id FROM :rows AS m", rows=r.states.mappings.now())
        return [
            *r.states.mappings.begun(rows, "main id of each id"),
            *r.states.people.begun(everybody, "main ids"),
            shown(mappings, r.states),
        ]

    return stitch.compile_stitcher(c, model, tuples, stored)
