"""From texts to columns and kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.sample import ColumnSchema, TableSchema, infer
from profiles_pipeline.sample.evidence import IdUse
from profiles_pipeline.sample.values import texts_of

HERE = Path(__file__).parent
SNIPPETS = yaml.safe_load((HERE / "snippets.yaml").read_text())
PROJECT: dict[str, Any] = {
    "name": "snippet",
    "schema_version": 88,
    "connection": "none",
    "model_folders": ["models"],
    "entities": [{"name": "user", "id_types": ["user_id"]}],
    "id_types": [{"name": "user_id"}],
}


def tables_of(folder: Path, models: dict[str, Any], dialect: str = "snowflake") -> dict[str, TableSchema]:
    """Return the tables of a project with these models, by their names in lower case."""
    (folder / "models").mkdir()
    (folder / "pb_project.yaml").write_text(yaml.safe_dump(PROJECT))
    (folder / "models" / "all.yaml").write_text(yaml.safe_dump(models))
    project = ProfilesProject.load(folder, source_dialect=dialect)
    return {".".join(table.parts).lower(): table for table in infer(project)}


def found(table: TableSchema, path: str) -> ColumnSchema:
    """Return what is at ``column`` or ``column/key/[]/key``."""
    name, *steps = path.split("/")
    column = table.column(name)
    for step in steps:
        column = next(item for item in column.fields if item.name == step)
    return column


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: s["name"])
def test_a_query_says_what_its_tables_hold(tmp_path: Path, snippet: dict[str, Any]) -> None:
    ids = [{"select": "user_id", "type": "user_id", "entity": "user"}]
    model = {
        "name": "m",
        "model_type": "sql_template",
        "model_spec": {"materialization": {"output_type": "table"}, "single_sql": snippet["sql"], "ids": ids},
    }
    tables = tables_of(tmp_path, {"models": [model]}, snippet.get("dialect", "snowflake"))
    for name, columns in snippet["expect"].items():
        for path, expected in columns.items():
            kind, *values = expected.split()
            column = found(tables[name], path)
            assert column.kind == kind, path
            assert column.name == path.rpartition("/")[2]
            drawn = texts_of(column, 0) if kind == "text" else []
            assert all(any(text.startswith(value) for text in drawn) for value in values), (path, drawn)
    for name, bounds in snippet.get("bounds", {}).items():
        assert {path: list(found(tables[name], path).bounds) for path in bounds} == bounds
    for name, absent in snippet.get("absent", {}).items():
        assert not {column.name.lower() for column in tables[name].columns} & set(absent)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("%Y-%m-%dT%H:%M:%E*SZ", "%Y-%m-%dT%H:%M:%SZ"), ("%E4Y%m%d %H%M%E3S", "%Y%m%d %H%M%S"), ("%d.%m.%Y", "%d.%m.%Y")],
)
def test_times_are_written_in_the_format_that_they_are_read_in(tmp_path: Path, written: str, meant: str) -> None:
    ids = [{"select": "user_id", "type": "user_id", "entity": "user"}]
    sql = f"select user_id, parse_timestamp('{written}', at) as at_time from shop.t"
    spec = {"materialization": {"output_type": "table"}, "single_sql": sql, "ids": ids}
    model = {"name": "m", "model_type": "sql_template", "model_spec": spec}
    assert found(tables_of(tmp_path, {"models": [model]}, "bigquery")["shop.t"], "at").format == meant


def test_vars_cohorts_and_contracts_speak_too(tmp_path: Path) -> None:
    orders = {
        "name": "orders",
        "where": "market = 'EU'",
        "contract": {"with_columns": [{"name": "weight", "datatype": "float"}, {"name": "note"}]},
        "app_defaults": {
            "table": "shop.orders",
            "occurred_at_col": "at",
            "ids": [{"select": "lower(buyer)", "type": "user_id", "entity": "user"}],
        },
    }
    input_var = {"name": "big", "select": "case when amount > 100 then 1 else 0 end", "from": "inputs/orders"}
    entity_vars = [
        {"name": "n_big", "select": "sum(big)", "from": "inputs/orders", "where": "state = 'done'"},
        {"name": "place", "select": "max(place)", "from": "inputs/orders"},
        {"name": "first", "select": "min(first)", "from": "inputs/orders", "window": {"order_by": ["position desc"]}},
        {"name": "age", "select": "datediff(day, {{user.first}}, current_date())"},
    ]
    cohort = {"extends": "user/all", "filter_pipeline": [{"type": "include", "value": "{{user.place}} = 'Oslo'"}]}
    tables = tables_of(
        tmp_path,
        {
            "inputs": [orders],
            "models": [{"name": "locals", "model_type": "entity_cohort", "model_spec": cohort}],
            "var_groups": [
                {
                    "name": "g",
                    "entity_key": "user",
                    "vars": [{"input_var": input_var}, *({"entity_var": var} for var in entity_vars)],
                }
            ],
        },
    )
    table = tables["shop.orders"]
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds == {
        "weight": "number",
        "note": "text",
        "buyer": "text",
        "at": "timestamp",
        "market": "text",
        "state": "text",
        "amount": "number",
        "place": "text",
        "first": "timestamp",
        "position": "number",
    }
    assert table.column("buyer").id_use == IdUse("user", "user_id")
    assert table.column("at").occurred_at
    assert table.column("amount").bounds == (100.0,)
    assert table.column("place").literals == ("Oslo",)
    combined = {frozenset((wish.slot.column, wish.values) for wish in recipe) for recipe in table.recipes}
    assert frozenset({("market", ("EU",)), ("state", ("done",))}) in combined


def test_a_bare_name_of_a_var_is_no_column_unless_a_text_says_so(tmp_path: Path) -> None:
    ids = [{"select": "user_id", "type": "user_id", "entity": "user"}]
    inputs = [
        {"name": name, "app_defaults": {"table": f"shop.{name}", "occurred_at_col": "at", "ids": ids}}
        for name in ("visits", "people")
    ]
    texts = {
        "n_later": ("count(*)", "visits", "at > first_at and status > 1"),
        "first_at": ("min(at)", "visits", None),
        "country": ("max(country)", "people", None),
        "last_country": ("max(country)", "visits", None),
        "status": ("n_later * 2", None, None),
    }
    entity_vars = [
        {"name": name, "select": select}
        | ({"from": f"inputs/{source}"} if source else {})
        | ({"where": where} if where else {})
        for name, (select, source, where) in texts.items()
    ]
    age = {"name": "age", "select": "datediff(day, first_at, at)", "from": "inputs/visits"}
    variables = [{"input_var": age}, *({"entity_var": var} for var in entity_vars)]
    groups = [{"name": "g", "entity_key": "user", "bare_names": True, "vars": variables}]
    tables = tables_of(tmp_path, {"inputs": inputs, "var_groups": groups})
    assert {column.name for column in tables["shop.visits"].columns} == {"user_id", "at", "country"}


def test_an_input_of_which_nothing_is_read_gets_ids_time_and_ordinary_columns(tmp_path: Path) -> None:
    ids = [{"select": "user_id", "type": "user_id", "entity": "user"}]
    plain = {"name": "x", "app_defaults": {"table": "a.b", "occurred_at_col": "seen", "ids": ids}}
    tracks = {"name": "t", "app_defaults": {"table": "a.tracks", "occurred_at_col": "timestamp", "ids": ids}}
    tables = tables_of(tmp_path, {"inputs": [plain, tracks]})
    assert {column.name for column in tables["a.b"].columns} == {"user_id", "seen"}
    assert {"event", "received_at", "id"} <= {column.name for column in tables["a.tracks"].columns}


def test_keys_that_are_joined_share_a_pool(tmp_path: Path) -> None:
    sql = """
        select o.user_id from shop.orders o join shop.lines l on l.order_id = o.id join shop.goods g on l.sku = g.code
        where g.code = 'A-1'
    """
    model = {"name": "m", "model_type": "sql_template", "model_spec": {"single_sql": sql}}
    ids = {
        "name": "o",
        "app_defaults": {"table": "shop.orders", "ids": [{"select": "user_id", "type": "user_id", "entity": "user"}]},
    }
    tables = tables_of(tmp_path, {"inputs": [ids], "models": [model]})
    orders, lines, goods = (tables[f"shop.{name}"] for name in ("orders", "lines", "goods"))
    assert orders.column("id").pool == lines.column("order_id").pool is not None
    assert lines.column("sku").pool == goods.column("code").pool is not None
    assert lines.column("sku").literals == ("A-1",)


def test_tables_that_are_taken_away_are_not_about_everybody(tmp_path: Path) -> None:
    sql = """
        select a.user_id from shop.a a left join shop.b b on b.user_id = a.user_id
        where b.user_id is null and not exists (select 1 from shop.c c where c.user_id = a.user_id)
          and a.user_id not in (select user_id from shop.d) and a.closed_at is null
        minus select user_id from shop.e
    """
    ids = [{"select": "user_id", "type": "user_id", "entity": "user"}]
    model = {"name": "m", "model_type": "sql_template", "model_spec": {"single_sql": sql, "ids": ids}}
    tables = tables_of(tmp_path, {"models": [model]})
    assert {name for name, table in tables.items() if table.partial} >= {"shop.c", "shop.d", "shop.e"}
    assert not tables["shop.a"].partial
    assert tables["shop.a"].column("closed_at").nullable
