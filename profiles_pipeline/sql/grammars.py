"""Grammars of SQL dialects. In a Snowflake project names are quoted as in Snowflake, whatever dialect a text is in."""

from __future__ import annotations

from functools import lru_cache

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.dialects.databricks import Databricks
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.redshift import Redshift


class _Databricks(Databricks):
    class Tokenizer(Databricks.Tokenizer):
        IDENTIFIERS = ["`", '"']
        QUOTES = ["'"]


class _BigQuery(BigQuery):
    class Tokenizer(BigQuery.Tokenizer):
        IDENTIFIERS = ["`", '"']
        QUOTES = ["'"]


_WITH_QUOTED_NAMES: dict[str, type[Dialect]] = {"redshift": Redshift, "databricks": _Databricks, "bigquery": _BigQuery}

OTHERS = tuple(_WITH_QUOTED_NAMES)
"""The dialects that a text of a Snowflake project may be in, the nearest first."""


@lru_cache(maxsize=16)
def grammar(dialect: str, quoted_names: bool) -> Dialect:
    """Return what splits and parses texts of `dialect`; with `quoted_names` double quotes stand around names."""
    return _WITH_QUOTED_NAMES[dialect]() if quoted_names else Dialect.get_or_raise(dialect)
