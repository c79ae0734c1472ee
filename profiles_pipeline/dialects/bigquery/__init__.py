"""BigQuery: how the canonical dialect is said in it."""

from profiles_pipeline.dialects.bigquery.generator import CALLS, BigQueryText
from profiles_pipeline.dialects.bigquery.rewrites import REWRITES, in_bigquery
from profiles_pipeline.dialects.spoken import Spoken

SPOKEN = Spoken(people_say="BigQuery", rewrite=in_bigquery, rewrites=REWRITES, text=BigQueryText, calls=CALLS)
