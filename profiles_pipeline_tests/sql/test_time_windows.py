"""Rolling windows on the time of a row: recognised however they are written, and right about every moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from profiles_pipeline.dialects import render
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.sql import Reading, bind_time, parse_expression
from profiles_pipeline.sql.monotone import direction
from profiles_pipeline.sql.time_windows import Window, split, window_of

DATA: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "time_windows.yaml").read_text())
WINDOWS = [(dialect, text) for dialect, texts in DATA["windows"].items() for text in texts]

END_TIMES = [
    datetime(2024, 5, 1, 13, 14, 15),
    datetime(2024, 2, 29, 23, 59, 59, 999999),
    datetime(2023, 12, 31),
    datetime(2025, 3, 30, 1, 30),
]
TYPES = ("TIMESTAMP", "DATE", "TIMESTAMPTZ")


@lru_cache(maxsize=4096)
def read(text: str, end_time: datetime = END_TIMES[0], dialect: str = "snowflake") -> exp.Expr:
    return bind_time(parse_expression(text, Reading(dialect)), end_time)


@lru_cache(maxsize=4096)
def window(dialect: str, text: str, end_time: datetime) -> Window:
    found = window_of(read(text, end_time, dialect))
    assert found is not None
    return found


def flat(tree: exp.Expr) -> str:
    return render(tree, "duckdb", pretty=False)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


# --- what is recognised -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dialect", "text"), WINDOWS)
def test_window(dialect: str, text: str) -> None:
    tree = read(text, dialect=dialect)
    found = window_of(tree)
    assert found is not None
    assert found.column.lower() == "ts"
    assert found.condition == tree
    assert found.comparisons
    assert all(isinstance(c, exp.LT | exp.LTE | exp.GT | exp.GTE) for c in found.comparisons)


@pytest.mark.parametrize(("text", "reason"), DATA["others"])
def test_no_window(text: str, reason: str) -> None:
    assert window_of(read(text)) is None, reason


def test_a_column_that_is_known_to_hold_something_else_has_no_window() -> None:
    tree = read("ts >= current_date")
    column = tree.find(exp.Column)
    assert column is not None
    column = column.copy()
    for dtype, recognised in (("DATE", True), ("TIMESTAMP", True), ("VARCHAR", False), ("BIGINT", False)):
        column.type = exp.DataType.build(dtype)
        assert (direction(column, "ts") == "rising") is recognised


DIRECTIONS = [
    ("ts", "rising"),
    ("(TS::date)", "rising"),
    ("datediff(day, ts, current_date)", "falling"),
    ("datediff(day, current_date, ts)", "rising"),
    ("-datediff(day, ts, current_date) / 7.0", "rising"),
    ("datediff(day, ts, current_date) * -2", "rising"),
    ("current_date - 7", "constant"),
    ("dateadd(day, 2 * 3, current_date)", "constant"),
    ("5", "constant"),
    ("year(ts) + datediff(day, current_date, ts)", "rising"),
    ("year(ts) - datediff(day, current_date, ts)", None),
    ("other", None),
    ("ts::date - other", None),
    ("random()", None),
    ("getdate() - ts", "falling"),
    ("month(ts)", None),
]


@pytest.mark.parametrize(("text", "expected"), DIRECTIONS)
def test_direction(text: str, expected: str | None) -> None:
    assert direction(read(text), "ts") == expected


def test_a_clock_that_is_not_bound_is_no_constant() -> None:
    assert window_of(parse_expression("ts >= current_date - 7", Reading())) is None


def test_comparisons_of_a_condition() -> None:
    found = window_of(read("ts::date = current_date or not (ts::date between '2024-01-01' and current_date)"))
    assert found is not None
    assert [flat(comparison) for comparison in found.comparisons] == [
        "CAST(ts AS DATE) <= CAST('2024-05-01' AS DATE)",
        "CAST(ts AS DATE) >= CAST('2024-05-01' AS DATE)",
        "CAST(ts AS DATE) >= '2024-01-01'",
    ]


def test_split_takes_windows_that_move_out_of_a_filter() -> None:
    where = read(
        """
        event = 'buy' and (ts >= current_date - 30 and ts < current_date) and ts >= '2020-01-01'
        and (ts > current_date or name = 'x')
        """
    )
    windows, rest = split(where, lambda condition: "2024-05-01" in flat(condition))
    assert [flat(found.condition) for found in windows] == [
        "CAST(ts AS TIMESTAMP) >= CAST('2024-05-01' AS DATE) - 30",
        "CAST(ts AS TIMESTAMP) < CAST('2024-05-01' AS DATE)",
    ]
    assert [flat(condition) for condition in rest] == [
        "event = 'buy'",
        "ts >= '2020-01-01'",
        "CAST(ts AS TIMESTAMP) > CAST('2024-05-01' AS DATE) OR name = 'x'",
    ]


PROJECT = """
name: shop
schema_version: 90
connection: test
model_folders: [models]
entities: [{name: user, id_types: [email]}]
id_types: [{name: email}]
"""
MODELS = """
inputs:
  - name: orders
    contract: {is_optional: false}
    app_defaults: {table: orders, occurred_at_col: ts, ids: [{select: email, type: email, entity: user}]}
