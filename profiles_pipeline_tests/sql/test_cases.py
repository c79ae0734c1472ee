"""Aggregates over CASE give the same once their conditions are FILTERs."""

from __future__ import annotations

import math
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from profiles_pipeline.dialects import render
from profiles_pipeline.sql import Reading, parse_expression
from profiles_pipeline.sql.cases import in_cases
from profiles_pipeline.sql.monotone import direction

# Columns: a, b of booleans, x of integers, d of decimals, f of floats, s of texts, ts of times; all may be NULL.
PLAIN = [
    ("sum(case when a then x end)", "SUM(x) FILTER(WHERE a)"),
    ("sum((case when a then x else null end))", "SUM(x) FILTER(WHERE a)"),
    ("sum(iff(a, x * d + 1, null))", "SUM(x * d + 1) FILTER(WHERE a)"),
    ("count(case when a or b then 1 end)", "COUNT(1) FILTER(WHERE a OR b)"),
    ("count(case when a then x end)", "COUNT(x) FILTER(WHERE a)"),
    ("count(distinct case when a and x > 2 then s end)", "COUNT(DISTINCT s) FILTER(WHERE a AND x > 2)"),
    ("count(distinct(case when a then lower(s) end))", None),
    ("count(distinct case when a then x::varchar end)", "COUNT(DISTINCT CAST(x AS TEXT)) FILTER(WHERE a)"),
    ("sum(distinct case when a then x end)", "SUM(DISTINCT x) FILTER(WHERE a)"),
    ("min(case when a then s end)", "MIN(s) FILTER(WHERE a)"),
    ("max(case when a then f end)", "MAX(f) FILTER(WHERE a)"),
    ("max(case when a then try_cast(s as integer) end)", "MAX(TRY_CAST(s AS BIGINT)) FILTER(WHERE a)"),
    ("avg(case when a then -x end)", "AVG(-x) FILTER(WHERE a)"),
    ("avg(case when a then d end)", "AVG(d) FILTER(WHERE a)"),
    ("stddev(case when a then x end)", "STDDEV(x) FILTER(WHERE a)"),
    ("sum(case s when 'p' then x end)", "SUM(x) FILTER(WHERE (s) = ('p'))"),
    ("sum(case when a then x end) / count(*)", "SUM(x) FILTER(WHERE a) / COUNT(*)"),
    ("coalesce(max(case when a then x end), 0)", "COALESCE(MAX(x) FILTER(WHERE a), 0)"),
    ("datediff(day, max(case when a then ts end), '2024-05-01')", None),
    (
        "case when sum(case when a then 1 end) > 1 then min(case when b then s end) end",
        "CASE WHEN SUM(1) FILTER(WHERE a) > 1 THEN MIN(s) FILTER(WHERE b) END",
    ),
]
WITH_ELSE = [
    (
        "sum(case when a then x else 0 end)",
        "CASE WHEN COUNT(*) > COUNT(*) FILTER(WHERE a) THEN COALESCE(SUM(x) FILTER(WHERE a), 0) "
        "ELSE SUM(x) FILTER(WHERE a) END",
    ),
    ("sum(case when a then 1 else 0 end)", None),
    ("sum(case when a or b then d else 0 end) / nullif(count(*), 0)", None),
    ("sum(case when a and b then f else 0 end)", None),
    ("count_if(a and x > 1)", None),
    ("count_if(a) > 1", None),
    (
        "max(case when a then 1 else 0 end)",
        "GREATEST(MAX(1) FILTER(WHERE a), CASE WHEN COUNT(*) > COUNT(*) FILTER(WHERE a) THEN 0 END)",
    ),
    ("max(iff(a, x, -3))", None),
    ("min(case when a then d else 2 end)", None),
    ("min(case when a then f else 0.5 end)", None),
    ("max(case when a then 'yes' else 'no' end)", None),
    ("max(case when a then true else false end)", None),
    ("max(case when a then b else false end)", None),
]
UNCHANGED = [
    "sum(x)",
    "count(*)",
    "sum(case when a then x else 1 end)",
    "sum(case when a then x else d end)",
    "sum(distinct case when a then x else 0 end)",
    "sum(case when a then x when b then d end)",
    "sum(case when a then s::float end)",
    "sum(case when a then x / d end)",
    "sum(case when a then x end + 1)",
    "max(case when a then s else 'z' end)",
    "max(case when a then x else d end)",
    "count(case when a then x else 0 end)",
    "avg(case when a then x else 0 end)",
    "any_value(case when a then x end)",
    "array_agg(case when a then x end)",
    "listagg(case when a then s end, ',')",
    "max_by(x, case when a then x end)",
    "sum(case when a then x end) over (partition by s)",
    "sum(iff(a, x, 0)) over ()",
    "case when a then x end",
    "max(case when a then ts::date end)",
]
REWRITTEN = [*PLAIN, *WITH_ELSE]

