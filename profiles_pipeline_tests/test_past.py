"""What models ask of earlier windows: old materials, rows that are new since then, ids that have moved."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import connections, plan
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.resolve.past import past_ref
from profiles_pipeline.run import Event, Options, Planned, run
from profiles_pipeline.testing import main_id
from profiles_pipeline_tests.test_run import Shop, built, reused

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
entities: [{name: user, id_types: [user_id, email]}]
id_types: [{name: user_id}, {name: email}]
"""
INPUTS = """
inputs:
  - name: orders
    table: orders
    occurred_at_col: ts
    contract: {is_append_only: true, with_columns: [{name: amount}]}
    ids: [{select: user_id, type: user_id, entity: user}, {select: email, type: email, entity: user}]
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: total, select: sum(amount), from: inputs/orders, merge: "sum({{rowset.total}})",
          merge_where: "{{this.total}} > 0"}
"""
RUNNING = """
models:
  - name: running
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: |
        {%- set last = this.DeRef(pre_existing=true, dependency="optional", checkpoint_name="running") -%}
        {%- set new = this.DeRef("inputs/orders/incr_delta_tbl", dependency="coercive", baseline_name="running",
            prereqs=[last]) -%}
        {%- set full = this.DeRef("inputs/orders", prereqs=[new.Except()]) -%}
        {% if last.IsEnabled() %}
          select user_id, sum(amount) as amount, min(since) as since from (
            select user_id, amount, since from {{last}}
            union all
            select user_id, amount, timestamp '{{end_time.Format("2006-01-02 15:04:05")}}' from {{new}}
          ) as parts group by user_id
        {% else %}
          select user_id, sum(amount) as amount, timestamp '{{end_time.Format("2006-01-02 15:04:05")}}' as since
          from {{full}} group by user_id
        {% endif %}
"""
ORDERS = (
    "user_id,email,amount,ts\n"
    "u1,a,10,2024-01-01 00:00:00\n"
    "u2,b,1000,\n"  # without a time: visible from the first window on, and counted once
    "u2,b,20,2024-01-10 00:00:00\n"  # at the end of the first window: the first row of the second one
    "u1,b,30,2024-01-11 00:00:00\n"
    "u3,c,40,2024-01-25 00:00:00\n"
)
FIRST, SECOND, THIRD = (datetime(2024, 1, day, tzinfo=UTC) for day in (10, 20, 30))
STATE = "SELECT user_id, amount FROM running ORDER BY 1"


def shop_of(folder: Path, models: str = "") -> Shop:
    made = Shop(folder)
    made.write(INPUTS + models, PROJECT, {"orders": ORDERS})
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_of(tmp_path, RUNNING)


# --- a model's own past -------------------------------------------------------------------------------------------


def test_a_model_goes_on_from_its_last_state_and_equals_a_full_build(shop: Shop, tmp_path: Path) -> None:
    expected = [[("u1", 10), ("u2", 1000)], [("u1", 40), ("u2", 1020)], [("u1", 40), ("u2", 1020), ("u3", 40)]]
    for number, end in enumerate((FIRST, SECOND, THIRD)):
        report = shop.run(end=end)
        assert shop.query(STATE) == expected[number]
        whole = shop_of(tmp_path / f"whole_{number}", RUNNING)
        whole.run(end=end)
        assert whole.query(STATE) == expected[number]
        sql = report.sql_folder / "run" / next(b.material for b in report.built if b.model.name == "running")
        text = sql.with_name(f"{sql.name}.sql").read_text()
        assert ("Material_running" in text.partition("AS")[2]) == (number > 0)
    assert shop.query("SELECT count(DISTINCT since) FROM running") == [(2,)]


def test_which_state_was_found_is_no_part_of_the_definition(shop: Shop) -> None:
    first, second = shop.run(end=FIRST), shop.run(end=SECOND)
    assert {b.model.path: b.fingerprint for b in first.built} == {b.model.path: b.fingerprint for b in second.built}
    assert built(shop.run(end=SECOND)) == set()


def test_a_later_window_is_not_the_past(shop: Shop) -> None:
    shop.run(end=THIRD)
    report = shop.run(end=FIRST)
    relation = next(b.relation for b in report.built if b.model.path == "models/running")
    assert shop.query(f"SELECT user_id, amount FROM {relation} ORDER BY 1") == [("u1", 10), ("u2", 1000)]


def test_another_definition_or_begin_has_no_past(shop: Shop) -> None:
    shop.run(end=FIRST)
    shop.write(INPUTS + RUNNING.replace("sum(amount) as amount", "2 * sum(amount) as amount"), PROJECT, {})
    shop.run(end=SECOND)
    assert shop.query(STATE) == [("u1", 80), ("u2", 2040)]
    shop.run(begin=datetime(2024, 1, 11, tzinfo=UTC), end=THIRD)
    assert shop.query(STATE) == [("u1", 60), ("u2", 2000), ("u3", 80)]


