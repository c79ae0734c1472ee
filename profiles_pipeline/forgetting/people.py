"""Who is meant: all identifiers of a person as of the last run, and the main ids that they ever had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from profiles_pipeline.compile.rows import text
from profiles_pipeline.compile.statement import beside
from profiles_pipeline.dialects import render, spelled
from profiles_pipeline.errors import did_you_mean, fail
from profiles_pipeline.forgetting.requests import Id
from profiles_pipeline.registry import Material
from profiles_pipeline.resolve.model import Entity
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build


@dataclass(frozen=True, slots=True)
class People:
    """The people behind some identifiers.

    Attributes:
        entity: of which kind they are.
        entities: names of all entities that share its id graph.
        ids: all their identifiers, as of the last finished run.
        main_ids: the main ids of these, now.
        unknown: those of the identifiers given that no run has seen.
    """

    entity: Entity
    entities: tuple[str, ...]
    ids: tuple[Id, ...]
    main_ids: frozenset[str]
    unknown: tuple[Id, ...]


def parsed(session: Session, written: Sequence[str], entity_name: str | None) -> tuple[Entity, tuple[Id, ...]]:
    """Return the entity that is meant, and identifiers that are written ``TYPE:VALUE``.

    Raises:
        ProjectError: one is not written like that, there is no such type or entity, or several entities have it.
    """
    project = session.project.project
    entities = {each.name.lower(): each for each in project.entities.values()}
    if entity_name is not None and entity_name.lower() not in entities:
        hint = did_you_mean(entity_name.lower(), list(entities)) or f"known: {', '.join(entities)}"
        fail("unknown-entity", f"there is no entity '{entity_name}'", hint=hint)
    possible = [entities[entity_name.lower()]] if entity_name else list(entities.values())
    found = []
    for each in written:
        name, colon, value = each.partition(":")
        if not colon or not name.strip() or not value.strip():
            fail("bad-id", f"'{each}' is no identifier", hint="write its type before it: email:ann@example.com")
        types = {t.lower(): t for entity in possible for t in entity.id_types}
        if name.strip().lower() not in types:
            hint = did_you_mean(name.strip().lower(), list(types)) or f"known: {', '.join(types.values())}"
            fail("unknown-id-type", f"there is no id type '{name.strip()}'", hint=hint)
        found.append(Id(types[name.strip().lower()], value))
    wanted = {each.type.lower() for each in found}
    meant = [entity for entity in possible if wanted <= {t.lower() for t in entity.id_types}]
    graphs = {entity.stitcher for entity in meant}
    if len(graphs) != 1:
        names = ", ".join(entity.name for entity in meant or possible)
        what = "no entity has ids of all these types" if not meant else f"several entities have such ids: {names}"
        fail("missing-entity", what, hint="forget them one by one" if not meant else "say which: --entity NAME")
    return meant[0], tuple(dict.fromkeys(found))


def people_behind(session: Session, entity: Entity, ids: Sequence[Id]) -> People:
    """Return the people behind some identifiers, as of the last finished run."""
    entities = tuple(e.name for e in session.project.project.entities.values() if e.stitcher == entity.stitcher)
    graphs = mappings(session, entity)
    if not graphs:
        return People(entity, entities, (), frozenset(), tuple(ids))
    newest = graphs[max(graphs)][1]
    query = build(
        """
        SELECT DISTINCT other_id_type, other_id, main_id FROM :m
        WHERE main_id IN (SELECT main_id FROM :m AS known WHERE :given)
        """,
        m=newest,
        given=is_among(ids),
    )
    rows = session.warehouse.query(render(query, session.warehouse.dialect)).rows
    known = tuple(sorted({Id(str(id_type), str(value)) for id_type, value, _ in rows}))
    unknown = tuple(each for each in ids if each not in known)
    return People(entity, entities, known, frozenset(str(row[2]) for row in rows), unknown)


def mappings(session: Session, entity: Entity) -> Mapping[tuple[datetime, int], tuple[Material, exp.Table]]:
    """Return end and number of each run that is still there -> its id graph of an entity, and the mappings of it."""
    warehouse, schema = session.warehouse, session.output.schema
    there = warehouse.relations(schema)
    own = {each.number for each in session.registry.seq_nos(session.project.name)}
    found = {}
    for material in session.registry.materials():
        relation = beside(exp.table_(material.name, db=schema, quoted=True), "_mappings")
        is_own = material.model_path == entity.stitcher and material.seq_no in own
        if is_own and spelled(relation.name, warehouse.dialect) in there:
            found[material.end, material.seq_no] = material, relation
    return found


def main_ids_by_run(session: Session, entity: Entity, ids: Sequence[Id]) -> Mapping[int, frozenset[str]]:
    """Return the number of each run that is still there -> the main ids that some identifiers have in it."""
    found = {}
    for (_, seq_no), (_, relation) in mappings(session, entity).items():
        query = build("SELECT DISTINCT main_id FROM :m AS m WHERE :given", m=relation, given=is_among(ids))
        rows = session.warehouse.query(render(query, session.warehouse.dialect)).rows
        found[seq_no] = frozenset(str(row[0]) for row in rows)
    return found


def of_others(session: Session, entity: Entity, main_ids: Iterable[str], ids: Sequence[Id]) -> frozenset[str]:
    """Return those of some main ids that somebody else has, or had in a run that is still there.

    Who was once taken for the same person may have had one alone before, under which it has nothing to do with these.
    """
    wanted = [text(each) for each in sorted(main_ids)]
    found: set[str] = set()
    for _, relation in mappings(session, entity).values() if wanted else ():
        query = build(
            "SELECT DISTINCT main_id FROM :m AS m WHERE main_id IN (:wanted) AND NOT :given",
            m=relation,
            wanted=wanted,
            given=exp.paren(is_among(ids)),
        )
        found |= {str(row[0]) for row in session.warehouse.query(render(query, session.warehouse.dialect)).rows}
    return frozenset(found)


def is_among(ids: Iterable[Id], columns: tuple[str, str] = ("other_id", "other_id_type")) -> exp.Expr:
    """Return the condition that an identifier, in two columns, is one of some."""
    by_type: dict[str, list[str]] = {}
    for each in ids:
        by_type.setdefault(each.type, []).append(each.value)
    value, id_type = columns
    return exp.or_(
        exp.false(),
        *(
            build(":t = :type AND :v IN (:values)", t=id_type, type=text(name), v=value, values=list(map(text, values)))
            for name, values in sorted(by_type.items())
        ),
    )
