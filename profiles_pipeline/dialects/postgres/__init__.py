"""PostgreSQL: how the canonical dialect is said in it."""

from profiles_pipeline.dialects.postgres.generator import PostgresText
from profiles_pipeline.dialects.postgres.helpers import helper_statements
from profiles_pipeline.dialects.postgres.rewrites import REWRITES, in_postgres
from profiles_pipeline.dialects.postgres.types import canonical_type

__all__ = ["REWRITES", "PostgresText", "canonical_type", "helper_statements", "in_postgres"]
