"""What the views of a database read, as far as it lies in one schema."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from profiles_pipeline.dialects import capabilities
from profiles_pipeline.warehouse.base import Warehouse

_WORD = re.compile(r'"((?:[^"]|"")+)"|(\w+)')


@dataclass(frozen=True, slots=True)
class View:
    """A view of the database.

    Attributes:
        name: with its schema in front.
        relation: its name alone when it stands in the output schema, else None.
        mentions: lower-case names that its definition mentions.
    """

    name: str
    relation: str | None
    mentions: frozenset[str]


_DEPENDENCIES = """
    SELECT n.nspname, v.relname, c.relname FROM pg_depend AS d
    JOIN pg_rewrite AS r ON r.oid = d.objid JOIN pg_class AS v ON v.oid = r.ev_class
    JOIN pg_namespace AS n ON n.oid = v.relnamespace
    JOIN pg_class AS c ON c.oid = d.refobjid AND c.oid <> v.oid JOIN pg_namespace AS s ON s.oid = c.relnamespace
    WHERE d.classid = CAST('pg_rewrite' AS REGCLASS) AND d.refclassid = CAST('pg_class' AS REGCLASS)
        AND LOWER(s.nspname) = LOWER(?) GROUP BY 1, 2, 3 ORDER BY 1, 2
"""
"""What the views of a database read of a schema, where the server keeps account of it."""


def views_of(warehouse: Warehouse, schema: str) -> list[View]:
    """Return the views of a database, each with what it may read of `schema`."""
    if capabilities(warehouse.dialect).cascade_on_drop:
        read: dict[tuple[str, str], set[str]] = {}
        for where, name, relation in warehouse.query(_DEPENDENCIES, [schema]).rows:
            read.setdefault((str(where), str(name)), set()).add(str(relation).lower())
        return [_view(*view, schema, frozenset(names)) for view, names in read.items()]
    found = warehouse.query(
        """SELECT table_schema, table_name, view_definition FROM information_schema.views
        WHERE table_catalog = CURRENT_DATABASE() AND LOWER(table_schema) <> 'information_schema'
        ORDER BY table_schema, table_name"""
    )
    return [_view(str(where), str(name), schema, _mentions(str(text))) for where, name, text in found.rows]


def _view(where: str, name: str, schema: str, mentions: frozenset[str]) -> View:
    return View(f"{where}.{name}", name if where.lower() == schema.lower() else None, mentions)


def _mentions(definition: str) -> frozenset[str]:
    """Return every name in the text of a view. More than it reads, never less."""
    return frozenset((quoted.replace('""', '"') or word).lower() for quoted, word in _WORD.findall(definition))


def readers(views: Iterable[View], relations: Collection[str]) -> frozenset[str]:
    """Return the lower-case names of the views of the schema that may read any of some relations, directly or not."""
    own = [view for view in views if view.relation is not None]
    found: set[str] = set()
    reached = {name.lower() for name in relations}
    while reached:
        reached = {str(view.relation).lower() for view in own if view.mentions & reached} - found
        found |= reached
    return frozenset(found)
