"""A copy of a tree is equal to it, whole in itself, and independent of it."""

import pytest
from sqlglot import exp

from profiles_pipeline import sql

TEXTS = (
    "count(distinct case when status in ('paid', 'sent') and amount > 3 then category end)",
    "datediff(day, date(occurred_at), current_date()) <= 7",
    "date_trunc('month', occurred_at)::date",
    "array_agg(distinct category) within group (order by category desc)",
    "payload:items[0]:name::varchar",
    "sum(amount) over (partition by a, b order by c rows between 2 preceding and current row)",
    "x in (select y from t as u (y, z) where u.z between 1 and 2 union all select 1)",
)


def known_of(tree: exp.Expr) -> list[tuple[object, ...]]:
    return [(type(node), str(node), node.type, node.meta, node.comments or []) for node in tree.walk()]


@pytest.mark.parametrize("text", TEXTS)
def test_a_copy_is_the_same_tree(text: str) -> None:
    tree = sql.parse_expression(text, sql.Reading())
    copy = sql.copied(tree)
    assert copy == tree
    assert copy.sql("duckdb") == tree.sql("duckdb")
    assert known_of(copy) == known_of(tree)


@pytest.mark.parametrize("text", TEXTS)
def test_a_copy_is_whole_in_itself(text: str) -> None:
    tree = sql.parse_expression(text, sql.Reading())
    part = next(tree.iter_expressions())
    assert sql.copied(part).parent is None
    nodes = list(sql.copied(tree).walk())
    places = [
        (child.parent is node, child.arg_key == key, child.index == index)
        for node in nodes
        for key, value in node.args.items()
        for index, child in (enumerate(value) if isinstance(value, list) else [(None, value)])
        if isinstance(child, exp.Expr)
    ]
    assert len(places) == len(nodes) - 1
    assert {flag for place in places for flag in place} == {True}


@pytest.mark.parametrize("text", TEXTS)
def test_changing_a_copy_leaves_the_tree_alone(text: str) -> None:
    tree = sql.parse_expression(text, sql.Reading())
    before = known_of(sql.copied(tree))
    for node in list(sql.copied(tree).walk()):
        node.meta["mark"] = True
        node.add_comments(["changed"])
        if isinstance(node, exp.Identifier | exp.Literal):
            node.set("this", "other")
        node.set("expressions", [])
    assert known_of(tree) == before
