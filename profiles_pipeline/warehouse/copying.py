"""Rows of an Arrow table on their way into PostgreSQL by COPY."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.csv
from psycopg.types.json import Jsonb

from profiles_pipeline.dialects import identifier

_BATCH = 50_000


def columns_sql(table: pa.Table) -> str:
    """Return the columns of a table that has those of `table`, as CREATE TABLE takes them."""
    return ", ".join(f"{identifier(field.name, 'postgres')} {_type(field.type)}" for field in table.schema)


def is_flat(table: pa.Table) -> bool:
    """Tell whether no column holds lists, structs, maps or bytes, so that the rows can be sent as CSV."""
    return not any(pa.types.is_nested(field.type) or _is_binary(field.type) for field in table.schema)


def as_csv(table: pa.Table) -> Iterator[bytes]:
    """Yield the rows as CSV without a header. Texts are quoted, so that an empty one is not taken for NULL."""
    for batch in table.to_batches(max_chunksize=_BATCH):
        made = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=False)
        pyarrow.csv.write_csv(pa.Table.from_batches([batch]), made, options)
        yield made.getvalue()


def as_rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    """Yield the rows as values that the driver knows how to send; structs and maps are JSON there."""
    documents = [_is_document(field.type) for field in table.schema]
    for batch in table.to_batches(max_chunksize=_BATCH):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield tuple(_sent(row, documents))


def _sent(row: Iterable[object], documents: Iterable[bool]) -> Iterator[object]:
    for value, is_document in zip(row, documents, strict=True):
        yield Jsonb(value) if is_document and value is not None else value


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_document(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind)) and not (_is_list(kind) and not pa.types.is_nested(kind.value_type))


def _type(kind: pa.DataType) -> str:
    """Return the type of PostgreSQL that holds the values of an Arrow type."""
    if _is_document(kind):
        return "JSONB"
    if _is_list(kind):
        return f"{_type(kind.value_type)}[]"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ" if kind.tz else "TIMESTAMP"
    if pa.types.is_decimal(kind):
        return f"NUMERIC({kind.precision}, {kind.scale})"
    tests = {
        "BOOLEAN": pa.types.is_boolean,
        "SMALLINT": lambda k: k in (pa.int8(), pa.int16(), pa.uint8()),
        "INTEGER": lambda k: k in (pa.int32(), pa.uint16()),
        "BIGINT": lambda k: k in (pa.int64(), pa.uint32()),
        "NUMERIC(20, 0)": lambda k: k == pa.uint64(),
        "REAL": lambda k: k in (pa.float16(), pa.float32()),
        "DOUBLE PRECISION": pa.types.is_float64,
        "DATE": pa.types.is_date,
        "TIME": pa.types.is_time,
        "BYTEA": _is_binary,
    }
    return next((name for name, holds in tests.items() if holds(kind)), "TEXT")
