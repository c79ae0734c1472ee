"""run: what it builds, what it says, and what it leaves behind when something goes wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import re
import time
from pathlib import Path

import pytest

from profiles_pipeline import report

from .conftest import REFERENCE_TIME, Call, Outcome, Spawn
from .test_check import edit

MODELS = [
    "models/user_id_stitcher",
    "user/all",
    "inputs/rsidentifies/var_table",
    "inputs/rstracks/var_table",
    "user/all/var_table",
    "models/user_profile",
    "user/all/feature_view",
]
FAILING = ("select: count(distinct(timestamp::date))", "select: max(event::integer)")
"""A var that every check before the run accepts and that fails on the first row."""


def rows(call: Call, project: Path, query: str, *options: object) -> list[dict[str, object]]:
    outcome = call("query", "-p", project, query, "--format", "json", *options)
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert isinstance(found, list)
    return found


def test_what_a_run_says_when_nobody_watches(call: Call, quickstart: Path) -> None:
    outcome = call("run", "-p", quickstart, "--end-time", REFERENCE_TIME, "--no-report")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith(
        "note: connection 'test' is not in ~/.pb/siteconfig.yaml: building on the embedded default"
    )
    assert lines[1] == ("quickstart: building in ../quickstart/.profiles/warehouse.duckdb, target dev, schema profiles")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(f"{stamp} this run is seq_no 1, as of 2023-11-08T00:00:00Z: 7 to build", lines[2])
    for line, path in zip(lines[3:10], MODELS, strict=True):
        assert re.fullmatch(rf"{stamp} built  {path}  \d+ rows  \d+\.\d\d s", line)
    assert any(re.match(r"profiles\.user_profile +feature_table_model +table +5 +\d", line) for line in lines)
    assert any(re.match(r"done: seq_no 1, as of 2023-11-08T00:00:00Z, in \d", line) for line in lines)
    assert "SQL: ../quickstart/output/dev/seq_no/1" in lines
    assert any("profiles query -p " in line and '"select * from user_profile limit 10"' in line for line in lines)
    assert "\x1b" not in outcome.out


def test_rows_at_odd_times_are_counted_and_told(call: Call, quickstart: Path) -> None:
    """Nothing is lost: a row of 1970 is an event like any other, one of 2999 will be."""
    before = """
        select n_active_days_total as n from user_feature_view
        where main_id in (select main_id from user_id_stitcher where other_id = 'user1')"""
    call("run", "-p", quickstart, "--no-report", "-q")
    (days,) = (row["n"] for row in rows(call, quickstart, before))
    with (quickstart / "data" / "profiles_sample.ecommerce.tracks.csv").open("a", encoding="utf-8") as file:
        file.write("o1,1970-01-01T00:00:00,user1,anon-1a,1,page_viewed\n")
        file.writelines(f"o{n},2999-01-01T00:00:00,user1,anon-1a,2,page_viewed\n" for n in (2, 3))
    outcome = call("run", "-p", quickstart, "--no-report")
    assert "inputs/rsTracks: 2 rows of the future, counted once that has come\n" in outcome.out
    assert "inputs/rsTracks: 1 row from before 1971, counted as such\n" in outcome.out
    assert "inputs/rsIdentifies:" not in outcome.out
    assert rows(call, quickstart, before) == [{"n": int(str(days)) + 1}]
    told = json.loads(call("run", "-p", quickstart, "--no-report", "--json").out)["odd_times"]
    assert told == [{"input": "inputs/rsTracks", "rows_of_the_future": 2, "rows_before_1971": 1}]


def test_a_terminal_shows_the_same_models(quickstart: Path, spawn: Spawn) -> None:
    ours, theirs = pty.openpty()
    process = spawn(
        "run", "-p", quickstart, "--no-report", stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the way a terminal says that the other side is gone
        pass
    os.close(ours)
    assert process.wait(timeout=120) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert [path for path in MODELS if f"✓ {path}" in text] == MODELS
    assert "7/7" in text
    assert "done: seq_no 1" in text


def test_a_run_as_data(call: Call, quickstart: Path) -> None:
    outcome = call("run", "-p", quickstart, "--end_time", "1699401600", "--no-report", "--json")
    assert outcome.code == 0
    document = json.loads(outcome.out)
    assert {
        "status": "done",
        "exit_code": 0,
        "seq_no": 1,
        "end_time": "2023-11-08T00:00:00+00:00",
    }.items() <= document.items()
    assert [model["path"] for model in document["models"]] == MODELS
    stitcher = document["models"][0]
    assert (stitcher["kind"], stitcher["rows"], stitcher["reused"]) == ("view", 19, False)
    assert stitcher["checks"]
    assert all(check["broken"] == 0 for check in stitcher["checks"])
    assert (quickstart / stitcher["sql_file"]).is_file()
    assert document["reported_to_dagster"] is False
    assert "built  models/user_profile" in outcome.err


def test_everything_that_is_wrong_is_told_at_once(call: Call, quickstart: Path) -> None:
    edit(quickstart, "main_id_type:", "main_id_typ:")
    edit(quickstart, "first_value(context_campaign_source)", "first_value(context_campain_source)")
    outcome = call("run", "-p", quickstart)
    assert outcome.code == 2
    codes = re.findall(r"error\[([a-z-]+)\]", outcome.err)
    assert codes == ["unknown-key", "unknown-column"]
    assert not (quickstart / ".profiles").exists()


def test_a_window_does_not_end_in_the_future(call: Call, quickstart: Path) -> None:
    outcome = call("run", "-p", quickstart, "--end_time", "2204-05-01")
    assert outcome.code == 2
    assert "error[future-end-time]: end_time 2204-05-01T00:00:00Z lies in the future" in outcome.err
    assert not (quickstart / ".profiles").exists()


def test_quiet_means_quiet(call: Call, quickstart: Path) -> None:
    assert call("run", "-p", quickstart, "-q", "--no-report") == Outcome(0, "", "")


@pytest.mark.parametrize("spelling", ["--model-refs", "--model_refs", "-m"])
def test_a_model_is_built_with_what_it_needs(call: Call, quickstart: Path, spelling: str) -> None:
    arguments = [spelling, "user/all", spelling, "inputs/rsTracks/var_table,models/user_id_stitcher"]
    document = json.loads(call("run", "-p", quickstart, *arguments, "--no-report", "--json").out)
    assert [model["path"] for model in document["models"]] == [MODELS[0], MODELS[1], MODELS[3]]
    assert document["views"] == ["user_id_stitcher", "user_all", "rsTracks_var_table"]


@pytest.mark.parametrize(("begin", "end"), [("--begin-time", "--end-time"), ("--begin_time", "--end_time")])
def test_both_ends_of_a_window(call: Call, quickstart: Path, begin: str, end: str) -> None:
    arguments = [begin, "2023-01-01", end, "2023-06-01T00:00:00+02:00", "--no-report", "--json"]
    document = json.loads(call("run", "-p", quickstart, *arguments).out)
    assert document["begin_time"] == "2023-01-01T00:00:00+00:00"
    assert document["end_time"] == "2023-05-31T22:00:00+00:00"
    query = "select count(*) as n from {{this.DeRef('inputs/rsTracks/var_table')}} where timestamp < '2023-01-01'"
    assert rows(call, quickstart, query) == [{"n": 0}]


def test_a_finished_run_is_not_continued_unless_asked(call: Call, built_here: Path) -> None:
    def numbers(*arguments: str) -> tuple[int, set[bool]]:
        document = json.loads(call("run", "-p", built_here, *arguments, "--no-report", "--json").out)
        return document["seq_no"], {model["reused"] for model in document["models"]}

    assert numbers("--seq-no", "1") == (1, {True})
    assert numbers("--seq_no", "latest", "--force") == (1, {False})
    assert numbers() == (2, {False})
    assert numbers("--seq-no", "new") == (3, {False})
    assert numbers("--end-time", REFERENCE_TIME) == (1, {True})


def test_a_failing_model_leaves_the_views_standing(call: Call, built: Path) -> None:
    query = "select * from user_profile order by all"
    before = rows(call, built, query)
    assert len(before) == 5
    edit(built, *FAILING)
    outcome = call("run", "-p", built, "--end-time", "2023-11-09", "--no-report")
    assert outcome.code == 1
    errors = outcome.err.splitlines()
    place = r"\.\./quickstart/models/profiles\.yaml:\d+:\d+"
    assert re.match(place + r": error\[warehouse-error\]: user/all/var_table \(var \w+\): ", errors[0])
    assert "the run stopped at user/all/var_table, seq_no 2" in errors
    (sql,) = [text for text in errors if text.startswith("its SQL: ")]
    file = sql.removeprefix("its SQL: ").removesuffix(":1:1")
    assert "CREATE OR REPLACE" in Path(file).read_text()
    assert "4 models built so far are kept; the plain views are as they were" in errors
    assert errors[-1] == f"to continue with seq_no 2: profiles run -p {built} --seq-no 2"
    assert "Traceback" not in outcome.err
    assert rows(call, built, query) == before

    edit(built, *reversed(FAILING))
    again = json.loads(call("run", "-p", built, "--seq-no", "2", "--no-report", "--json").out)
    assert [model["path"] for model in again["models"] if model["reused"]] == MODELS[:4]
    assert again["status"] == "done"


def test_a_failure_as_data(call: Call, quickstart: Path) -> None:
    edit(quickstart, *FAILING)
    outcome = call("run", "-p", quickstart, "--no-report", "--json")
    assert outcome.code == 1
    document = json.loads(outcome.out)
    expected = {"status": "failed", "exit_code": 1, "model": "user/all/var_table", "seq_no": 1, "built": MODELS[:4]}
    assert expected.items() <= document.items()
    assert (quickstart / document["problems"][0]["file"]).is_file()
    assert (quickstart / document["sql_file"]).is_file()
    assert [model["path"] for model in document["models"]] == MODELS[:4]
    assert document["models"][0]["relation"] == f"{document['schema']}.{document['models'][0]['material']}"
    assert document["failed"] == [{"path": "user/all/var_table", "problem": document["problems"][0]}]
    assert Path(document["sql_folder"]).is_dir()
    assert document["views"] == []

    edit(quickstart, *reversed(FAILING))
    done = json.loads(call("run", "-p", quickstart, "--no-report", "--json").out)
    assert done.keys() - document.keys() == {"reported_to_dagster", "csv_files"}
    assert document["models"][0].keys() == done["models"][0].keys()


@pytest.mark.parametrize("wrong", [("connection: test", "connection: test\nentitties: []", "pb_project.yaml"), None])
def test_a_run_that_never_starts_is_told_in_the_same_shape(
    call: Call, quickstart: Path, wrong: tuple[str, str, str] | None
) -> None:
    if wrong:
        edit(quickstart, *wrong)
    outcome = call("run", "-p", quickstart, "--no-report", "--json", *(() if wrong else ("-m", "nowhere")))
    assert outcome.code == 2
    document = json.loads(outcome.out)
    assert document["problems"][0]["code"] == ("unknown-key" if wrong else "unknown-model")
    assert (document["models"], document["seq_no"], document["exit_code"]) == ([], None, 2)


def test_markup_in_user_text_is_printed_as_it_is(call: Call, quickstart: Path) -> None:
    edit(quickstart, "connection: test", "connection: '[bold]x[/bold] [/]'", "pb_project.yaml")
    outcome = call("run", "-p", quickstart, "--no-report")
    assert outcome.code == 0
    assert "note: connection '[bold]x[/bold] [/]' is not in" in outcome.out


def test_what_is_built_is_left_for_dagster_even_when_the_run_fails(call: Call, quickstart: Path) -> None:
    edit(quickstart, *FAILING)
    assert call("run", "-p", quickstart, "--no-report").code == 1
    entries = [entry for file in report.pending(quickstart) for entry in report.read(file)]
    records = [entry for entry in entries if isinstance(entry, report.Record)]
    (ended,) = [entry for entry in entries if isinstance(entry, report.RunRecord)]
    assert ["/".join(record.key).lower() for record in records] == MODELS[:4]
    assert {record.seq_no for record in records} == {1}
    assert {record.run for record in records} == {ended.run}
    assert ended.failure


def test_a_part_that_only_the_columns_show_is_left_for_dagster_too(call: Call, quickstart: Path) -> None:
    """In an old dialect a name over rows is a var where the source lacks such a column: a part comes before them."""
    var = "        - entity_var:\n            name: n_active_days_total\n"
    over_rows = "{name: age, select: 'datediff(day, first_seen_tracks, timestamp)', from: inputs/rsTracks}"
    longest = "{name: longest, select: max(age), from: inputs/rsTracks}"
    edit(quickstart, var, f"        - input_var: {over_rows}\n        - entity_var: {longest}\n{var}")
    outcome = call("run", "-p", quickstart, "--no-report")
    assert outcome.code == 0, outcome.err
    entries = [entry for file in report.pending(quickstart) for entry in report.read(file)]
    found = {"/".join(entry.key).lower(): entry for entry in entries if isinstance(entry, report.Record)}
    part = "user/all/var_table/part_1"
    assert found.keys() == {*MODELS, part}
    inputs = {"/".join(path).lower(): version for path, version in found["inputs/rstracks/var_table"].inputs}
    assert inputs[part] == found[part].material


@pytest.mark.skipif(importlib.util.find_spec("dagster") is None, reason="Dagster is not installed")
@pytest.mark.slow
def test_dagster_hears_of_a_run(call: Call, quickstart: Path) -> None:
    document = json.loads(call("run", "-p", quickstart, "--json").out)
    assert document["reported_to_dagster"] is True
    reader = report.instance_folder(quickstart) / "reporter.log"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and "reported 7 models" not in (reader.read_text() if reader.exists() else ""):
        time.sleep(0.1)
    assert report.pending(quickstart) == ()


def test_dagster_need_not_be_installed(call: Call, quickstart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "spawn_reporter", lambda _: None)
    outcome = call("run", "-p", quickstart)
    assert outcome.code == 0
    assert outcome.err == "Dagster is not installed: this run is shown there once it is\n"
    entries = [entry for file in report.pending(quickstart) for entry in report.read(file)]
    assert sum(isinstance(entry, report.Record) for entry in entries) == 7
    assert sum(isinstance(entry, report.RunRecord) for entry in entries) == 1


def test_an_older_window_leaves_the_plain_views_alone(call: Call, built: Path) -> None:
    before = rows(call, built, "select * from user_profile order by all")
    planned = json.loads(call("plan", "-p", built, "--end-time", "2023-10-01", "--json").out)
    assert planned["views_stay_on"] == {"seq_no": 1, "end_time": "2023-11-08T00:00:00+00:00"}
    outcome = call("run", "-p", built, "--end-time", "2023-10-01", "--no-report")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    said = "the plain views stay on seq_no 1, as of 2023-11-08T00:00:00Z, which is later; --seq-no reads this one"
    assert said in lines
    assert f'next: profiles query -p {built} --seq-no 2 "select * from user_profile limit 10"' in lines
    assert rows(call, built, "select * from user_profile order by all") == before
    assert rows(call, built, "select * from user_profile order by all", "--seq-no", "2") != before
    document = json.loads(call("run", "-p", built, "--seq-no", "2", "--no-report", "--json").out)
    assert (document["views"], document["views_stay_on"]) == ([], planned["views_stay_on"])
    assert all("Material_" in model["relation"] for model in document["models"])
    nothing = call("run", "-p", built, "--end-time", "1999-12-31", "--no-report").out
    assert "every model is empty: no row of the inputs counts as of 1999-12-31T00:00:00Z" in nothing
