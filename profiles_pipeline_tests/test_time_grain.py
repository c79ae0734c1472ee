"""Models and vars as of the last boundary of their time grain."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import plan
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.run import Report
from profiles_pipeline_tests.test_run import Shop, built, reused

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
default_time_grain: tick
entities: [{name: user, id_types: [user_id]}]
id_types: [{name: user_id}]
"""
MODELS = """
inputs:
  - {name: orders, table: orders, occurred_at_col: ts, ids: [{select: user_id, type: user_id, entity: user}]}
models:
  - {name: weekly, model_type: sql_template, model_spec: {materialization: {output_type: table}, time_grain: week,
     single_sql: "select count(*) as n, '{{end_time.Format(\\"2006-01-02\\")}}' as as_of
       from {{this.DeRef('inputs/orders')}}"}}
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: total, select: sum(amount), from: inputs/orders}
      - entity_var: {name: since, select: "{{user.total}} - {{user.total_then}}"}
      - entity_var: {name: after, select: count(*), from: inputs/orders, where: "amount > {{user.total_then}}"}
  - name: monthly
    entity_key: user
    time_grain: month
    vars:
      - entity_var: {name: total_then, select: sum(amount), from: inputs/orders, default_value: 0}
      - entity_var: {name: double_then, select: "2 * {{user.total}}"}
"""
ORDERS = (
    "user_id,amount,ts\n"
    "u1,10,2024-01-31 10:00:00\n"  # the boundaries are 2024-01-01 and 2024-02-05
    "u1,20,2024-02-06 10:00:00\n"
    "u2,30,2024-02-07 10:00:00\n"
    "u1,5,2024-02-20 10:00:00\n"
)
EARLY, LATE = datetime(2024, 2, 10, 12, tzinfo=UTC), datetime(2024, 2, 21, 12, tzinfo=UTC)
VARS = "SELECT total, total_then, double_then, since, after FROM user_feature_view ORDER BY total, total_then"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.write(MODELS, PROJECT, {"orders": ORDERS})
    return made


def windows(report: Report) -> dict[str, set[int]]:
    """Path -> numbers of the windows it was built for or reused in."""
    found: dict[str, set[int]] = {}
    for item in report.built:
        found.setdefault(item.model.path, set()).add(int(item.material.rpartition("_")[2]))
    return found


def test_vars_of_a_month_are_as_of_its_first_monday(shop: Shop) -> None:
    shop.run(end=EARLY)
    assert shop.query(VARS) == [(30, 10, 20, 20, 1), (30, None, None, None, None)]
    shop.run(end=LATE)
    assert shop.query(VARS) == [(30, None, None, None, None), (35, 10, 20, 25, 1)]


def test_one_material_for_each_boundary(shop: Shop) -> None:
    first = shop.run(end=EARLY)
    ((other, week),) = shop.query(
        "SELECT any_value(seq_no), count(*) FROM wht_seq_no WHERE end_ts = '2024-02-05'"
    )  # the week begins on the same day as the month
    own = first.window.seq_no
    assert week == 1
    assert windows(first)["user/all/var_table"] == {own}
    assert windows(first)["user/all/var_table/part_1"] == windows(first)["user/all"] == {own, other}
    assert windows(first)["user/all/var_table/month"] == {other}
    second = shop.run(end=LATE)
    months = {path for path in windows(second) if "/month" in path}
    assert reused(second) == months  # what they were made from is not looked at again
    assert windows(second)["user/all"] == {second.window.seq_no}
    assert "models/weekly" in built(second)
    assert shop.query("SELECT n, as_of FROM weekly") == [(3, "2024-02-19")]


def test_a_run_at_the_boundary_itself_is_the_window_of_the_grain(shop: Shop) -> None:
    shop.run(end=EARLY)
    boundary = shop.run(end=datetime(2024, 2, 5, tzinfo=UTC))
    assert boundary.window.seq_no == 2
    assert {"user/all", "user/all/var_table/month"} <= reused(boundary)
    assert boundary.stays_on is not None
    assert shop.run(seq_no="latest").window.seq_no == 2  # now it is the window of a run as well


def test_windows_of_grains_are_nobodys_run(shop: Shop) -> None:
    shop.run(end=EARLY)
    assert shop.run(seq_no="latest").window.end == EARLY
    assert shop.run().window.end > LATE


