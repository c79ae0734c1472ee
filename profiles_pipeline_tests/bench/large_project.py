"""Writes a project of any size, as people write them for Snowflake, and a table of one row for each of its inputs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

Entry: TypeAlias = dict[str, object]

COLUMNS = ("user_id", "email", "anonymous_id", "occurred_at", "amount", "status", "category", "payload")

MACROS = """\
macros:
  - name: days_ago
    inputs:
      - column
    value: |
      {% if !(end_time|isnil) %}
        datediff(day, date({{column}}), date('{{end_time.Format("2006-01-02 15:04:05")}}'))
      {% else %}
        datediff(day, date({{column}}), current_date())
      {% endif %}
"""


def write_project(folder: Path, vars_: int, inputs: int) -> None:
    """Write a project with `vars_` entity vars, spread evenly over `inputs` inputs; the folder must not exist."""
    models = folder / "models"
    models.mkdir(parents=True)
    (folder / "data").mkdir()
    _write(folder / "pb_project.yaml", _project())
    _write(models / "inputs.yaml", {"inputs": [_input(n) for n in range(inputs)]})
    (models / "macros.yaml").write_text(MACROS, encoding="utf-8")
    variables = [_var(number, inputs) for number in range(vars_)]
    _write(models / "profiles.yaml", _models(inputs) | {"var_groups": [_group(variables)]})
    for number in range(inputs):
        pq.write_table(_row(), folder / "data" / f"shop.web.events_{number}.parquet")


def _write(file: Path, content: Entry) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=110), encoding="utf-8")


def _project() -> Entry:
    return {
        "name": "large",
        "schema_version": 88,
        "connection": "bench",
        "model_folders": ["models"],
        "entities": [
            {"name": "user", "id_stitcher": "models/user_id_stitcher", "id_types": ["user_id", "anonymous_id", "email"]}
        ],
        "id_types": [
            {"name": "user_id"},
            {"name": "anonymous_id"},
            {"name": "email", "filters": [{"type": "include", "regex": ".+@.+"}]},
        ],
    }


def _input(number: int) -> Entry:
    ids = [("user_id", "user_id"), ("anonymous_id", "anonymous_id"), ("lower(email)", "email")]
    return {
        "name": f"events_{number}",
        "contract": {
            "is_optional": False,
            "is_event_stream": True,
            "with_entity_ids": ["user"],
            "with_columns": [{"name": name} for name in COLUMNS],
        },
        "app_defaults": {
            "table": f"shop.web.events_{number}",
            "occurred_at_col": "occurred_at",
            "ids": [{"select": select, "type": kind, "entity": "user"} for select, kind in ids],
        },
    }


def _models(inputs: int) -> Entry:
    return {
        "models": [
            {
                "name": "user_id_stitcher",
                "model_type": "id_stitcher",
                "model_spec": {
                    "entity_key": "user",
                    "materialization": {"run_type": "incremental"},
                    "edge_sources": [{"from": f"inputs/events_{n}"} for n in range(inputs)],
                },
            },
        ]
    }


def _group(variables: list[Entry]) -> Entry:
    return {"name": "vars", "entity_key": "user", "vars": [{"entity_var": var} for var in variables]}


def _var(number: int, inputs: int) -> Entry:
    """Return a var of one of ten kinds; two kinds need vars before them."""
    kind, days = number % 10, 7 * (1 + number // 10 % 12)
    named: Entry = {"name": f"var_{number}", "description": f"Figure number {number} of a person."}
    if kind == 8:
        return named | {"select": f"{{{{user.var_{number - 7}}}}} / nullif({{{{user.var_{number - 8}}}}}, 0)"}
    if kind == 9:
        chosen = f'{{{{user.Var("var_{number - 9}")}}}}'
        return named | {
            "select": f"case when {chosen} > {days} then 'often' when {chosen} > 0 then 'some' else 'never' end"
        }
    source: Entry = {"from": f"inputs/events_{number // 10 % inputs}"}
    first: Entry = {"window": {"order_by": ["occurred_at asc"]}}
    kinds: tuple[Entry, ...] = (
        {"select": "count(*)", "where": f"{{{{days_ago('occurred_at')}}}} <= {days}", "default_value": 0},
        {"select": "sum(amount)", "where": f"status = 'paid' and amount > {number}", "default_value": 0},
        {"select": "count(distinct category)", "where": "status not in ('cancelled', 'refunded')", "default_value": 0},
        {"select": "first_value(category)", "where": "category is not null and category != ''", **first},
        {"select": "avg(iff(status = 'paid', amount::float, null))"},
        {"select": "array_agg(distinct category) within group (order by category)", "where": f"amount > {days}"},
        {"select": "max(try_to_number(json_extract_path_text(payload, 'quantity')))"},
        {
            "select": "max(dateadd(day, 1, occurred_at))",
            "where": f"datediff(day, occurred_at, current_date()) <= {days}",
        },
    )
    return named | kinds[kind] | source


def _row() -> pa.Table:
    values = ("1", "ada@example.com", "a-1", datetime(2024, 5, 1), 12.5, "paid", "books", '{"quantity": "2"}')
    return pa.table({name: [value] for name, value in zip(COLUMNS, values, strict=True)})
