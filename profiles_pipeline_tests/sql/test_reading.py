from __future__ import annotations

import pytest
from sqlglot import exp

from profiles_pipeline.dialects import render
from profiles_pipeline.errors import ProjectError, Span
from profiles_pipeline.spec.model import Text
from profiles_pipeline.sql import (
    READ_AS,
    Reading,
    default_frame,
    parse_condition,
    parse_expression,
    parse_expressions,
    parse_frame,
    parse_order_by,
    parse_query,
    parse_statements,
)

READING = Reading()


def flat(tree: object) -> str:
    return render(tree, "duckdb", pretty=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "select x from t",
        "select x from t;",
        "\n\n  select x\nfrom t ; ;",
        "(select x from t)",
        "((select x from t));",
        "-- why\nselect x /* what */ from t -- end",
    ],
)
def test_query_forms(text: str) -> None:
    assert flat(parse_query(text, READING)) == "SELECT x FROM t"


@pytest.mark.parametrize(
    "text",
    [
        "with a as (select 1 as x) select x from a",
        ", a as (select 1 as x) select x from a",
        "\n\n  , a as (select 1 as x)\nselect x from a;",
        "-- first\n/* then */ ,a as (select 1 as x) select x from a",
    ],
)
def test_common_table_expressions_may_begin_with_a_comma(text: str) -> None:
    assert flat(parse_query(text, READING)) == "WITH a AS (SELECT 1 AS x) SELECT x FROM a"


@pytest.mark.parametrize(("source", "mark"), [("bigquery", "`"), ("databricks", "`"), ("redshift", '"')])
def test_a_text_of_another_dialect_keeps_the_names_of_the_project(source: str, mark: str) -> None:
    text = f'select t.a as "B" from {mark}ref:models/x{mark} t asof join u match_condition (t.at >= u.at)'
    query = parse_query(text, Reading(source, "snowflake"))
    assert query.meta[READ_AS] == "snowflake"
    assert query.selects[0].alias == "B"
    assert "ref:models/x" in {table.name for table in query.find_all(exp.Table)}


def test_query_in_brackets_with_a_query_after_it_stays_whole() -> None:
    assert flat(parse_query("(select 1) union all (select 2)", READING)) == "(SELECT 1) UNION ALL (SELECT 2)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timestamp", "timestamp"),
        ("date", "date"),
        ("key", "key"),
        ("comment", "comment"),
        ('"ID"', '"ID"'),
        ("a + b -- sum", "a + b"),
        ('"var:user/x" + 1', '"var:user/x" + 1'),
        ("exists (select 1 from t)", "EXISTS(SELECT 1 FROM t)"),
        ("(select max(x) from t)", "(SELECT MAX(x) FROM t)"),
    ],
)
def test_expression(text: str, expected: str) -> None:
    assert flat(parse_expression(text, READING)) == expected


def test_condition_is_an_expression() -> None:
    assert flat(parse_condition("a = 1 and b is not null", READING)) == "a = 1 AND NOT b IS NULL"


def test_list_of_expressions() -> None:
    assert [flat(tree) for tree in parse_expressions("a, b + 1,c", READING)] == ["a", "b + 1", "c"]


def test_statements() -> None:
    text = "create or replace table t as (select 1 as x); -- one\n\ninsert into t select 2;"
    assert [flat(tree) for tree in parse_statements(text, READING)] == [
        "CREATE OR REPLACE TABLE t AS (SELECT 1 AS x)",
        "INSERT INTO t SELECT 2",
    ]


WHOLE = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"


@pytest.mark.parametrize(
    ("items", "keys", "frame"),
    [
        (["a"], ["a"], None),
        (["a asc", "b desc"], ["a ASC", "b DESC NULLS FIRST"], None),
        (["a desc nulls last"], ["a DESC"], None),
        (["a desc, lower('B')"], ["a DESC NULLS FIRST", "LOWER('B')"], None),
        (["UPDATED_AT desc ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"],
         ["UPDATED_AT DESC NULLS FIRST"], WHOLE),
        (["a", "b rows between unbounded preceding and unbounded following"], ["a", "b"], WHOLE),
        (["case when a then 1 end desc"], ["CASE WHEN a THEN 1 END DESC NULLS FIRST"], None),
        (['"var:user/revenue" desc'], ['"var:user/revenue" DESC NULLS FIRST'], None),
    ],
)  # fmt: skip
def test_order_by(items: list[str], keys: list[str], frame: str | None) -> None:
    found, spec = parse_order_by(items, READING)
    assert [flat(key) for key in found] == keys
    assert (flat(spec) if spec else None) == frame


