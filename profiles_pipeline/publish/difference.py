"""What a publisher would write: found in temporary tables, so that looking leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from sqlglot import exp

from profiles_pipeline import plan, time_contexts
from profiles_pipeline.compile import published_tables as tables
from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.moved import only
from profiles_pipeline.compile.published_types import too_large
from profiles_pipeline.compile.statement import create, scratch
from profiles_pipeline.destinations import Published
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Problem, ProjectError, WarehouseError, fail
from profiles_pipeline.publish.basis import Basis, Moved, basis_now, moved_since, with_keys
from profiles_pipeline.publish.guards import Found, Guard, guards
from profiles_pipeline.publish.ledger import Counts, Ledger, Publication
from profiles_pipeline.publish.standing import declared_before, is_elsewhere
from profiles_pipeline.publish.tables import (
    done_by_hand,
    look,
    missing_columns,
    published_rows,
    refuse_foreign,
    shape_of,
)
from profiles_pipeline.publish.tracking import tracking_faults
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build
from profiles_pipeline.windows import Window

MARK = "published by profiles_pipeline"
"""How the comment on a published table begins; behind it stand the publisher and the token of the table."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is there, what is to be there, and what has to be written for it.

    Attributes:
        relations: its table, the changes of it, and what they look like to the destination.
        window: the run whose materials are published.
        last: the newest publication; None before the first.
        is_there: the table exists.
        shape: the columns of the table.
        missing: columns that the table is yet to get, and their types.
        anew: the destination is another one than before, and is given everybody.
        desired: temporary table of what is to be there, for those who were compared.
        moved: who was compared; None for everybody.
        delta: temporary table of what has to be written.
        guards: the rules, and what breaks them.
        sample: some of what has to be written: operation, key and the columns that change.
    """

    publisher: Publisher
    relations: Published
    ledger: Ledger
    window: Window
    last: Publication | None
    is_there: bool
    shape: sql.Shape
    missing: Mapping[str, str]
    anew: bool
    desired: exp.Table
    moved: Moved | None
    delta: exp.Table
    counts: Counts
    rows: int
    guards: tuple[Guard, ...]
    sample: tuple[tuple[str, str, str], ...]

    @property
    def is_empty(self) -> bool:
        """True when the table is as it is to be."""
        return self.is_there and not self.missing and not self.anew and not self.counts.operations

    @property
    def tells_everybody(self) -> bool:
        """True when everybody is among the changes, since the destination has nothing yet."""
        return self.anew and self.publisher.destination.by_changes

    @property
    def rows_after(self) -> int:
        """How many rows the table has once this is written."""
        if self.tells_everybody:
            return self.counts.inserted
        return self.rows + self.counts.inserted - self.counts.deleted

    @property
    def tripped(self) -> tuple[Guard, ...]:
        """The rules that are broken."""
        return tuple(guard for guard in self.guards if guard.told)


def find_difference(session: Session, publisher: Publisher, seq_no: int | None = None) -> Difference:
    """Return what a publisher would write now.

    Args:
        session: the project, open on its warehouse.
        publisher: the publisher.
        seq_no: the run to publish; None for the one that the plain views show.

    Raises:
        ProjectError: what it publishes has not been built, a key stands on several rows, or the destination refuses
            the type of a column.
    """
    warehouse, schema = session.warehouse, session.output.schema
    window, materials = published_materials(session, publisher, seq_no)
    ledger = Ledger(warehouse, schema, session.project.name, publisher.name)
    last = ledger.last()
    relations = sql.relations_of(publisher, schema)
    table = look(session, publisher, relations.table)
    before = declared_before(ledger) if last else None
    refuse_foreign(publisher, table, last, before)
    anew = is_elsewhere(publisher, before)
    forgotten = session.registry.being_forgotten(session.project.name)
    source = sql.source_query(publisher, materials, forgotten)
    types = {c.name.lower(): c.type for c in warehouse.describe(render(source, warehouse.dialect))}
    shape = shape_of(publisher, types, table, last)
    missing = missing_columns(publisher, shape, table)
    moved = None if missing else _moved(session, ledger, publisher, window, shape, last)
    desired, delta = (scratch(exp.table_(publisher.name), name) for name in ("desired", "delta"))
    make_desired = partial(_make_desired, session, publisher, types["publish_key"], shape, desired)
    make_desired(source if moved is None else sql.source_query(publisher, materials, only=moved.people))
    if moved is not None and not with_keys(session, publisher, moved, desired):
        moved = None
        make_desired(source)
    _refuse_repeated(session, publisher, desired)
    there = published_rows(relations.table, publisher, table, missing)
    if moved is not None:
        there = only(there, publisher.key_column, moved.keys)
    query = sql.delta_query(publisher, desired, there, shape)
    warehouse.execute(render(create("temporary table", delta, query), warehouse.dialect))
    counts, by_hand = _counted(session, desired, delta)
    if moved is not None:
        counts = _with_the_others(session, publisher, counts, table.rows, moved)
    tells_everybody = anew and publisher.destination.by_changes
    if tells_everybody:
        counts = _of_everybody(counts, table.rows)
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    found = Found(
        counts=counts,
        before=table.rows,
        after=counts.inserted + counts.updated + counts.unchanged,
        is_first=last is None or tells_everybody,
        this_month=ledger.operations_since(month),
        by_hand=done_by_hand(publisher, table, last, by_hand),
        tracking=tracking_faults(session, publisher) if last and table.columns is not None and not anew else (),
    )
    return Difference(
        publisher=publisher,
        relations=sql.relations_of(publisher, schema, shape.types),
        ledger=ledger,
        window=window,
        last=last,
        is_there=table.columns is not None,
        shape=shape,
        missing=missing,
        anew=anew,
        desired=desired,
        moved=moved,
        delta=delta,
        counts=counts,
        rows=table.rows,
        guards=guards(publisher, found),
        sample=_sample(session, delta),
    )


def _moved(
    session: Session, ledger: Ledger, publisher: Publisher, window: Window, shape: sql.Shape, last: Publication | None
) -> Moved | None:
    """Return who has to be compared; None for everybody."""
    noted = None if last is None else ledger.made_from(last.number)
    if noted is None:
        return None
    return moved_since(session, publisher, Basis.of(noted), basis_now(session, publisher, window, shape))


def _with_the_others(session: Session, publisher: Publisher, counts: Counts, rows: int, moved: Moved) -> Counts:
    """Return counts with those who were not compared: what they have published, or rejected, is as it was."""
    query = build(
        "SELECT COUNT(*) FROM :rejects WHERE NOT main_id IN (SELECT main_id FROM :people)",
        rejects=tables.rejects_of(publisher, session.output.schema),
        people=moved.people,
    )
    rejected = int(str(session.warehouse.scalar(render(query, session.warehouse.dialect))))
    unchanged = rows - counts.updated - counts.deleted
    return replace(counts, unchanged=unchanged, rejected=counts.rejected + rejected)


def _of_everybody(counts: Counts, rows: int) -> Counts:
    """Return what is told to a destination that has nothing yet, of a table with so many rows before."""
    return Counts(inserted=rows + counts.inserted - counts.deleted, deleted=counts.deleted, rejected=counts.rejected)


def published_materials(
    session: Session, publisher: Publisher, seq_no: int | None = None
) -> tuple[Window, Mapping[str, exp.Table]]:
    """Return the run that is published, and the material of each model that a publisher reads.

    It is the latest finished one that has all of them as they are defined now, which is what the plain views show.

    Raises:
        ProjectError: there is none.
    """
    project, state = session.project, time_contexts.remembered(session)
    lost = [path for path in publisher.parents if path not in project.graph.models]
    if lost:
        reasons = {item.path: item.reason for item in project.disabled}
        hint = reasons.get(lost[0], "what it is made from cannot be built")
        fail("not-built", f"'{publisher.name}' publishes '{lost[0]}', which is left out", publisher.span, hint=hint)
    known = session.registry.seq_nos(project.name)
    windows = [time_contexts.window_of(session, s) for s in known if s.complete or s.number == seq_no]
    if seq_no is not None:
        windows = [window for window in windows if window.seq_no == seq_no]
    for window in sorted(windows, key=lambda w: (w.end, w.seq_no), reverse=True):
        context = window.of(project.graph.models[publisher.source].time_grain)
        found = {}
        for path in publisher.parents:
            within = window.within(context, project.graph.models[path])
            found[path] = plan.material_names(project, within)[path]
        if set(found.values()) <= state.complete:
            schema = session.output.schema
            return window, {path: exp.table_(name, db=schema, quoted=True) for path, name in found.items()}
    message = (
        f"'{publisher.name}' publishes '{publisher.source}', and no finished run has built it as it is defined now"
    )
    fail("not-built", message, publisher.span, hint="build it first: profiles run")


def _make_desired(
    session: Session, publisher: Publisher, key_type: str, shape: sql.Shape, desired: exp.Table, source: exp.Expr
) -> None:
    """Put what is to be there into a temporary table."""
    query = sql.desired_query(publisher, source, key_type, shape)
    try:
        session.warehouse.execute(render(create("temporary table", desired, query), session.warehouse.dialect))
    except WarehouseError as error:
        _refuse_too_large(session, publisher, source, shape, error)
        raise


def _refuse_too_large(
    session: Session, publisher: Publisher, source: exp.Expr, shape: sql.Shape, cause: WarehouseError
) -> None:
    """Raise where it is because of numbers that do not fit into their columns that a warehouse has failed."""
    suspects = too_large(shape.sources, shape.types)
    if not suspects:
        return
    counts = [build("COUNT(CASE WHEN :large THEN 1 END)", large=condition) for condition in suspects.values()]
    query = build("SELECT :counts FROM :source AS s", counts=counts, source=source)
    row = session.warehouse.query(render(query, session.warehouse.dialect)).rows[0]
    found = {name: int(str(n)) for name, n in zip(suspects, row, strict=True) if int(str(n))}
    problems = [
        Problem(
            "value-too-large",
            f"'{name}' of '{publisher.name}' has {n:,} numbers that do not fit into {shape.types[name]}, which it is "
            "published as; nothing was written",
            publisher.span,
            "publish it as a feature of another name: a text, a floating point number or a smaller one",
        )
        for name, n in found.items()
    ]
    if problems:
        raise ProjectError(problems) from cause


def _refuse_repeated(session: Session, publisher: Publisher, desired: exp.Table) -> None:
    text = render(build(
        """
        SELECT publish_key, COUNT(*) AS n FROM :desired WHERE publish_reason IS NULL
        GROUP BY publish_key HAVING COUNT(*) > 1 ORDER BY n DESC, publish_key LIMIT 4
        """,
        desired=desired,
    ), session.warehouse.dialect)  # fmt: skip
    repeated = session.warehouse.query(text).rows
    if repeated:
        shown = ", ".join(f"'{key}' ({n} rows)" for key, n in repeated[:3]) + (
            " and others" if len(repeated) > 3 else ""
        )
        message = f"keys of '{publisher.name}' stand on several rows: {shown}; nothing was written"
        hint = "a key is what one row has: publish under the main id, or under an id type that is stitched"
        raise ProjectError([Problem("repeated-key", message, publisher.span, hint)])


def _counted(session: Session, desired: exp.Table, delta: exp.Table) -> tuple[Counts, int]:
    """Return what the temporary tables hold, and how many published rows are not as they were published."""
    query = build(
        """
        SELECT (SELECT COUNT(*) FROM :desired WHERE publish_reason IS NULL),
            (SELECT COUNT(*) FROM :desired WHERE NOT publish_reason IS NULL AND NOT publish_key IS NULL),
            COUNT(CASE WHEN publish_op = 'I' THEN 1 END), COUNT(CASE WHEN publish_op = 'U' THEN 1 END),
            COUNT(CASE WHEN publish_op = 'D' THEN 1 END), COUNT(CASE WHEN by_hand THEN 1 END)
        FROM :delta
        """,
        desired=desired,
        delta=delta,
    )
    row = session.warehouse.query(render(query, session.warehouse.dialect)).rows[0]
    wanted, rejected, inserted, updated, deleted, by_hand = (int(str(value)) for value in row)
    return Counts(inserted, updated, deleted, wanted - inserted - updated, rejected), by_hand


def _sample(session: Session, delta: exp.Table) -> tuple[tuple[str, str, str], ...]:
    query = build(
        "SELECT publish_op, publish_key, COALESCE(changed_columns, '') FROM :delta ORDER BY publish_key LIMIT 5",
        delta=delta,
    )
    found = session.warehouse.query(render(query, session.warehouse.dialect)).rows
    return tuple((str(op), str(key), str(changed)) for op, key, changed in found)
