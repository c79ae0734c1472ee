"""The pairs of rewrites on a local emulation of Snowflake: each gives the value that DuckDB gives, or is listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import snowflake.connector.errors
import yaml

from profiles_pipeline.dialects import render
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.sql import Reading, build, parse_query
from profiles_pipeline_tests.sql.test_meaning import DATA, PAIRS, _comparable, _plain

if TYPE_CHECKING:
    from fakesnow.conn import FakeSnowflakeConnection

    from profiles_pipeline_tests.warehouse.snowflake import Account

pytestmark = pytest.mark.snowflake

Pair = dict[str, Any]
OTHERWISE: list[Pair] = yaml.safe_load((Path(__file__).parent / "snowflake_pairs.yaml").read_text(encoding="utf-8"))
DIFFERENT = {(pair["source"], pair["sql"]): pair for pair in OTHERWISE}


@pytest.fixture(scope="module")
def session(snowflake_account: Account) -> Iterator[FakeSnowflakeConnection]:
    """A session inside the emulation: no driver and no connection are needed for the meaning of SQL."""
    with snowflake_account.inside() as opened:
        yield opened


def rows_of(session: FakeSnowflakeConnection, pair: Pair) -> list[list[object]]:
    """What a pair gives there."""
    tree = parse_query(pair["sql"], Reading(pair.get("source", "snowflake"), "duckdb"))
    if "fixture" in pair:
        relation = build(f"SELECT * FROM {DATA['fixtures'].get(pair['fixture'], pair['fixture'])}")
        session._duck_conn.execute(f"CREATE OR REPLACE TEMPORARY TABLE fixture AS {render(relation, 'duckdb')}")
    cursor = session.cursor()
    cursor.execute(render(tree, "snowflake"))
    columns = [column.to_pylist() for column in cursor._arrow_table.columns]
    return [[_plain(value) for value in row] for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['rewrite']}: {pair['sql']}")
def test_pair_on_snowflake(session: FakeSnowflakeConnection, pair: Pair) -> None:
    otherwise = DIFFERENT.get((pair.get("source", "snowflake"), pair["sql"]), {})
    if otherwise.get("refused"):
        with pytest.raises((snowflake.connector.errors.Error, duckdb.Error, WarehouseError, OverflowError, TypeError)):
            rows_of(session, pair)
        return
    expected = otherwise.get("gives", pair["expect"])
    found = rows_of(session, pair)
    assert _comparable(sorted(found, key=str)) == _comparable(sorted(expected, key=str))


def test_what_is_listed_is_a_pair() -> None:
    pairs = {(pair.get("source", "snowflake"), pair["sql"]) for pair in PAIRS}
    assert DIFFERENT.keys() <= pairs
