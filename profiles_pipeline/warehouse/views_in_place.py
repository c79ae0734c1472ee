"""Tells which views of a server can show something else and stay what they are."""

from __future__ import annotations

from profiles_pipeline.dialects import spelled
from profiles_pipeline.warehouse.base import Warehouse

_COLUMNS = """
    SELECT t.attname, t.atttypid::BIGINT, t.atttypmod, t.attcollation::BIGINT
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
    WHERE n.nspname = ? AND c.relname = ? ORDER BY t.attnum
"""


def can_show(warehouse: Warehouse, schema: str, view: str, relation: str) -> bool:
    """Tell whether a relation begins with the columns of a view, their types and how their texts are compared.

    Args:
        warehouse: a PostgreSQL, where a view whose columns become others has to be made anew.
        schema: that of both.
        view: the name of the view, as it was given.
        relation: the name of what it is to show, as it was given.
    """
    new, old = (warehouse.query(_COLUMNS, [schema, spelled(each, warehouse.dialect)]).rows for each in (relation, view))
    return list(new[: len(old)]) == list(old)
