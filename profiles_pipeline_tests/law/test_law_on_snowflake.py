"""The same law on the emulation of Snowflake: runs say what the oracle, and full rebuilds there and on DuckDB, say."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.histories import History, histories
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.profiles import PROFILE
from profiles_pipeline_tests.law.snowflake_place import SnowflakePlace
from profiles_pipeline_tests.law.test_law import keeping_from_the_first_run_on

if TYPE_CHECKING:
    from profiles_pipeline_tests.law.check import Judge
    from profiles_pipeline_tests.law.projects import Shape
    from profiles_pipeline_tests.warehouse.snowflake import Account

pytestmark = [pytest.mark.slow, pytest.mark.snowflake]

EXAMPLES = int(os.environ.get("LAW_ON_SNOWFLAKE") or 0)
"""How many histories are drawn. The emulation takes half a minute for a run, so usually none are: it says how many with
`LAW_ON_SNOWFLAKE=20`, by which all that are kept are replayed as well."""

SAID_OTHERWISE = {"usual_event"}
"""Which of several values that are equally frequent MODE gives is not said there (docs/warehouses.md)."""

IN_SHORT = ("a corrected id parts a person, and another joins it again",)
JUDGES: tuple[Judge, ...] = ("oracle", "rebuild", "duckdb")


def on_snowflake(history: History) -> History:
    """The same history over tables, in projects without what is known to be another there."""

    def known(shape: Shape) -> Shape:
        return replace(shape, names=tuple(name for name in shape.names if name not in SAID_OTHERWISE))

    steps = tuple(replace(step, shape=step.shape and known(step.shape)) for step in history.steps)
    return replace(history, shape=known(history.shape), layout="tables", steps=steps)


@pytest.mark.timeout(0 if EXAMPLES else 900)
@pytest.mark.parametrize("name", HISTORIES if EXAMPLES else IN_SHORT)
def test_kept_histories_hold_the_law(name: str, snowflake_account: Account) -> None:
    check(
        on_snowflake(HISTORIES[name]),
        patched=keeping_from_the_first_run_on,
        judges=JUDGES if EXAMPLES else ("oracle", "duckdb"),
        places=partial(SnowflakePlace, snowflake_account),
    )


@pytest.mark.skipif(not EXAMPLES, reason="costs minutes: LAW_ON_SNOWFLAKE=20 draws twenty")
@pytest.mark.timeout(0)
def test_generated_histories_hold_the_law(snowflake_account: Account) -> None:
    @settings(PROFILE, max_examples=EXAMPLES)
    @given(histories("tables", 4))
    def holds(history: History) -> None:
        check(
            on_snowflake(history),
            patched=keeping_from_the_first_run_on,
            judges=JUDGES,
            places=partial(SnowflakePlace, snowflake_account),
        )

    holds()
