"""The tables of the registry, and how one that an earlier version has made becomes one of this version.

`TABLES` says what they are now. Each change of that is a migration with a number; the number of the last one that was
applied is the version of a registry. Texts are SQL that all warehouses understand as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from profiles_pipeline.names import (
    FORGET_REQUESTS,
    FORGOTTEN_IDS,
    HELD_TABLE,
    INPUT_ROWS,
    OBSERVED_BUCKETS,
    OBSERVED_FILES,
    OBSERVED_INPUTS,
    PUBLICATIONS,
    PUBLISHED_AS,
    PUBLISHED_FROM,
)

VERSIONS_TABLE = "pb_ct_version"
"""The table with a row for each version that a registry has had."""

TABLES: Mapping[str, str] = {
    VERSIONS_TABLE: "registry_version INTEGER NOT NULL, created_at TIMESTAMP NOT NULL",
    "wht_seq_no": """
        seq_no BIGINT PRIMARY KEY, project VARCHAR NOT NULL, begin_ts TIMESTAMP, end_ts TIMESTAMP NOT NULL,
        creation_ts TIMESTAMP NOT NULL, completion_ts TIMESTAMP, invocation VARCHAR NOT NULL""",
    "material_registry": """
        material_name VARCHAR PRIMARY KEY, model_ref VARCHAR NOT NULL, model_name VARCHAR NOT NULL,
        model_type VARCHAR NOT NULL, model_hash VARCHAR NOT NULL, entity_key VARCHAR, seq_no BIGINT NOT NULL,
        begin_ts TIMESTAMP, end_ts TIMESTAMP NOT NULL, creation_ts TIMESTAMP NOT NULL, row_count BIGINT,
        seconds DOUBLE PRECISION, metadata VARCHAR NOT NULL, target VARCHAR, username VARCHAR, hostname VARCHAR,
        invocation_folder VARCHAR, registry_version INTEGER NOT NULL""",
    HELD_TABLE: """
        table_name VARCHAR PRIMARY KEY, project VARCHAR NOT NULL, model_ref VARCHAR NOT NULL, seq_no BIGINT NOT NULL,
        end_ts TIMESTAMP NOT NULL, version BIGINT NOT NULL, material_name VARCHAR NOT NULL, columns VARCHAR NOT NULL,
        since_version BIGINT NOT NULL, layout INTEGER, parts VARCHAR, row_counts VARCHAR""",
    OBSERVED_INPUTS: """
        project VARCHAR NOT NULL, input VARCHAR NOT NULL, level VARCHAR NOT NULL, state VARCHAR NOT NULL,
        hashed VARCHAR NOT NULL, until_ts TIMESTAMP NOT NULL, version VARCHAR NOT NULL, row_count BIGINT NOT NULL,
        ahead BIGINT NOT NULL, next_ts TIMESTAMP, early BIGINT NOT NULL, seconds DOUBLE PRECISION,
        PRIMARY KEY (project, input)""",
    OBSERVED_BUCKETS: """
        project VARCHAR NOT NULL, input VARCHAR NOT NULL, bucket TIMESTAMP NOT NULL, row_count BIGINT,
        newest TIMESTAMP, content VARCHAR, look BIGINT NOT NULL, change VARCHAR NOT NULL""",
    OBSERVED_FILES: """
        project VARCHAR NOT NULL, input VARCHAR NOT NULL, file VARCHAR NOT NULL, state VARCHAR NOT NULL,
        bucket TIMESTAMP, row_count BIGINT, newest TIMESTAMP, content VARCHAR""",
    INPUT_ROWS: """
        project VARCHAR NOT NULL, input VARCHAR NOT NULL, row_count BIGINT NOT NULL, PRIMARY KEY (project, input)""",
    PUBLICATIONS: """
        project VARCHAR NOT NULL, publisher VARCHAR NOT NULL, publication BIGINT NOT NULL, seq_no BIGINT NOT NULL,
        end_ts TIMESTAMP NOT NULL, token VARCHAR NOT NULL, columns VARCHAR NOT NULL, inserted BIGINT NOT NULL,
        updated BIGINT NOT NULL, deleted BIGINT NOT NULL, unchanged BIGINT NOT NULL, rejected BIGINT NOT NULL,
        row_count BIGINT NOT NULL, last_seq BIGINT NOT NULL, guards VARCHAR NOT NULL, approved BOOLEAN NOT NULL,
        hash_version INTEGER NOT NULL, published_at TIMESTAMP NOT NULL, acknowledged BIGINT NOT NULL,
        delivered_at TIMESTAMP, PRIMARY KEY (project, publisher, publication)""",
    PUBLISHED_FROM: """
        project VARCHAR NOT NULL, publisher VARCHAR NOT NULL, publication BIGINT NOT NULL, basis VARCHAR NOT NULL,
        PRIMARY KEY (project, publisher)""",
    PUBLISHED_AS: """
        project VARCHAR NOT NULL, publisher VARCHAR NOT NULL, declaration VARCHAR NOT NULL,
        PRIMARY KEY (project, publisher)""",
    FORGET_REQUESTS: """
        project VARCHAR NOT NULL, request VARCHAR NOT NULL, entity VARCHAR NOT NULL, reason VARCHAR,
        salt VARCHAR NOT NULL, ids BIGINT NOT NULL, main_ids VARCHAR, asked_at TIMESTAMP NOT NULL,
        asked_by VARCHAR NOT NULL, done_at TIMESTAMP, undone_at TIMESTAMP, certificate VARCHAR,
        PRIMARY KEY (project, request)""",
    FORGOTTEN_IDS: """
        project VARCHAR NOT NULL, request VARCHAR NOT NULL, entity VARCHAR NOT NULL, id_type VARCHAR NOT NULL,
        id_hash VARCHAR NOT NULL, id_value VARCHAR, undone_at TIMESTAMP""",
}
"""Table -> its columns, in order. New columns go to the end, where a migration puts them."""


@dataclass(frozen=True, slots=True)
class AddColumn:
    """A column that a table has from now on.

    Attributes:
        table: the table.
        name: the column.
        type: its type; it may be NULL.
        before: SQL literal of what it says in rows that were written before there was one.
    """

    table: str
    name: str
    type: str
    before: str = "NULL"


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from one version of the registry to the next.

    A table that is new needs no change here: those that are not there are made as `TABLES` says.

    Attributes:
        number: the version that a registry has afterwards.
        changes: what becomes of the tables that are there.
    """

    number: int
    changes: tuple[AddColumn, ...]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, (AddColumn(HELD_TABLE, "layout", "INTEGER", "1"), AddColumn(HELD_TABLE, "parts", "VARCHAR"))),
    Migration(3, (AddColumn(HELD_TABLE, "row_counts", "VARCHAR"),)),
)
"""What has changed since version 1, in the order in which it has."""

VERSION = MIGRATIONS[-1].number
"""The version that this program writes."""


def pending(found: int) -> tuple[Migration, ...]:
    """Return the migrations that a registry of version `found` still needs, in order."""
    return tuple(migration for migration in MIGRATIONS if migration.number > found)


def statements(migration: Migration, spelled: Mapping[str, str]) -> Iterable[str]:
    """Yield the statements of a migration. Each may be run again where an earlier attempt broke off.

    Args:
        migration: what to do.
        spelled: table -> its name in SQL.
    """
    for change in migration.changes:
        table = spelled[change.table]
        yield f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {change.name} {change.type}"
        if change.before != "NULL":
            yield f"UPDATE {table} SET {change.name} = {change.before} WHERE {change.name} IS NULL"


def readable(table: str, columns: Iterable[str], found: int) -> str:
    """Return columns of a table as SELECT lists them, in a registry of version `found`.

    Nobody has to write to one of an earlier version in order to read it: what it does not have yet is what it would
    say once it is migrated.
    """
    added = {change.name: change for m in pending(found) for change in m.changes if change.table == table}
    return ", ".join(
        f"CAST({added[name].before} AS {added[name].type}) AS {name}" if name in added else name for name in columns
    )
