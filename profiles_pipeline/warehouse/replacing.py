"""Lets a view of PostgreSQL show another relation and stay what it is, with all that others have built on it."""

from __future__ import annotations

from dataclasses import dataclass

from profiles_pipeline.dialects import identifier, spelled
from profiles_pipeline.warehouse.base import Warehouse

_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod),
        COALESCE(quote_ident(p.nspname) || '.' || quote_ident(o.collname), '')
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_collation AS o ON o.oid = a.attcollation LEFT JOIN pg_namespace AS p ON p.oid = o.collnamespace
    WHERE n.nspname = ? AND c.relname = ? AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str
    collation: str


def replacing(warehouse: Warehouse, schema: str, view: str, relation: str) -> str | None:
    """Return the statement by which a view shows a relation; None where that does not begin with the view's columns.

    A column of a view keeps the order of texts that it was made with, which the server does not let change: where the
    relation has another, the view says its own.

    Args:
        warehouse: a database of PostgreSQL.
        schema: where both are.
        view: the name of the view, which is there.
        relation: the name of a table or view.
    """
    old, new = (_columns(warehouse, schema, name) for name in (view, relation))
    if [(c.name, c.type) for c in new[: len(old)]] != [(c.name, c.type) for c in old]:
        return None
    wanted = {column.name: column.collation for column in old}
    items = [_item(column, wanted.get(column.name, column.collation), warehouse.dialect) for column in new]
    place = identifier(schema, warehouse.dialect)
    names = (f"{place}.{identifier(name, warehouse.dialect)}" for name in (view, relation))
    return "CREATE OR REPLACE VIEW {} AS SELECT {} FROM {}".format(next(names), ", ".join(items), next(names))


def _columns(warehouse: Warehouse, schema: str, name: str) -> list[_Column]:
    found = warehouse.query(_COLUMNS, [schema, spelled(name, warehouse.dialect)]).rows
    return [_Column(str(column), str(kind), str(collation)) for column, kind, collation in found]


def _item(column: _Column, collation: str, dialect: str) -> str:
    name = identifier(column.name, dialect)
    return name if column.collation == collation else f"{name} COLLATE {collation} AS {name}"
