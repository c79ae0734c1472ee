"""Snowflake: how the canonical dialect is said in it."""

from profiles_pipeline.dialects.snowflake.generator import SnowflakeText
from profiles_pipeline.dialects.snowflake.rewrites import REWRITES, folded, in_snowflake
from profiles_pipeline.dialects.snowflake.types import canonical_type

__all__ = ["REWRITES", "SnowflakeText", "canonical_type", "folded", "in_snowflake"]
