"""Redshift: how the canonical dialect is said in it."""

from profiles_pipeline.dialects.redshift.generator import CALLS, RedshiftText
from profiles_pipeline.dialects.redshift.rewrites import REWRITES, in_redshift
from profiles_pipeline.dialects.spoken import Spoken

SPOKEN = Spoken(people_say="Redshift", rewrite=in_redshift, rewrites=REWRITES, text=RedshiftText, calls=CALLS)
