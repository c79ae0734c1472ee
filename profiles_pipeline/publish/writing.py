"""Writes a difference: first what must be there for it, then all rows in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from profiles_pipeline.compile import published_tables as tables
from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.statement import create
from profiles_pipeline.dialects import capabilities, literal_tree, render
from profiles_pipeline.publish.basis import basis_now
from profiles_pipeline.publish.difference import MARK, Difference
from profiles_pipeline.publish.ledger import Publication
from profiles_pipeline.publish.standing import Declared
from profiles_pipeline.publish.tracking import track
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build

_TICK = timedelta(microseconds=1)


def preparations(difference: Difference, project: str, token: str, of_hashes: str) -> Iterator[exp.Expr]:
    """Yield the statements that make what is written to. Taken twice they do no harm, and no table is replaced."""
    publisher, relations = difference.publisher, difference.relations
    if not difference.is_there:
        yield tables.create_table(publisher, relations.table, difference.shape, of_hashes)
    else:
        for column, kind in difference.missing.items():
            yield tables.add_column(relations.table, column, kind)
    yield tables.create_changes(relations.changes)
    yield tables.create_rejects(tables.rejects_of(publisher, relations.table.db))
    if publisher.sink == "webhook":
        yield tables.create_dead_letters(tables.dead_letters_of(publisher, relations.table.db))
    comment = f"{MARK}: {publisher.source} of {project} as {publisher.name}, table {token}"
    yield tables.comment_on(relations.table, comment)
    for view in publisher.destination.views(relations):
        name = exp.table_(f"{publisher.name}{view.suffix}", db=relations.table.db, quoted=True)
        yield create("view", name, view.query)


def write(session: Session, difference: Difference, *, approved: bool) -> Publication:
    """Write a difference and return it as it was recorded. All of its rows are written, and that is noted, or none.

    A crash leaves at most an empty table, or an empty column, which the next publication takes up.
    """
    warehouse, publisher, last = session.warehouse, difference.publisher, difference.last
    session.registry.ensure()
    token = last.token if last else uuid.uuid4().hex
    names = {guard.name for guard in difference.tripped}
    is_new = last is None or difference.missing or difference.anew or not difference.is_there
    if is_new or names & {"untouched", "connection_valid"}:
        for statement in preparations(
            difference, session.project.name, token, capabilities(warehouse.dialect).of_hashes
        ):
            warehouse.execute(render(statement, warehouse.dialect))
        track(session, publisher, difference.relations.table)
    made = _publication(difference, token, approved)
    at = literal_tree(made.published_at)
    relations, delta = difference.relations, difference.delta
    number = last.last_seq if last else 0
    rejects = tables.rejects_of(publisher, relations.table.db)
    statements = (
        tables.merge(publisher, relations.table, delta, difference.shape, at, _changed(session, difference)),
        tables.add_everybody(relations.changes, delta, relations, made.number, number, at)
        if difference.tells_everybody
        else tables.add_changes(relations.changes, delta, made.number, number, at),
        *tables.clear_rejects(rejects, difference.window.seq_no, difference.moved.people if difference.moved else None),
        tables.add_rejects(rejects, difference.desired, difference.window.seq_no),
        *_trimmed(publisher, relations.changes, made),
    )
    with warehouse.transaction():
        for statement in statements:
            warehouse.execute(render(statement, warehouse.dialect))
        found = [{"name": g.name, "broken": g.check.broken, "told": g.told} for g in difference.guards]
        difference.ledger.record(made, found)
        if (basis := basis_now(session, publisher, difference.window, difference.shape)) is not None:
            difference.ledger.note_made_from(made.number, basis.text())
        difference.ledger.note_declaration(Declared.of(publisher).text())
    return made


def _changed(session: Session, difference: Difference) -> frozenset[str] | None:
    """Return the columns in which rows differ that are updated; None where their names could be mistaken."""
    if any("," in name for name in difference.shape.types):
        return None
    query = build(
        """
        SELECT DISTINCT changed_columns,
            CASE WHEN main_id IS NOT DISTINCT FROM main_id_before THEN 0 ELSE 1 END AS is_of_another
        FROM :delta WHERE publish_op = 'U'
        """,
        delta=difference.delta,
    )
    found = session.warehouse.query(render(query, session.warehouse.dialect)).rows
    names = {name for changed, _ in found for name in str(changed).split(",")}
    return frozenset(names | {"main_id"}) if any(is_of_another for _, is_of_another in found) else frozenset(names)


def _trimmed(publisher: Publisher, changes: exp.Table, made: Publication) -> Iterator[exp.Expr]:
    """Yield what takes changes out that have arrived, and are older than the publisher keeps them."""
    if publisher.keep_changes is not None:
        yield tables.trim_changes(changes, literal_tree(made.published_at - publisher.keep_changes), made.acknowledged)


def _publication(difference: Difference, token: str, approved: bool) -> Publication:
    last, counts = difference.last, difference.counts
    now = datetime.now(UTC).replace(tzinfo=None)
    at = (
        now if last is None else max(now, last.published_at + _TICK)
    )  # what goes by the time misses nothing, nor repeats it
    seq = (last.last_seq if last else 0) + counts.operations
    arrived = last.acknowledged if last else 0
    if last and difference.anew:  # what the destination before has not got is nothing for this one
        arrived = last.last_seq
    is_all = difference.publisher.sink == "table"
    return Publication(
        number=last.number + 1 if last else 1,
        seq_no=difference.window.seq_no,
        end=difference.window.end,
        token=token,
        columns=difference.shape.types,
        counts=counts,
        rows=difference.rows_after,
        last_seq=seq,
        approved=approved,
        hash_version=sql.HASH_VERSION,
        published_at=at,
        acknowledged=seq if is_all else arrived,
        delivered_at=at if is_all else None,
    )
