"""Writes a difference: first what must be there for it, then all rows in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from profiles_pipeline.compile import published_tables as tables
from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.statement import create
from profiles_pipeline.dialects import literal_tree, render
from profiles_pipeline.publish.difference import MARK, Difference
from profiles_pipeline.publish.ledger import Publication
from profiles_pipeline.publish.tracking import track
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session

_TICK = timedelta(microseconds=1)


def preparations(difference: Difference, project: str, token: str) -> Iterator[exp.Expr]:
    """Yield the statements that make what is written to. Taken twice they do no harm, and no table is replaced."""
    publisher, relations = difference.publisher, difference.relations
    if not difference.is_there:
        yield tables.create_table(publisher, relations.table, difference.shape)
    else:
        for column in difference.missing:
            yield tables.add_column(relations.table, column, difference.shape.types[column])
    yield tables.create_changes(relations.changes)
    yield tables.create_rejects(rejects_of(difference))
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
    if last is None or difference.missing or not difference.is_there or names & {"untouched", "connection_valid"}:
        for statement in preparations(difference, session.project.name, token):
            warehouse.execute(render(statement, warehouse.dialect))
        track(session, publisher, difference.relations.table)
    made = _publication(difference, token, approved)
    at = literal_tree(made.published_at)
    relations, delta = difference.relations, difference.delta
    number = last.last_seq if last else 0
    rejects = rejects_of(difference)
    statements = (
        tables.merge(publisher, relations.table, delta, difference.shape, at),
        tables.add_changes(relations.changes, delta, made.number, number, at),
        tables.clear_rejects(rejects),
        tables.add_rejects(rejects, difference.desired, difference.window.seq_no),
        *_trimmed(publisher, relations.changes, made),
    )
    with warehouse.transaction():
        for statement in statements:
            warehouse.execute(render(statement, warehouse.dialect))
        found = [{"name": g.name, "broken": g.check.broken, "told": g.told} for g in difference.guards]
        difference.ledger.record(made, found)
    return made


def _trimmed(publisher: Publisher, changes: exp.Table, made: Publication) -> Iterator[exp.Expr]:
    """Yield what takes changes out that have arrived, and are older than the publisher keeps them."""
    if publisher.keep_changes is not None:
        yield tables.trim_changes(changes, literal_tree(made.published_at - publisher.keep_changes), made.acknowledged)


def rejects_of(difference: Difference) -> exp.Table:
    """Return the table of the rows that the destination does not take."""
    return exp.table_(f"{difference.publisher.name}__rejects", db=difference.relations.table.db, quoted=True)


def _publication(difference: Difference, token: str, approved: bool) -> Publication:
    last, counts = difference.last, difference.counts
    now = datetime.now(UTC).replace(tzinfo=None)
    at = (
        now if last is None else max(now, last.published_at + _TICK)
    )  # what goes by the time misses nothing, nor repeats it
    seq = (last.last_seq if last else 0) + counts.operations
    is_all = difference.publisher.sink == "table"
    return Publication(
        number=last.number + 1 if last else 1,
        seq_no=difference.window.seq_no,
        end=difference.window.end,
        token=token,
        columns=difference.shape.types,
        counts=counts,
        rows=difference.rows + counts.inserted - counts.deleted,
        last_seq=seq,
        approved=approved,
        hash_version=sql.HASH_VERSION,
        published_at=at,
        acknowledged=seq if is_all else (last.acknowledged if last else 0),
        delivered_at=at if is_all else None,
    )