def test_order_of_nulls_is_the_source_s() -> None:
    found, _ = parse_order_by(["a", "b desc"], Reading("databricks", "duckdb"))
    assert [flat(key) for key in found] == ["a NULLS FIRST", "b DESC"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rows between unbounded preceding and unbounded following", WHOLE),
        ("ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW"),
        ("rows unbounded preceding", "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
        ("range between unbounded preceding and current row", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
    ],
)
def test_frame(text: str, expected: str) -> None:
    assert flat(parse_frame(text)) == expected


@pytest.mark.parametrize(
    ("function", "source", "expected"),
    [
        ("first_value(x)", "snowflake", WHOLE),
        ("last_value(x) ignore nulls", "snowflake", WHOLE),
        ("sum(x)", "snowflake", None),
        ("first_value(x)", "bigquery", None),
    ],
)
def test_default_frame(function: str, source: str, expected: str | None) -> None:
    frame = default_frame(parse_expression(function, READING), Reading(source, "duckdb"))
    assert (flat(frame) if frame else None) == expected


ERRORS = [
    (
        parse_query,
        Text("select width_bucket(a, 1) from t", Span("m.yaml", 10, 13)),
        """m.yaml:10:20: error[sql-syntax]: query is not valid SQL: 'width_bucket' does not take what it is called with
    select width_bucket(a, 1) from t
           ^""",
    ),
    (
        parse_expression,
        Text("sum(day())", Span("m.yaml", 10, 13)),
        """m.yaml:10:21: error[sql-syntax]: expression is not valid SQL: expected a value at ')'
    sum(day())
            ^""",
    ),
    (
        parse_expression,
        Text("a + (b c d", Span("m.yaml", 10, 13)),
        """m.yaml:10:22: error[sql-syntax]: expression is not valid SQL: expected ')' at 'd'
    a + (b c d
             ^""",
    ),
    (
        parse_expression,
        Text("a +", Span("m.yaml", 10, 13)),
        """m.yaml:10:15: error[sql-syntax]: expression is not valid SQL: expected more after '+', or something else
    a +
      ^""",
    ),
    (
        parse_expression,
        Text("count(*) as n", Span("m.yaml", 10, 13)),
        """m.yaml:10:22: error[sql-syntax]: expression is not valid SQL: did not expect 'as'
    count(*) as n
             ^""",
    ),
    (
        parse_expression,
        Text(" ", Span("m.yaml", 10, 13)),
        """m.yaml:10:13: error[sql-syntax]: expression is empty
    
    ^""",  # noqa: W293
    ),
    (
        parse_query,
        Text("select a,\n  b c d\nfrom t\n", Span("m.yaml", 10, 9), block=True),
        """m.yaml:11:15: error[sql-syntax]: query is not valid SQL: did not expect 'd'
      b c d
          ^""",
    ),
    (
        parse_query,
        Text("select a,\n  b c d\nfrom t", Span("m.yaml", 10, 9)),
        """m.yaml:10:9: error[sql-syntax]: query is not valid SQL: did not expect 'd'
      b c d
          ^""",
    ),
    (
        parse_query,
        Text("select a,\n  'abc\nfrom t\n", Span("m.yaml", 10, 9), block=True),
        """m.yaml:11:11: error[sql-syntax]: query is not valid SQL: expected the quote or comment to end
      'abc
      ^""",
    ),
    (
        parse_query,
        Text("select 1; select 2", Span("m.yaml", 10, 9)),
        """m.yaml:10:17: error[sql-syntax]: query must be one statement
    select 1; select 2
            ^
    hint: several statements belong into multi_sql""",
    ),
    (
        parse_query,
        Text("drop table t", Span("m.yaml", 10, 9)),
        """m.yaml:10:9: error[sql-syntax]: query is not a query: expected SELECT or WITH at 'drop'
    drop table t
    ^""",
    ),
    (
        parse_query,
        Text(", a as (select 1 from) select 2", Span("m.yaml", 10, 9)),
        """m.yaml:10:30: error[sql-syntax]: query is not valid SQL: expected table name at ')'
    , a as (select 1 from) select 2
                         ^""",
    ),
    (
        parse_condition,
        "b > 2 and a > > 3",
        """error[sql-syntax]: condition is not valid SQL: expected something between '>' and '>'
    b > 2 and a > > 3
                  ^""",
    ),
    (
        parse_condition,
        "a < /* and */ < 3",
        """error[sql-syntax]: condition is not valid SQL: expected something between '<' and '<'
    a < /* and */ < 3
                  ^""",
    ),
    (
        parse_expression,
        "a : : int",
        """error[sql-syntax]: expression is not valid SQL: expected something between ':' and ':'
    a : : int
        ^""",
    ),
    (
        parse_frame,
        "rows",
        """error[sql-syntax]: frame clause is not valid SQL: expected bounds after ROWS
    rows
    ^""",
    ),
    (
        parse_frame,
        "a desc",
        """error[sql-syntax]: frame clause is not valid SQL: expected ')' at 'desc'
    a desc
      ^""",
    ),
]


@pytest.mark.parametrize(("parse", "text", "expected"), ERRORS, ids=[str(error[1]) for error in ERRORS])
def test_errors_point_at_the_place(parse: object, text: str, expected: str) -> None:
    with pytest.raises(ProjectError) as raised:
        parse(text, READING)  # type: ignore[operator]
    assert str(raised.value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a >> 3", "a >> 3"),
        ("a << 3", "a << 3"),
        ("cast(a as array<array<int> >)", "CAST(a AS INT[][])"),
        ("cast(a as map<text, array<int> > ) is null or b > 3", "CAST(a AS MAP(TEXT, INT[])) IS NULL OR b > 3"),
    ],
)
def test_signs_that_belong_together(text: str, expected: str) -> None:
    assert parse_expression(text, Reading(source="databricks")).sql("duckdb") == expected


def test_a_given_span_wins() -> None:
    with pytest.raises(ProjectError) as raised:
        parse_expression("a b", READING, Span("m.yaml", 3, 5), "where of orders")
    problem = raised.value.problems[0]
    assert str(problem.span) == "m.yaml:3:7"
    assert problem.message.startswith("where of orders is not valid SQL")


def test_order_by_error_at_its_end() -> None:
    with pytest.raises(ProjectError) as raised:
        parse_order_by(["a desc rows between"], READING, Span("m.yaml", 3, 5))
    assert raised.value.problems[0].code == "sql-syntax"
