"""validate, plan and compile: everything that is said about a project without building it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from .conftest import REFERENCE_TIME, Call

PROFILES = "models/profiles.yaml"


def edit(project: Path, old: str, new: str, file: str = PROFILES) -> None:
    """Replace the one place where `old` stands in a file of the project."""
    text = (project / file).read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    (project / file).write_text(text.replace(old, new))


def untouched(project: Path) -> bool:
    """True when nothing was built in the project."""
    return not (project / ".profiles").exists()


# --- where a project is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["validate", "plan", "compile", "run", "show models", "query", "dev"])
def test_a_folder_without_project_is_named(call: Call, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()
    arguments = [*command.split(), *(["select 1"] if command == "query" else [])]
    outcome = call(*arguments, "-p", tmp_path / "empty")
    assert outcome.code == 2
    assert outcome.out == ""
    first = f"error[not-a-project]: no pb_project.yaml or wht_project.yaml in {tmp_path / 'empty'}"
    assert outcome.err.splitlines()[0] == first
    assert outcome.err.splitlines()[-1] == "1 problem found; nothing was run"


def test_a_project_nearby_is_pointed_at(call: Call, quickstart: Path) -> None:
    outcome = call("validate", "-p", quickstart.parent)
    assert outcome.code == 2
    assert f"did you mean the folder {quickstart}?" in outcome.err


def test_the_current_folder_is_the_default(call: Call, quickstart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(quickstart)
    assert call("validate").code == 0


# --- validate -------------------------------------------------------------------------------------------------------


def test_a_valid_project(call: Call, quickstart: Path) -> None:
    outcome = call("validate", "-p", quickstart)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == f"../quickstart/pb_project.yaml:7:1: {lines[0].partition(': ')[2]}"
    assert "entities: 1, id types: 4, inputs: 2, models: 7, entity vars: 7, input vars: 3" in lines
    assert any(line.startswith("checked: every statement on empty tables") for line in lines)
    assert lines[-1] == "the project is valid"
    assert untouched(quickstart)


def test_all_problems_are_printed_at_once(call: Call, quickstart: Path) -> None:
    edit(quickstart, "entity_key: user\n      main_id_type", "entity_key: usr\n      main_id_type")
    edit(quickstart, "type: email", "type: mail", "models/inputs.yaml")
    outcome = call("validate", "-p", quickstart)
    assert outcome.code == 2
    problems = [line for line in outcome.err.splitlines() if ": error[" in line]
    places = [line.partition(": error[")[0] for line in problems]
    assert places == ["../quickstart/models/inputs.yaml:14:15", "../quickstart/models/profiles.yaml:7:19"]
    assert outcome.err.splitlines()[-1] == "2 problems found; nothing was run"


def test_a_column_that_is_not_there_is_found_without_running(call: Call, quickstart: Path) -> None:
    edit(quickstart, "select: first_value(context_campaign_source)", "select: first_value(context_campain_source)")
    outcome = call("validate", "-p", quickstart)
    assert outcome.code == 2
    line = (
        (quickstart / PROFILES)
        .read_text()
        .splitlines()
        .index("            select: first_value(context_campain_source)")
    )
    assert outcome.err.startswith(f"../quickstart/models/profiles.yaml:{line + 1}:33: error[unknown-column]")
    assert "hint: did you mean 'context_campaign_source'?" in outcome.err
    assert untouched(quickstart)


def test_one_missing_input_is_an_error_all_of_them_are_not(call: Call, quickstart: Path) -> None:
    (quickstart / "data" / "profiles_sample.ecommerce.tracks.csv").unlink()
    some = call("validate", "-p", quickstart)
    assert some.code == 2
    assert some.err.startswith("../quickstart/models/inputs.yaml:17:12: error[missing-table]")
    shutil.rmtree(quickstart / "data")
    none = call("validate", "-p", quickstart)
    assert none.code == 0
    assert none.err.splitlines()[-1] == "not checked: columns and types, because none of the inputs was found"


def test_validate_as_data(call: Call, quickstart: Path) -> None:
    outcome = call("validate", "-p", quickstart, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert document["valid"] is True
    assert document["rehearsed"] is True
    assert document["counts"]["entity_vars"] == 7
    edit(quickstart, "- name: user_profile", "- nmae: user_profile")
    broken = call("validate", "-p", quickstart, "--json")
    assert broken.code == 2
    found = json.loads(broken.out)
    assert (found["status"], found["exit_code"]) == ("failed", 2)
    assert {"file": PROFILES, "severity": "error"}.items() <= found["problems"][0].items()
    assert found["problems"][0]["line"] > 1


def test_a_look_back_is_said_to_be_needless(call: Call, quickstart: Path) -> None:
    edit(quickstart, "main_id_type: main_id\n", "main_id_type: main_id\n      incremental_timedelta: 96h\n")
    outcome = call("validate", "-p", quickstart)
    assert outcome.code == 0, outcome.err
    said = "incremental_timedelta is read and not needed: late rows are found however late they are"
    (line,) = (line for line in outcome.out.splitlines() if said in line)
    assert re.search(r"models/profiles\.yaml:\d+:\d+: ", line)
    assert said in json.loads(call("validate", "-p", quickstart, "--json").out)["notes"][-1]
    edit(quickstart, "incremental_timedelta: 96h", "incremental_timedelta: long")
    outcome = call("validate", "-p", quickstart)
    assert (outcome.code, "error[bad-duration]: incremental_timedelta 'long' is no length of time" in outcome.err) == (
        2,
        True,
    )


# --- plan -----------------------------------------------------------------------------------------------------------


def test_the_plan_of_a_new_project(call: Call, quickstart: Path) -> None:
    outcome = call("plan", "-p", quickstart)
    assert outcome.code == 0
    assert "the next run would be seq_no 1, as of " in outcome.out
    assert "7 to build, 0 to reuse; nothing was run or recorded" in outcome.out
    assert untouched(quickstart)


def test_the_plan_is_what_the_run_does(call: Call, built_here: Path) -> None:
    edit(built_here, "where: event = 'order_completed' and", "where: event = 'order_done' and")
    options = ["-p", built_here, "--end_time", REFERENCE_TIME, "--json"]
    planned = json.loads(call("plan", *options).out)
    ran = json.loads(call("run", *options, "--no-report").out)
    assert planned["resumed"] is True
    assert planned["seq_no"] == ran["seq_no"] == 1
    expected = [(m["path"], m["material"], m["action"] == "reuse") for m in planned["models"]]
    assert [(m["path"], m["material"], m["reused"]) for m in ran["models"]] == expected
    assert {reused for _, _, reused in expected} == {True, False}


def test_the_plan_says_why_what_was_complete_is_built_again(call: Call, built_here: Path) -> None:
    def reasons(*options: str) -> dict[str, str]:
        found = json.loads(call("plan", "-p", built_here, "--seq-no", "latest", "--json", *options).out)["models"]
        return {model["path"]: model["reason"] for model in found}

    assert set(reasons("--force").values()) == {"asked for although it is complete"}
    tracks = built_here / "data" / "profiles_sample.ecommerce.tracks.csv"
    tracks.write_text(tracks.read_text(encoding="utf-8") + "new,2023-01-01T00:00:00,user1,,9,x\n", encoding="utf-8")
    assert set(reasons().values()) == {"the rows it is made from have changed"}


def test_the_plan_says_how_many_rows_are_read(call: Call, quickstart: Path) -> None:
    """Nobody has counted anything before the first run; later ones read no more than what is there."""

    def planned(*options: str) -> dict[str, tuple[str, int | None]]:
        outcome = call("plan", "-p", quickstart, "--json", *options)
        return {m["path"]: (m["action"], m["rows_to_read"]) for m in json.loads(outcome.out)["models"]}

    assert set(planned().values()) == {("build", None)}
    assert "?" in call("plan", "-p", quickstart).out
    for day in (7, 8):
        assert call("run", "-p", quickstart, "--end-time", f"2023-11-0{day}", "--no-report", "-q").code == 0
    found = planned()
    assert found["models/user_id_stitcher"] == ("increment", 15 + 42)
    assert found["inputs/rstracks/var_table"] == ("build", 42 + 19)
    assert found["user/all/var_table"][0] == "increment"
    assert "≤ 57" in call("plan", "-p", quickstart).out
    assert set(planned("--seq-no", "latest").values()) == {("reuse", 0)}
    anchor = "        - entity_var:\n            name: n_active_days_total\n"
    var = (
        anchor.replace("n_active_days_total", "n_events")
        + "            select: count(*)\n            from: inputs/rsTracks\n"
    )
    edit(quickstart, anchor, var + anchor)
    extended = planned()
    assert extended["user/all/var_table"] == ("extend", found["user/all/var_table"][1])
    assert extended["models/user_id_stitcher"] == ("increment", 15 + 42)
    assert "and all rows for what was not kept before" in call("plan", "-p", quickstart).out


def test_planning_twice_allocates_nothing(call: Call, built: Path) -> None:
    numbers = [json.loads(call("plan", "-p", built, "--json").out)["seq_no"] for _ in range(2)]
    assert numbers == [2, 2]


def test_a_plan_says_what_is_missing(call: Call, quickstart: Path) -> None:
    (quickstart / "data" / "profiles_sample.ecommerce.tracks.csv").unlink()
    outcome = call("plan", "-p", quickstart)
    assert outcome.code == 0
    assert "error[missing-table]" in outcome.err
    assert outcome.err.splitlines()[-1] == "a run would stop at the missing inputs"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--seq-no", "7"], "unknown-seq-no"),
        (["--seq-no", "x"], "bad-seq-no"),
        (["--end-time", "x"], "bad-time"),
        (["--end-time-offset", "x"], "bad-duration"),
        (["--end-time-offset", "3000000d"], "bad-duration"),
        (["--end-time-offset", "99999999999999d"], "bad-duration"),
        (["--end-time-offset", "5m", "--end-time", "2023-01-01"], "options-clash"),
        (["--end-time-offset", "5m", "--seq-no", "latest"], "options-clash"),
        (["--begin-time", "2023-01-02", "--end-time", "2023-01-01"], "empty-window"),
        (["--model-refs", "models/user_profil"], "unknown-model"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_options_that_make_no_sense(
    call: Call, quickstart: Path, command: str, arguments: list[str], code: str
) -> None:
    outcome = call(command, "-p", quickstart, *arguments)
    assert outcome.code == 2
    assert f"error[{code}]" in outcome.err
    assert "    hint: " in outcome.err


# --- compile --------------------------------------------------------------------------------------------------------


def test_sql_is_written_and_not_run(call: Call, quickstart: Path) -> None:
    outcome = call("compile", "-p", quickstart)
    assert outcome.code == 0
    folder = quickstart / "output" / "dev" / "seq_no" / "0" / "compile"
    assert len(list(folder.iterdir())) == 7
    assert "wrote 7 files to ../quickstart/output/dev/seq_no/0/compile; nothing was run" in outcome.out
    (profile,) = folder.glob("Material_user_profile_*.sql")
    assert "CREATE OR REPLACE TABLE" in profile.read_text()
    assert untouched(quickstart)


def test_old_sql_does_not_stay(call: Call, quickstart: Path) -> None:
    call("compile", "-p", quickstart)
    edit(quickstart, "where: event = 'order_completed' and", "where: event = 'order_done' and")
    document = json.loads(call("compile", "-p", quickstart, "--json").out)
    assert {Path(file) for file in document["files"].values()} == set(Path(document["folder"]).iterdir())


def test_inputs_that_are_not_there_keep_their_names(call: Call, quickstart: Path) -> None:
    shutil.rmtree(quickstart / "data")
    outcome = call("compile", "-p", quickstart)
    assert outcome.code == 0
    assert outcome.err.startswith("../quickstart/models/inputs.yaml:4:12: warning[missing-table]: table")
    (stitcher,) = (quickstart / "output/dev/seq_no/0/compile").glob("Material_user_id_stitcher_*.sql")
    assert "profiles_sample.ecommerce.identifies" in stitcher.read_text()


def test_sql_of_one_model_in_a_recorded_context(call: Call, built: Path) -> None:
    document = json.loads(call("compile", "-p", built, "-m", "user/all", "--seq_no", "latest", "--json").out)
    assert document["seq_no"] == 1
    assert list(document["files"]) == ["models/user_id_stitcher", "user/all"]
    assert all(Path(file).is_file() for file in document["files"].values())