macros:
  - {name: today, value: "date('{{end_time.Format(\\"2006-01-02\\")}}')"}
  - {name: recent, inputs: [column, days], value: "datediff(day, date({{column}}), {{today()}}) <= {{days}}"}
var_groups:
  - name: features
    entity_key: user
    vars:
      - entity_var: {name: n, select: count(*), from: inputs/orders, where: "{{recent('ts', 7)}} and status = 'paid'"}
      - entity_var: {name: m, select: count(*), from: inputs/orders, where: "orders.ts >= current_date() - 7"}
"""


def test_windows_made_by_macros_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "pb_project.yaml").write_text(PROJECT)
    (tmp_path / "models" / "all.yaml").write_text(MODELS)
    project = ProfilesProject.load(tmp_path).project
    reader = Reader(project, END_TIMES[0])
    variables = [var for own in project.entity_vars.values() for var in own.values()]
    wheres = {var.name: reader.entity_var(var).where for var in variables}
    parts = {name: split(where, lambda _: True) for name, where in wheres.items() if where is not None}
    assert {name: [w.column for w in windows if w.column == "ts"] for name, (windows, _) in parts.items()} == {
        "n": ["ts"],
        "m": ["ts"],
    }


# --- what it promises ---------------------------------------------------------------------------------------------

Row = tuple[bool | None, ...]


def evaluated(connection: duckdb.DuckDBPyConnection, found: Window, dtype: str, moments: list[str]) -> list[Row]:
    """Return the condition and its comparisons at each moment, in the order of time."""
    values = ", ".join(f"('{moment}'::TIMESTAMP)" for moment in moments)
    shown = ", ".join(flat(tree) for tree in (found.condition, *found.comparisons))
    rows = f"SELECT DISTINCT CAST(m AS {dtype}) AS ts FROM (VALUES {values}) v(m)"
    return connection.execute(f"SELECT {shown} FROM ({rows}) ORDER BY ts").fetchall()


def agree(low: Row, high: Row) -> bool:
    return all(a is not None and a == b for a, b in zip(low[1:], high[1:], strict=True))


def broken_promises(rows: list[Row]) -> list[tuple[int, int]]:
    return [
        (low, high)
        for low, high in combinations(range(len(rows)), 2)
        if agree(rows[low], rows[high]) and len({row[0] for row in rows[low : high + 1]}) > 1
    ]


@cache
def fitting_types(dialect: str, text: str) -> tuple[str, ...]:
    """Return the types of `ts` for which the warehouse takes the condition: a day plus 7 is one, a timestamp not."""
    own = duckdb.connect()
    own.execute("SET TimeZone = 'UTC'")
    fitting = []
    for dtype in TYPES:
        try:
            evaluated(own, window(dialect, text, END_TIMES[0]), dtype, ["2024-01-01"])
        except (duckdb.BinderException, duckdb.ConversionException):
            continue
        fitting.append(dtype)
    return tuple(fitting)


NEAR = st.builds(
    lambda day, edge, micros: datetime(2023, 11, 20) + timedelta(days=day, hours=edge, microseconds=micros),
    st.integers(0, 560),
    st.sampled_from([0, 0, 1, 12, 13, 23]),
    st.sampled_from([-1, 0, 1, 999, 500_000, 854_000_000]),
)
FAR = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
ODD = st.sampled_from(
    ["0044-03-15 (BC) 12:00:00", "12024-05-01 00:00:00", "1970-01-01 00:00:00", "infinity", "-infinity",
     "1969-12-31 23:59:59.999999"]
)  # fmt: skip
MOMENTS = st.lists(st.one_of(NEAR.map(str), NEAR.map(str), FAR.map(str), ODD), min_size=3, max_size=30)


@pytest.mark.parametrize(("dialect", "text"), WINDOWS)
@settings(max_examples=15, deadline=None)
@given(moments=MOMENTS, end_time=st.sampled_from(END_TIMES), pick=st.integers(0, 2))
def test_what_comparisons_say_of_two_moments_holds_between_them(
    connection: duckdb.DuckDBPyConnection, dialect: str, text: str, moments: list[str], end_time: datetime, pick: int
) -> None:
    types = fitting_types(dialect, text)
    found, dtype = window(dialect, text, end_time), types[pick % len(types)]
    try:
        rows = evaluated(connection, found, dtype, moments)
    except duckdb.Error:  # not every function takes a time without end
        rows = evaluated(connection, found, dtype, [m for m in moments if "infinity" not in m] or ["2024-01-01"])
    assert broken_promises(rows) == []


@pytest.mark.parametrize(("text", "expected"), [(t, d) for t, d in DIRECTIONS if d in ("rising", "falling")])
@settings(max_examples=15, deadline=None)
@given(moments=st.lists(NEAR, min_size=2, max_size=30))
def test_values_move_as_told(
    connection: duckdb.DuckDBPyConnection, text: str, expected: str, moments: list[datetime]
) -> None:
    rows = f"SELECT m::TIMESTAMP AS ts FROM UNNEST([{', '.join(repr(str(m)) for m in moments)}]) t(m)"
    values = [
        value for (value,) in connection.execute(f"SELECT {flat(read(text))} FROM ({rows}) ORDER BY ts").fetchall()
    ]
    assert values == sorted(values, reverse=expected == "falling")


@pytest.mark.parametrize(("dialect", "text"), WINDOWS)
def test_no_window_holds_for_null(connection: duckdb.DuckDBPyConnection, dialect: str, text: str) -> None:
    for dtype in fitting_types(dialect, text):
        condition = flat(window(dialect, text, END_TIMES[0]).condition)
        (value,) = connection.execute(f"SELECT {condition} FROM (SELECT NULL::{dtype} AS ts)").fetchone() or ()
        assert value is not True


@pytest.mark.parametrize(
    ("text", "end_time", "moments"),
    [
        ("dateadd(month, 1, ts) >= '2024-02-29 12:00:00'::timestamp", END_TIMES[0],
         ["2024-01-30 20:00", "2024-01-31 01:00", "2024-01-31 20:00"]),
        ("floor(months_between(current_date, ts)) < 1", datetime(2023, 2, 28, 12),
         ["2023-01-29", "2023-01-30", "2023-01-31", "2023-02-01"]),
        ("convert_timezone('UTC', 'America/New_York', ts) >= '2024-11-03 01:30'::timestamp", END_TIMES[0],
         ["2024-11-03 05:40", "2024-11-03 06:10", "2024-11-03 06:40"]),
    ],
)  # fmt: skip
def test_what_is_refused_would_break_the_promise(
    connection: duckdb.DuckDBPyConnection, text: str, end_time: datetime, moments: list[str]
) -> None:
    tree = read(text, end_time)
    assert window_of(tree) is None
    assert broken_promises(evaluated(connection, Window("ts", tree, (tree,)), "TIMESTAMP", moments)) != []
