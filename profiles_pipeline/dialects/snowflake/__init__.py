"""Snowflake: how the canonical dialect is said in it."""

from profiles_pipeline.dialects.snowflake.generator import SnowflakeText
from profiles_pipeline.dialects.snowflake.rewrites import REWRITES, folded, in_snowflake
from profiles_pipeline.dialects.snowflake.types import canonical_type
from profiles_pipeline.dialects.spoken import Spoken

SPOKEN = Spoken(
    people_say="Snowflake",
    rewrite=in_snowflake,
    rewrites=REWRITES,
    text=SnowflakeText,
    canonical_type=canonical_type,
)

__all__ = ["SPOKEN", "folded"]
