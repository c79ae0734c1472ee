from __future__ import annotations

import pytest
from sqlglot import exp

from profiles_pipeline.dialects import render
from profiles_pipeline.sql import build

A, B = exp.column("a"), exp.column("b")
TABLE = exp.to_table("s.t")
ONE = build("SELECT 1 AS x")


def flat(tree: exp.Expr) -> str:
    return render(tree, "duckdb", pretty=False)


@pytest.mark.parametrize(
    ("text", "fillings", "expected"),
    [
        ("SELECT :columns, COUNT(*) FROM :t AS t GROUP BY :columns", {"columns": [A, B], "t": TABLE},
         "SELECT a, b, COUNT(*) FROM s.t AS t GROUP BY a, b"),
        ("SELECT :columns FROM :t", {"columns": ["My Col"], "t": TABLE}, 'SELECT "My Col" FROM s.t'),
        ("SELECT * FROM :t AS q", {"t": ONE}, "SELECT * FROM (SELECT 1 AS x) AS q"),
        ("SELECT * FROM (:q) AS q", {"q": ONE}, "SELECT * FROM (SELECT 1 AS x) AS q"),
        ("SELECT * FROM a WHERE :c AND d", {"c": build("x OR y")}, "SELECT * FROM a WHERE (x OR y) AND d"),
        ("SELECT * FROM a WHERE :c", {"c": None}, "SELECT * FROM a"),
        ("SELECT * FROM a ORDER BY :k", {"k": []}, "SELECT * FROM a"),
        ("SELECT * FROM a ORDER BY :k", {"k": [A, B]}, "SELECT * FROM a ORDER BY a, b"),
        ("SUM(x) FILTER (WHERE :c)", {"c": None}, "SUM(x)"),
        ("SUM(x) FILTER (WHERE :c)", {"c": build("a = 1")}, "SUM(x) FILTER(WHERE a = 1)"),
        ("ROW_NUMBER() OVER (PARTITION BY :p ORDER BY :o)",
         {"p": [A, B], "o": exp.Ordered(this=A, desc=True, nulls_first=True)},
         "ROW_NUMBER() OVER (PARTITION BY a, b ORDER BY a DESC NULLS FIRST)"),
        ("ROW_NUMBER() OVER (PARTITION BY :p ORDER BY :o)", {"p": [], "o": []}, "ROW_NUMBER() OVER ()"),
        ("COALESCE(:values)", {"values": [A, B]}, "COALESCE(a, b)"),
        ("a IN (:values)", {"values": [exp.convert(1), exp.convert(2)]}, "a IN (1, 2)"),
        ("a IN (:q)", {"q": ONE}, "a IN (SELECT 1 AS x)"),
        ("EXISTS(:q)", {"q": ONE}, "EXISTS(SELECT 1 AS x)"),
        ("SELECT :x AS :name", {"x": build("1 + 1"), "name": "two"}, 'SELECT 1 + 1 AS "two"'),
        ("SELECT t.:name FROM t", {"name": "two"}, 'SELECT t."two" FROM t'),
        ("x::INT * :y", {"y": build("a + b")}, "CAST(x AS INT) * (a + b)"),
        ("CREATE OR REPLACE TABLE :t AS :q", {"t": TABLE, "q": ONE}, "CREATE OR REPLACE TABLE s.t AS (SELECT 1 AS x)"),
        ("INSERT INTO :t (:columns) SELECT 1, 2", {"t": TABLE, "columns": ["x", "y"]},
         'INSERT INTO s.t ("x", "y") SELECT 1, 2'),
        ("DROP TABLE IF EXISTS :t", {"t": TABLE}, "DROP TABLE IF EXISTS s.t"),
        ("{'a': :x}", {"x": A}, "{'a': a}"),
        ("LIST_TRANSFORM(l, LAMBDA x : x + :y)", {"y": A}, "LIST_TRANSFORM(l, LAMBDA x : x + a)"),
        ("l[1:2]", {}, "l[1:2]"),
    ],
)  # fmt: skip
def test_build(text: str, fillings: dict[str, object], expected: str) -> None:
    assert flat(build(text, **fillings)) == expected  # type: ignore[arg-type]
    assert flat(build(text, **fillings)) == expected  # type: ignore[arg-type]


def test_fillings_are_copied() -> None:
    tree = build("a + b")
    built = build(":x * 2", x=tree)
    tree.find(exp.Column).replace(exp.column("changed"))  # type: ignore[union-attr]
    assert flat(built) == "(a + b) * 2"


@pytest.mark.parametrize(
    ("text", "fillings"),
    [
        ("SELECT :a", {"b": A}),
        ("SELECT :a", {}),
        ("SELECT FROM WHERE", {}),
        ("SELECT x AS :name", {"name": build("1")}),
        ("SELECT NOT :a", {"a": [A, B]}),
        ("SELECT ABS(:a + 1)", {"a": None}),
    ],
)
def test_build_refuses(text: str, fillings: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        build(text, **fillings)  # type: ignore[arg-type]