def test_a_rebase_builds_in_full(shop: Shop) -> None:
    shop.run(end=FIRST)
    shop.write(INPUTS + RUNNING, PROJECT, {"orders": ORDERS.replace("u1,a,10,", "u1,a,11,")})
    shop.run(end=SECOND)
    assert shop.query(STATE) == [("u1", 40), ("u2", 1020)]
    assert "models/running" in built(shop.run(end=SECOND, request=plan.Request(force=True, rebase=True)))
    assert shop.query(STATE) == [("u1", 41), ("u2", 1020)]


def test_a_state_in_parts_of_a_script(tmp_path: Path) -> None:
    script = RUNNING.replace("single_sql: |", "multi_sql: |").replace(
        "{% if last", "create table {{this}} as ({% if last"
    )
    shop = shop_of(tmp_path, script.replace("{% endif %}", "{% endif %})"))
    shop.run(end=FIRST)
    shop.run(end=SECOND)
    assert shop.query(STATE) == [("u1", 40), ("u2", 1020)]


# --- the past of other models -------------------------------------------------------------------------------------

GROWTH = """
models:
  - name: growth
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: |
        {% set then = this.DeRef("user/all/var_table", pre_existing=true, dependency="optional") %}
        {% set now = this.DeRef("user/all/var_table") %}
        {% if then.IsEnabled() %}
        select n.user_main_id, n.total - t.total as grown from {{now}} as n join {{then}} as t
          on t.user_main_id = n.user_main_id
        {% else %}
        select user_main_id, total as grown from {{now}}
        {% endif %}
  - name: newcomers
    model_type: entity_cohort
    model_spec:
      extends: user/all
      filter_pipeline:
        - type: exclude
          sql: {select: user_main_id, from: "{{ this.DeRef('user/all', pre_existing=true, time_grain_spec='-1Day') }}"}
  - name: readers_of_newcomers
    model_type: sql_template
    model_spec: {single_sql: "select count(*) as n from {{this.DeRef('models/newcomers')}}",
      materialization: {output_type: table}}
"""


def test_an_earlier_state_of_another_model(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, GROWTH)
    one = main_id("user_id", "u1")
    shop.run(end=FIRST)
    assert sorted(shop.query("SELECT grown FROM growth")) == [(10,), (1000,)]
    shop.run(end=SECOND)
    # u1 and u2 have become one: the main id of u1, the elder, stays; 1060 - 10
    assert shop.query("SELECT user_main_id, grown FROM growth") == [(one, 1050)]


def test_what_needs_an_earlier_state_is_left_out_until_there_is_one(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, GROWTH)
    events: list[Event] = []
    run(shop.load(), connections.embedded(shop.folder), Options(end=FIRST), events.append)
    (planned,) = [event for event in events if isinstance(event, Planned)]
    reasons = {item.path: item.reason for item in planned.project.disabled}
    assert reasons["models/newcomers"] == "it needs an earlier state of 'user/all', and there is none yet"
    assert "models/readers_of_newcomers" in reasons
    assert "models/growth" not in reasons
    later = shop.run(end=FIRST.replace(hour=12))  # an hour of the same day is no day back: midnight is
    assert {"models/newcomers", "models/readers_of_newcomers"} <= built(later)
    assert shop.query("SELECT count(*) FROM newcomers") == [(0,)]
    shop.run(end=THIRD)
    assert shop.query("SELECT * FROM newcomers") == [(min(main_id("user_id", "u3"), main_id("email", "c")),)]
    assert shop.query("SELECT n FROM readers_of_newcomers") == [(1,)]


LOOKING_AT_WHAT_MAY_BE_LEFT_OUT = """
  - name: looking
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: |
        {% set then = this.DeRef("models/newcomers", pre_existing=true, dependency="optional") %}
        {% if then.IsEnabled() %}select count(*) as n from {{then}}{% else %}select -1 as n{% endif %}
"""


def test_what_is_left_out_has_no_past(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, GROWTH + LOOKING_AT_WHAT_MAY_BE_LEFT_OUT)
    counts = []
    for end in (FIRST, SECOND, THIRD):
        shop.run(end=end)
        counts += shop.query("SELECT n FROM looking")
    assert counts == [(-1,), (-1,), (0,)]


@pytest.mark.parametrize(
    ("spec", "end", "latest"),
    [
        ("", "2024-02-07T12:30:00", "2024-02-07T12:30:00"),
        ("-1Day", "2024-02-07T12:30:00", "2024-02-07T00:00:00"),
        ("-2Days", "2024-02-07T12:30:00", "2024-02-06T00:00:00"),
        ("-1 hour", "2024-02-07T12:30:00", "2024-02-07T12:00:00"),
        ("-1Week", "2024-02-07T12:30:00", "2024-02-05T00:00:00"),
        ("-1Month", "2024-02-04T12:30:00", "2024-01-01T00:00:00"),
        ("-2month", "2024-02-07T12:30:00", "2024-01-01T00:00:00"),
        ("yearly", "2024-02-07T12:30:00", "2024-01-01T00:00:00"),
    ],
)
def test_how_far_back(spec: str, end: str, latest: str) -> None:
    ref = past_ref(f"models/x?pre_existing=true&time_grain_spec={spec}")
    assert ref is not None
    assert ref.latest(datetime.fromisoformat(end)) == datetime.fromisoformat(latest)


