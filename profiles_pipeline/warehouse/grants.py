"""Carries what others may do with the relations of a schema over to those that take their places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from profiles_pipeline.dialects import capabilities, identifier
from profiles_pipeline.warehouse.base import Warehouse

_GRANTED = """
    SELECT c.relname, NULL AS attname, a.privilege_type, a.is_grantable,
        COALESCE(pg_get_userbyid(NULLIF(a.grantee, 0)), '')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS a
    WHERE n.nspname = ? AND a.grantee <> c.relowner
    UNION ALL
    SELECT c.relname, t.attname, a.privilege_type, a.is_grantable,
        COALESCE(pg_get_userbyid(NULLIF(a.grantee, 0)), '')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS t ON t.attrelid = c.oid AND NOT t.attisdropped, aclexplode(t.attacl) AS a
    WHERE n.nspname = ? AND a.grantee <> c.relowner
"""
_COLUMNS = """
    SELECT c.relname, t.attname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped WHERE n.nspname = ?
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do with a relation, or with one column of it.

    Attributes:
        privilege: such as ``SELECT``.
        grantee: a role; empty for everybody.
    """

    relation: str
    column: str | None
    privilege: str
    may_pass_on: bool
    grantee: str

    def statement(self, schema: str, dialect: str) -> str:
        """Return the statement that grants it."""
        place = ".".join(identifier(part, dialect) for part in (schema, self.relation))
        column = f" ({identifier(self.column, dialect)})" if self.column else ""
        to = identifier(self.grantee, dialect) if self.grantee else "PUBLIC"
        return f"GRANT {self.privilege}{column} ON {place} TO {to}" + (" WITH GRANT OPTION" if self.may_pass_on else "")


@contextmanager
def keeping_grants(warehouse: Warehouse, schema: str) -> Iterator[None]:
    """Grant again, at the end of the block, what was granted on relations of `schema` that were replaced inside it.

    A column that is not there any more takes what was granted on it along. Nothing is done where grants are copied by
    the statement that replaces a relation, or where there are none.

    Raises:
        WarehouseError: a role is gone, or may not be granted anything by this user.
    """
    if capabilities(warehouse.dialect).grants != "granted_again":
        yield
        return
    before = _granted(warehouse, schema)
    yield
    after = set(_granted(warehouse, schema))
    there = {(str(relation), str(column)) for relation, column in warehouse.query(_COLUMNS, [schema]).rows}
    relations = {relation for relation, _ in there}
    for grant in before:
        stands = (grant.relation, grant.column) in there if grant.column else grant.relation in relations
        if stands and grant not in after:
            warehouse.execute(grant.statement(schema, warehouse.dialect))


def _granted(warehouse: Warehouse, schema: str) -> list[Grant]:
    found = warehouse.query(_GRANTED, [schema, schema]).rows
    return [Grant(str(r), None if c is None else str(c), str(p), bool(g), str(to)) for r, c, p, g, to in found]
