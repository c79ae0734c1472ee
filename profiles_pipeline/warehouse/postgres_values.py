"""Values of the server as they are read everywhere else: JSON is text, and no time is too far away."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader
from psycopg.types.string import TextLoader


class _Far(Loader):
    """Reads a time; one that Python has no value for is a text, and infinity the last that it has."""

    near: ClassVar[type[Loader]]
    ends: ClassVar[tuple[object, object]]

    def __init__(self, oid: int, context: object = None) -> None:
        super().__init__(oid, context)  # type: ignore[arg-type]
        self._near = self.near(oid, context)  # type: ignore[arg-type]

    def load(self, data: Buffer) -> object:
        text = bytes(data).decode()
        if text in ("infinity", "-infinity"):
            return self.ends[text.startswith("-")]
        try:
            return self._near.load(data)
        except psycopg.DataError:
            return _with_era(text)


def _with_era(text: str) -> str:
    """Return a time of which the server writes the era last, with the era behind the day."""
    if not text.endswith(" BC"):
        return text
    day, *rest = text.removesuffix(" BC").split(" ", 1)
    return " ".join([day, "(BC)", *rest])


class _Day(_Far):
    near = DateLoader
    ends = (date.max, date.min)


class _Time(_Far):
    near = TimestampLoader
    ends = (datetime.max, datetime.min)


class _Moment(_Far):
    near = TimestamptzLoader
    ends = (datetime.max, datetime.min)


def read_values(connection: psycopg.Connection, _: object = None) -> None:
    """Have a connection return values in this way."""
    for kind in ("json", "jsonb"):
        connection.adapters.register_loader(kind, TextLoader)
    for name, loader in {"date": _Day, "timestamp": _Time, "timestamptz": _Moment}.items():
        connection.adapters.register_loader(name, loader)
