"""The same law on PostgreSQL: every run says what a full rebuild there, one on DuckDB and the oracle say."""

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings

from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.histories import History, histories
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.postgres_place import PostgresPlace
from profiles_pipeline_tests.law.profiles import EVERY_RUN, MOST_STEPS, PROFILE
from profiles_pipeline_tests.law.test_law import keeping_from_the_first_run_on
from profiles_pipeline_tests.law.test_sessions import HISTORIES as OF_SESSIONS

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


IN_SHORT = ("a corrected id parts a person, and another joins it again",)
"""What is always replayed; the others are with ``make law``. Each run of a generated one has a crowd of small ones."""


@pytest.mark.parametrize("name", HISTORIES if EVERY_RUN else IN_SHORT)
def test_kept_histories_hold_the_law(name: str, postgres_port: int) -> None:
    check(
        replace(HISTORIES[name], layout="tables"),
        every_run=EVERY_RUN,
        patched=keeping_from_the_first_run_on,
        judges=("oracle", "rebuild", "duckdb"),
        places=partial(PostgresPlace, postgres_port),
    )


def test_vars_over_sessions_hold_the_law(postgres_port: int) -> None:
    """Their rows carry main ids, in a column that is called so."""
    check(
        replace(OF_SESSIONS["a row without any event joins two visitors, and parts them again"], layout="tables"),
        every_run=EVERY_RUN,
        patched=keeping_from_the_first_run_on,
        judges=("oracle",),
        places=partial(PostgresPlace, postgres_port),
    )


@pytest.mark.timeout(0 if EVERY_RUN else 1800)
def test_generated_histories_hold_the_law(postgres_port: int) -> None:
    @settings(PROFILE, max_examples=PROFILE.max_examples if EVERY_RUN else 2)
    @given(histories("tables", MOST_STEPS))
    def holds(history: History) -> None:
        check(
            history,
            every_run=EVERY_RUN,
            patched=keeping_from_the_first_run_on,
            judges=("oracle", "rebuild", "duckdb"),
            places=partial(PostgresPlace, postgres_port),
        )

    holds()
