"""migrate: shows what would change, writes it where it is told to, and touches nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline_tests.cli.conftest import Call

OLD = Path(__file__).parent.parent / "projects" / "wht_2022"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A project of 2022 that was run once."""
    copy = shutil.copytree(OLD, tmp_path / "old")
    (copy / "output").mkdir()
    (copy / "output" / "left.sql").write_text("select 1")
    return copy


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_auto_shows_the_changes_and_writes_nothing(call: Call, old: Path) -> None:
    before = contents(old)
    outcome = call("migrate", "auto", "-p", old)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[:2] == ["--- a/wht_project.yaml", "+++ b/pb_project.yaml"]
    assert {"-schema_version: 9", "+schema_version: 99", "+connection: rental_dev"} <= set(lines)
    assert outcome.err == "2 files would change; write them with --inplace or -d DIR\n"
    assert contents(old) == before


def test_auto_in_place(call: Call, old: Path) -> None:
    before = contents(old)
    outcome = call("migrate", "auto", "-p", old, "--inplace")
    assert outcome.code == 0
    after = contents(old)
    assert before.keys() - after.keys() == {"wht_project.yaml"}
    assert after.keys() - before.keys() == {"pb_project.yaml"}
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == {"models/ml-features.yaml"}
    assert call("validate", "-p", old).code == 0
    assert "nothing to change" in call("migrate", "auto", "-p", old).err
    assert "nothing to rewrite" in call("migrate", "manual", "-p", old).err


def test_auto_into_another_folder(call: Call, old: Path, tmp_path: Path) -> None:
    before = contents(old)
    outcome = call("migrate", "auto", "-p", old, "-d", tmp_path / "new")
    assert outcome.code == 0
    assert contents(old) == before
    new = contents(tmp_path / "new")
    assert "data/rental.bookings.csv" in new
    assert not {"wht_project.yaml", "output/left.sql"} & new.keys()
    assert call("run", "-p", tmp_path / "new", "--no-report").code == 0


def test_auto_does_not_write_over_a_folder_in_use(call: Call, old: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "notes.txt").write_text("keep")
    refused = call("migrate", "auto", "-p", old, "-d", tmp_path / "new")
    assert (refused.code, contents(tmp_path / "new")) == (2, {"notes.txt": "keep"})
    assert "error[folder-in-use]" in refused.err
    assert call("migrate", "auto", "-p", old, "-d", tmp_path / "new", "--force").code == 0
    assert contents(tmp_path / "new")["notes.txt"] == "keep"


@pytest.mark.parametrize(
    ("options", "code"), [(["--inplace", "-d", "x"], "options-clash"), (["-d", "old/inside"], "folder-in-use")]
)
def test_places_that_are_refused(
    call: Call, old: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: str
) -> None:
    monkeypatch.chdir(old.parent)
    before = contents(old)
    outcome = call("migrate", "auto", "-p", "old", *options)
    assert outcome.code == 2
    assert f"error[{code}]" in outcome.err
    assert contents(old) == before


