"""Profiles of Amplitude, which reads the changes of a table from the warehouse's own record of them.

The table is never replaced: the connection would break. So it is made once, and from then on merged into.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlglot import exp

from profiles_pipeline.destinations.contract import (
    FLAT,
    Contract,
    Destination,
    KeyRule,
    Option,
    Published,
    nothing_beside,
)

_NOBODY = (
    "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "empty", "{}", "0", "-1", "lmy47d",
    "00000000-0000-0000-0000-000000000000",
)  # fmt: skip


def mapping(published: Published) -> exp.Expr:
    """Return the query to paste into the connection: the key, and each property under its name there."""
    columns = [exp.alias_(exp.column(published.key, quoted=True), "user_id", quoted=True)]
    columns += [exp.alias_(exp.column(p.column, quoted=True), p.name, quoted=True) for p in published.properties]
    return exp.select(*columns).from_(published.table.copy())


def tracking(dialect: str, relation: str, retention: timedelta) -> tuple[str, ...]:
    """Return the statements that keep the changes of a table for as long as the connection may pause."""
    days = retention.days
    if dialect == "snowflake":
        return (
            f"ALTER TABLE {relation} SET DATA_RETENTION_TIME_IN_DAYS = {days}",
            f"ALTER TABLE {relation} SET CHANGE_TRACKING = TRUE",
        )
    if dialect == "databricks":
        kept = f"'delta.deletedFileRetentionDuration' = 'interval {days} days'"
        kept += f", 'delta.logRetentionDuration' = 'interval {days} days'"
        return (f"ALTER TABLE {relation} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', {kept})",)
    return ()


def fault(options: Mapping[str, object]) -> str | None:
    """Return what is wrong with the time for which changes are kept."""
    retention = options["retention"]
    assert isinstance(retention, timedelta)
    if retention < timedelta(days=1):
        return "'retention' is at least 1d: without a record of changes the connection cannot be mended"
    if options["edition"] == "standard" and retention > timedelta(days=1):
        return "'retention' is at most 1d on Snowflake's Standard Edition; let the source sync every 12 hours then"
    return None


AMPLITUDE = Destination(
    "amplitude",
    Contract(
        key=KeyRule(column="user_id", shortest=5, refused=frozenset(_NOBODY)),
        kinds=FLAT,
        longest_text=1024,
        most_properties=1000,
        operations_a_month=300_000_000,
        tracked=True,
    ),
    options={
        "retention": Option("duration", "7d"),
        "edition": Option("text", "enterprise", among=("standard", "enterprise")),
    },
    beside=nothing_beside,
    mapping=mapping,
    tracking=tracking,
    fault=fault,
    next_step="connect the table as a source of profiles; on Snowflake's Standard Edition let it sync every 12 hours",
    erasure="its sync deletes the profile; events stay until its User Privacy API is asked to delete the user",
)
