"""The same law on PostgreSQL: every run says what a full rebuild there, one on DuckDB and the oracle say."""

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given

from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.histories import History, histories
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.postgres_place import PostgresPlace
from profiles_pipeline_tests.law.profiles import EVERY_RUN, MOST_STEPS, PROFILE
from profiles_pipeline_tests.law.test_law import keeping_from_the_first_run_on

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.mark.parametrize("name", HISTORIES)
def test_kept_histories_hold_the_law(name: str, postgres_port: int) -> None:
    check(
        replace(HISTORIES[name], layout="tables"),
        every_run=EVERY_RUN,
        patched=keeping_from_the_first_run_on,
        judges=("oracle", "rebuild", "duckdb"),
        places=partial(PostgresPlace, postgres_port),
    )


@pytest.mark.timeout(0 if EVERY_RUN else 1800)
def test_generated_histories_hold_the_law(postgres_port: int) -> None:
    @PROFILE
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
