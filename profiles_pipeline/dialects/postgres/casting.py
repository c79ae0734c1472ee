"""Casts that PostgreSQL does not have of values of every type: functions of one name for each type there is."""

from __future__ import annotations

_INLINE = "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT"
_UNDER = {
    "boolean": {
        "BOOLEAN": "value",
        "BIGINT": "value <> 0",
        "DOUBLE PRECISION": "value <> 0",
        "NUMERIC": "value <> 0",
        "JSONB": "value::BOOLEAN",
        "TEXT": "CASE WHEN value ~* '^(?:yes|y|no|n|t|f|true|false|0|1)$' OR value IS NULL THEN value::BOOLEAN "
        "ELSE CAST('not a truth value: ' || value AS BOOLEAN) END",
    },
    "bigint": {
        "BOOLEAN": "value::INTEGER::BIGINT",
        "BIGINT": "value",
        "DOUBLE PRECISION": "value::BIGINT",
        "NUMERIC": "value::BIGINT",
        "JSONB": "value::BIGINT",
        "TEXT": "value::NUMERIC::BIGINT",
    },
}
FUNCTIONS: tuple[tuple[str, str, str], ...] = tuple(
    (f"to_{wanted}", f"value {given}", f"{wanted.upper()} {_INLINE} {body} $$")
    for wanted, bodies in _UNDER.items()
    for given, body in bodies.items()
)
"""Functions of the schema: name, parameters, and what follows RETURNS. The server puts their bodies in their place."""
