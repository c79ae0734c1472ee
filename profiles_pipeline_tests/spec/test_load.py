"""Loading whole projects: one small project per era, every kind of error, and the files a project is made of."""

import json
from pathlib import Path

import pytest
import yaml

from profiles_pipeline.errors import ProjectError, Span
from profiles_pipeline.spec import load_project

DATA = Path(__file__).parent.parent / "data"
ERAS = sorted((DATA / "spec" / "projects").iterdir())
ERRORS = sorted((DATA / "errors" / "spec").iterdir())
CODES = {
    "duplicate-key",
    "duplicate-name",
    "missing-key",
    "not-a-project",
    "one-of",
    "schema-version",
    "unknown-key",
    "unknown-model-type",
    "unquoted-template",
    "wrong-type",
    "wrong-value",
    "yaml-syntax",
    "yaml-too-large",
}
PROJECT = "name: shop\nschema_version: 84\nmodel_folders: [models]\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("folder", ERAS, ids=lambda path: path.name)
def test_a_project_of_each_era_is_read_in_its_newest_form(folder: Path) -> None:
    loaded = load_project(folder)
    spec = loaded.spec.model_dump(by_alias=True, exclude_defaults=True, exclude={"folder"})
    assert json.loads(json.dumps(spec)) == yaml.safe_load((folder / "expected.yaml").read_text())
    said = [*map(str, loaded.notes), *(warning.render() for warning in loaded.warnings)]
    assert said == (folder / "expected_notes.txt").read_text().splitlines()


@pytest.mark.parametrize("folder", ERRORS, ids=lambda path: path.name)
def test_every_problem_of_a_project_is_told_at_once(folder: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(folder)
    expected = (folder / "expected.txt").read_text().replace("{folder}", str(folder))
    assert str(caught.value) + "\n" == expected


def test_every_code_has_a_case_and_every_case_its_code() -> None:
    assert {code for code in CODES for folder in ERRORS if folder.name.startswith(code + "-")} == CODES
    for folder in ERRORS:
        code = max((code for code in CODES if folder.name.startswith(code + "-")), key=len, default="many files")
        assert f"error[{code}]" in (folder / "expected.txt").read_text() or folder.name == "many-files-at-once"


def test_files_are_found_in_folders_below_and_by_name(tmp_path: Path) -> None:
    macro = "macros: [{{name: {}, value: x}}]\n"
    names = {
        "models/a.yaml": "a",
        "models/deep/er/b.yml": "b",
        "models/.hidden/c.yaml": "c",
        "models/notes.txt": "d",
        "extra/one.yaml": "e",
        "extra/two.yaml": "f",
        "output/g.yaml": "g",
    }
    project = "name: shop\nschema_version: 84\nmodel_folders: [models, models/a.yaml, extra/one.yaml]\n"
    write(tmp_path, {name: macro.format(letter) for name, letter in names.items()} | {"pb_project.yaml": project})
    assert [macro.name for macro in load_project(tmp_path).spec.macros] == ["a", "b", "e"]


def test_the_project_folder_itself_may_hold_the_models(tmp_path: Path) -> None:
    files = {
        "pb_project.yaml": "name: shop\nschema_version: 84\nmodel_folders: [.]\n",
        "inputs.yaml": "inputs: [{name: orders, table: t}]\n",
        "output/dev/old.yaml": "not: ours\n",
    }
    spec = load_project(write(tmp_path, files)).spec
    assert [item.name for item in spec.inputs] == ["orders"]
    assert spec.folder == str(tmp_path)


def test_places_lead_to_the_file_of_each_part(tmp_path: Path) -> None:
    sql = "models:\n  - name: m\n    model_type: sql_template\n    model_spec:\n      single_sql: |\n        select 1\n"
    spec = load_project(write(tmp_path, {"pb_project.yaml": PROJECT, "models/sub/m.yaml": sql})).spec
    body = spec.models[0].body
    assert spec.models[0].span == Span("models/sub/m.yaml", 2, 5)
    assert getattr(body, "single_sql").span == Span("models/sub/m.yaml", 6, 9)  # noqa: B009
    assert spec.span == Span("pb_project.yaml", 1, 1)


def test_the_newer_project_file_wins(tmp_path: Path) -> None:
    files = {"pb_project.yaml": PROJECT, "wht_project.yaml": "name: old\nschema_version: 9\n"}
    assert load_project(write(tmp_path, files)).spec.name == "shop"


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="there is no folder") as caught:
        load_project(tmp_path / "nowhere")
    assert caught.value.problems[0].code == "not-a-project"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, {"pb_project.yaml": PROJECT, "models/a.yaml": ""})
    (tmp_path / "models" / "b.yaml").symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["unreadable-file"]


def test_a_cohort_may_define_a_var_of_its_entity_again(tmp_path: Path) -> None:
    var = "vars: [{entity_var: {name: n, select: count(*), from: inputs/a}}]"
    groups = (
        f"var_groups:\n  - {{name: g, entity_key: user, {var}}}\n  - {{name: g, entity_cohort: models/vip, {var}}}\n"
    )
    spec = load_project(write(tmp_path, {"pb_project.yaml": PROJECT, "models/v.yaml": groups})).spec
    assert [group.entity_cohort for group in spec.var_groups] == [None, "models/vip"]


def test_models_of_other_types_keep_their_keys(tmp_path: Path) -> None:
    text = "models: [{name: p, model_type: propensity, model_spec: {training: {predict_window_days: 90, type: }}}]\n"
    spec = load_project(write(tmp_path, {"pb_project.yaml": PROJECT, "models/p.yaml": text})).spec
    assert spec.models[0].body.model_dump(exclude_defaults=True) == {
        "training": {"predict_window_days": 90, "type": None}
    }
