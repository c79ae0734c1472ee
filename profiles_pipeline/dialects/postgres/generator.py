"""The text of trees that PostgreSQL understands."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.generators.postgres import PostgresGenerator

from profiles_pipeline.dialects.capabilities import POSTGRES
from profiles_pipeline.dialects.folding import fitted


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
        expression.set("this", fitted(expression.name, POSTGRES.max_identifier_length))
        return super().identifier_sql(expression)
