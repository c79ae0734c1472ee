"""Values of BigQuery's JSON type: ``int64(j)`` takes what is one, ``lax_int64(j)`` also what can become one."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import Rewrite
from profiles_pipeline.sql.rewrites.semi_structured import parsed_json, scalar, scalar_of

_TYPES: dict[type[exp.Expr], exp.DType] = {
    exp.String: exp.DType.VARCHAR,
    exp.JSONBool: exp.DType.BOOLEAN,
    exp.Int64: exp.DType.BIGINT,
    exp.Float64: exp.DType.DOUBLE,
}
_NUMBER = "CASE WHEN JSON_TYPE(:json) = 'BOOLEAN' THEN {0} ELSE TRY_CAST(:text AS {1}) END"
_LAX: dict[type[exp.Expr], tuple[str, exp.DType]] = {
    exp.LaxString: ("CASE WHEN NOT JSON_TYPE(:json) IN ('OBJECT', 'ARRAY') THEN :text END", exp.DType.VARCHAR),
    exp.LaxInt64: (_NUMBER.format("CAST(CAST(:text AS BOOLEAN) AS BIGINT)", "BIGINT"), exp.DType.BIGINT),
    exp.LaxFloat64: (_NUMBER.format("NULL", "DOUBLE"), exp.DType.DOUBLE),
    exp.LaxBool: (
        "CASE WHEN JSON_TYPE(:json) IN ('BOOLEAN', 'VARCHAR') THEN TRY_CAST(:text AS BOOLEAN)"
        " ELSE TRY_CAST(:text AS DOUBLE) <> 0 END",
        exp.DType.BOOLEAN,
    ),
}


def _of_json(node: exp.Expr) -> exp.Expr:
    """``int64(j)``, ``string(j)``; of a time, ``string`` makes a text."""
    if isinstance(node, exp.String) and kind(node.this) != "json":
        return node
    return scalar_of(parsed_json(node.this), _TYPES[type(node)])


def _lax(node: exp.Expr) -> exp.Expr:
    """``lax_int64(j)``: NULL where there is no such value."""
    text, dtype = _LAX[type(node)]
    json = parsed_json(node.this)
    return typed(build(text, json=json, text=scalar(json.copy())), dtype)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("value-of-json", "bigquery", "duckdb", tuple(_TYPES), _of_json),
    Rewrite("lax-value-of-json", "bigquery", "duckdb", tuple(_LAX), _lax),
)
