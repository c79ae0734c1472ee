"""Turns of those who write to a schema of Snowflake, which has no locks that could be held for the length of a run.

A table of one row says whose turn it is. It is taken by an UPDATE that finds it free, given back at the end, and
renewed meanwhile: that of somebody who is gone runs out.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from profiles_pipeline.dialects import identifier
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.names import TURN_TABLE
from profiles_pipeline.warehouse.lock import BusyError, Holder

if TYPE_CHECKING:
    from profiles_pipeline.warehouse.base import Warehouse

RUNS_OUT_AFTER_S = 600
RENEWED_AFTER_S = 60

_NOW = "CAST(SYSDATE() AS TIMESTAMP_NTZ)"


class Turn:
    """The turn of one session to write to a schema, which has to be there."""

    def __init__(self, warehouse: Warehouse, schema: str, purpose: str) -> None:
        self._warehouse = warehouse
        self._table = f"{identifier(schema, warehouse.dialect)}.{identifier(TURN_TABLE, warehouse.dialect)}"
        self._schema = schema
        self._purpose = purpose
        self._token = uuid.uuid4().hex
        self._renewed = 0.0

    def take(self) -> None:
        """Take the turn; raise BusyError, with who has it, when somebody has."""
        self._warehouse.execute(
            f"""CREATE TABLE IF NOT EXISTS {self._table} AS SELECT CAST('' AS VARCHAR) AS token,
            CAST(0 AS BIGINT) AS pid, CAST(0 AS BIGINT) AS thread, CAST('' AS VARCHAR) AS host,
            CAST('' AS VARCHAR) AS purpose, {_NOW} AS since, {_NOW} AS renewed"""
        )
        token, holder = self._holder()
        if token and holder.may_be_alive and not self._ran_out():
            raise BusyError(holder)
        self._warehouse.execute(
            f"""UPDATE {self._table} SET token = ?, pid = ?, thread = ?, host = ?, purpose = ?, since = {_NOW},
            renewed = {_NOW} WHERE token = ?""",
            [self._token, os.getpid(), threading.get_native_id(), socket.gethostname(), self._purpose, token],
        )
        token, holder = self._holder()
        if token != self._token:
            raise BusyError(holder)
        self._renewed = time.monotonic()

    def renew(self) -> None:
        """Say, once a minute, that the turn is still needed.

        Raises:
            WarehouseError: it had run out and somebody else has it now.
        """
        if time.monotonic() - self._renewed < RENEWED_AFTER_S:
            return
        self._renewed = time.monotonic()
        self._warehouse.execute(f"UPDATE {self._table} SET renewed = {_NOW} WHERE token = ?", [self._token])
        token, holder = self._holder()
        if token != self._token:
            raise WarehouseError(f"schema {self._schema} was left to {holder}, since nothing was heard for too long")

    def release(self) -> None:
        """Give the turn back."""
        self._warehouse.execute(f"UPDATE {self._table} SET token = '' WHERE token = ?", [self._token])

    def _holder(self) -> tuple[str, Holder]:
        (found,) = self._warehouse.query(f"SELECT token, pid, thread, host, purpose, since FROM {self._table}").rows
        token, pid, thread, host, purpose, since = found
        at = since.isoformat(timespec="seconds") + "Z" if isinstance(since, datetime) else ""
        return str(token), Holder(int(str(pid)), int(str(thread)), "", str(purpose), str(host), at)

    def _ran_out(self) -> bool:
        age = f"DATEDIFF(second, renewed, {_NOW})"
        return int(str(self._warehouse.scalar(f"SELECT {age} FROM {self._table}"))) > RUNS_OUT_AFTER_S
