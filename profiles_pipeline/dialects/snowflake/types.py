"""Types of Snowflake: in the spelling of the canonical dialect, and for those that it has and Snowflake has not."""

from __future__ import annotations

import re

from sqlglot import exp

_SPELLINGS = {
    "REAL": "DOUBLE",
    "TEXT": "VARCHAR",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_TZ": "TIMESTAMP WITH TIME ZONE",
    "VARIANT": "JSON",
    "OBJECT": "JSON",
    "ARRAY": "JSON",
    "MAP": "JSON",
    "BINARY": "BLOB",
    "BOOLEAN": "BOOLEAN",
}
_FIXED = re.compile(r"FIXED\((\d+),(\d+)\)")

WHOLE = "DECIMAL(38, 0)"

_ABSENT: dict[exp.DType, str] = {
    exp.DType.INT128: WHOLE,
    exp.DType.UINT128: WHOLE,
    exp.DType.UBIGINT: WHOLE,
    exp.DType.UINT: WHOLE,
    exp.DType.USMALLINT: WHOLE,
    exp.DType.UTINYINT: WHOLE,
    exp.DType.JSON: "VARIANT",
    exp.DType.UUID: "TEXT",
    exp.DType.TIMESTAMP_NS: "TIMESTAMP",
    exp.DType.TIMESTAMP_MS: "TIMESTAMP",
    exp.DType.TIMESTAMP_S: "TIMESTAMP",
    exp.DType.FLOAT: "DOUBLE",
}


def canonical_type(name: str) -> str:
    """Return a type, as the driver names it, in the canonical spelling; one that has none is text.

    A whole number is a BIGINT whatever its precision: that is what the types of other engines become there.
    """
    if fixed := _FIXED.fullmatch(name):
        precision, scale = int(fixed[1]), int(fixed[2])
        return f"DECIMAL({precision},{scale})" if scale else "BIGINT"
    return _SPELLINGS.get(name, "VARCHAR")


def present(kind: exp.DataType) -> exp.DataType:
    """Return the type of Snowflake that holds the values of a canonical one."""
    if kind.is_type(exp.DType.ARRAY, exp.DType.LIST):
        return exp.DataType(this=exp.DType.ARRAY, nested=False)
    if kind.is_type(exp.DType.STRUCT, exp.DType.MAP):
        return exp.DataType(this=exp.DType.OBJECT, nested=False)
    absent = _ABSENT.get(kind.this) if isinstance(kind.this, exp.DType) else None
    return kind if absent is None else exp.DataType.build(absent)
