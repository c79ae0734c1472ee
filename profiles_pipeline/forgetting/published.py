"""Takes people out of what is published: the deletion is written at once, whatever guards say, and handed on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlglot import exp

from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.rows import text
from profiles_pipeline.dialects import literal_tree, render, spelled
from profiles_pipeline.errors import Check, ProjectError, RunError
from profiles_pipeline.forgetting.requests import Request, Requests
from profiles_pipeline.forgetting.tables import deleted
from profiles_pipeline.publish.delivery import Delivered, check_sink, deliver, followed
from profiles_pipeline.publish.difference import published_materials
from profiles_pipeline.publish.ledger import Counts, Ledger, Publication
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build

_TICK = timedelta(microseconds=1)

DELETIONS = "deletions"
"""Under which name it is noted how many deletions each publisher has written."""

_SYNCS = "syncs of {}"
"""Under which name it is noted which syncs were started for a publisher, so that going on knows them."""


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What became of people at a publisher.

    Attributes:
        by: the publisher, as it stands.
        destination: where it publishes to.
        rows: table -> how many rows were taken out of it.
        deletions: how many deletions were written for the destination to read.
        is_soft: they stay in its table, as rows without anything but the key.
        waits: why these have not been handed on yet; None where they have, or where the destination reads them itself.
        syncs: ids of syncs that were started for them, the newest last.
        fetched: how the newest of these went; None where none was started.
        files: folders with files that were written before, and may have the people in them.
        duty: what is left to do at the destination, for people.
    """

    by: Publisher
    destination: str
    rows: dict[str, int]
    deletions: int
    is_soft: bool
    waits: str | None
    syncs: tuple[str, ...]
    files: tuple[str, ...]
    duty: str
    fetched: Check | None = None

    @property
    def publisher(self) -> str:
        """Its name."""
        return self.by.name


def published_keys(
    session: Session, publisher: Publisher, request: Request, main_ids: frozenset[str]
) -> tuple[str, ...]:
    """Return the keys under which people are published, or would be.

    Args:
        session: the project, open on its warehouse.
        publisher: one of its publishers, with a table.
        request: whom it is about.
        main_ids: the main ids that are nobody else's.
    """
    queries: list[exp.Expr] = []
    table = sql.relations_of(publisher, session.output.schema).table
    key = exp.column(publisher.key_column, quoted=True)
    listed: list[exp.Expr] = [text(each) for each in sorted(main_ids)] or [exp.null()]
    queries.append(build("SELECT :key AS k FROM :table WHERE main_id IN (:ids)", key=key, table=table, ids=listed))
    queries.append(build("SELECT :key AS k FROM :table WHERE :key IN (:ids)", key=key, table=table, ids=listed))
    source = _source(session, publisher)
    if source is not None:
        wanted = "SELECT CAST(publish_key AS VARCHAR) AS k FROM :source AS s WHERE main_id IN (:ids)"
        queries.append(build(wanted, source=source, ids=listed))
    found = {str(row[0]) for q in queries for row in session.warehouse.query(render(q, session.warehouse.dialect)).rows}
    by_id = {each.value for each in request.ids if each.type.lower() == publisher.key.lower()}
    return tuple(sorted((found - {"None"}) | by_id))


def _source(session: Session, publisher: Publisher) -> exp.Expr | None:
    """Return the query of the keys and main ids that a publisher reads; None where no run has built these as they are
    defined now.
    """
    if not publisher.source:
        return None
    try:
        bare = replace(publisher, properties=())
        materials = published_materials(session, bare)[1]
    except ProjectError:
        return None
    key = build("SELECT * FROM :source", source=materials[publisher.source])
    known = {column.name.lower() for column in session.warehouse.describe(render(key, session.warehouse.dialect))}
    if publisher.stitcher is None and publisher.key.lower() not in known:
        return None
    return sql.source_query(bare, materials)


