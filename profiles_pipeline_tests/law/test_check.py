"""What counts as a difference."""

from datetime import datetime
from decimal import Decimal

import pytest

from profiles_pipeline_tests.law.check import differences, settled
from profiles_pipeline_tests.law.place import Relation

Rows = tuple[tuple[object, ...], ...]


def relation(*rows: tuple[object, ...], columns: tuple[str, ...] = ("id", "value")) -> Relation:
    return Relation(tuple((name, "ANY") for name in columns), rows)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((("a", 1), ("b", None)), (("b", None), ("a", 1))),
        ((("a", 0.1 + 0.2), ("b", 0.0)), (("a", 0.3), ("b", 1e-15))),
        ((("a", 1e9),), (("a", 1e9 + 0.5),)),
        ((("a", Decimal("1.50")),), (("a", 1.5),)),
        ((("a", ["x", "y"]), ("a", datetime(2024, 1, 1))), (("a", datetime(2024, 1, 1)), ("a", ["x", "y"]))),
        ((), ()),
    ],
)
def test_equal(one: Rows, other: Rows) -> None:
    assert differences("r", relation(*one), relation(*other)) == []


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ((("a", 1),), (("a", 2),), "r.value: 2 instead of 1"),
        ((("a", None),), (("a", 0),), "r.value: 0 instead of None"),
        ((("a", None),), (("a", 0.0),), "r.value: 0.0 instead of None"),
        ((("a", 1.0),), (("a", 1.00000001),), "r.value: 1.00000001 instead of 1.0"),
        ((("a", 10),), (("a", 10), ("a", 10)), "r: 2 rows instead of 1"),
        ((("a", ["x", "y"]),), (("a", ["y", "x"]),), "r.value: ['y', 'x'] instead of ['x', 'y']"),
        ((("a", 10**18),), (("a", 10**18 + 1),), "r.value: 1000000000000000001 instead of 1000000000000000000"),
    ],
)
def test_different(one: Rows, other: Rows, told: str) -> None:
    assert differences("r", relation(*one), relation(*other))[0].startswith(told)


def test_columns_count_with_their_order_and_types() -> None:
    assert differences("r", relation(), relation(columns=("value", "id"))) != []
    assert differences("r", relation(), Relation((("id", "ANY"), ("value", "OTHER")), ())) != []


def test_places_of_doubled_rows_are_told_apart_by_nobody() -> None:
    columns = ("place", "prev_ts", "n")
    one = relation((1, "a", 7), (2, "b", 7), (3, "b", 8), columns=columns)
    crossed = relation((2, "a", 7), (1, "b", 7), (3, "b", 8), columns=columns)
    wrong = relation((1, "a", 7), (3, "b", 7), (2, "b", 8), columns=columns)
    assert differences("r", settled(one), settled(crossed)) == []
    assert differences("r", settled(one), settled(wrong)) != []
