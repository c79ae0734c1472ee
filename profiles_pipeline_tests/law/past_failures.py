"""Histories that once broke the law, as hypothesis printed them."""

from profiles_pipeline_tests.law.histories import History

PAST_FAILURES: tuple[History, ...] = ()
