"""Databricks SQL: how the canonical dialect is said in it."""

from profiles_pipeline.dialects.databricks.generator import CALLS, DatabricksText
from profiles_pipeline.dialects.databricks.rewrites import REWRITES, in_databricks
from profiles_pipeline.dialects.spoken import Spoken

SPOKEN = Spoken(people_say="Databricks SQL", rewrite=in_databricks, rewrites=REWRITES, text=DatabricksText, calls=CALLS)
