"""What a publication was made from, noted so that the next one compares only those for whom anything can be different.

It is a shortcut and nothing else: where anything is not as it was noted, all is compared. That is so when the published
table does not hold what the last publication left in it, when what is published or how has been changed, when
rows were taken out of the states that it was made from, and for all profiles that are not kept from run to run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from sqlglot import exp

from profiles_pipeline.compile import moved
from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.layout import digest
from profiles_pipeline.compile.statement import create, scratch
from profiles_pipeline.dialects import render, spelled
from profiles_pipeline.names import STATES, VAR_TABLE
from profiles_pipeline.plan import material_names
from profiles_pipeline.registry import Material
from profiles_pipeline.resolve.model import FeatureTable, FeatureView
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build, canonical_text
from profiles_pipeline.windows import Window

_GRAPH, _, _ROWS = STATES


@dataclass(frozen=True, slots=True)
class Read:
    """A state that was read: which one of which table, and how many rows it has."""

    table: str
    main_id: str
    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What a publication was made from, and what it left.

    Attributes:
        recipe: changes with what is published, of whom, and how.
        content: what the published table adds up to.
        rows: the state of the features.
        ids: the state of the id graph; None where the key is a feature.
    """

    recipe: str
    content: str
    rows: Read
    ids: Read | None

    def text(self) -> str:
        """Return it as it is noted."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, noted: str) -> Basis:
        """Return what was noted."""
        found = json.loads(noted)
        ids = found["ids"]
        return cls(found["recipe"], found["content"], Read(**found["rows"]), None if ids is None else Read(**ids))


@dataclass(frozen=True, slots=True)
class Moved:
    """For whom anything can be different.

    Attributes:
        people: temporary table of their main ids.
        before: temporary table of the keys that they had.
        keys: temporary table, yet to be made, of these and of those that they are to have.
    """

    people: exp.Table
    before: exp.Table
    keys: exp.Table


def basis_now(session: Session, publisher: Publisher, window: Window, shape: sql.Shape) -> Basis | None:
    """Return what a publication of a run would be made from; None where states do not tell that.

    Args:
        session: the project, open on its warehouse.
        publisher: the publisher.
        window: the run that is published.
        shape: the columns of its table.
    """
    source = session.project.graph.models[publisher.source]
    if publisher.deletes == "keep" or publisher.cohort is not None:
        return None
    if not isinstance(source, FeatureView | FeatureTable) or (isinstance(source, FeatureView) and source.id_type):
        return None
    if session.registry.being_forgotten(session.project.name):
        return None
    needed = {item.column.lower() for item in publisher.properties}
    needed |= {publisher.key.lower()} if publisher.stitcher is None else set()
    main_id, var_table = publisher.entity.id_column, f"{source.cohort}/{VAR_TABLE}"
    materials = _materials(session, window, publisher, var_table)
    rows = _read(session, materials, var_table, _ROWS, main_id, needed)
    ids = _read(session, materials, publisher.stitcher, _GRAPH, "main_id", set()) if publisher.stitcher else None
    if rows is None or (publisher.stitcher and ids is None):
        return None
    built = list(materials)
    if isinstance(source, FeatureTable) and built.index(publisher.source) < built.index(var_table):
        return None  # the var table was made again since, and the copy of it was not
    return Basis(_recipe(session, publisher, shape), _content(session, publisher, shape), rows, ids)


def _materials(session: Session, window: Window, publisher: Publisher, var_table: str) -> Mapping[str, Material]:
    """Return path -> material of what a publisher reads in a run, as far as it is there, in the order of building."""
    models = session.project.graph.models
    context = window.of(models[publisher.source].time_grain)
    paths = [path for path in (*publisher.parents, var_table) if path in models]
    names = {material_names(session.project, window.within(context, models[path]))[path]: path for path in paths}
    return {names[each.name]: each for each in session.registry.materials() if each.name in names}


def moved_since(session: Session, publisher: Publisher, then: Basis | None, now: Basis | None) -> Moved | None:
    """Return for whom anything can be different than in an earlier publication; None where it can be for everybody."""
    if then is None or now is None or (then.recipe, then.content) != (now.recipe, now.content):
        return None
    states = [(old, new) for old, new in ((then.rows, now.rows), (then.ids, now.ids)) if old and new]
    if any(old.table != new.table or old.version > new.version for old, new in states):
        return None
    if any(_row_count(session, old) != old.rows for old, _ in states):
        return None  # rows that have ended since were taken out, and with them who they were of
    own = exp.table_(publisher.name)
    found = Moved(*(scratch(own, name) for name in ("people", "before", "keys")))
    query = moved.moved_query(_state(session, old) for old, _ in states)
    _make(session, found.people, query)
    ids = _state(session, then.ids) if then.ids else None
    _make(session, found.before, moved.keys_before(publisher, _state(session, then.rows), ids, found.people))
    return found


def with_keys(session: Session, publisher: Publisher, found: Moved, desired: exp.Table) -> bool:
    """List which keys are compared; return False where one is published for somebody who has not moved.

    All have to be compared then: two people may have it.
    """
    _make(session, found.keys, moved.compared_keys(found.before, desired))
    table = sql.relations_of(publisher, session.output.schema).table
    query = moved.taken_keys(publisher, table, found.keys)
    return not session.warehouse.scalar(render(query, session.warehouse.dialect))


def _make(session: Session, table: exp.Table, query: exp.Expr) -> None:
    session.warehouse.execute(render(create("temporary table", table, query), session.warehouse.dialect))


def _read(
    session: Session, materials: Mapping[str, Material], path: str, suffix: str, main_id: str, columns: set[str]
) -> Read | None:
    """Return the state that the material of a model shows; None where it shows none, or not all columns."""
    material = materials.get(path)
    if material is None or material.version is None:
        return None
    shown = _shown_by(session, material, "" if suffix == _ROWS else "_mappings")
    for held in session.registry.held(session.project.name):
        known = {name.lower() for name in held.columns}
        is_it = held.path == path and held.name.endswith(suffix) and held.name.lower() in shown
        if is_it and columns <= known | {main_id.lower()}:
            found = Read(held.name, main_id, material.version, 0)
            return replace(found, rows=_row_count(session, found))
    return None


def _shown_by(session: Session, material: Material, suffix: str) -> str:
    """Return the text of the view that a material is, in lower case; nothing for a table."""
    name = spelled(f"{material.name}{suffix}", session.warehouse.dialect)
    return session.warehouse.view_texts(session.output.schema).get(name, "").lower()


def _state(session: Session, read: Read) -> moved.State:
    return moved.State(exp.table_(read.table, db=session.output.schema, quoted=True), read.main_id, read.version)


def _row_count(session: Session, read: Read) -> int:
    """Return how many rows a state has."""
    query = moved.row_count(_state(session, read))
    return int(str(session.warehouse.scalar(render(query, session.warehouse.dialect))))


def _recipe(session: Session, publisher: Publisher, shape: sql.Shape) -> str:
    relations: Mapping[str, exp.Table] = {path: exp.table_(path, quoted=True) for path in publisher.parents}
    query = sql.desired_query(publisher, sql.source_query(publisher, relations), "VARCHAR", shape)
    types = [f"{name} {kind}" for name, kind in sorted(shape.types.items())]
    meaning = session.project.fingerprints[publisher.source]
    return digest([str(sql.HASH_VERSION), publisher.deletes, meaning, canonical_text(query), *types])


def _content(session: Session, publisher: Publisher, shape: sql.Shape) -> str:
    """Return what the table of a publisher adds up to; nothing where it has not all of its columns."""
    warehouse, relations = session.warehouse, sql.relations_of(publisher, session.output.schema)
    if spelled(publisher.name, warehouse.dialect) not in warehouse.relations(session.output.schema):
        return ""
    table = render(build("SELECT * FROM :table", table=relations.table), warehouse.dialect)
    known = {column.name.lower() for column in warehouse.describe(table)}
    columns = {publisher.key_column, *shape.types, "row_hash", *(["deleted_at"] if shape.marks else [])}
    if not {name.lower() for name in columns} <= known:
        return ""
    row = warehouse.query(render(moved.content_query(relations.table, columns), warehouse.dialect)).rows[0]
    return " ".join(map(str, row))
