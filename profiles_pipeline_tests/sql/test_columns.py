"""What is known of the columns that a query yields."""

from __future__ import annotations

import pytest
from sqlglot import exp

from profiles_pipeline.sql import Columns, Known, Reading, columns_of, parse_query

T = exp.DType
OF_T = [("x", T.JSON), ("d", T.DATE), ("s", T.VARCHAR)]
KNOWN = Known(
    relations=frozenset(
        {
            ("t", Columns((("x", T.JSON), ("d", T.DATE), ("s", T.VARCHAR)), complete=True)),
            ("ref:models/m", Columns((("v", T.JSON),), complete=False)),
        }
    )
)


@pytest.mark.parametrize(
    ("text", "types", "complete"),
    [
        ("select * from t", OF_T, True),
        ("select * exclude (x, s) from t", [("d", T.DATE)], True),
        ("select t.* rename (x as y), s::int as n from t", [("y", T.JSON), *OF_T[1:], ("n", T.INT)], True),
        ("select *, 1 as n from t join unknown u on true", [*OF_T, ("n", T.INT)], False),
        ("with a(p, q, r) as (select * from t) select q, p:k as k from a", [("q", T.DATE), ("k", T.JSON)], True),
        ('select v, w from "ref:models/m"', [("v", T.JSON), ("w", None)], True),
        ('select m.v from "ref:models/m"', [("v", T.JSON)], True),
        ("select s as v from t union all select x from t", [("v", T.JSON)], True),
        ("select null as v union all select d from t", [("v", T.DATE)], True),
        ("select s as v from t union all select d from t", [("v", None)], True),
        ("select f.value, f.index i from t, lateral flatten(input => x) f", [("value", T.JSON), ("i", T.BIGINT)], True),
        ("select (select max(i.d) from t i where i.s = o.s) as d from t o", [("d", T.DATE)], True),
        ("select array_agg(x) as a, array_agg(s) as b, 1.5 as c, 1::float as e from t",
         [("a", T.JSON), ("b", T.ARRAY), ("c", T.BIGDECIMAL), ("e", T.DOUBLE)], True),
        ("select * from t pivot (max(s) for d in ('a', 'b'))", [], False),
    ],
)  # fmt: skip
def test_columns_of(text: str, types: list[tuple[str, exp.DType | None]], complete: bool) -> None:
    found = columns_of(parse_query(text, Reading("snowflake", "duckdb", known=KNOWN)))
    assert found == Columns(tuple(types), complete)


def test_a_column_of_the_source_comes_before_the_alias() -> None:
    tree = parse_query(
        "select x:a::varchar as x, upper(x) as u, d::varchar as v, v || '' as w from t", Reading(known=KNOWN)
    )
    assert "UPPER(x ->> '$')" in tree.sql("duckdb")