# --- ids that have moved ------------------------------------------------------------------------------------------

MOVED = """
models:
  - name: moved
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: select * from {{this.DeRef("models/user_default_id_stitcher/id_clusters_delta")}}
"""
REKEYED = """
models:
  - name: per_person
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: |
        {% set last = this.DeRef(pre_existing=true, dependency="optional", checkpoint_name="people") %}
        {% set moved = this.DeRef("models/user_default_id_stitcher/id_clusters_delta", dependency="coercive",
            baseline_name="people", prereqs=[last]) %}
        {% set new = this.DeRef("inputs/orders/incr_delta_tbl/var_table", dependency="coercive",
            baseline_name="people", prereqs=[last]) %}
        {% set full = this.DeRef("inputs/orders/var_table") %}
        {% if moved.IsEnabled() %}
        select id, sum(amount) as amount from (
          select coalesce(m.new_main_id, l.id) as id, l.amount from {{last}} as l
            left join {{moved}} as m on m.old_main_id = l.id
          union all select user_main_id, amount from {{new}}) as parts group by 1
        {% else %}select user_main_id as id, sum(amount) as amount from {{full}} group by 1{% endif %}
"""


def test_main_ids_that_have_become_others(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, MOVED)
    shop.run(end=FIRST)
    assert shop.query("SELECT * FROM moved") == []
    shop.run(end=SECOND)
    before, after = min(main_id("email", "b"), main_id("user_id", "u2")), main_id("user_id", "u1")
    assert shop.query("SELECT old_main_id, new_main_id FROM moved") == [(before, after)]
    shop.run(end=THIRD)
    assert shop.query("SELECT * FROM moved") == []


def test_old_rows_take_the_ids_of_today(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, REKEYED)
    for end in (FIRST, SECOND, THIRD):
        shop.run(end=end)
        whole = shop_of(tmp_path / f"{end:%d}", REKEYED)
        whole.run(end=end)
        query = "SELECT id, amount FROM per_person ORDER BY 1"
        assert shop.query(query) == whole.query(query)
    assert sorted(row[1] for row in shop.query("SELECT id, amount FROM per_person")) == [40, 1060]  # type: ignore[type-var]


# --- merges -------------------------------------------------------------------------------------------------------


def test_a_var_with_a_merge_is_what_its_select_says(shop: Shop) -> None:
    shop.run(end=FIRST)
    report = shop.run(end=SECOND)
    assert "user/all/var_table" not in reused(report)
    assert shop.query("SELECT total FROM user_feature_view") == [(1060,)]


def test_an_earlier_state_that_nobody_asks_for_is_waited_for(tmp_path: Path) -> None:
    shop = shop_of(
        tmp_path,
        """models:
  - {name: other, model_type: sql_template,
     model_spec: {materialization: {output_type: table}, single_sql: select 1 as n}}
  - name: odd
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: >-
        {% with p = this.DeRef("models/other", pre_existing=true, dependency="optional") %}
        select n from {{p}}{% endwith %}
  - {name: late, model_type: sql_template, model_spec: {materialization: {output_type: table},
     single_sql: "select n + 1 as n from {{this.DeRef('models/odd')}}"}}
""",
    )
    first = built(shop.run(end=FIRST))
    assert "models/other" in first
    assert not {"models/odd", "models/late"} & first
    assert {"models/odd", "models/late"} <= built(shop.run(end=SECOND))
    assert shop.query("SELECT n FROM late") == [(2,)]


# --- what cannot be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            '{{this.DeRef("models/odd", pre_existing=true, dependency="optional")}}',
            "error[no-past-material]: an earlier state of 'models/odd' is asked for",
        ),
        ('{{this.DeRef("models/nothing", pre_existing=true)}}', "error[unknown-model]"),
        (
            '{{this.DeRef("user/all", pre_existing=true, time_grain_spec="soon")}}',
            "error[bad-time-grain-spec]: time_grain_spec 'soon' says no distance",
        ),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, sql: str, said: str) -> None:
    model = f"models:\n  - {{name: odd, model_type: sql_template, model_spec: {{single_sql: 'select * from {sql}'}}}}\n"
    shop = shop_of(tmp_path, model)
    with pytest.raises(ProjectError) as caught:
        shop.run(end=FIRST)
    assert said in str(caught.value)


def test_new_rows_of_an_input_without_time_cannot_be_told(tmp_path: Path) -> None:
    shop = shop_of(tmp_path)
    shop.write((INPUTS + RUNNING).replace("    occurred_at_col: ts\n", ""), PROJECT, {})
    with pytest.raises(ProjectError, match="nobody can tell which are new"):
        shop.load()