def test_files_shared_with_other_projects_are_only_changed_in_place(call: Call, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "macros.yaml").write_text("macros:\n  - {name: one, inputs: , value: 1}\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "pb_project.yaml").write_text("name: s\nschema_version: 99\nmodel_folders: [../shared]\n")
    assert "error[shared-files]" in call("migrate", "auto", "-p", tmp_path / "shop", "-d", tmp_path / "new").err
    assert call("migrate", "auto", "-p", tmp_path / "shop", "--inplace").code == 0
    assert (tmp_path / "shared" / "macros.yaml").read_text() == "macros:\n  - {name: one, value: 1}\n"


def test_what_lies_beside_a_project_is_found_from_its_new_place(call: Call, tmp_path: Path) -> None:
    for name, text in {
        "libs/far/pb_project.yaml": "name: far\nschema_version: 99\nmodel_folders: [m]\n",
        "libs/far/m/m.yaml": "macros: [{name: distant, value: 1}]\n",
        "shared/s.yaml": "macros: [{name: common, value: 1}]\n",
        "shop/near/pb_project.yaml": "name: near\nschema_version: 99\nmodel_folders: [m]\n",
        "shop/near/m/m.yaml": "macros: [{name: inner, value: 1}]\n",
        "shop/pb_project.yaml": (
            "name: s\nschema_version: 42\nmodel_folders: [models, ../shared]\npackages:\n"
            "  - {name: far, gitUrl: ../libs/far} # beside us\n  - name: near\n    url: ./near\n"
        ),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = call("migrate", "auto", "-p", tmp_path / "shop", "-d", tmp_path / "a" / "new")
    assert done.code == 0
    text = (tmp_path / "a" / "new" / "pb_project.yaml").read_text()
    assert "url: ../../libs/far} # beside us" in text
    assert "model_folders: [models, ../../shared]" in text
    assert "url: ./near" in text
    found = ProfilesProject.load(tmp_path / "a" / "new")
    assert {str(macro.name) for macro in found.project.macros} == {"distant", "common", "inner"}


def test_manual_lists_each_place(call: Call, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(old.parent)
    outcome = call("migrate", "manual", "-p", "old")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "old/wht_project.yaml:2:17: schema_version 9 became 99"
    assert "old/models/ml-features.yaml:31:13: key 'table' became 'from'" in lines
    assert outcome.err == f"{len(lines)} places to rewrite; `profiles migrate auto` does it\n"


def test_documents(call: Call, old: Path) -> None:
    listed = json.loads(call("migrate", "manual", "-p", old, "--json").out)
    assert listed["rewritten"][0] == {
        "file": "wht_project.yaml", "line": 2, "column": 17, "message": "schema_version 9 became 99",
    }  # fmt: skip
    done = json.loads(call("migrate", "auto", "-p", old, "--inplace", "--json").out)
    assert done["written_to"] == str(old)
    assert done["files"][0] == {"file": "wht_project.yaml", "name": "pb_project.yaml"}


DOUBTFUL = """\
name: shop
schema_version: 42
entities: [{name: user, id_stitcher: models/graph, id_types: [user_id]}]
id_types: [{name: user_id}]
inputs:
  - {name: o, table: orders, occurred_at_col: ts, ids: [{select: user_id, type: user_id, entity: user}]}
models:
  - {name: graph, model_type: id_stitcher, model_spec: {entity_key: user, edge_sources: [from: inputs/o]}}
  - name: profile
    model_type: feature_table_model
    model_spec:
      entity_key: user
      vars:
        - entity_var: {name: first_ts, select: min(ts), from: inputs/o}
        - entity_var: {name: amount, select: max(amount), from: inputs/o}
        - entity_var: {name: n_after, select: count(*), from: inputs/o, where: ts > first_ts and amount > 0}
        - input_var: {name: age, select: "datediff(day, first_ts, ts)", from: inputs/o}
        - entity_var: {name: oldest, select: max(age), from: inputs/o}
      features: [n_after, oldest]
"""
"""An old project in which only the columns of a table say what a bare name means: `amount` is one of them."""


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    folder = tmp_path / "doubtful"
    (folder / "data").mkdir(parents=True)
    (folder / "pb_project.yaml").write_text(DOUBTFUL)
    rows = ("user_id,ts,amount", "u1,2024-01-01,1", "u1,2024-01-04,1")
    (folder / "data" / "orders.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_what_bare_names_mean_is_looked_up_where_the_tables_are(call: Call, doubtful: Path, tmp_path: Path) -> None:
    before = contents(doubtful)
    outcome = call("migrate", "auto", "-p", doubtful, "-d", tmp_path / "new")
    assert (outcome.code, outcome.err) == (0, "")
    assert contents(doubtful) == before
    text = (tmp_path / "new" / "pb_project.yaml").read_text()
    assert """where: 'ts > {{user.Var("first_ts")}} and amount > 0'""" in text
    assert """select: 'datediff(day, {{user.Var("first_ts")}}, ts)'""" in text
    assert call("run", "-p", tmp_path / "new", "--no-report").code == 0
    query = call("query", "-p", tmp_path / "new", "select n_after, oldest from profile", "--format", "json")
    assert json.loads(query.out) == [{"n_after": 1, "oldest": 3}]


def test_names_that_cannot_be_looked_up_are_doubtful(call: Call, doubtful: Path) -> None:
    (doubtful / "data" / "orders.csv").unlink()
    found = json.loads(call("migrate", "auto", "-p", doubtful, "--json").out)
    doubts = [(doubt["line"], doubt["message"].partition(" stays")[0]) for doubt in found["doubtful"]]
    assert doubts == [
        (16, "the name 'amount' in var 'n_after'"),
        (16, "the name 'first_ts' in var 'n_after'"),
        (17, "the name 'first_ts' in var 'age'"),
    ]
    assert not [step for step in found["rewritten"] if step in found["doubtful"]]
    for command in ("auto", "manual"):
        said = call("migrate", command, "-p", doubtful).err
        assert said.count("doubtful: ") == 3
        assert """write {{user.Var("first_ts")}} if the var is meant""" in said


@pytest.mark.parametrize("option", ["--migrate_on_load", "--migrate-on-load", "--allow_beta"])
def test_other_commands_take_the_option_to_migrate(call: Call, old: Path, option: str) -> None:
    assert call("validate", option, "-p", old).code == 0
    assert call("show", "models", "-p", old, option).code == 0
