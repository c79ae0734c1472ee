"""Rows of an Arrow table on their way into Snowflake as values of an INSERT."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa

from profiles_pipeline.dialects import identifier

_SENT_AS_TEXT = "VARCHAR"


def columns_sql(table: pa.Table) -> str:
    """Return the columns of the table that the values are put in first, as CREATE TABLE takes them."""
    return ", ".join(f"{_name(field)} {_sent_type(field.type)}" for field in table.schema)


def items_sql(table: pa.Table) -> str:
    """Return what to select from that table to have the values as what they are."""
    return ", ".join(f"{_read_back(field)} AS {_name(field)}" for field in table.schema)


def rows(table: pa.Table, size: int) -> Iterator[list[tuple[object, ...]]]:
    """Yield the rows as values that the driver binds, at most `size` at a time."""
    ways = [_way(field.type) for field in table.schema]
    for batch in table.to_batches(max_chunksize=size):
        columns = [
            [None if value is None else way(value) for value in column.to_pylist()]
            for way, column in zip(ways, batch.columns, strict=True)
        ]
        if batch.num_rows:
            yield list(zip(*columns, strict=True))


def _name(field: pa.Field) -> str:
    return identifier(field.name, "snowflake")


def _read_back(field: pa.Field) -> str:
    name, kind = _name(field), _type(field.type)
    if pa.types.is_nested(field.type):
        return f"CAST(PARSE_JSON({name}) AS {kind})"
    if _is_binary(field.type):
        return f"TO_BINARY({name}, 'HEX')"
    return f"CAST({name} AS {kind})"


def _sent_type(kind: pa.DataType) -> str:
    return _SENT_AS_TEXT if _way(kind) is not _as_it_is else _type(kind)


def _way(kind: pa.DataType) -> Callable[[object], object]:
    """Return how a value of a type is sent."""
    if pa.types.is_nested(kind):
        return lambda value: json.dumps(value, default=_in_json)
    if _is_binary(kind):
        return lambda value: value.hex()  # type: ignore[attr-defined]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind):
        return _as_it_is
    return _text


def _as_it_is(value: object) -> object:
    return value


def _text(value: object) -> str:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat(sep=" ")
    return repr(value) if isinstance(value, float) else str(value)


def _in_json(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else _text(value)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _type(kind: pa.DataType) -> str:
    """Return the type of Snowflake that holds the values of an Arrow type."""
    if pa.types.is_decimal(kind):
        return f"NUMBER({min(kind.precision, 38)}, {kind.scale})"
    tests: dict[str, Callable[[pa.DataType], bool]] = {
        "ARRAY": lambda k: pa.types.is_list(k) or pa.types.is_large_list(k),
        "OBJECT": pa.types.is_nested,
        "BOOLEAN": pa.types.is_boolean,
        "NUMBER(38, 0)": pa.types.is_integer,
        "FLOAT": pa.types.is_floating,
        "DATE": pa.types.is_date,
        "TIME": pa.types.is_time,
        "TIMESTAMP_NTZ": pa.types.is_timestamp,
        "BINARY": _is_binary,
    }
    return next((name for name, holds in tests.items() if holds(kind)), "VARCHAR")
