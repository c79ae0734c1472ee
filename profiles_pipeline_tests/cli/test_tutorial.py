"""What newcomers are given: a walk that works with and without answers, sample tables, and all facts of a project."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from .conftest import Call


def test_the_walk_without_questions(call: Call, tmp_path: Path) -> None:
    walked = call("tutorial", "--yes", "-o", tmp_path / "walk")
    assert walked.code == 0
    titles = [line for line in walked.out.splitlines() if line[:1].isdigit() and line[1:3] == "  "]
    assert [title[0] for title in titles] == list("123456")
    assert "profiles.user_feature_view" in walked.out
    assert "[Enter]" not in walked.out
    query = "select last_purchase_at::date::varchar as day from user_feature_view where revenue > 0 order by 1"
    rows = json.loads(call("query", "-p", tmp_path / "walk", query, "--format", "json").out)
    assert rows == [{"day": "2024-02-14"}, {"day": "2024-03-06"}]
    again = call("run", "-p", tmp_path / "walk", "--end-time", "2024-04-01", "--json", "--no-report")
    assert again.code == 0


def test_the_walk_listens(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["my_walk", "", "", "", "", "GRACE@example.com", "", ""]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(answers) + "\n"))
    walked = call("tutorial")
    assert walked.code == 0
    assert Path("my_walk/pb_project.yaml").is_file()
    shown = walked.out.partition("Whose identifiers are to be shown")[2].partition("5  What is known")[0]
    assert "grace@example.com" in shown
    assert "ada@example.com" not in shown.partition("]: ")[2]


def test_the_walk_goes_on_when_nobody_answers(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    walked = call("tutorial")
    assert walked.code == 0
    assert Path("profiles_tutorial/models/profiles.yaml").read_text().count("last_purchase_at") == 1


def test_the_walk_leaves_folders_in_use_alone(call: Call, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    refused = call("tutorial", "-y", "-o", tmp_path / "full")
    assert refused.code == 2
    assert "error[folder-in-use]" in refused.err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


PROJECT = """
name: shop
schema_version: 98
connection: shop
model_folders: [models]
entities: [{name: user, id_types: [user_id, anonymous_id]}]
id_types: [{name: user_id}, {name: anonymous_id}]
"""
MODELS = """
inputs:
  - name: identifies
    app_defaults: {table: sample_rs_demo_identifies, occurred_at_col: timestamp, ids: &ids [
      {select: user_id, type: user_id, entity: user}, {select: anonymous_id, type: anonymous_id, entity: user}]}
  - {name: tracks, app_defaults: {table: sample_rs_demo_tracks, occurred_at_col: timestamp, ids: *ids}}
var_groups:
  - {name: vars, entity_key: user, vars: [{entity_var: {name: n, select: count(*), from: inputs/tracks}}]}
"""


def test_sample_tables_in_a_warehouse(call: Call, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "models").mkdir(parents=True)
    (folder / "pb_project.yaml").write_text(PROJECT)
    (folder / "models" / "all.yaml").write_text(MODELS)
    (home / ".pb").mkdir()
    (home / ".pb" / "siteconfig.yaml").write_text(
        "connections: {shop: {outputs: {dev: "
        f"{{type: duckdb, path: {tmp_path}/shop.duckdb, schema: profiles}}}}}}}}\n"
    )
    made = call("insert", "-n", "shop", "--rows", "500")
    assert (made.code, made.err) == (0, "")
    assert "profiles.sample_rs_demo_tracks" in made.out
    assert call("run", "-p", folder, "--no-report").code == 0
    counted = json.loads(
        call("query", "-p", folder, "select sum(n) as n from user_feature_view", "--format", "json").out
    )
    assert counted == [{"n": 500}]
    refused = call("insert", "-p", folder)
    assert refused.code == 2
    assert "error[table-exists]: profiles.sample_rs_demo_identifies is there already" in refused.err
    assert call("insert", "-p", folder, "--rows", "600", "--force").code == 0
    assert "error[no-connection]: there is no project in" in call("insert").err
    unknown = call("insert", "-n", "none")
    assert "error[unknown-connection]: connection 'none' is not in" in unknown.err


def test_all_that_is_known_of_a_project(call: Call, quickstart: Path) -> None:
    shown = call("show", "model_details", "-p", quickstart, "--json")
    assert shown.code == 0
    found = json.loads(shown.out)
    assert found["project"]["name"] == "quickstart"
    assert (found["project"]["dialect"], found["project"]["read_as_other_dialects"]) == ("snowflake", [])
    assert found["entities"] == [
        {
            "name": "user",
            "description": None,
            "id_column_name": "main_id",
            "id_model_ref": "models/user_id_stitcher",
            "id_types": ["main_id", "user_id", "anonymous_id", "email"],
            "path_ref": "entity/user",
            "default_cohort_path_ref": "user/all",
        }
    ]
    assert {"name": "email", "filters": [{"include": ".+@.+"}], "maximum_edges": {}} in found["id_types"]
    excluded = [{"exclude": ""}, {"exclude": "guest"}]
    assert {"name": "user_id", "filters": excluded, "maximum_edges": {}} in found["id_types"]
    models = {model["path_ref"]: model for model in found["models"]}
    assert models["inputs/rstracks"]["occurred_at_col"] == "timestamp"
    assert models["models/user_profile"]["features"][0] == "n_active_days_total"
    variables = {var["name"]: var for var in models["user/all/var_table"]["vars"]}
    assert variables["first_seen_date"]["path_ref"] == "user/all/first_seen_date"
    assert all(len(model["hash"]) > 8 for model in models.values() if model["model_type"] != "input")


def test_details_as_lines(call: Call, quickstart: Path) -> None:
    whole = call("show", "model_details", "-p", quickstart).out.splitlines()
    assert whole[:2] == ["project:", "  name: quickstart"]
    at = whole.index("  - name: user_id")
    assert whole[at + 1 : at + 4] == ["    filters:", "      - exclude: ''", "      - exclude: guest"]
    one = call("show", "model-details", "-p", quickstart, "-m", "MODELS/user_id_stitcher").out.splitlines()
    assert one[:3] == ["path_ref: models/user_id_stitcher", "name: user_id_stitcher", "model_type: id_stitcher"]
    wrong = call("show", "model_details", "-p", quickstart, "-m", "models/user_id_sticher")
    assert wrong.code == 2
    assert "did you mean 'models/user_id_stitcher'?" in wrong.err


def test_details_say_what_is_read_in_another_dialect(call: Call, quickstart: Path) -> None:
    models = quickstart / "models" / "profiles.yaml"
    models.write_text(models.read_text().replace("select: min(timestamp::date)", "select: min(a[safe_offset(0)])", 1))
    found = json.loads(call("show", "model_details", "-p", quickstart, "--json").out)
    (told,) = found["project"]["read_as_other_dialects"]
    assert told.endswith("1 text is no snowflake SQL, and read as bigquery")
