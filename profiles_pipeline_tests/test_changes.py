"""How closely a run looks for changes in a table: what pipeline.yaml says is what it sees, and the plan says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import connections
from profiles_pipeline.run import Options, Planned, run
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline_tests.test_run import Shop

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
entities: [{name: user, id_types: [user_id], feature_views: {using_ids: [{id: user_id, name: by_user}]}}]
id_types: [{name: user_id}]
"""
MODELS = """
inputs:
  - name: orders
    table: orders
    occurred_at_col: ts
    ids: [{select: user_id, type: user_id, entity: user}]
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: total, select: sum(amount), from: inputs/orders}
"""
TOTALS = "SELECT user_id, total FROM by_user ORDER BY 1"
SOON = datetime(2024, 1, 20, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.write(MODELS, PROJECT, {})
    return made


def do(shop: Shop, *statements: str) -> None:
    with connect_duckdb(connections.embedded(shop.folder).settings, purpose="test") as warehouse:
        for statement in statements:
            warehouse.execute(statement)


def reasons(shop: Shop, end: datetime) -> dict[str, str]:
    """Run the project; return why each model was built as it was."""
    plans: list[Planned] = []
    run(
        shop.load(),
        connections.embedded(shop.folder),
        Options(end=end),
        lambda event: plans.append(event) if isinstance(event, Planned) else None,
    )
    return {stage.model.path: stage.reason for stage in plans[0].plan.materials}


@pytest.mark.parametrize(
    ("changes", "totals", "unseen"),
    [
        ("content", {"u1": 11, "u2": 25, "u3": 39, "u4": 50}, ""),
        ("late", {"u1": 10, "u2": 25, "u3": 39, "u4": 50}, "rows that are corrected in place are not seen"),
        ("append", {"u1": 10, "u2": 20, "u3": 39, "u4": 50}, "rows that are late, corrected or removed are not seen"),
    ],
)
def test_a_run_sees_what_it_is_told_to_look_for(shop: Shop, changes: str, totals: dict[str, int], unseen: str) -> None:
    text = f"incremental: always\ninputs: {{orders: {{changes: {changes}}}}}\n"
    (shop.folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    rows = "('u1', 10, '2024-01-01'), ('u2', 20, '2024-01-02'), ('u3', 30, '2024-01-10'), ('u4', 50, '2024-01-19')"
    kinds = "AS rows (user_id, amount, ts)"
    table = f"CREATE TABLE main.orders AS SELECT user_id, amount, ts::TIMESTAMP AS ts FROM (VALUES {rows}) {kinds}"
    do(shop, table)
    reasons(shop, datetime(2024, 1, 15, tzinfo=UTC))
    assert shop.query(TOTALS) == [("u1", 10), ("u2", 20), ("u3", 30)]
    do(
        shop,
        "UPDATE main.orders SET amount = 11 WHERE user_id = 'u1'",  # corrected in place
        "INSERT INTO main.orders VALUES ('u2', 5, '2024-01-02')",  # late
        "INSERT INTO main.orders VALUES ('u3', 9, '2024-01-10')",  # of the newest day that was seen
    )
    why = reasons(shop, SOON)
    assert shop.query(TOTALS) == list(totals.items())
    for path in ("models/user_default_id_stitcher", "user/all/var_table"):
        assert why[path] == "reads what changed since 2024-01-15 00:00:00" + (
            f"; of inputs/orders, {unseen}" if unseen else ""
        )
    (shop.folder / "pipeline.yaml").write_text("incremental: always\n", encoding="utf-8")
    reasons(shop, datetime(2024, 1, 21, tzinfo=UTC))
    assert dict(shop.query(TOTALS)) == {"u1": 11, "u2": 25, "u3": 39, "u4": 50}


def test_a_value_behind_an_input_var_of_its_name_is_looked_at(shop: Shop) -> None:
    """An input var named as the column that it is made of does not hide that column from whoever looks for changes."""
    twice = """      - input_var: {name: amount, select: 2 * amount, default_value: fallback, from: inputs/orders}
"""
    shop.write(MODELS + twice, PROJECT, {})
    (shop.folder / "pipeline.yaml").write_text("incremental: always\n", encoding="utf-8")
    rows = "('u1', 10, 1, TIMESTAMP '2024-01-01'), ('u2', NULL, 5, TIMESTAMP '2024-01-02')"
    do(shop, f"CREATE TABLE main.orders AS FROM (VALUES {rows}) AS rows (user_id, amount, fallback, ts)")
    reasons(shop, datetime(2024, 1, 15, tzinfo=UTC))
    assert shop.query(TOTALS) == [("u1", 20), ("u2", 5)]
    do(shop, "UPDATE main.orders SET amount = 11 WHERE user_id = 'u1'")
    reasons(shop, SOON)
    assert shop.query(TOTALS) == [("u1", 22), ("u2", 5)]
    do(shop, "UPDATE main.orders SET fallback = 6 WHERE user_id = 'u2'")
    assert reasons(shop, datetime(2024, 1, 21, tzinfo=UTC))["user/all/var_table"].startswith("reads what changed")
    assert shop.query(TOTALS) == [("u1", 22), ("u2", 6)]


@pytest.mark.parametrize(
    "var",
    [
        "select: sum(amount), from: inputs/orders",
        "select: median(amount), from: inputs/orders",
        'select: max(amount), from: inputs/orders, where: "amount < {{user.n}} * 1000"',
        "select: sum(amount), from: models/copied",
    ],
    ids=["in parts", "from rows", "with another var", "from an sql model"],
)
def test_what_is_kept_has_the_types_that_the_columns_have_now(shop: Shop, var: str) -> None:
    counted = "      - entity_var: {name: n, select: count(*), from: inputs/orders}"
    vars_ = f"vars:\n{counted}\n      - entity_var: {{name: total, {var}}}"
    copied = """models:
  - name: copied
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: "select * from {{this.DeRef('inputs/orders')}}"
      occurred_at_col: ts
      ids: [{select: user_id, type: user_id, entity: user, to_default_stitcher: true}]
"""
    text = MODELS.partition("vars:")[0] + vars_
    shop.write(text + "\n" + copied, PROJECT, {})
    (shop.folder / "pipeline.yaml").write_text("incremental: always\n", encoding="utf-8")
    do(
        shop,
        "CREATE TABLE main.orders (user_id VARCHAR, amount INTEGER, ts TIMESTAMP)",
        "INSERT INTO main.orders VALUES ('u1', 10, '2024-01-01'), ('u2', 20, '2024-01-02')",
    )
    reasons(shop, datetime(2024, 1, 15, tzinfo=UTC))
    reasons(shop, datetime(2024, 1, 16, tzinfo=UTC))
    assert shop.query(TOTALS) == [("u1", 10), ("u2", 20)]
    for day, dtype, amount in (
        (17, "DECIMAL(10, 1)", "30.5"),
        (18, "DECIMAL(10, 3)", "40.125"),
        (19, "DOUBLE", "50.0625"),
    ):
        do(
            shop,
            f"ALTER TABLE main.orders ALTER amount TYPE {dtype}",
            f"INSERT INTO main.orders VALUES ('u{day}', {amount}, '2024-01-{day - 1}')",
        )
        reasons(shop, datetime(2024, 1, day, tzinfo=UTC))
        assert float(str(dict(shop.query(TOTALS))[f"u{day}"])) == float(amount)


@pytest.mark.parametrize(
    ("model", "ids", "var"),
    [
        ("select user_id, ts, {} as v from {{{{this.DeRef('inputs/orders')}}}}", "user_id", "sum(v)"),
        ("select user_id, ts, {} as v from {{{{this.DeRef('inputs/orders')}}}}", "user_id", "median(v)"),
        (
            "select user_main_id, ts, {} as v from {{{{this.DeRef('inputs/orders/var_table')}}}}",
            "user_main_id",
            "sum(v)",
        ),
    ],
    ids=["in parts", "from rows", "by main id"],
)
def test_what_is_kept_has_the_types_that_a_model_gives_now(shop: Shop, model: str, ids: str, var: str) -> None:
    """Where another definition of a SQL model yields fractions, whole numbers that were kept do not round them."""
    (shop.folder / "pipeline.yaml").write_text("incremental: always\n", encoding="utf-8")
    do(
        shop,
        "CREATE TABLE main.orders (user_id VARCHAR, amount INTEGER, ts TIMESTAMP)",
        "INSERT INTO main.orders VALUES ('u1', 10, '2024-01-01'), ('u2', 21, '2024-01-02')",
    )
    for day, value, factor in ((15, "amount", 1), (16, "amount", 1), (17, "amount * 1.25", 1.25)):
        valued = f"""      - entity_var: {{name: total, select: {var}, from: models/valued}}
models:
  - name: valued
    model_type: sql_template
    model_spec:
      single_sql: "{model.format(value)}"
      occurred_at_col: ts
      ids: [{{select: {ids}, type: {ids.replace("user_main_id", "rudder_id")}, entity: user}}]
"""
        shop.write(MODELS.partition("      - entity_var")[0] + valued, PROJECT, {})
        reasons(shop, datetime(2024, 1, day, tzinfo=UTC))
        assert [float(str(total)) for _, total in shop.query(TOTALS)] == [10 * factor, 21 * factor]


def test_a_column_of_the_main_id_may_get_another_name(shop: Shop) -> None:
    (shop.folder / "pipeline.yaml").write_text("incremental: always\n", encoding="utf-8")
    do(
        shop,
        "CREATE TABLE main.orders (user_id VARCHAR, amount INTEGER, ts TIMESTAMP)",
        "INSERT INTO main.orders VALUES ('u1', 10, '2024-01-01'), ('u2', 20, '2024-01-02')",
    )
    reasons(shop, datetime(2024, 1, 15, tzinfo=UTC))
    renamed = PROJECT.replace("id_types: [user_id],", "id_types: [user_id], id_column_name: person_id,", 1)
    assert renamed != PROJECT
    shop.write(MODELS, renamed, {})
    do(shop, "INSERT INTO main.orders VALUES ('u1', 5, '2024-01-15')")
    reasons(shop, datetime(2024, 1, 16, tzinfo=UTC))
    assert shop.query(TOTALS) == [("u1", 15), ("u2", 20)]
