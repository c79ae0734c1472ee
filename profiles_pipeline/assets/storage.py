"""Dagster's SQLite storage, with events that are known together written together.

A run over many partitions has an event for each of them and each asset. Dagster writes them one by one, and every one
costs four transactions on disk; here they cost four in all.
"""

import os
from collections.abc import Sequence

from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sql_event_log import db_result  # type: ignore[attr-defined]
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, SqliteStorageConfig
from dagster._serdes import ConfigurableClassData

BATCH_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
"""Tells Dagster how many events it may keep together; without it, it keeps none."""

BATCH_SIZE = 1000


class BatchedEventLogStorage(SqliteEventLogStorage):
    """Stores a batch of asset events of a run in two transactions: one in its own file, one in the file of all runs."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events that belong to one run."""
        of_assets = [event for event in events if _is_of_asset(event)]
        for event in events:
            if not _is_of_asset(event):
                self.store_event(event)
        if not of_assets:
            return
        statements = [self.prepare_insert_event(event) for event in of_assets]
        with self.run_connection(of_assets[0].run_id) as connection:
            for statement in statements:
                connection.execute(statement)
        numbers: list[int] = []
        with self.index_transaction() as connection:
            for statement in statements:
                with db_result(connection, statement) as result:
                    numbers.append(result.inserted_primary_key[0])
            self._store_asset_event_tags(connection, of_assets, numbers)
            newest = {e.get_dagster_event().asset_key: (e, n) for e, n in zip(of_assets, numbers, strict=True)}
            for event, number in newest.values():
                self._store_asset_event(connection, event, number)


class BatchedSqliteStorage(DagsterSqliteStorage):
    """The same files in the same places as Dagster's own; either may take over from the other."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = BatchedEventLogStorage(os.path.join(base_dir, "history", "runs", ""))

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData, config_value: SqliteStorageConfig
    ) -> "BatchedSqliteStorage":
        """Return the storage that the instance's configuration describes."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _is_of_asset(event: EventLogEntry) -> bool:
    return event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS
