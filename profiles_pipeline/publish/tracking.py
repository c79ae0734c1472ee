"""The warehouse's own record of the changes of a table: switching it on, and whether it still is."""

from __future__ import annotations

from datetime import timedelta

from sqlglot import exp

from profiles_pipeline.dialects import capabilities, identifier, literal, render, spelled
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.warehouse.base import Rows


def track(session: Session, publisher: Publisher, table: exp.Table) -> None:
    """Let the warehouse keep the changes of a table, where its destination reads them there and it can."""
    retention, dialect = publisher.options.get("retention"), session.warehouse.dialect
    if publisher.destination.contract.tracked and isinstance(retention, timedelta):
        for statement in publisher.destination.tracking(dialect, render(table, dialect), retention):
            session.warehouse.execute(statement)


def tracking_faults(session: Session, publisher: Publisher) -> tuple[str, ...]:
    """Return what is wrong with the record of the changes of a table that is there, a sentence each."""
    retention, dialect = publisher.options.get("retention"), session.warehouse.dialect
    kept = capabilities(dialect).change_tracking and publisher.destination.contract.tracked
    if not kept or not isinstance(retention, timedelta):
        return ()
    schema = identifier(session.output.schema, dialect)
    name = literal(spelled(publisher.name, dialect), dialect)
    return faults_in(session.warehouse.query(f"SHOW TABLES LIKE {name} IN SCHEMA {schema}"), publisher.name, retention)


def faults_in(shown: Rows, name: str, retention: timedelta) -> tuple[str, ...]:
    """Return what an answer to SHOW TABLES says is wrong; a pattern may show other tables as well."""
    columns = [column.lower() for column in shown.columns]
    rows = [dict(zip(columns, row, strict=True)) for row in shown.rows]
    row = next((row for row in rows if str(row["name"]).lower() == name.lower()), None)
    if row is None:
        return (f"the table '{name}' is not shown by SHOW TABLES",)
    told = []
    if str(row["change_tracking"]).upper() != "ON":
        told.append("its change tracking is off: what reads its changes has to be connected again")
    if int(str(row["retention_time"])) < retention.days:
        told.append(f"its changes are kept for {row['retention_time']} days, and not for {retention.days}")
    return tuple(told)
