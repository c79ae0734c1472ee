"""Ids in CSV files are the texts that are written, whatever they look like."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import connections
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, run
from profiles_pipeline.warehouse.connect import connect_duckdb

END = datetime(2024, 2, 1, tzinfo=UTC)

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
entities:
  - {name: user, id_types: [user_id]}
id_types: [{name: user_id}]
"""

MODELS = """
inputs:
  - name: orders
    table: Shop.Orders
    ids:
      - {select: "SELECT", type: user_id, entity: user}
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: revenue, select: sum(amount), from: inputs/orders}
"""


def people(folder: Path, select: str, ids: list[str]) -> list[tuple[object, ...]]:
    """Run a project whose orders, worth 0.50, 1.50 and so on, are of these ids; return ids and revenue of people."""
    for path, text in {
        "pb_project.yaml": PROJECT,
        "models/all.yaml": MODELS.replace("SELECT", select),
        "data/shop.orders.csv": "User_ID,amount\n" + "".join(f"{i},{n}.50\n" for n, i in enumerate(ids)),
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    output = connections.embedded(folder)
    run(ProfilesProject.read(folder), output, Options(end=END))
    with connect_duckdb(output.settings, purpose="look") as warehouse:
        return warehouse.query(
            """select other_id, revenue from profiles.user_default_id_stitcher
            join profiles.user_var_table using (user_main_id) order by all"""
        ).rows


@pytest.mark.parametrize(
    "select",
    ["user_id", "cast(user_id as text)", "user_id::varchar", "lower(trim(user_id))", "nullif(to_varchar(user_id), '')"],
)
def test_ids_that_look_like_numbers_stay_apart(tmp_path: Path, select: str) -> None:
    assert people(tmp_path, select, ["1e5", "100000", "1.10", "1.1"]) == [
        ("1.1", 3.5),
        ("1.10", 2.5),
        ("100000", 1.5),
        ("1e5", 0.5),
    ]


def test_what_ids_are_compared_with_is_no_id(tmp_path: Path) -> None:
    assert people(tmp_path, "case when amount > 1 then user_id end", ["1e5", "100000"]) == [("100000", 1.5)]
