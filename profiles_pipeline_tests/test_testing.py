"""The user's unit-test format: what it accepts, what counts as equal, and how differences are told."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from profiles_pipeline.errors import ProjectError, WarehouseError
from profiles_pipeline.testing import comparable, inferred_type, load_case, main_id, run_case

CASE = """
end_time: 2024-02-01
given:
  shop.orders:
    - {user_id: u1, amount: 3, ordered_at: 2024-01-05 10:00:00}
    - {user_id: u2, amount: 4, ordered_at: 2024-01-06 10:00:00}
project:
  entities: [{name: user, id_types: [user_id]}]
  id_types: [{name: user_id}]
  inputs:
    - name: orders
      table: shop.orders
      occurred_at_col: ordered_at
      ids: [{select: user_id, type: user_id, entity: user}]
  var_groups:
    - {name: vars, entity_key: user, vars: [{entity_var: {name: spent, select: sum(amount), from: inputs/orders}}]}
"""
HOLDS = """
expect:
  user_feature_view:
    - {user_main_id: "rid(user_id, u2)", spent: 4.0}
    - {user_main_id: "rid(user_id, u1)", spent: 3}
  best first:
    query: select spent from user_feature_view order by spent desc
    ordered: true
    rows: [{spent: 4}, {spent: 3}]
"""


def differences(folder: Path, text: str) -> list[str]:
    folder.mkdir(exist_ok=True)
    file = folder / "case.yaml"
    file.write_text(text)
    return [str(mismatch) for mismatch in run_case(load_case(file), folder / "project")]


def test_a_case_that_holds_has_no_differences(tmp_path: Path) -> None:
    assert differences(tmp_path, CASE + HOLDS) == []
    assert {p.name for p in (tmp_path / "project").iterdir()} >= {"pb_project.yaml", "models", "data", "output"}


def test_every_difference_is_told(tmp_path: Path) -> None:
    wrong = """
errors: []
expect:
  user_feature_view:
    columns: [user_main_id, spent]
    rows:
      - ["rid(user_id, u1)", 5]
      - ["rid(user_id, u2)", 4]
      - ["rid(user_id, u3)", null]
  too few:
    query: select spent from user_feature_view where spent = 4
    rows: []
  wrong order:
    query: select spent from user_feature_view order by spent
    ordered: true
    rows: [{spent: 4}, {spent: 3}, {spent: 2}]
  user_profile:
    - {spent: 1}
  user_var_table:
    - {spend: 1}
"""
    u1, u3 = main_id("user_id", "u1"), main_id("user_id", "u3")
    found = differences(tmp_path, CASE + wrong)
    missing = next(text for text in found if text.startswith("user_profile"))
    assert "user_profile: relation:" in missing
    assert [text for text in found if text != missing] == [
        f"user_feature_view: different row: spent: expected 5, got 3 (row {{user_main_id: '{u1}'}})",
        f"user_feature_view: missing row: {{user_main_id: '{u3}', spent: null}}",
        "too few: extra row: {}",
        "wrong order: different row: spent: expected 4, got 3",
        "wrong order: different row: spent: expected 3, got 4",
        "wrong order: missing row: {spent: 2}",
        "user_var_table: column: there is no column 'spend'; did you mean 'spent'?",
    ]


def test_expected_problems_must_be_said_and_no_others(tmp_path: Path) -> None:
    wrong = CASE.replace("sum(amount)", "sum(amout)")
    assert differences(tmp_path / "a", wrong + "errors: ['amount']") == []
    assert differences(tmp_path / "b", wrong + "errors: [something else]") == [
        "errors: problem: nothing says 'something else'",
        "errors: problem: models/models.yaml:15:19: error[unknown-column]: var 'spent' uses column 'amout', "
        "which its source does not have\n    sum(amout)\n        ^\n    hint: did you mean 'amount'?",
    ]
    assert differences(tmp_path / "c", CASE + "errors: [anything]") == ["errors: problem: nothing says 'anything'"]


def test_warnings_are_compared_when_they_are_stated(tmp_path: Path) -> None:
    spec = "{entity_key: user, edge_sources: [{from: inputs/orders}]}"
    unused = f"{CASE}  models: [{{name: other, model_type: id_stitcher, model_spec: {spec}}}]\n"
    assert differences(tmp_path, unused) == []
    assert differences(tmp_path / "stated", unused + "warnings: ['other'' is not used']\n") == []


def test_a_project_may_be_a_folder_beside_the_case(tmp_path: Path) -> None:
    assert differences(tmp_path / "first", CASE) == []
    head = CASE.split("project:", maxsplit=1)[0]
    assert differences(tmp_path, f"{head}\nproject: first/project\n{HOLDS}") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "a case must be a mapping"),
        ("end_time: soon", "'end_time' is not a time: soon"),
        ("given: {}", "key 'end_time' is missing"),
        ("end_time: 2024-01-01\nexpected: {}", "did you mean 'expect'?"),
        ("end_time: 2024-01-01\ngiven: [a]", "'given' must be a mapping"),
        ("end_time: 2024-01-01\ngiven: {t: {columns: [a, b], rows: [[1]]}}", "does not have a value for each of a, b"),
        ("end_time: 2024-01-01\ngiven: {t: [{a: 1}, {b: 1}]}", "does not have a value for each of a, b"),
        ("end_time: 2024-01-01\ngiven: {t: {row: []}}", "unknown key 'row' in 't'"),
        ("end_time: 2024-01-01\nerrors: none", "'errors' must be a list of texts"),
    ],
)
def test_what_is_no_case_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "case.yaml").write_text(text)
    with pytest.raises(ProjectError, match=r"case\.yaml:[12]:") as caught:
        load_case(tmp_path / "case.yaml")
    assert problem in str(caught.value)


def test_a_value_that_does_not_fit_its_column_is_blamed_on_the_table(tmp_path: Path) -> None:
    text = "end_time: 2024-01-01\nproject: {}\ngiven: {shop.orders: {columns: {amount: integer}, rows: [[x]]}}"
    with pytest.raises(WarehouseError, match=r"given table 'shop\.orders'"):
        differences(tmp_path, text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (3, 3.0),
        (1 / 3, Decimal("0.3333333333")),
        ("2024-01-01T10:00:00Z", datetime(2024, 1, 1, 10)),
        ("2024-01-01 10:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("2024-01-01", date(2024, 1, 1)),
        ([1, "a", None], (1.0, "a", None)),
        ({"a": 1}, {"a": 1.0}),
    ],
)
def test_values_that_count_as_equal(one: object, other: object) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        ("1", 1),
        (None, ""),
        (None, 0),
        (0.1, 0.10000001),
        ("2024-01-01", datetime(2024, 1, 1)),
        ([1, 2], [2, 1]),
    ],
)
def test_values_that_differ(one: object, other: object) -> None:
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None], "BIGINT"),
        ([1, 2.5], "DOUBLE"),
        ([True, False], "BOOLEAN"),
        ([True, 1], "VARCHAR"),
        (["2024-01-01", None], "DATE"),
        (["2024-01-01", "2024-01-01 10:00:00"], "TIMESTAMP"),
        (["2024-01-01", "soon"], "VARCHAR"),
        ([[1], [2, None]], "BIGINT[]"),
        ([None], "VARCHAR"),
        ([], "VARCHAR"),
    ],
)
def test_column_types_follow_from_the_values(values: list[object], expected: str) -> None:
    assert inferred_type(values) == expected
