"""The dialect of a project is found out once, from everything in it, where nobody says it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles_pipeline.cli.place import Place
from profiles_pipeline.project import ProfilesProject

PROJECTS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "data" / "written_in.yaml").read_text())


def write(folder: Path, given: dict[str, Any]) -> Path:
    """Write a project of one input and these vars into `folder`."""
    (folder / "models").mkdir()
    project = {
        "name": "shop",
        "schema_version": 88,
        "connection": given.get("connection", "shop"),
        "model_folders": ["models"],
        "entities": [{"name": "user", "id_types": ["user_id"]}],
        "id_types": [{"name": "user_id"}],
    }
    ids = [{"select": "user_id", "type": "user_id", "entity": "user"}]
    orders = {"ids": ids, "table": given.get("table", "orders")}
    entity_vars = [
        {"entity_var": {"name": f"a{number}", "select": text, "from": "inputs/orders"}}
        for number, text in enumerate(given["sql"])
    ]
    models = {
        "inputs": [{"app_defaults": orders, "name": "orders"}],
        "var_groups": [{"entity_key": "user", "name": "vars", "vars": entity_vars}],
        "macros": [{"name": name, "inputs": [], "value": text} for name, text in given.get("macros", {}).items()],
    }
    (folder / "pb_project.yaml").write_text(yaml.safe_dump(project))
    (folder / "models" / "all.yaml").write_text(yaml.safe_dump(models, sort_keys=False, width=1000))
    return folder


@pytest.mark.parametrize("given", PROJECTS, ids=lambda given: given["name"])
def test_the_dialect_and_why(tmp_path: Path, given: dict[str, Any]) -> None:
    project = ProfilesProject.read(write(tmp_path, given))
    assert (project.project.source_dialect, project.dialect_note) == (given["dialect"], given.get("note"))


def test_what_is_said_is_not_found_out(tmp_path: Path) -> None:
    write(tmp_path, {"sql": ["max(safe_cast(note as int64))"]})
    project = ProfilesProject.read(tmp_path, source_dialect="snowflake")
    assert (project.project.source_dialect, project.dialect_note) == ("snowflake", None)


def test_it_is_told_with_the_place(tmp_path: Path) -> None:
    siteconfig = tmp_path / "siteconfig.yaml"
    outputs = {"dev": {"type": "duckdb"}, "said": {"type": "duckdb", "dialect": "databricks"}}
    siteconfig.write_text(yaml.safe_dump({"connections": {"redshift": {"target": "dev", "outputs": outputs}}}))
    write(tmp_path, {"connection": "redshift", "sql": ["max(amount)"]})
    _, output = Place(tmp_path, siteconfig, None).read()
    assert output.notice == "the SQL is read as redshift: its connection is named 'redshift'"
    project, output = Place(tmp_path, siteconfig, "said").read()
    assert (project.project.source_dialect, output.notice) == ("databricks", None)
