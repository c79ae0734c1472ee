"""STRUCT, ARRAY and MAP columns: what lies inside, and their Arrow types and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from profiles_pipeline.sample.schema import ColumnSchema

_TYPES = {
    "text": pa.string(), "boolean": pa.bool_(), "timestamp": pa.timestamp("us"), "date": pa.date32(),
    "json": pa.string(), "struct": pa.string(), "array": pa.string(), "map": pa.string(),
}  # fmt: skip
_VALUES: dict[str, Callable[[Any], object]] = {
    "timestamp": datetime.fromisoformat,
    "date": lambda text: datetime.fromisoformat(text).date(),
    "json": json.dumps,
    "whole": lambda number: int(float(number)),
    "number": float,
    "text": str,
}


def leaves(column: ColumnSchema, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], ColumnSchema]]:
    """Yield the paths inside a column and what is found there; the column itself when it holds nothing inside."""
    if not column.fields:
        yield path, column
    for item in column.fields:
        yield from leaves(item, (*path, item.name))


def arrow_type(column: ColumnSchema) -> pa.DataType:
    """Return the type of a typed column, or of a field of one."""
    if column.fields and column.kind == "array":
        return pa.list_(arrow_type(column.fields[0]))
    if column.kind == "map":
        types = {arrow_type(field) for field in column.fields}
        return pa.map_(pa.string(), types.pop() if len(types) == 1 else pa.string())
    if column.fields:
        return pa.struct([(field.name, arrow_type(field)) for field in column.fields])
    if column.kind == "number":
        return pa.int64() if column.whole or column.epoch else pa.float64()
    return _TYPES[column.kind]


def typed_value(column: ColumnSchema, value: object) -> object:
    """Return a JSON value as one of the column's type: times are times, JSON inside is text."""
    if isinstance(value, list) and column.fields:
        return [typed_value(column.fields[0], item) for item in value]
    if isinstance(value, dict) and column.kind == "map":
        inner = arrow_type(column).item_type
        typed = ((field.name, typed_value(field, value.get(field.name))) for field in column.fields)
        return [(key, str(item) if pa.types.is_string(inner) and item is not None else item) for key, item in typed]
    if isinstance(value, dict) and column.fields:
        return {field.name: typed_value(field, value.get(field.name)) for field in column.fields}
    as_type = _VALUES.get("whole" if pa.types.is_integer(arrow_type(column)) else column.kind)
    return value if value is None or as_type is None else as_type(value)
