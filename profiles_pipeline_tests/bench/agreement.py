"""Compares what two warehouses hold, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

DIGITS = 9
"""Fractions are compared after rounding to this many digits, since sums of them depend on the order of the rows."""


@dataclass(frozen=True)
class Difference:
    """A relation that differs, and how: in its columns, or in how many rows and in which of their columns."""

    relation: str
    message: str


def differences(
    one: Path,
    other: Path,
    relations: Mapping[str, tuple[str, ...]],
    schema: str,
    others: Mapping[str, str] | None = None,
    other_schema: str = "main",
) -> list[Difference]:
    """Return where the relations of two DuckDB files differ.

    Args:
        one: file with the relations in `schema`.
        other: file with the relations in `other_schema`.
        relations: relation -> its key, by which rows are paired to find the columns at fault.
        schema: the schema in `one`.
        others: relation -> its name in `other`, where it has another one.
        other_schema: the schema in `other`.
    """
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{one}' AS one (READ_ONLY); ATTACH '{other}' AS other (READ_ONLY)")
    found = []
    for name, key in relations.items():
        partner = (others or {}).get(name, name)
        message = _difference(connection, f'one."{schema}"."{name}"', f'other."{other_schema}"."{partner}"', key)
        if message:
            found.append(Difference(name, message))
    connection.close()
    return found


def _difference(connection: duckdb.DuckDBPyConnection, one: str, other: str, key: tuple[str, ...]) -> str | None:
    types, others = _columns(connection, one), _columns(connection, other)
    if types.keys() != others.keys():
        return f"columns on one side only: {', '.join(sorted(types.keys() ^ others.keys()))}"
    fractions = {name for name in types if "DOUBLE" in (types[name], others[name])}
    shown = {name: f'round("{name}"::DOUBLE, {DIGITS})' if name in fractions else f'"{name}"' for name in types}
    listed = ", ".join(f'{value} AS "{name}"' for name, value in shown.items())
    count = "SELECT count(*) FROM (SELECT {0} FROM {1} EXCEPT ALL SELECT {0} FROM {2})"
    lacking = [connection.execute(count.format(listed, a, b)).fetchall()[0][0] for a, b in ((one, other), (other, one))]
    if not any(lacking):
        return None
    wrong = ", ".join(
        f'count_if(a."{name}" IS DISTINCT FROM b."{name}") AS "{name}"' for name in types if name not in key
    )
    pairs = f"(SELECT {listed} FROM {one}) AS a JOIN (SELECT {listed} FROM {other}) AS b USING ({', '.join(key)})"
    result = connection.execute(f"SELECT {wrong} FROM {pairs}")
    counts = dict(zip([d[0] for d in result.description], result.fetchall()[0], strict=True))
    columns = (
        ", ".join(f"{name} in {number} rows" for name, number in counts.items() if number) or "rows without partner"
    )
    return f"{lacking[0]} and {lacking[1]} rows without an equal on the other side; {columns}"


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