def test_asked_for_by_itself(shop: Shop) -> None:
    report = shop.run(end=EARLY, request=plan.Request(("user/double_then",)))
    month = windows(report)["user/all/var_table/month"]
    assert set().union(*windows(report).values()) == month
    assert report.promoted == ("user_var_table_month",)


def test_a_stitcher_of_a_day_is_read_as_of_that_day_by_everybody(shop: Shop) -> None:
    entity = "{name: user, id_types: [user_id], default_id_stitcher: {time_grain: day}}"
    project = PROJECT.replace("{name: user, id_types: [user_id]}", entity)
    shop.write("inputs:" + MODELS.partition("inputs:")[2].partition("models:")[0], project, {})
    report = shop.run(end=datetime(2024, 2, 7, 12, tzinfo=UTC))
    assert windows(report)["models/user_default_id_stitcher"] == {2}
    assert windows(report)["user/all"] == {1}
    assert shop.query("SELECT count(*) FROM user_all") == [(1,)]


def test_the_default_is_the_grain_of_all_that_state_none(shop: Shop) -> None:
    shop.write(MODELS, PROJECT.replace("default_time_grain: tick", "default_time_grain: day"), {})
    report = shop.run(end=datetime(2024, 2, 7, 12, tzinfo=UTC))
    assert report.window.seq_no not in set().union(*windows(report).values())
    assert shop.query(VARS) == [(30, 10, 20, 20, 1)]
    assert shop.query("SELECT DISTINCT valid_at FROM user_feature_view") == [(datetime(2024, 2, 7),)]
    assert built(shop.run(end=datetime(2024, 2, 7, 18, tzinfo=UTC))) == set()


COHORT = """
inputs:
  - {name: orders, table: orders, occurred_at_col: ts,
     ids: [{select: user_id, type: user_id, entity: user}, {select: email, type: email, entity: user}]}
models:
  - {name: large, model_type: entity_cohort, model_spec: {extends: user/all, time_grain: day,
     filter_expression: "{{user.total}} > 5"}}
var_groups:
  - {name: a, entity_key: user, vars: [{entity_var: {name: total, select: sum(amount), from: inputs/orders}}]}
  - {name: b, entity_cohort: models/large, vars: [{entity_var: {name: n, select: count(*), from: inputs/orders}}]}
"""


def test_members_as_of_a_day_keep_their_rows_when_they_become_somebody_else(shop: Shop) -> None:
    project = PROJECT.replace("[user_id]", "[user_id, email]").replace(
        "[{name: user_id}]", "[{name: user_id}, {name: email}]"
    )
    orders = (
        "user_id,email,amount,ts\n"
        "u1,a,10,2024-02-06 10:00:00\n"
        "u2,b,20,2024-02-06 11:00:00\n"
        "u1,b,30,2024-02-07 10:00:00\n"
    )
    shop.write(COHORT, project, {"orders": orders})
    shop.run(end=datetime(2024, 2, 7, 12, tzinfo=UTC))
    assert shop.query("SELECT total, n FROM large_var_table ORDER BY total") == [(60, 3), (None, None)]


def test_the_grain_is_part_of_the_definition(shop: Shop) -> None:
    before = shop.load().fingerprints
    shop.write(MODELS.replace("time_grain: week", "time_grain: month"), PROJECT)
    after = shop.load().fingerprints
    assert {path for path in before if before[path] != after[path]} == {"models/weekly"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("time_grain: week", "time_grain: wekk", "all.yaml:5:110: error[unknown-time-grain]: 'wekk' is no time_grain"),
        ("time_grain: month", "time_grain: fortnight", "'fortnight' is no time_grain"),
        ("default_time_grain: tick", "default_time_grain: ticks", "hint: did you mean 'tick'?"),
        ("default_time_grain: tick", "default_time_grain: month", "finer-time-grain]: time_grain 'week' is finer"),
    ],
)
def test_grains_that_do_not_fit(shop: Shop, old: str, new: str, said: str) -> None:
    shop.write(MODELS.replace(old, new, 1), PROJECT.replace(old, new, 1))
    with pytest.raises(ProjectError) as caught:
        shop.load()
    assert said in str(caught.value)
