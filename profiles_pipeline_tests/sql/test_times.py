from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest

from profiles_pipeline.dialects import render
from profiles_pipeline.sql import Reading, bind_time, is_deterministic, parse_expression

END = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

MOMENT = "CAST('2024-05-06 07:08:09' AS TIMESTAMP)"
DAY = "CAST('2024-05-06' AS DATE)"
TIME = "CAST('07:08:09' AS TIME)"

SPELLINGS = [
    ("snowflake", "current_timestamp", MOMENT),
    ("snowflake", "current_timestamp()", MOMENT),
    ("snowflake", "CURRENT_TIMESTAMP(3)", MOMENT),
    ("snowflake", "getdate()", MOMENT),
    ("snowflake", "sysdate()", MOMENT),
    ("snowflake", "systimestamp()", MOMENT),
    ("snowflake", "localtimestamp", MOMENT),
    ("snowflake", "localtimestamp()", MOMENT),
    ("snowflake", "now()", MOMENT),
    ("snowflake", "current_date", DAY),
    ("snowflake", "current_date()", DAY),
    ("snowflake", "current_time", TIME),
    ("snowflake", "current_time()", TIME),
    ("snowflake", "localtime()", TIME),
    ("redshift", "getdate()", MOMENT),
    ("redshift", "sysdate", MOMENT),
    ("redshift", "current_date", DAY),
    ("bigquery", "current_timestamp()", MOMENT),
    ("bigquery", "current_datetime()", MOMENT),
    ("bigquery", "current_date()", DAY),
    ("bigquery", "current_date", DAY),
    ("databricks", "now()", MOMENT),
    ("databricks", "current_timestamp()", MOMENT),
    ("databricks", "current_date()", DAY),
    ("databricks", "curdate()", DAY),
    ("postgres", "now()", MOMENT),
    ("postgres", "clock_timestamp()", MOMENT),
    ("duckdb", "today()", DAY),
    ("duckdb", "now()", MOMENT),
]


@pytest.mark.parametrize(("source", "text", "expected"), SPELLINGS)
def test_spelling(source: str, text: str, expected: str) -> None:
    tree = parse_expression(text, Reading(source, "duckdb"))
    assert not is_deterministic(tree)
    bound = bind_time(tree, END)
    assert render(bound, "duckdb", pretty=False) == expected
    assert is_deterministic(bound)
    assert not is_deterministic(tree)


@pytest.mark.parametrize(
    "text",
    [
        "datediff(day, '2024-05-01', getdate()) = 5",
        "datediff(day, '2024-05-01', current_date) = 5",
        "dateadd(day, -7, current_date) = '2024-04-29'",
        "current_timestamp::date = '2024-05-06'",
        "convert_timezone('America/New_York', current_timestamp())::varchar = '2024-05-06 03:08:09.000'",
        "convert_timezone('UTC', 'America/New_York', current_timestamp())::varchar = '2024-05-06 03:08:09.000'",
        "to_char(current_timestamp, 'YYYY') = '2024'",
        "date_trunc('month', current_date) = '2024-05-01'",
        "'2024-05-05' < current_timestamp",
    ],
)
def test_meaning_after_binding(text: str) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    tree = bind_time(parse_expression(text, Reading()), END)
    assert connection.execute(f"SELECT {render(tree, 'duckdb')}").fetchone() == (True,)


def test_end_time_is_taken_in_utc() -> None:
    east = END.astimezone(timezone(timedelta(hours=5)))
    tree = parse_expression("current_timestamp", Reading())
    assert bind_time(tree, east) == bind_time(tree, END) == bind_time(tree, END.replace(tzinfo=None))


def test_bigquery_keeps_the_zone() -> None:
    tree = parse_expression("current_timestamp()", Reading("bigquery", "bigquery"))
    rendered = render(bind_time(tree, END, "bigquery"), "bigquery", pretty=False)
    assert rendered == "CAST('2024-05-06 07:08:09+00:00' AS TIMESTAMP)"


def test_a_column_is_not_the_clock() -> None:
    tree = parse_expression("sysdate + now", Reading())
    assert bind_time(tree, END) == tree
