"""The text of trees that Snowflake understands."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp
from sqlglot.generators.snowflake import SnowflakeGenerator


class SnowflakeText(SnowflakeGenerator):
    """What the rewrites have said is written as it stands, without what sqlglot would add for other origins."""

    TRANSFORMS: ClassVar = {
        **SnowflakeGenerator.TRANSFORMS,
        exp.Div: lambda self, node: self.binary(node, "/"),
    }

    def trycast_sql(self, expression: exp.TryCast) -> str:
        """Write TRY_CAST, whose operand the rewrites have made a text."""
        return self.cast_sql(expression, safe_prefix="TRY_")
