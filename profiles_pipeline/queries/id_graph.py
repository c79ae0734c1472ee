"""Finds the tables that a stitcher left behind in a time context, and reads single clusters from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NoReturn

import numpy as np
import pyarrow as pa
from sqlglot import exp

from profiles_pipeline import run, time_contexts
from profiles_pipeline.compile.statement import beside
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import did_you_mean, fail
from profiles_pipeline.queries.cuts import Ints
from profiles_pipeline.registry import Material
from profiles_pipeline.resolve.model import Stitcher
from profiles_pipeline.warehouse.base import Rows

SeqNoAsked = int | datetime | Literal["latest"] | None
"""A time context by its number, or the last that was finished as of a moment; None for the newest finished one."""


@dataclass(frozen=True)
class IdGraph:
    """A stitcher and what it left behind, as relations ready to stand in SQL text.

    Attributes:
        asked: the time context asked for.
        raw_edges: the edges before caps and manual rules, where there are any of these.
        removed: the edges that caps took away, where there are caps.
    """

    session: run.Session
    stitcher: Stitcher
    material: Material
    asked: SeqNoAsked
    edges: str
    mappings: str
    raw_edges: str | None
    removed: str | None

    def query(self, text: str, params: Sequence[object] | None = None) -> Rows:
        """Return the rows of a query in the warehouse's own dialect."""
        return self.session.warehouse.query(text, params)


@dataclass(frozen=True)
class Cluster:
    """The ids of one cluster and the edges between them.

    Attributes:
        ids: (type, value) of each node, ordered; nodes are numbered by their place here.
        a: shape (edges,), numbers of the nodes at one end of each pair of ids.
        b: shape (edges,), the other ends; larger than those in `a`.
    """

    main_id: str
    ids: tuple[tuple[str, str], ...]
    a: Ints
    b: Ints


def open_graph(session: run.Session, stitcher: Stitcher, seq_no: SeqNoAsked = None) -> IdGraph:
    """Return the graph that a stitcher built in the time context that is asked for.

    Raises:
        ProjectError: it has not been built there.
    """
    material = newest_material(session, stitcher.path, seq_no)
    if material is None:
        _fail_not_built(stitcher, seq_no)
    graph = exp.table_(material.name, db=session.output.schema, quoted=True)
    there = {name.lower() for name in session.warehouse.relations(session.output.schema)}

    def relation(suffix: str) -> str | None:
        table = beside(graph, suffix)
        return render(table, session.warehouse.dialect) if table.name.lower() in there else None

    edges, mappings = relation("_internal_edges"), relation("_mappings")
    if edges is None or mappings is None:
        fail("not-built", f"the tables of '{stitcher.path}' are gone", hint=f"profiles run -m {stitcher.path} --force")
    removed = relation(f"_{stitcher.entity}_CARDINALITY_AUDIT")
    return IdGraph(session, stitcher, material, seq_no, edges, mappings, relation("_raw_edges"), removed)


def _fail_not_built(stitcher: Stitcher, seq_no: SeqNoAsked) -> NoReturn:
    hint = f"profiles run -m {stitcher.path}"
    when = "yet"
    if isinstance(seq_no, int):
        when, hint = (
            f"in seq_no {seq_no}, or has been dropped since",
            f"profiles run --seq-no {seq_no} -m {stitcher.path}",
        )
    if isinstance(seq_no, datetime):
        when = f"as of {seq_no:%Y-%m-%dT%H:%M:%SZ} or earlier"
        hint = f"profiles run --end-time {seq_no:%Y-%m-%dT%H:%M:%SZ} builds it from what is known now"
    fail("not-built", f"'{stitcher.path}' has not been built {when}", hint=hint)


def newest_material(session: run.Session, path: str, seq_no: SeqNoAsked = None) -> Material | None:
    """Return a model's material in the time context that is asked for; None if there is none.

    Of the finished contexts the last comes first: by its number, or by its end where a moment is asked for. Where a
    context has several, that of the definition and the rules as they are now comes first, then the newest.
    """
    asked = _contexts(session, seq_no)
    found = [m for m in session.registry.materials() if m.model_path == path and m.seq_no in asked]
    current = session.project.fingerprints.get(path)

    def rank(place: int) -> tuple[datetime, int, bool, int]:
        material = found[place]
        return asked[material.seq_no], material.seq_no, material.fingerprint == current, place

    return found[max(range(len(found)), key=rank)] if found else None


