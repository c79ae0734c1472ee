"""What ``warehouse.DataType`` answers: the local name of a common type."""

from __future__ import annotations

from collections.abc import Mapping

_ALIASES: Mapping[str, str] = {
    "varchar": "string",
    "text": "string",
    "char": "string",
    "character varying": "string",
    "int": "integer",
    "bigint": "integer",
    "int64": "integer",
    "long": "integer",
    "double": "float",
    "double precision": "float",
    "float64": "float",
    "real": "float",
    "number": "decimal",
    "numeric": "decimal",
    "bool": "boolean",
    "datetime": "timestamp",
    "timestamp_ntz": "timestamp",
    "variant": "json",
    "super": "json",
    "jsonb": "json",
}
_TYPES: Mapping[str, Mapping[str, str]] = {
    "snowflake": {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "float": "FLOAT",
        "decimal": "NUMBER",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "VARIANT",
        "array": "ARRAY",
    },
    "redshift": {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "float": "DOUBLE PRECISION",
        "decimal": "DECIMAL",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "SUPER",
        "array": "SUPER",
    },
    "bigquery": {
        "string": "STRING",
        "integer": "INT64",
        "float": "FLOAT64",
        "decimal": "NUMERIC",
        "boolean": "BOOL",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "JSON",
        "array": "ARRAY<STRING>",
    },
    "databricks": {
        "string": "STRING",
        "integer": "BIGINT",
        "float": "DOUBLE",
        "decimal": "DECIMAL",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "STRING",
        "array": "ARRAY<STRING>",
    },
    "postgres": {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "float": "DOUBLE PRECISION",
        "decimal": "NUMERIC",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "JSONB",
        "array": "JSONB",
    },
    "duckdb": {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "float": "DOUBLE",
        "decimal": "DECIMAL",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "JSON",
        "array": "VARCHAR[]",
    },
}


def local_type(name: str, dialect: str) -> str:
    """Return the name that `dialect` has for type `name`; parameters such as ``(10)`` stay, unknown names too."""
    base, bracket, parameters = name.partition("(")
    common = _ALIASES.get(base.strip().lower(), base.strip().lower())
    local = _TYPES.get(dialect, {}).get(common)
    return local + bracket + parameters if local else name
