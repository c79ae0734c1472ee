"""The table of a publisher as it is found: whose it is, what somebody else has done to it, and what it is to become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.published_types import kind_of, published_type
from profiles_pipeline.dialects import render, spelled
from profiles_pipeline.errors import fail
from profiles_pipeline.publish.ledger import Publication
from profiles_pipeline.publish.standing import Declared
from profiles_pipeline.resolve.publishing import OWN_COLUMNS, Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build


@dataclass(frozen=True, slots=True)
class TableFound:
    """The table of a publisher, as it is found."""

    columns: Mapping[str, str] | None
    comment: str | None
    rows: int


def look(session: Session, publisher: Publisher, table: exp.Table) -> TableFound:
    """Return what is there under the name of the table of a publisher."""
    warehouse, schema = session.warehouse, session.output.schema
    own = spelled(publisher.name, warehouse.dialect).lower()
    if own not in {name.lower() for name in warehouse.relations(schema)}:
        return TableFound(None, None, 0)
    if own in {name.lower() for name in warehouse.views(schema)}:
        fail(
            "table-exists",
            f"'{publisher.name}' is a view, and not of this publisher",
            publisher.span,
            hint="rename one",
        )
    relation = render(table, warehouse.dialect)
    columns = {c.name.lower(): c.type for c in warehouse.describe(f"SELECT * FROM {relation}")}
    live = " WHERE deleted_at IS NULL" if "deleted_at" in columns else ""
    rows = int(str(warehouse.scalar(f"SELECT COUNT(*) FROM {relation}{live}")))
    return TableFound(columns, warehouse.table_comment(schema, publisher.name), rows)


def refuse_foreign(publisher: Publisher, table: TableFound, last: Publication | None, before: Declared | None) -> None:
    """Raise where there is a table of that name which is nobody's of ours, or cannot be merged into."""
    if table.columns is None:
        return
    key = before.key_column if before else next(iter(table.columns))
    if last is not None and key.lower() != publisher.key_column.lower():
        message = f"'{publisher.name}' is published under '{key}', and its key is '{publisher.key_column}' now"
        hint = f"a table keeps its key: give the publisher another name, or put 'key: {key}' back"
        fail("key-changed", message, publisher.span, hint=hint)
    # A table that was not made for rows to be marked in gets the column for it like that of a new property.
    own = OWN_COLUMNS if publisher.deletes == "soft" and before and before.deletes == "soft" else OWN_COLUMNS[:-1]
    needed = {publisher.key_column.lower(), *own}
    if last is None and (table.rows or not needed <= table.columns.keys()):
        message = f"there is a table '{publisher.name}' that this publisher has not made"
        fail("table-exists", message, publisher.span, hint="rename the publisher, or drop the table if nobody needs it")
    if gone := needed - table.columns.keys():
        message = f"the table '{publisher.name}' has lost its column '{min(gone)}'"
        hint = "put it back, or drop the table: it is then made anew, and what reads it has to be connected again"
        fail("table-altered", message, publisher.span, hint=hint)


def missing_columns(publisher: Publisher, shape: sql.Shape, table: TableFound) -> dict[str, str]:
    """Return the columns that a table is yet to get, and their types."""
    if table.columns is None:
        return dict(shape.types)
    wanted = dict(shape.types) | ({"deleted_at": "TIMESTAMP"} if publisher.deletes == "soft" else {})
    return {name: kind for name, kind in wanted.items() if name.lower() not in table.columns}


def shape_of(publisher: Publisher, types: Mapping[str, str], table: TableFound, last: Publication | None) -> sql.Shape:
    """Return the columns that a table is to have, in the types that it has them in already."""
    sources = {item.column: types[item.column.lower()] for item in publisher.properties}
    there = table.columns or {}
    before = {name: there.get(name.lower(), kind) for name, kind in (last.columns if last else {}).items()}
    known = {name.lower() for name in sources}
    kept = {name: kind for name, kind in before.items() if name.lower() not in known}
    own = {name: there.get(name.lower(), published_type(kind)) for name, kind in sources.items()}
    return sql.Shape(sources, own | kept, marks=publisher.deletes == "soft" or "deleted_at" in there)


def published_rows(table: exp.Table, publisher: Publisher, found: TableFound, missing: Mapping[str, str]) -> exp.Expr:
    """Return the published rows with all columns that they are to have, whether the table has them yet or not."""
    nulls = [
        exp.alias_(exp.cast(exp.null(), exp.DataType.build(kind, dialect="duckdb")), name, quoted=True)
        for name, kind in missing.items()
    ]
    if found.columns is not None:
        return build("SELECT p.*, :nulls FROM :table AS p", nulls=nulls, table=table) if nulls else table
    own = [
        (publisher.key_column, "VARCHAR"),
        ("row_hash", "VARCHAR"),
        ("main_id", "VARCHAR"),
        ("deleted_at", "TIMESTAMP"),
    ]
    empty = [exp.alias_(exp.cast(exp.null(), kind), name, quoted=True) for name, kind in own]
    return build("SELECT :columns WHERE FALSE", columns=[*empty, *nulls])


def done_by_hand(publisher: Publisher, table: TableFound, last: Publication | None, changed: int) -> tuple[str, ...]:
    """Return what somebody else has done to the table since it was published to, a sentence each."""
    if last is None:
        return ()
    if table.columns is None:
        return (f"the table '{publisher.name}' was dropped by hand",)
    told = []
    if last.token not in (table.comment or ""):
        told.append(
            f"the table '{publisher.name}' was made anew by hand: what read its changes has to be connected again"
        )
    for name, kind in last.columns.items():
        found = table.columns.get(name.lower())
        if found is None:
            told.append(f"its column '{name}' was dropped by hand")
        elif kind_of(found) != kind_of(kind):
            told.append(f"its column '{name}' was made {found} by hand")
    if table.rows != last.rows:
        told.append(f"it has {table.rows:,} rows, and {last.rows:,} were published")
    if changed:
        told.append(f"{changed:,} of its rows were changed by hand")
    return tuple(told)
