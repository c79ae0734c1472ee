"""How many rows tables have, asked in one statement however many they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiles_pipeline.dialects import identifier
from profiles_pipeline.warehouse.base import Warehouse


def counted(warehouse: Warehouse, schema: str, tables: Iterable[str]) -> Mapping[str, int]:
    """Return table -> number of its rows. The names are those that `Warehouse.relations` returns."""
    names = sorted(tables)
    if not names:
        return {}
    dialect = warehouse.dialect
    counts = (
        f"SELECT {number} AS n, COUNT(*) AS row_count FROM {identifier(schema, dialect)}.{identifier(name, dialect)}"
        for number, name in enumerate(names)
    )
    found = warehouse.query(" UNION ALL ".join(counts)).rows
    return {names[int(str(number))]: int(str(rows)) for number, rows in found}
