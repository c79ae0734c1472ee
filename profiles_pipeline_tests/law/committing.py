"""DuckDB as a server that commits before it makes, changes or drops a relation, and so cannot take that back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from profiles_pipeline.dialects.capabilities import DUCKDB, KNOWN
from profiles_pipeline.warehouse.duckdb_warehouse import DuckDBWarehouse

_DEFINES = re.compile(r"\s*(CREATE|DROP|ALTER)\b", re.IGNORECASE)


@contextmanager
def committing() -> Iterator[None]:
    """Let DuckDB commit before every definition, and the engine know that it does."""
    real, inside = DuckDBWarehouse.execute, set[DuckDBWarehouse]()

    def execute(self: DuckDBWarehouse, sql: str, params: Sequence[object] | None = None) -> None:
        if _DEFINES.match(sql):
            end(self, "COMMIT")
        real(self, sql, params)

    def end(self: DuckDBWarehouse, how: str) -> None:
        if self in inside:
            inside.discard(self)
            real(self, how)

    @contextmanager
    def transaction(self: DuckDBWarehouse) -> Iterator[None]:
        assert self not in inside
        real(self, "BEGIN TRANSACTION")
        inside.add(self)
        try:
            yield
            end(self, "COMMIT")
        except BaseException:
            end(self, "ROLLBACK")
            raise

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(KNOWN, "duckdb", replace(DUCKDB, transactional_ddl=False))
        monkeypatch.setattr(DuckDBWarehouse, "execute", execute)
        monkeypatch.setattr(DuckDBWarehouse, "transaction", transaction)
        yield