def _contexts(session: run.Session, seq_no: SeqNoAsked) -> Mapping[int, datetime]:
    """Return the numbers of the time contexts that may be meant, with what puts the last of them first."""
    finished = [s for s in session.registry.seq_nos(session.project.name) if s.complete]
    if seq_no is None:
        return {s.number: datetime.min for s in finished}
    if isinstance(seq_no, datetime):
        return {s.number: s.end for s in finished if s.end <= seq_no and s.begin is None}
    return {time_contexts.choose_seq_no(session, run.Options(seq_no=seq_no))[0].number: datetime.min}


def stitcher_named(session: run.Session, name: str) -> Stitcher:
    """Return the stitcher with this path or name.

    Raises:
        ProjectError: there is none.
    """
    known = stitchers(session)
    wanted = name.lower().removeprefix("models/")
    found = next((s for s in known if wanted == s.name.lower()), None)
    if found is None:
        hint = did_you_mean(name, [f"models/{s.name}" for s in known])
        fail("unknown-model", f"there is no id stitcher '{name}'", hint=hint)
    return found


def stitchers(session: run.Session) -> tuple[Stitcher, ...]:
    """Return every stitcher of the project, in build order."""
    return tuple(m for m in session.project.graph.models.values() if isinstance(m, Stitcher))


def stitcher_of(session: run.Session, entity: str | None) -> Stitcher:
    """Return the stitcher of an entity; of `user`, or else of the only one, when none is named.

    Raises:
        ProjectError: there is no such entity, its stitcher is disabled, or the choice is not clear.
    """
    entities = session.project.project.entities
    key = entity.lower() if entity else "user" if "user" in entities or len(entities) != 1 else next(iter(entities))
    found = entities.get(key)
    if found is None:
        if entity is None:
            names = ", ".join(e.name for e in entities.values())
            fail("no-entity", "the project has several entities", hint=f"say which with --entity: {names}")
        hint = did_you_mean(entity, [e.name for e in entities.values()])
        fail("unknown-entity", f"there is no entity '{entity}'", hint=hint)
    model = session.project.graph.models.get(found.stitcher)
    if not isinstance(model, Stitcher):
        fail("disabled", f"the id stitcher of '{found.name}' is disabled", hint="profiles show models says why")
    return model


def cluster(graph: IdGraph, component: int) -> Cluster:
    """Return the cluster with this component number."""
    return cluster_of(graph, graph.edges, (component,))


def cluster_of(graph: IdGraph, edges: str, components: Sequence[int]) -> Cluster:
    """Return the ids of some components as one cluster, joined by the edges of the table `edges` between them."""
    numbers = ", ".join(str(int(component)) for component in components)
    members = f"SELECT * FROM {graph.mappings} WHERE component IN ({numbers})"
    rows = graph.query(f"SELECT other_id_type, other_id, main_id FROM ({members}) AS members ORDER BY 1, 2").rows
    order = "ROW_NUMBER() OVER (ORDER BY other_id_type, other_id) - 1"
    numbered = f"SELECT other_id_type, other_id, {order} AS node FROM ({members}) AS members"
    pairs = graph.session.warehouse.fetch_arrow(
        f"""
        WITH nodes AS ({numbered})
        SELECT DISTINCT LEAST(one.node, two.node) AS a, GREATEST(one.node, two.node) AS b FROM {edges} AS e
        JOIN nodes AS one ON one.other_id = e.id1 AND one.other_id_type = e.id1_type
        JOIN nodes AS two ON two.other_id = e.id2 AND two.other_id_type = e.id2_type
        WHERE one.node <> two.node ORDER BY a, b
        """
    )
    ids = tuple((str(kind), str(value)) for kind, value, _ in rows)
    main_id = str(rows[0][2]) if rows else ""
    return Cluster(main_id, ids, _integers(pairs, "a"), _integers(pairs, "b"))


def as_moment(value: object) -> datetime | None:
    """Return a value of the warehouse as the time it is, if it is one."""
    return value if isinstance(value, datetime) else None


def as_count(value: object) -> int:
    """Return a value of the warehouse as a whole number; NULL counts as none."""
    return int(str(value)) if value is not None else 0


def _integers(table: pa.Table, column: str) -> Ints:
    return np.asarray(table.column(column).to_numpy(), dtype=np.int64)