CREATE = """
    CREATE OR REPLACE TEMP TABLE t
    (g INT, a BOOLEAN, b BOOLEAN, x INT, d DECIMAL(9, 2), f DOUBLE, s TEXT, ts TIMESTAMP)
"""
MAYBE = st.sampled_from([True, False, None])
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        MAYBE,
        MAYBE,
        st.sampled_from([None, -3, 0, 1, 2, 3, 7]),
        st.sampled_from([None, Decimal("-1.25"), Decimal("0.00"), Decimal("2.50")]),
        st.sampled_from([None, -0.5, 0.0, 0.1, 2.75]),
        st.sampled_from([None, "p", "Q", "12", "yes"]),
        st.sampled_from([None, "2024-04-28 10:00:00", "2024-05-01 00:00:00"]),
    ),
    max_size=8,
)


def read(text: str) -> exp.Expr:
    return parse_expression(text, Reading())


def flat(tree: exp.Expr) -> str:
    return render(tree, "duckdb", pretty=False)


@pytest.mark.parametrize(("text", "expected"), REWRITTEN)
def test_rewritten(text: str, expected: str | None) -> None:
    tree = read(text)
    before = flat(tree)
    result = in_cases(tree)
    assert flat(tree) == before
    assert expected is None or flat(result) == expected
    assert result.find(exp.Filter) is not None
    assert not any(case.find(exp.AggFunc) is None for case in result.find_all(exp.Case))


@pytest.mark.parametrize("text", UNCHANGED)
def test_unchanged(text: str) -> None:
    assert flat(in_cases(read(text))) == flat(read(text))


def test_what_cannot_fail_may_be_told() -> None:
    tree = read("count(distinct case when x > 1 then ts::date end)")
    result = in_cases(tree, lambda part: direction(part, "ts") is not None)
    assert flat(result) == "COUNT(DISTINCT CAST(ts AS DATE)) FILTER(WHERE x > 1)"


def filtered(text: str) -> exp.Expr:
    """Return the aggregate with a FILTER of its own."""
    return exp.Filter(this=read(text), expression=exp.Where(this=read("b or x > 2")))


@pytest.mark.parametrize("text", [text for text, _ in REWRITTEN if isinstance(read(text), exp.AggFunc)])
def test_a_filter_that_is_there_counts_too(text: str) -> None:
    result = in_cases(filtered(text))
    assert "FILTER(WHERE (b OR x > 2) AND " in flat(result)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_equal_over_any_rows(connection: duckdb.DuckDBPyConnection, rows: list[tuple[object, ...]]) -> None:
    connection.execute(CREATE)
    if rows:
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    trees = [read(text) for text, _ in REWRITTEN]
    trees += [filtered(text) for text, _ in REWRITTEN if isinstance(read(text), exp.AggFunc)]
    for tail in ("", " GROUP BY g ORDER BY g"):
        before = connection.execute(f"SELECT {', '.join(map(flat, trees))} FROM t{tail}").fetchall()
        after = connection.execute(
            f"SELECT {', '.join(flat(in_cases(tree)) for tree in trees)} FROM t{tail}"
        ).fetchall()
        for first, second in zip(before, after, strict=True):
            unequal = [flat(t) for t, a, b in zip(trees, first, second, strict=True) if not _equal(a, b)]
            assert unequal == []


def _equal(first: object, second: object) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=1e-12, abs_tol=1e-12)
    return type(first) is type(second) and first == second


def test_a_conversion_that_case_guards_stays_guarded(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(CREATE)
    connection.execute("INSERT INTO t (a, s) VALUES (TRUE, '12'), (FALSE, 'none')")
    tree = read("sum(case when a then s::integer end)")
    assert connection.execute(f"SELECT {flat(in_cases(tree))} FROM t").fetchone() == (12,)
    with pytest.raises(duckdb.ConversionException):
        connection.execute(f"SELECT {flat(in_cases(tree, lambda _: True))} FROM t")
