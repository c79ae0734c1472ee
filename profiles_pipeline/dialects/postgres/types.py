"""Types of PostgreSQL in the spelling of the canonical dialect."""

from __future__ import annotations

import re

_SPELLINGS = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "oid": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "numeric": "DECIMAL(38,9)",
    "money": "DECIMAL(38,9)",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "time without time zone": "TIME",
    "time with time zone": "TIME WITH TIME ZONE",
    "interval": "INTERVAL",
    "json": "JSON",
    "jsonb": "JSON",
    "bytea": "BLOB",
    "uuid": "UUID",
}
_PRECISION = re.compile(r"\((\d+)(?:,(\d+))?\)")
_WIDEST = 38


def canonical_type(name: str) -> str:
    """Return a type, as ``format_type`` names it, in the canonical spelling; one that has none is text."""
    if name.endswith("[]"):
        return f"{canonical_type(name.removesuffix('[]'))}[]"
    precision = _PRECISION.search(name)
    plain = _PRECISION.sub("", name)
    if plain == "numeric" and precision is not None and int(precision[1]) <= _WIDEST:
        return f"DECIMAL({precision[1]},{precision[2] or 0})"
    return _SPELLINGS.get(plain, "VARCHAR")
