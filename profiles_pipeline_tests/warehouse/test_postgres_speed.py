"""What lets PostgreSQL read many rows quickly, on a server of its own: the same answers, by better plans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlglot import parse_one

from profiles_pipeline.dialects import render
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.warehouse.postgres import settings

pytestmark = pytest.mark.postgres

_VALUES = {
    "text": "'a'::TEXT",
    "varchar": "'a'::VARCHAR(3)",
    "name": "'a'::NAME",
    "letter": "'a'::\"char\"",
    "small": "1::SMALLINT",
    "whole": "1::INTEGER",
    "large": "1::BIGINT",
    "id": "1::OID",
    "decimal": "1.50::NUMERIC",
    "real": "'-0'::DOUBLE PRECISION",
    "truth": "TRUE",
    "day": "DATE '2024-01-02'",
    "hour": "TIME '10:00'",
    "moment": "TIMESTAMP '2024-01-02 03:04:05'",
    "instant": "TIMESTAMPTZ '2024-01-02 03:04:05+02'",
    "forever": "'infinity'::TIMESTAMP",
    "span": "INTERVAL '1 day'",
    "document": "'{}'::JSONB",
    "written": "'{}'::JSON",
    "list": "ARRAY['a']",
    "bytes": "'\\x00'::BYTEA",
    "uuid": "'00000000-0000-0000-0000-000000000001'::UUID",
    "address": "'1.1.1.1'::INET",
    "mood": "'fine'::own.mood",
    "word": "'a'::own.word",
    "pair": "ROW(1, 'a')",
    "nothing": "NULL::TEXT",
}
"""Column -> a value of its type; of every kind of types for which the server might not know which function to take."""

_TEXTS = {"text", "varchar", "name", "word", "nothing"}


@pytest.fixture(scope="module")
def warehouse(postgres_port: int) -> Iterator[Warehouse]:
    with connect(settings(postgres_port, "own"), purpose="test") as opened:
        opened.execute("DROP SCHEMA IF EXISTS own CASCADE")
        opened.ensure_schema("own")
        opened.execute("CREATE TYPE own.mood AS ENUM ('fine'); CREATE DOMAIN own.word AS TEXT")
        yield opened


def test_texts_are_told_from_all_other_types(warehouse: Warehouse) -> None:
    tests = ", ".join(f"TYPEOF({name}) = 'VARCHAR'" for name in _VALUES)
    columns = ", ".join(f"{value} AS {name}" for name, value in _VALUES.items())
    asked = render(parse_one(f"SELECT {tests} FROM every_type", dialect="duckdb"), "postgres")
    (found,) = warehouse.query(f"WITH every_type AS (SELECT {columns}) {asked}").rows
    assert {name for name, is_text in zip(_VALUES, found, strict=True) if is_text} == _TEXTS


def test_no_row_is_asked_for_its_type(warehouse: Warehouse) -> None:
    """The server decides while it plans, as it does for a column that it is told to be a timestamp."""
    warehouse.execute("DROP TABLE IF EXISTS own.seen; CREATE TABLE own.seen (at TIMESTAMP)")
    time = "CASE WHEN TYPEOF(at) = 'VARCHAR' THEN CAST(CAST(at AS TEXT) AS TIMESTAMP) ELSE CAST(at AS TIMESTAMP) END"
    asked = render(parse_one(f"SELECT * FROM own.seen WHERE {time} IS NULL", dialect="duckdb"), "postgres")
    plan = "\n".join(str(line) for (line,) in warehouse.query(f"EXPLAIN {asked}").rows)
    assert "Filter: (at IS NULL)" in plan


@pytest.mark.parametrize("name", _VALUES)
def test_values_of_every_type_have_a_hash(warehouse: Warehouse, name: str) -> None:
    """It is the same each time, and another one in another place or without a value."""
    hashed = render(parse_one("SELECT HASH(v), HASH(0, v), HASH(NULL) FROM x", dialect="duckdb"), "postgres")
    (one,), (again,) = (warehouse.query(f"WITH x AS (SELECT {_VALUES[name]} AS v) {hashed}").rows for _ in range(2))
    assert one == again
    assert one[0] != one[1]
    assert (one[0] == one[2]) == (name == "nothing")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1::BIGINT", "2::BIGINT"),
        ("TIMESTAMP '2024-01-02 03:04:05'", "TIMESTAMP '2024-01-02 03:04:05.000001'"),
        ("TIMESTAMPTZ '2024-01-02 03:04:05+02'", "TIMESTAMPTZ '2024-01-02 03:04:05+03'"),
        ("1.5::NUMERIC", "1.50::NUMERIC"),
        ("'0'::DOUBLE PRECISION", "'-0'::DOUBLE PRECISION"),
        ("ARRAY['a', NULL]", "ARRAY['a', 'NULL']"),
    ],
)
def test_a_difference_that_a_var_could_see_shows_in_the_hash(warehouse: Warehouse, one: str, other: str) -> None:
    hashed = render(parse_one("SELECT HASH(v) FROM x", dialect="duckdb"), "postgres")
    first, second = (warehouse.scalar(f"WITH x AS (SELECT {value} AS v) {hashed}") for value in (one, other))
    assert first != second


_ROWS = "FROM (VALUES (TIMESTAMP '2024-01-01 10:00:00', 1), ('2024-01-01 11:00:00', 2), ('2024-01-02 01:00:00', 4), "
_DAYS = f"{_ROWS} (NULL, 8)) AS r (at, n)"


@pytest.mark.parametrize(
    ("asked", "is_apart"),
    [
        (f"SELECT DATE_TRUNC('day', at) AS day, SUM(n) AS total {_DAYS} GROUP BY 1", True),
        (f"SELECT 'x' AS x, SUM(r.n), DATE_TRUNC('day', r.at) AS day {_DAYS} WHERE r.n > 1 GROUP BY 3", True),
        (f"SELECT DATE_TRUNC('day', at) AS day, n % 2, COUNT(*) {_DAYS} GROUP BY 1, 2 HAVING MAX(n) > 1", True),
        (f"SELECT DATE_TRUNC('day', at) AS day, DATE_TRUNC('day', at) IS NULL {_DAYS} GROUP BY 1", False),
        (f"SELECT DATE_TRUNC('day', at) AS day, COUNT(r) {_DAYS} GROUP BY 1", False),
        (f"SELECT DATE_TRUNC('day', at) AS day, SUM(n) AS total {_DAYS} GROUP BY 1 ORDER BY day DESC", False),
        (f"SELECT n, COUNT(at) {_DAYS} GROUP BY 1", False),
    ],
)
def test_groups_of_truncated_times_are_those_of_plain_sql(warehouse: Warehouse, asked: str, is_apart: bool) -> None:
    rendered = render(parse_one(asked, dialect="duckdb"), "postgres")
    assert ("OFFSET 0" in rendered) == is_apart
    assert sorted(map(str, warehouse.query(rendered).rows)) == sorted(map(str, warehouse.query(asked).rows))


def test_days_are_grouped_without_sorting_their_rows(warehouse: Warehouse) -> None:
    rows = "SELECT TIMESTAMP '2024-01-01' + i * INTERVAL '1 minute' AS at, i AS n FROM GENERATE_SERIES(1, 20000) AS i"
    warehouse.execute(f"DROP TABLE IF EXISTS own.times; CREATE TABLE own.times AS {rows}; ANALYZE own.times")
    asked = "SELECT DATE_TRUNC('day', at) AS day, SUM(n) AS total FROM own.times GROUP BY 1"
    rendered = render(parse_one(asked, dialect="duckdb"), "postgres")
    plan = "\n".join(str(line) for (line,) in warehouse.query(f"EXPLAIN {rendered}").rows)
    assert "HashAggregate" in plan
    assert "rows=200 " in plan


def test_a_session_has_more_memory_than_a_server_gives_of_itself(warehouse: Warehouse, postgres_port: int) -> None:
    asked = "SELECT current_setting('work_mem'), current_setting('temp_buffers'), current_setting('jit')"
    assert warehouse.query(asked).rows == [("64MB", "64MB", "off")]
    user = warehouse.scalar("SELECT current_user")
    warehouse.execute(f"ALTER ROLE \"{user}\" SET work_mem = '100MB'")
    try:
        with connect(settings(postgres_port, "own"), purpose="test", read_only=True) as other:
            assert other.scalar("SELECT current_setting('work_mem')") == "100MB"
    finally:
        warehouse.execute(f'ALTER ROLE "{user}" RESET work_mem')
