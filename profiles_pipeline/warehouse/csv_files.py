"""CSV files as they are written, where DuckDB would make something else of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace

from profiles_pipeline.dialects import identifier, literal
from profiles_pipeline.errors import WarehouseError, fail
from profiles_pipeline.warehouse.base import Source, Warehouse

_DELIMITERS = ",;\t|"
_PLAIN = (".csv", ".tsv", ".txt")
_FIRST_ROWS = 1000
"""How many rows are looked at for quotes that stand in their values."""


def as_written(source: Source, ids: Collection[str], warehouse: Warehouse) -> Source:
    """Return a source of CSV files whose columns `ids`, in lower case, are text wherever more than the text is lost.

    ``1.10`` and ``1.1`` are one number, and two ids.

    Raises:
        ProjectError: code ``unreadable-source``, a line has more or fewer cells than the header of its file.
    """
    try:
        # Columns that the names of folders give, as in year=2026/1.csv, stand in no file.
        columns = warehouse.describe(f"SELECT * FROM {_with(source.sql, 'hive_partitioning = false')}")
    except WarehouseError:
        _refuse_uneven_lines(source, frozenset())
        return source
    _refuse_uneven_lines(source, {column.name.lower() for column in columns})
    if _keeps_quotes(source, [column.name for column in columns if column.type == "VARCHAR"], warehouse):
        _refuse_open_quotes(source)
    typed = {c.name: c.type for c in columns if c.name.lower() in ids and c.type != "VARCHAR"}
    if not typed:
        return source
    kept = ", ".join(f"bool_and({_comes_back(name, data_type)})" for name, data_type in typed.items())
    (row,) = warehouse.query(f"SELECT {kept} FROM {_with(source.sql, 'all_varchar = true')}").rows
    lost = [name for name, comes_back in zip(typed, row, strict=True) if comes_back is False]
    if not lost:
        return source
    return replace(source, sql=_with_texts(source.sql, lost), with_file=_with_texts(source.with_file, lost))


def _comes_back(name: str, data_type: str) -> str:
    text = identifier(name, "duckdb")
    return f"CAST(TRY_CAST({text} AS {data_type}) AS VARCHAR) IS NOT DISTINCT FROM {text}"


def _with_texts(call: str, columns: Collection[str]) -> str:
    """Return a call of ``read_csv`` that takes these columns as text."""
    types = ", ".join(f"{literal(name, 'duckdb')}: 'VARCHAR'" for name in columns)
    return _with(call, f"types = {{{types}}}")


def _with(call: str, argument: str) -> str:
    return f"{call[:-1]}, {argument})"


def _refuse_uneven_lines(source: Source, columns: AbstractSet[str]) -> None:
    """Raise ProjectError for an uneven line of a file, where the columns are not those of the headers.

    Such a line makes DuckDB take another line for the header, or the whole header for one name.
    """
    with suppress(csv.Error):
        headers = {file: _header(file) for file, _ in source.files if file.lower().endswith(_PLAIN)}
        unheard_of = columns - frozenset().union(*headers.values())
        for file, header in headers.items():
            if not header <= columns or unheard_of:
                _refuse_uneven_line(file)


def _header(file: str) -> frozenset[str]:
    _, header = next(_rows(file), (1, []))
    return frozenset(name.strip().lower() for name in header) - {""}


def _refuse_uneven_line(file: str) -> None:
    rows = _rows(file)
    _, header = next(rows, (1, []))
    total = 0
    uneven: list[tuple[int, int]] = []
    for number, row in rows:
        total += 1
        if len(row) != len(header):
            uneven.append((number, len(row)))
    ((_, alike),) = Counter(count for _, count in uneven).most_common(1) or [(0, 0)]
    if uneven and 2 * alike <= total:  # otherwise the first line is no header, but a remark above it
        number, count = uneven[0]
        message = f"line {number} of {file} has {count} {'cell' if count == 1 else 'cells'}"
        hint = "give it as many; a value with a comma, a quote or a line break in it is written in double quotes"
        fail("unreadable-source", f"{message}, its header has {len(header)}", hint=hint)


def _keeps_quotes(source: Source, columns: Collection[str], warehouse: Warehouse) -> bool:
    """True when values of the first rows stand in double quotes, as they do where quotes have been given up."""
    if not columns:
        return False
    names = [identifier(name, "duckdb") for name in columns]
    quoted = " OR ".join(f"(starts_with({name}, '\"') AND ends_with({name}, '\"'))" for name in names)
    rows = f"(SELECT * FROM {source.sql} LIMIT {_FIRST_ROWS})"
    return bool(warehouse.scalar(f"SELECT bool_or({quoted}) FROM {rows}"))


def _refuse_open_quotes(source: Source) -> None:
    """Raise ProjectError for a file in which a quote is opened and never closed.

    DuckDB then takes the quotes of all its values for parts of these.
    """
    with suppress(csv.Error):
        for file, _ in source.files:
            if file.lower().endswith(_PLAIN):
                _refuse_uneven_line(file)


def _rows(file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a file that are not empty: the number of the line where each begins, and its cells."""
    with open(file, encoding="utf-8-sig", errors="replace", newline="") as stream:
        delimiter = max(_DELIMITERS, key=stream.readline().count)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter)
        begin = 1
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