def take_out(session: Session, publisher: Publisher, request: Request, main_ids: frozenset[str]) -> TakenOut:
    """Take people out of the relations of a publisher in one transaction, and hand the deletions on.

    Args:
        session: the project, open on its warehouse.
        publisher: one of its publishers, with a table.
        request: whom it is about.
        main_ids: the main ids that are nobody else's.

    Raises:
        RunError: files cannot be written; nothing is taken out before those of earlier publications are.
    """
    waits = _handed_on(session, publisher, request)  # order is kept: what was left before comes first
    ledger = Ledger(session.warehouse, session.output.schema, session.project.name, publisher.name)
    last = ledger.last()
    assert last is not None
    keys = published_keys(session, publisher, request, main_ids)
    relations = sql.relations_of(publisher, session.output.schema)
    rows: dict[str, int] = {}
    requests = Requests(session)
    with session.warehouse.transaction():
        marks = _says_who_is_deleted(session, relations.table)
        soft = marks and publisher.deletes == "soft"
        gone = _present_keys(session, publisher, relations.table, keys, marks)
        if gone:
            made = _publication(publisher, last, len(gone))
            for statement in _deletions(publisher, relations.table, relations.changes, gone, made, soft):
                session.warehouse.execute(render(statement, session.warehouse.dialect))
            ledger.record(made, [])
            rows[publisher.name] = len(gone)
        for name, condition in _traces(session, publisher, keys, main_ids, last.number):
            count = deleted(session, exp.table_(name, db=session.output.schema, quoted=True), condition)
            rows |= {name: count} if count else {}
        unnamed = _unnamed(relations.changes, main_ids)
        for statement in unnamed:
            session.warehouse.execute(render(statement, session.warehouse.dialect))
        requests.add(request, publisher.path, rows)
        requests.add(request, DELETIONS, {publisher.name: len(gone)})
        taken = requests.taken(request)
    if gone:
        waits = _handed_on(session, publisher, request)
    return TakenOut(
        by=publisher,
        destination=publisher.destination.name,
        rows=taken[publisher.path],
        deletions=taken[DELETIONS].get(publisher.name, 0),
        is_soft=soft,
        waits=waits,
        syncs=tuple(requests.taken(request).get(_SYNCS.format(publisher.name), ())),
        files=_folders(session, publisher),
        duty=_duty(session, publisher),
    )


def with_its_end(taken: TakenOut) -> TakenOut:
    """Return what became of people at a publisher, once the sync has ended that was started for them.

    Needs no warehouse. Without a token, or when waiting was long enough, it says that how it ended is not known.
    """
    checks = followed(taken.by, Delivered(syncs=taken.syncs)) if taken.syncs else ()
    return replace(taken, fetched=next(iter(checks), None))


def _handed_on(session: Session, publisher: Publisher, request: Request) -> str | None:
    """Hand on what is written; return why a server has not taken all of it. What is left is sent the next time."""
    try:
        check_sink(publisher)
        done = deliver(session, publisher)
        if done.syncs:
            Requests(session).add(request, _SYNCS.format(publisher.name), dict.fromkeys(done.syncs, 1))
    except (RunError, ProjectError) as error:
        if publisher.sink == "files":
            raise
        return error.problem.message if isinstance(error, RunError) else error.problems[0].message
    return None


def _duty(session: Session, publisher: Publisher) -> str:
    """Return what is left to do at a destination; for one that is not declared any more, also why nobody else does."""
    if publisher.name in {each.name for each in session.project.publishers}:
        return publisher.destination.erasure
    return f"{publisher.destination.erasure}; it is not declared any more, so that what waits is not handed on later"


def _says_who_is_deleted(session: Session, table: exp.Table) -> bool:
    """Tell whether a published table has rows of people who are deleted already, without anything but the key."""
    query = render(build("SELECT * FROM :table", table=table), session.warehouse.dialect)
    return "deleted_at" in {column.name.lower() for column in session.warehouse.describe(query)}


def _present_keys(
    session: Session, publisher: Publisher, table: exp.Table, keys: Iterable[str], marks: bool
) -> tuple[str, ...]:
    """Return those of some keys that have a row with something in it."""
    listed = [text(key) for key in keys]
    if not listed:
        return ()
    key = exp.column(publisher.key_column, quoted=True)
    live = exp.condition("deleted_at IS NULL") if marks else exp.true()
    query = build(
        "SELECT :key AS k FROM :table WHERE :key IN (:keys) AND :live ORDER BY k",
        key=key,
        table=table,
        keys=listed,
        live=live,
    )
    return tuple(str(row[0]) for row in session.warehouse.query(render(query, session.warehouse.dialect)).rows)


