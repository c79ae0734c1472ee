from __future__ import annotations

import pytest
from sqlglot import exp

from profiles_pipeline.dialects import render
from profiles_pipeline.sql import (
    Reading,
    column_names,
    columns_of_rows,
    external_tables,
    has_subquery,
    has_window,
    is_aggregate,
    is_deterministic,
    needs_window,
    null_on_empty,
    parse_expression,
    parse_query,
    substitute,
    symbols,
)

READING = Reading()


def read(text: str) -> exp.Expr:
    return parse_expression(text, READING)


AGGREGATES = """
sum(x)|count(*)|count(distinct x)|any_value(x)|array_agg(x)|listagg(x)|min_by(a, b)|max_by(a, b, 2)|median(x)|mode(x)
percentile_cont(0.5) within group (order by x)|approx_count_distinct(x)|hll(x)|count_if(x)|boolor_agg(x)
object_agg(a, b)
array_union_agg(x)|array_unique_agg(x)|bitand_agg(x)|hash_agg(x)|corr(x, y)|regr_slope(x, y)|sum(sum(x)) over ()
max(x) - min(x)|coalesce(sum(x), 0)|sum(iff(x > 1, 1, 0)) / count(*)|case when count(*) > 1 then 'a' end
"""
PLAIN = """
x + 1|lower(x)|sum(x) over ()|first_value(x) over (order by y)|(select max(x) from t)|first_value(x)|rank()
x in (select max(y) from t)|lag(x) over (order by y)
percentile_cont(0.5) within group (order by x) over (partition by y)
"""


@pytest.mark.parametrize("text", AGGREGATES.strip().replace("\n", "|").split("|"))
def test_aggregates(text: str) -> None:
    assert is_aggregate(read(text))


@pytest.mark.parametrize("text", PLAIN.strip().replace("\n", "|").split("|"))
def test_not_aggregates(text: str) -> None:
    assert not is_aggregate(read(text))


@pytest.mark.parametrize(
    ("text", "window", "needed", "subquery"),
    [
        ("first_value(x)", False, True, False),
        ("rank()", False, True, False),
        ("last_value(x) ignore nulls", False, True, False),
        ("first_value(x) over (order by y)", True, False, False),
        ("last_value(x) ignore nulls over (order by y)", True, False, False),
        ("sum(x)", False, False, False),
        ("(select rank() over (order by y) from t limit 1)", False, False, True),
        ("x in (select y from t)", False, False, True),
        ("exists (select 1 from t)", False, False, True),
    ],
)
def test_windows_and_subqueries(text: str, window: bool, needed: bool, subquery: bool) -> None:
    tree = read(text)
    assert (has_window(tree), needs_window(tree), has_subquery(tree)) == (window, needed, subquery)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(x)", True),
        ("sum(x) / count(*)", True),
        ("datediff(day, max(ts), '2024-01-01')", True),
        ("max(ts)::date", True),
        ("round(avg(x), 2)", True),
        ("max(x) || 'a'", True),
        ("min_by(x, y)", True),
        ("median(x)", True),
        ("percentile_cont(0.5) within group (order by x)", True),
        ("nullif(max(x), 0)", True),
        ("case when max(x) > 1 then max(x) end", True),
        ("coalesce(max(x), min(y))", True),
        ("count(*)", False),
        ("count(distinct x)", False),
        ("coalesce(sum(x), 0)", False),
        ("array_agg(x)", False),
        ("listagg(x)", False),
        ("count(*) > 0", False),
        ("max(x) is null", False),
        ("case when max(x) > 1 then 'a' else 'b' end", False),
        ("div0(sum(x), count(*))", False),
    ],
)
def test_null_on_empty(text: str, expected: bool) -> None:
    assert null_on_empty(read(text)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + s.b", {"a", "s"}),
        ("max(s.t.b) filter (where s.c)", {"s"}),
        ('"rows:inputs/x".a + "row:x/b"', set()),
        ("a in (select z.y from t as z)", {"a"}),
        ("filter(a, v -> v.b > 1)", {"a"}),
    ],
)
def test_columns_of_rows(text: str, expected: set[str]) -> None:
    assert columns_of_rows(read(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + B", {"a", "B"}),
        ("t.a + b", {"b"}),
        ('"var:user/x" + b', {"b"}),
        ("a in (select z from t where y = 1)", {"a"}),
        ("sum(a) over (partition by b order by c)", {"a", "b", "c"}),
        ("datediff(day, a, current_date)", {"a"}),
        ("x:path:key", {"x"}),
        ("filter(a, v -> v > b)", {"a", "b"}),
        ("'a'", set()),
    ],
)
def test_column_names(text: str, expected: set[str]) -> None:
    assert column_names(read(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", True), ("lower(a)", True), ("random()", False), ("uniform(1, 2, random())", False), ("uuid_string()", False),
     ("getdate()", False), ("a > current_date", False), ("seq4()", False)],
)  # fmt: skip
def test_is_deterministic(text: str, expected: bool) -> None:
    assert is_deterministic(read(text)) is expected


def test_symbols_by_kind() -> None:
    tree = read('max("var:user/x" + "row:orders".value) > (select count(*) from "ref:inputs/o") and "plain" = 1')
    assert symbols(tree) == {
        "var": frozenset({"var:user/x"}),
        "row": frozenset({"row:orders"}),
        "ref": frozenset({"ref:inputs/o"}),
    }


def test_an_unquoted_or_plain_name_is_no_symbol() -> None:
    assert symbols(read('a + "B" + "c d"')) == {}


def test_substitute_columns_in_brackets_where_needed() -> None:
    tree = substitute(read('"var:x" * 2 + coalesce("var:x", 0)'), {"var:x": read("a + b")})
    assert render(tree, "duckdb", pretty=False) == "(a + b) * 2 + COALESCE(a + b, 0)"


def test_substitute_a_whole_tree_and_leave_unknown_symbols() -> None:
    original = read('"var:x"')
    assert substitute(original, {"var:x": read("a")}) == read("a")
    assert substitute(original, {}) == original
    assert original == read('"var:x"')


def test_substitute_tables_aliases_and_qualifiers() -> None:
    query = parse_query(
        'select "ref:a".x, b.y, "ref:c".z from "ref:a" join "ref:b" b on b.x = "ref:a".x, "ref:c"', READING
    )
    tables = {"ref:a": exp.to_table("s.table_a"), "ref:b": exp.to_table("s.table_b")}
    replaced = substitute(query, {**tables, "ref:c": parse_query("select 1 as z", READING)})
    assert render(replaced, "duckdb", pretty=False) == (
        'SELECT table_a.x, b.y, "ref_c".z FROM s.table_a '
        'JOIN s.table_b AS b ON b.x = table_a.x, (SELECT 1 AS z) AS "ref_c"'
    )


def test_external_tables() -> None:
    query = parse_query(
        """
        with orders as (select * from orders), later as (select * from orders join raw.events using (id))
        select * from later, "ref:inputs/x", (with inner_one as (select 1) select * from inner_one) as q
        where exists (select 1 from later, people) and id in (select id from inner_one)
        """,
        READING,
    )
    assert sorted(table.sql() for table in external_tables(query)) == ["inner_one", "orders", "people", "raw.events"]


def test_a_recursive_cte_is_not_external() -> None:
    text = "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select * from r"
    assert external_tables(parse_query(text, READING)) == ()
