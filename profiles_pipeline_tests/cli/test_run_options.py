"""Options of a run besides the time and the models: going on after errors, files of results, runs that are not run."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .conftest import REFERENCE_TIME, Call
from .test_check import edit
from .test_run import rows

HOOKS = Path(__file__).parent.parent / "projects" / "hooks"
ARGUMENTS = ("--end-time", REFERENCE_TIME, "--no-report")
BROKEN = """
  - name: broken
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: "select user_id, error('no luck') as luck from {{this.DeRef('inputs/rsTracks')}}"
  - name: needs_broken
    model_type: sql_template
    model_spec:
      materialization: {output_type: view}
      single_sql: "select user_id from {{this.DeRef('models/broken')}}"
"""


@pytest.mark.parametrize(
    ("path", "noun", "hint"),
    [
        ("user/n_active_days_totl", "model or var", "did you mean 'user/n_active_days_total'?"),
        ("user/all/n_active_days_totl", "model or var", "did you mean 'user/n_active_days_total'?"),
        ("n_active_days_total", "model", "did you mean 'user/n_active_days_total'?"),
        ("usr/n_active_days_total", "model", "did you mean 'user/n_active_days_total'?"),
        ("user_feature_vieww", "model", "did you mean 'user/all/feature_view'?"),
        ("models/user_profil", "model", "did you mean 'models/user_profile'?"),
        ("models/rsTracks", "model", "did you mean 'inputs/rstracks'?"),
        ("models/elsewhere", "model", "known: inputs/rsidentifies, inputs/rstracks, models/user_id_stitcher, "),
    ],
)
def test_a_path_that_means_nothing_brings_up_the_nearest(
    call: Call, quickstart: Path, path: str, noun: str, hint: str
) -> None:
    outcome = call("run", "-p", quickstart, "-m", path)
    assert outcome.code == 2
    assert f"error[unknown-model]: there is no {noun} '{path}'\n    hint: {hint}" in outcome.err


@pytest.fixture
def broken(quickstart: Path) -> Path:
    """The quickstart project with a model that fails when it is built, and one that reads it."""
    with (quickstart / "models" / "profiles.yaml").open("a", encoding="utf-8") as stream:
        stream.write(BROKEN)
    return quickstart


# --- errors of models ----------------------------------------------------------------------------------------------


def test_without_the_option_an_error_ends_the_run(call: Call, broken: Path) -> None:
    assert call("run", "-p", broken, *ARGUMENTS).code == 1
    views = "select count(*) as n from duckdb_views() where view_name = 'user_profile'"
    assert rows(call, broken, views) == [{"n": 0}]


def test_what_does_not_depend_on_an_error_is_built(call: Call, broken: Path) -> None:
    outcome = call("run", "-p", broken, *ARGUMENTS, "--ignore_model_errors")
    assert outcome.code == 1
    assert "not complete: seq_no 1" in outcome.out
    assert "failed models/broken  models/broken: Invalid Input Error: no luck" in outcome.out
    assert "failed models/needs_broken  it needs a model that failed" in outcome.out
    assert "error[warehouse-error]: models/broken: Invalid Input Error: no luck" in outcome.err
    assert "left out: models/needs_broken, which needs a model that failed" in outcome.err
    assert "2 models could not be built; their views are as they were" in outcome.err
    assert "to continue with seq_no 1" in outcome.err
    assert rows(call, broken, "select count(*) as n from user_profile") == [{"n": 5}]
    names = "select view_name from duckdb_views() where view_name in ('broken', 'needs_broken')"
    assert rows(call, broken, names) == []


def test_the_failures_as_data_and_the_way_on(call: Call, broken: Path) -> None:
    outcome = call("run", "-p", broken, *ARGUMENTS, "--ignore-model-errors", "--json")
    document = json.loads(outcome.out)
    assert (outcome.code, document["status"], document["exit_code"]) == (1, "failed", 1)
    assert [item["path"] for item in document["failed"]] == ["models/broken", "models/needs_broken"]
    assert document["failed"][0]["problem"]["code"] == "warehouse-error"
    assert document["failed"][1]["problem"] is None
    assert "user_profile" in document["views"]
    edit(broken, "error('no luck')", "'good'")
    again = json.loads(call("run", "-p", broken, *ARGUMENTS, "--json").out)
    assert (again["status"], again["seq_no"]) == ("done", 1)
    assert [m["path"] for m in again["models"] if not m["reused"]] == ["models/broken", "models/needs_broken"]
    assert rows(call, broken, "select distinct luck from broken") == [{"luck": "good"}]


def test_an_error_that_a_rehearsal_would_find_is_ignored_as_well(call: Call, broken: Path) -> None:
    edit(broken, "error('no luck')", "no_such_column")
    assert call("run", "-p", broken, *ARGUMENTS).code == 2
    outcome = call("run", "-p", broken, *ARGUMENTS, "--ignore-model-errors", "-q")
    assert outcome.code == 1
    assert rows(call, broken, "select count(*) as n from user_profile") == [{"n": 5}]


def test_views_of_a_failed_model_stay(call: Call, broken: Path) -> None:
    edit(broken, "error('no luck')", "'day one'")
    assert call("run", "-p", broken, *ARGUMENTS, "-q").code == 0
    edit(broken, "'day one'", "error('no luck')")
    later = ("--end-time", "2023-11-09T00:00:00Z", "--no-report", "-q")
    assert call("run", "-p", broken, *later, "--ignore-model-errors").code == 1
    assert rows(call, broken, "select distinct luck from broken") == [{"luck": "day one"}]
    assert rows(call, broken, "select distinct valid_at from user_profile") == [{"valid_at": "2023-11-09 00:00:00"}]


# --- files of results -----------------------------------------------------------------------------------------------


def test_results_as_csv(call: Call, quickstart: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "results"
    outcome = call("run", "-p", quickstart, *ARGUMENTS, "--write_output_csv", folder)
    assert outcome.code == 0
    assert "CSV: 5 files in " in outcome.out
    assert {file.name for file in folder.iterdir()} == {
        "user_all.csv", "user_feature_view.csv", "user_id_stitcher.csv", "user_profile.csv", "user_var_table.csv",
    }  # fmt: skip
    assert call("query", "-p", quickstart, "select * from user_profile", "-f", tmp_path / "asked.csv").code == 0

    def cells(file: Path) -> list[list[str]]:
        with file.open(newline="") as stream:
            return sorted(csv.reader(stream))

    assert cells(folder / "user_profile.csv") == cells(tmp_path / "asked.csv")
    document = json.loads(call("run", "-p", quickstart, *ARGUMENTS, "--write-output-csv", folder, "--json").out)
    assert sorted(document["csv_files"]) == sorted(str(file) for file in folder.iterdir())


def test_results_into_what_is_no_folder(call: Call, quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    outcome = call("run", "-p", quickstart, *ARGUMENTS, "--write-output-csv", tmp_path / "file")
    assert outcome.code == 2
    assert "error[cannot-write]" in outcome.err
    assert not (quickstart / ".profiles").exists()


# --- runs that are not run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "--assume_all_inputs_exist"],
        ["run", "--mock_material_run", "--assume-all-inputs-exist"],
        ["run", "--mock-material-run"],
        ["compile"],
    ],
)
def test_sql_without_a_warehouse(call: Call, quickstart: Path, arguments: list[str]) -> None:
    shutil.rmtree(quickstart / "data")
    before = set(quickstart.iterdir())
    outcome = call(*arguments, "-p", quickstart, "--end-time", REFERENCE_TIME)
    assert outcome.code == 0
    assert "wrote 7 files to " in outcome.out
    assert set(quickstart.iterdir()) - before == {quickstart / "output"}
    files = list((quickstart / "output" / "dev" / "seq_no" / "0" / "compile").iterdir())
    assert len(files) == 7
    stitcher = next(file for file in files if "stitcher" in file.name).read_text()
    assert "profiles_sample.ecommerce.identifies" in stitcher
    assert ("as the project writes it" in outcome.err) == ("exist" not in " ".join(arguments))


def test_assuming_inputs_does_not_look_for_them(call: Call, built: Path) -> None:
    assert call("compile", "-p", built).code == 0
    folder = built / "output" / "dev" / "seq_no" / "0" / "compile"
    assert "READ_CSV" in next(folder.glob("*stitcher*")).read_text()
    assert call("compile", "-p", built, "--assume-all-inputs-exist").code == 0
    assert "READ_CSV" not in next(folder.glob("*stitcher*")).read_text()


@pytest.mark.parametrize(
    "arguments",
    [["run", "--assume-all-inputs-exist"], ["compile", "--assume-all-inputs-exist", "--seq-no", "1"]],
)
def test_what_needs_a_warehouse_is_refused_without_one(call: Call, built: Path, arguments: list[str]) -> None:
    outcome = call(*arguments, "-p", built)
    assert outcome.code == 2
    assert "error[options-clash]" in outcome.err


def test_options_without_an_effect_say_so(call: Call, quickstart: Path) -> None:
    given = ("--concurrency", "4", "--migrate_on_load")
    outcome = call("run", "-p", quickstart, *ARGUMENTS, *given)
    assert outcome.code == 0
    said = "--concurrency has no effect: duckdb builds models one by one, and each of their statements uses every core"
    assert said in outcome.err


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_window_that_ends_before_now(call: Call, quickstart: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    window = ("--begin_time", "2023-01-01", "--end_time_offset", "1h30m")
    document = json.loads(call("run", "-p", quickstart, *window, "--no-report", "--json").out)
    end = datetime.fromisoformat(document["end_time"])
    assert before <= end + timedelta(minutes=90) <= datetime.now(UTC)
    assert document["begin_time"] == "2023-01-01T00:00:00+00:00"
    for other in (("--end_time", "2024-01-01"), ("--seq_no", "1")):
        outcome = call("run", "-p", quickstart, "--end_time_offset", "1h30m", *other)
        assert outcome.code == 2
        assert "error[options-clash]" in outcome.err


# --- hooks ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hooks(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HOOKS, tmp_path / "hooks"))


END = ("--end-time", "2024-02-01", "--no-report")


def test_hooks_run_with_the_model_that_is_built(call: Call, hooks: Path) -> None:
    assert call("run", "-p", hooks, *END, "-q").code == 0
    said = rows(call, hooks, "select said from hook_log")
    assert call("run", "-p", hooks, *END, "-q").code == 0
    assert rows(call, hooks, "select said from hook_log") == said
    assert call("run", "-p", hooks, *END, "-q", "--force", "-m", "models/doubled").code == 0
    assert sorted(r["said"] for r in rows(call, hooks, "from hook_log")) == sorted(str(r["said"]) for r in said)


def test_hooks_stand_in_the_compiled_sql(call: Call, hooks: Path) -> None:
    assert call("compile", "-p", hooks).code == 0
    folder = hooks / "output" / "dev" / "seq_no" / "0" / "compile"
    lines = next(folder.glob("Material_doubled_*")).read_text().splitlines()
    assert [line.partition(". ")[2] for line in lines if line.startswith("-- ") and ". " in line] == [
        "pre_run of model 'doubled' 1",
        "pre_run of model 'doubled' 2",
        "pre_run of model 'doubled' 3",
        "SQL model doubled",
        "post_run of model 'doubled'",
    ]
    view = next(folder.glob("Material_user_feature_view_*")).read_text()
    assert "INSERT INTO \"profiles\".hook_log\nVALUES\n  ('entity after')" in view
    assert "GRANT" not in view.upper()


def test_a_hook_that_fails_is_blamed_on_its_place(call: Call, hooks: Path) -> None:
    edit(hooks, "'doubled after ' || count(*)", "cast('doubled after ' || count(*) as integer)", "models/all.yaml")
    outcome = call("run", "-p", hooks, *END, "-q")
    assert outcome.code == 1
    assert "models/all.yaml:20:17: error[hook-failed]: post_run of model 'doubled': Conversion Error" in outcome.err
    assert rows(call, hooks, "select said from hook_log") == [{"said": "doubled before"}]
    edit(hooks, "cast('doubled after ' || count(*) as integer)", "'doubled after ' || count(*)", "models/all.yaml")
    assert call("run", "-p", hooks, *END, "-q").code == 0
    assert {"said": "doubled after 3"} in rows(call, hooks, "from hook_log")


def test_a_hook_is_part_of_the_definition(call: Call, hooks: Path) -> None:
    def planned() -> dict[str, str]:
        document = json.loads(call("plan", "-p", hooks, *END[:2], "--json").out)
        return {m["path"]: m["action"] for m in document["models"]}

    assert call("run", "-p", hooks, *END, "-q").code == 0
    assert set(planned().values()) == {"reuse"}
    edit(hooks, "'doubled after '", "'doubled later '", "models/all.yaml")
    assert {path for path, action in planned().items() if action == "build"} == {"models/doubled"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("'doubled after ' || count(*) from {{this}}", "from from", "sql-syntax"),
        ("from {{this}}\n    model_spec", 'from {{this.DeRef("models/nobody")}}\n    model_spec', "unknown-model"),
    ],
)
def test_a_hook_that_cannot_be_read(call: Call, hooks: Path, old: str, new: str, code: str) -> None:
    edit(hooks, old, new, "models/all.yaml")
    outcome = call("validate", "-p", hooks)
    assert outcome.code == 2
    assert "models/all.yaml:20:" in outcome.err
    assert f"error[{code}]" in outcome.err


# --- earlier states -------------------------------------------------------------------------------------------------

COUNTED = """
  - name: counted
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: >-
        {% set last = this.DeRef(pre_existing=true, dependency="optional") %}
        {% set rows = this.DeRef("inputs/rsTracks") %}
        {% if last.IsEnabled() %}select n + 1 as n from {{last}}
        {% else %}select count(*) * 0 as n from {{rows}}{% endif %}
"""


def test_an_earlier_state_is_used_unless_the_run_is_a_rebase(call: Call, quickstart: Path) -> None:
    models = quickstart / "models" / "profiles.yaml"
    text = models.read_text()
    assert text.startswith("models:\n")
    models.write_text(f"models:{COUNTED}{text.removeprefix('models:')}")
    counts = []
    for day, *options in (("2024-01-01",), ("2024-01-02",), ("2024-01-03", "--rebase_incremental"), ("2024-01-04",)):
        assert call("run", "-p", quickstart, "--no-report", "--end_time", day, *options).code == 0
        counts.append(json.loads(call("query", "-p", quickstart, "select n from counted", "--format", "json").out))
    assert counts == [[{"n": 0}], [{"n": 1}], [{"n": 0}], [{"n": 1}]]
