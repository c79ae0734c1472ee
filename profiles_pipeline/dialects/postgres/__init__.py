"""PostgreSQL: how the canonical dialect is said in it."""

from profiles_pipeline.dialects.postgres.generator import PostgresText
from profiles_pipeline.dialects.postgres.helpers import helper_statements
from profiles_pipeline.dialects.postgres.rewrites import REWRITES, in_postgres
from profiles_pipeline.dialects.postgres.types import canonical_type
from profiles_pipeline.dialects.spoken import Spoken

SPOKEN = Spoken(
    people_say="PostgreSQL",
    rewrite=in_postgres,
    rewrites=REWRITES,
    text=PostgresText,
    canonical_type=canonical_type,
    helpers=helper_statements,
    keeps_relations=True,
)