def _publication(publisher: Publisher, last: Publication, deleted: int) -> Publication:
    """Return the publication that deletes so many rows, and does nothing else."""
    at = max(datetime.now(UTC).replace(tzinfo=None), last.published_at + _TICK)
    is_read = publisher.sink == "table"
    return replace(
        last,
        number=last.number + 1,
        counts=Counts(deleted=deleted, unchanged=last.rows - deleted),
        rows=last.rows - deleted,
        last_seq=last.last_seq + deleted,
        approved=True,
        published_at=at,
        acknowledged=last.last_seq + deleted if is_read else last.acknowledged,
        delivered_at=at if is_read else None,
    )


def _deletions(
    publisher: Publisher,
    table: exp.Table,
    changes: exp.Table,
    keys: tuple[str, ...],
    made: Publication,
    soft: bool,
) -> list[exp.Expr]:
    """Return the statements that take rows out of the table, or empty them, and add that to the changes."""
    key, at = exp.column(publisher.key_column, quoted=True), literal_tree(made.published_at)
    listed = [text(each) for each in keys]
    removed: exp.Expr = build("DELETE FROM :table WHERE :key IN (:keys)", table=table, key=key, keys=listed)
    if soft:
        emptied = [exp.column(name, quoted=True) for name in (*made.columns, "row_hash", "main_id")]
        sets = [exp.EQ(this=column, expression=exp.null()) for column in emptied]
        sets += [exp.EQ(this=exp.column(n, quoted=True), expression=at.copy()) for n in ("published_at", "deleted_at")]
        removed = exp.Update(
            this=table.copy(), expressions=sets, where=exp.Where(this=build(":key IN (:keys)", key=key, keys=listed))
        )
    before = made.last_seq - len(keys)
    rows = exp.Values(
        expressions=[
            exp.Tuple(expressions=[exp.convert(before + n), text(each)]) for n, each in enumerate(keys, start=1)
        ],
        alias=exp.TableAlias(this=exp.to_identifier("d"), columns=[exp.to_identifier("seq"), exp.to_identifier("key")]),
    )
    added = build(
        """
        INSERT INTO :changes SELECT CAST(d.seq AS BIGINT), CAST(:n AS BIGINT), 'D', d.key, CAST(NULL AS VARCHAR),
            CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), :at FROM :rows
        """,
        changes=changes,
        n=exp.convert(made.number),
        at=at,
        rows=rows,
    )
    return [removed, added]


def _traces(
    session: Session, publisher: Publisher, keys: tuple[str, ...], main_ids: frozenset[str], before: int
) -> list[tuple[str, exp.Expr]]:
    """Return what else has rows of people: tables, each with the condition of these.

    Of the changes, those stay that delete: destinations have to read them.
    """
    known: list[exp.Expr] = [text(key) for key in keys] or [exp.null()]
    mains: list[exp.Expr] = [text(each) for each in sorted(main_ids)] or [exp.null()]
    there = session.warehouse.relations(session.output.schema)
    about = build("key IN (:keys) OR main_id IN (:mains)", keys=known, mains=mains)
    found = [
        (
            f"{publisher.name}__changes",
            build("op <> 'D' AND publication <= :n AND (:about)", n=exp.convert(before), about=about),
        ),
        (f"{publisher.name}__rejects", about),
        (f"{publisher.name}__dead_letters", build("key IN (:keys)", keys=known)),
    ]
    return [(name, tree) for name, tree in found if spelled(name, session.warehouse.dialect) in there]


def _unnamed(changes: exp.Table, main_ids: frozenset[str]) -> list[exp.Expr]:
    """Return the statements that take main ids out of changes that stay, which are of others or delete."""
    listed = [text(each) for each in sorted(main_ids)]
    return [
        build("UPDATE :changes SET :c = NULL WHERE :c IN (:ids)", changes=changes, c=column, ids=listed)
        for column in ("main_id", "main_id_before")
        if listed
    ]


def _folders(session: Session, publisher: Publisher) -> tuple[str, ...]:
    """Return the folders of files that a publisher has written."""
    if publisher.sink != "files":
        return ()
    root = session.project.folder / Path(str(publisher.options["path"])).expanduser() / publisher.name
    return tuple(
        sorted(str(folder) for folder in root.glob("*/*") if folder.is_dir() and not folder.name.startswith("."))
    )
