"""The text of trees that PostgreSQL understands."""

from __future__ import annotations

import hashlib

from sqlglot import exp
from sqlglot.generators.postgres import PostgresGenerator

LONGEST_NAME = 63
"""Bytes of a name; PostgreSQL would cut off what is longer, and take two names for one."""


class PostgresText(PostgresGenerator):
    """What is no tree of its own: replacing tables, and names that are too long."""

    def create_sql(self, expression: exp.Create) -> str:
        """Write CREATE OR REPLACE of tables and views as what it means."""
        kind = str(expression.args.get("kind"))
        if not expression.args.get("replace") or kind not in ("TABLE", "VIEW"):
            return super().create_sql(expression)
        expression.set("replace", False)
        made = super().create_sql(expression)
        name = self.sql(expression, "this")
        schema = "pg_temp." if expression.find(exp.TemporaryProperty) else ""
        return f"DROP {kind} IF EXISTS {schema}{name} CASCADE;\n{made}"

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """Write a name, a long one as its beginning and a hash of the whole."""
        name = expression.name
        if len(name.encode()) > LONGEST_NAME:
            expression.set("this", fitted(name))
        return super().identifier_sql(expression)


def fitted(name: str) -> str:
    """Return `name` if it is short enough, else its beginning and a hash of the whole."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    tail = hashlib.sha256(name.encode()).hexdigest()[:12]
    return name.encode()[: LONGEST_NAME - 1 - len(tail)].decode(errors="ignore") + "_" + tail
