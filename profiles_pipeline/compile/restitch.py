"""Compiles a stitcher that keeps what it has read: it reads only days that changed, and re-solves only what they touch.

New edges are contracted onto the components that are known: each of these is one vertex, whatever its size. A component
that lost an edge falls apart into its ids, which are solved from the edges that remain. All others are taken over.
Whether anything is touched is found out in SQL, so the script is the same whatever came in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from profiles_pipeline.compile import cardinality, node_metadata, stitch
from profiles_pipeline.compile.accumulators import (
    Accumulator,
    accumulator_name,
    are_of_the_row,
    bucketed,
    changed_range,
    columns_read,
    fingerprints,
    range_names,
    rows_definition,
    update_steps,
)
from profiles_pipeline.compile.id_changes import change_steps, graph_rows
from profiles_pipeline.compile.rows import alias, id_value, occurred, text, timestamp
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
from profiles_pipeline.compile.versioned import Versioned
from profiles_pipeline.resolve.model import EdgeSource, Stitcher
from profiles_pipeline.sql import build

TIME = "state.time"
"""Name of the column with the time of a row."""


_MAPPINGS = ("main_id", "other_id", "other_id_type", "valid_at", "first_seen_at", "component")


@dataclass(frozen=True)
class Base:
    """The state of an id graph that a stitcher goes on from.

    Attributes:
        mappings: its mappings, a table or a query; None when there are none, and everything is new.
        version: number of the state that is made now: one more than that of the state before.
        is_plain: whether it was made of edges alone, without caps, manual rules and metadata.
    """

    mappings: exp.Expr | None
    version: int
    is_plain: bool = False


@dataclass(frozen=True)
class States:
    """All states of an id graph that is made of edges alone: its mappings, and its main ids."""

    mappings: Versioned
    people: Versioned

    @property
    def tables(self) -> tuple[Versioned, Versioned]:
        """Both tables."""
        return self.mappings, self.people


@dataclass(frozen=True)
class Restitching:
    """A stitcher with what it keeps.

    Attributes:
        sources: an accumulator for each edge source.
        changes: table of what changed for each id, by version.
        base: what it goes on from.
        states: where its states are kept; None for a graph that is solved as a whole each time.
    """

    sources: tuple[Accumulator, ...]
    changes: exp.Table
    base: Base
    states: States | None = None


def accumulators(
    c: Compilation, later: Compilation, model: Stitcher, kept: Mapping[str, Mapping[str, str]]
) -> tuple[Accumulator, ...] | None:
    """Return what is kept of the rows of each edge source; None when ids depend on more than their row.

    Args:
        c: what to compile against.
        later: the same for another end time, from which it shows what moves with it.
        model: the stitcher.
        kept: name of each accumulator that there is -> the files that it has whole, with their states.
    """
    found = []
    for source in model.sources:
        definition, other = _definition(c, model, source), _definition(later, model, source)
        if definition is None or definition != other:
            return None
        owner = f"{c.project.name}/{model.path}"
        name = accumulator_name(owner, definition)
        table = exp.table_(name, db=c.relation(model.path).db, quoted=True)
        found.append(_accumulator(c, model, source, table, kept.get(name)))
    return tuple(found)


def changes_table(c: Compilation, model: Stitcher) -> exp.Table:
    """Return the table of what changed for each id of a stitcher, by version."""
    return _own_table(c, model, "changes")


def states(
    c: Compilation, model: Stitcher, version: int, exist: Collection[str] = (), current: Collection[str] = ()
) -> States | None:
    """Return where the states of a graph are kept; None for one that is solved as a whole each time.

    Args:
        c: what to compile against.
        model: the stitcher.
        version: number of the state that is made now.
        exist: names of the tables that there are.
        current: names of those that have the state before.
    """
    if not is_plain(model):
        return None
    tables = {"graph": _MAPPINGS, "people": ("main_id",)}
    made = [(_own_table(c, model, name), columns) for name, columns in tables.items()]
    are_current = all(table.name in current for table, _ in made)
    return States(*(Versioned(table, columns, version, table.name in exist, are_current) for table, columns in made))


def _own_table(c: Compilation, model: Stitcher, what: str) -> exp.Table:
    name = f"{accumulator_name(f'{c.project.name}/{model.path}', [what])}_{what}"
    return exp.table_(name, db=c.relation(model.path).db, quoted=True)


def _definition(c: Compilation, model: Stitcher, source: EdgeSource) -> list[str] | None:
    origin = c.graph.models[source.path]
    rows, values = rows_definition(c, origin), _values(c, model, source)
    return [tree.sql() for tree in (*rows, *values)] if rows is not None and are_of_the_row(values) else None


def _values(c: Compilation, model: Stitcher, source: EdgeSource) -> list[exp.Expr]:
    types = {t.name: t for t in model.id_types}
    return [id_value(c, row_id, types[str(row_id.id_type)], source.path) for row_id in source.ids]


def _accumulator(
    c: Compilation, model: Stitcher, source: EdgeSource, table: exp.Table, files: Mapping[str, str] | None
) -> Accumulator:
    origin = c.graph.models[source.path]
    occurred_at = getattr(origin, "occurred_at", None)
    time = occurred(c, occurred_at, source.path) if occurred_at else exp.cast(exp.Null(), "TIMESTAMP")
    values = _values(c, model, source)
    keys = tuple(f"id_{number}" for number in range(len(values)))
    columns = [alias(time, TIME), *(alias(value, key) for value, key in zip(values, keys, strict=True))]
    read = columns_read([time, *values])
    return Accumulator(
        table=table,
        source=source.path,
        rows=bucketed(c, origin, columns),
        changed=bucketed(c, origin, columns, changed_range(c, origin, range_names(table))),
        seen=fingerprints(c, origin, read, None if files is None else (beside(table, "_seen"), files)),
        keys=keys,
        partials={
            "first_seen_at": build("MIN(r.:time)", time=TIME),
            "last_seen_at": build("MAX(r.:time)", time=TIME),
            "row_count": build("COUNT(*)"),
        },
        is_kept=files is not None,
    )


def compile_restitching(c: Compilation, model: Stitcher, r: Restitching) -> Script:
    """Return the script that brings the kept rows of a stitcher up to date, and its id graph with them."""
    updates = [step for source in r.sources for step in update_steps(source)]
    r, taken = _set_aside(c, model, r)
    updates += taken
    goes_on = r.base.mappings is not None and all(source.is_kept for source in r.sources)
    plain = is_plain(model) and r.base.is_plain
    script = _resolved(c, model, r) if goes_on and plain else _solved(c, model, r)
    sides = _sides(c, model, r, goes_on and plain)
    changes = change_steps(c, model, r.changes, r.base.version, sides)
    return Script(script.kind, (*updates, *script.steps, *changes), script.audits)


def is_plain(model: Stitcher) -> bool:
    """True when the edges alone decide on the graph: nothing but them can change what a component is."""
    return not cardinality.caps(model) and model.rules is None and not node_metadata.is_kept(model)


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
    steps: list[Step] = [_temporary(copy, build("SELECT * FROM :base", base=base), "the id graph as it is")]
    return replace(r, base=replace(r.base, mappings=copy)), steps


def _solved(c: Compilation, model: Stitcher, r: Restitching) -> Script:
    """Return the script that solves the graph as a whole, from the kept rows."""
    found = dict(zip((source.path for source in model.sources), r.sources, strict=True))

    def tuples(source: EdgeSource) -> exp.Expr:
        return _all_tuples(found[source.path])

    def stored(rows: exp.Expr) -> list[Step]:
        mappings = beside(c.relation(model.path), "_mappings")
        if r.states is None:
            return [stitch.mappings_table(mappings, rows)]
        everybody = build("SELECT DISTINCT main_id FROM :rows AS m", rows=r.states.mappings.now())
        return [
            *r.states.mappings.begun(rows, "main id of each id"),
            *r.states.people.begun(everybody, "main ids"),
            _shown(mappings, r.states),
        ]

    return stitch.compile_stitcher(c, model, tuples, stored)


def _shown(mappings: exp.Table, made: States) -> Statement:
    return Statement(create("view", mappings, made.mappings.now()), "main id of each id, as of this run")


def _all_tuples(a: Accumulator, where: exp.Expr | None = None) -> exp.Expr:
    """Return the combinations of ids that were seen until the end time, with when and how often."""
    return build(
        """
        SELECT :keys, MIN(first_seen_at) AS first_seen_at, MAX(last_seen_at) AS last_seen_at,
            CAST(SUM(row_count) AS BIGINT) AS row_count
        FROM :table AS t WHERE :where GROUP BY :by
        """,
        keys=list(a.keys),
        table=a.table,
        where=where,
        by=list(a.keys),
    )


def _resolved(c: Compilation, model: Stitcher, r: Restitching) -> Script:
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
        found.append(_all_tuples(a, where))
    count = build("SELECT COUNT(*) > 0 FROM :ids", ids=ids)
    query = stitch.edges_of(model, [_as_rows(each) for each in found])
    return Bind((any_at_all,), count, "whether there are any"), _temporary(edges, query, "edges that these still have")


def _all_edges(c: Compilation, model: Stitcher, r: Restitching) -> exp.Expr:
    before = build("first_seen_at IS NULL OR first_seen_at < :end", end=timestamp(c))
    return stitch.edges_of(model, [_as_rows(_all_tuples(a, before.copy())) for a in r.sources])


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
            columns=list(_MAPPINGS),
            base=base,
            **both,
        )
        everybody = build("SELECT DISTINCT main_id FROM :rows AS m", rows=made.mappings.now())
        return [
            *made.mappings.begun(rows, title),
            *made.people.begun(everybody, "main ids"),
            _shown(mappings, made),
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
        _shown(mappings, made),
    ]
