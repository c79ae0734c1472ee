"""The text of trees that Snowflake understands."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp
from sqlglot.generators.snowflake import SnowflakeGenerator

from profiles_pipeline.dialects.capabilities import SNOWFLAKE
from profiles_pipeline.dialects.folding import fitted
from profiles_pipeline.errors import WarehouseError

ABSENT = frozenset(
    [
        "ARRAY_EXTRACT", "COLUMNS", "DATE_BIN", "ENCODE", "ERROR", "FORMAT", "FROM_BASE64", "GENERATE_SUBSCRIPTS",
        "HISTOGRAM", "JSON_CONTAINS", "JSON_EACH", "JSON_EXISTS", "JSON_MERGE_PATCH", "JSON_TREE", "LAST",
        "LIST_COUNT", "LIST_EXTRACT", "LIST_REDUCE", "LIST_SUM", "LIST_ZIP", "MAP_ENTRIES", "MAP_FROM_ENTRIES",
        "NFC_NORMALIZE", "PRINTF", "REGEXP_SPLIT", "REGEXP_SPLIT_TO_ARRAY", "ROUND_EVEN", "ROW",
        "STRUCT_EXTRACT", "STRUCT_EXTRACT_AT", "STRUCT_PACK", "TO_BASE", "TRY_STRPTIME", "URL_DECODE",
    ]
)  # fmt: skip
"""Functions that the canonical dialect has, nothing here stands for, and Snowflake does not know."""


class SnowflakeText(SnowflakeGenerator):
    """What the rewrites have said is written as it stands, without what sqlglot would add for other origins."""

    TRANSFORMS: ClassVar = {
        **SnowflakeGenerator.TRANSFORMS,
        exp.Div: lambda self, node: self.binary(node, "/"),
    }

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """Write a name, a long one as its beginning and a hash of the whole."""
        expression.set("this", fitted(expression.name, SNOWFLAKE.max_identifier_length))
        return super().identifier_sql(expression)

    def trycast_sql(self, expression: exp.TryCast) -> str:
        """Write TRY_CAST, whose operand the rewrites have made a text."""
        return self.cast_sql(expression, safe_prefix="TRY_")

    def func(
        self,
        name: str,
        *args: exp.Expr | str | int | float | None,
        prefix: str = "(",
        suffix: str = ")",
        normalize: bool = True,
    ) -> str:
        """Write a call.

        Raises:
            WarehouseError: of a function that Snowflake does not have.
        """
        if name.upper() in ABSENT:
            raise WarehouseError(f"cannot be said in Snowflake: it has no function {name.upper()}")
        return super().func(name, *args, prefix=prefix, suffix=suffix, normalize=normalize)
