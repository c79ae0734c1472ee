"""cleanup materials drops what nobody needs, says why, and touches nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline.names import STATES

from .conftest import Call, Spawn
from .test_check import edit

LATER = "2023-11-09T00:00:00Z"
CHANGED = {"Material_user_var_table", "Material_user_profile", "Material_user_feature_view"}


def relations(project: Path) -> dict[str, int]:
    """Return every relation of the warehouse with its number of rows."""
    with duckdb.connect(str(project / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        names = connection.sql("select table_schema, table_name from information_schema.tables order by all").fetchall()
        return {
            f"{schema}.{name}": connection.sql(f'select count(*) from "{schema}"."{name}"').fetchall()[0][0]
            for schema, name in names
        }


def do(project: Path, sql: str) -> None:
    """Let somebody else do something in the warehouse."""
    with duckdb.connect(str(project / ".profiles" / "warehouse.duckdb")) as connection:
        connection.execute(sql)


def run(call: Call, project: Path, end: str, *options: str) -> None:
    outcome = call("run", "-p", project, "--end-time", end, "--no-report", "-q", *options)
    assert outcome.code == 0, outcome.err


def cleaned(call: Call, project: Path, *options: str) -> dict[str, tuple[str, str]]:
    """Return material -> what happens to it and why."""
    outcome = call("cleanup", "materials", "-p", project, "--json", *options)
    assert outcome.code == 0, outcome.err
    return {m["material"]: (m["action"], m["reason"]) for m in json.loads(outcome.out)["materials"]}


@pytest.fixture
def superseded(call: Call, built: Path) -> Path:
    """The quickstart project, run again a day later with one changed var."""
    edit(built, "select: count( * )", "select: 1000 + count( * )")
    run(call, built, LATER)
    return built


def test_a_project_in_use_loses_nothing(call: Call, built: Path) -> None:
    before = relations(built)
    outcome = call("cleanup", "materials", "-p", built, "-y")
    assert outcome.code == 0
    assert outcome.out == "0 to drop, 7 to keep; --json says why each is kept\n"
    assert relations(built) == before


def test_superseded_definitions_go(call: Call, superseded: Path) -> None:
    before = relations(superseded)
    outcome = call("cleanup", "materials", "-p", superseded, "-y")
    assert outcome.code == 0
    assert outcome.out.count("its definition has been superseded") == 3
    assert outcome.out.splitlines()[-1] == "dropped 3 materials (3 relations)"
    after = relations(superseded)
    gone = before.keys() - after.keys()
    assert {name.removeprefix("profiles.").rpartition("_")[0].rpartition("_")[0] for name in gone} == CHANGED
    assert {name.rpartition("_")[2] for name in gone} == {"1"}
    del before["profiles.material_registry"]
    assert after.pop("profiles.material_registry") == 11
    assert after == {name: count for name, count in before.items() if name in after}


@pytest.mark.parametrize("option", ["--retention_time_in_hours", "--retention_time_in_ms"])
def test_the_age_in_other_units(call: Call, superseded: Path, option: str) -> None:
    fates = cleaned(call, superseded, "--expired", option, "0", "--dry-run")
    assert {name for name, fate in fates.items() if fate[0] == "drop"} == {n for n in fates if n.endswith("_1")}
    assert {fate[0] for fate in cleaned(call, superseded, "--expired", option, "3600000", "-y").values()} == {"keep"}


def test_by_age_alone(call: Call, superseded: Path) -> None:
    assert {fate[0] for fate in cleaned(call, superseded, "--expired", "-y").values()} == {"keep"}
    fates = cleaned(call, superseded, "--expired", "--retain", "0s", "-y")
    assert {name for name, fate in fates.items() if fate[0] == "drop"} == {n for n in fates if n.endswith("_1")}
    assert {reason for _, reason in fates.values()} == {
        "older than 0 seconds",
        "the newest of its definition",
        "the next run goes on from it",
    }
    left = {name for name in cleaned(call, superseded) if not name.startswith("State_")}
    assert {name.rpartition("_")[2] for name in left} == {"2"}


def test_the_parts_of_a_material_go_with_it(call: Call, superseded: Path) -> None:
    before = relations(superseded)
    cleaned(call, superseded, "-r", "0", "-y")
    gone = before.keys() - relations(superseded).keys()
    assert {name.rpartition("_1")[2] for name in gone} == {"", "_internal_edges", "_mappings"}
    assert call("run", "-p", superseded, "--end-time", "2023-11-10", "--no-report", "-q").code == 0


def test_the_period_of_the_project(call: Call, superseded: Path) -> None:
    edit(superseded, "schema_version: ", "retention_period: 1ms\nschema_version: ", "pb_project.yaml")
    fates = cleaned(call, superseded, "--expired", "--dry-run")
    assert [name for name, fate in fates.items() if fate[0] == "drop"] == [n for n in fates if n.endswith("_1")]


def test_what_a_view_of_somebody_reads_stays(call: Call, superseded: Path) -> None:
    old = next(n for n in relations(superseded) if "user_id_stitcher" in n and n.endswith("_1"))
    do(superseded, f'create schema mine; create view mine.graph as select * from profiles."{old.partition(".")[2]}"')
    do(superseded, "create view main.again as select * from mine.graph; create table profiles.notes as select 1 as n")
    fates = cleaned(call, superseded, "-r", "0", "-y")
    assert fates[old.partition(".")[2]] == ("keep", "view 'mine.graph' reads it")
    assert [n for n, fate in fates.items() if fate[0] == "keep" and n.endswith("_1")] == [old.partition(".")[2]]
    after = relations(superseded)
    assert after["main.again"] == after["mine.graph"] == after[old]
    assert {f"{old}_mappings", f"{old}_internal_edges", "profiles.notes"} <= after.keys()


def test_what_a_kept_material_reads_stays(call: Call, superseded: Path) -> None:
    """An input var table of the first run is a view over the mappings of that run's stitcher."""
    old = next(n.partition(".")[2] for n in relations(superseded) if "rsTracks_var_table_" in n and n.endswith("_1"))
    do(superseded, f'create view main.rows as select * from profiles."{old}"')
    fates = cleaned(call, superseded, "-r", "0", "-y")
    kept = {n.rpartition("_")[0].rpartition("_")[0]: fate[1] for n, fate in fates.items()
            if fate[0] == "keep" and n.endswith("_1")}  # fmt: skip
    assert kept == {
        "Material_rsTracks_var_table": "view 'main.rows' reads it",
        "Material_user_id_stitcher": f"view 'profiles.{old}' reads it",
    }
    assert relations(superseded)["main.rows"] > 0


def test_what_no_run_goes_on_from_goes(call: Call, superseded: Path) -> None:
    """What was kept for another definition of a stitcher or a var is dropped, what runs go on from is not."""
    kept = {name for name in cleaned(call, superseded, "--dry-run") if name.startswith("State_")}
    assert len(kept) == 7
    run(call, superseded, "2023-11-10T00:00:00Z")
    edit(superseded, "select: 1000 + count( * )", "select: 2000 + count(distinct session_id)")
    tracks = "table: profiles_sample.ecommerce.tracks\n"
    edit(superseded, tracks, f"{tracks}    where: user_id != 'nobody'\n", "models/inputs.yaml")
    run(call, superseded, "2023-11-11T00:00:00Z")
    fates = cleaned(call, superseded, "-y")
    states = {name: fate for name, fate in fates.items() if name.startswith("State_")}
    assert {name for name, fate in states.items() if fate == ("keep", "the next run goes on from it")} - kept
    gone = {name for name, fate in states.items() if fate == ("drop", "no run goes on from it any more")}
    assert gone
    assert gone < kept
    left = {name.partition(".")[2] for name in relations(superseded)}
    assert not {name for name in left for other in gone if name.startswith(other)}
    assert {name for name in states if states[name][0] == "keep"} <= left
    document = json.loads(call("run", "-p", superseded, "--end-time", "2023-11-12", "--no-report", "--json").out)
    assert {m["action"] for m in document["models"] if m["path"].endswith(("stitcher", "all/var_table"))} == {
        "increment"
    }


def test_what_was_kept_goes_where_nothing_is_kept(call: Call, superseded: Path) -> None:
    (superseded / "pipeline.yaml").write_text("incremental: never\n", encoding="utf-8")
    run(call, superseded, "2023-11-10T00:00:00Z")
    states = {name: fate for name, fate in cleaned(call, superseded, "-y").items() if name.startswith("State_")}
    read = ("keep", "view 'profiles.user_id_stitcher_id_changes' reads it")
    of_materials = {name: fate for name, fate in states.items() if name.endswith(STATES)}
    assert len(of_materials) == 2
    assert all(action == "keep" and "Material_user" in why for action, why in of_materials.values())
    others = {fate for name, fate in states.items() if name not in of_materials}
    assert others == {("drop", "pipeline.yaml says that nothing is kept from run to run"), read}
    left = [name for name in relations(superseded) if ".State_" in name]
    assert left == [f"profiles.{name}" for name, (action, _) in states.items() if action == "keep"]


def test_what_was_kept_and_is_known_to_nobody_goes(call: Call, superseded: Path) -> None:
    """A process that is killed between forgetting a kept table and dropping it leaves such tables behind."""
    kept = sorted(name.partition(".")[2] for name in relations(superseded) if ".State_" in name)
    lost = "State_0123456789ab_days_seen"
    do(superseded, f'create table profiles."{lost}" as select 1 as n')
    do(superseded, 'create table profiles."State_of_affairs" as select 1 as n')
    do(superseded, 'create table profiles."State_ba9876543210" as select 1 as n')
    do(superseded, 'create view profiles.somebodys as select * from profiles."State_ba9876543210"')
    forgotten = next(name for name in kept if name.endswith("_days"))
    do(superseded, f"delete from profiles.held_tables where table_name = '{forgotten.removesuffix('_days')}'")
    its = {name for name in kept if name.startswith(forgotten.removesuffix("_days"))}
    fates = cleaned(call, superseded, "-y")
    dropped = {name for name, fate in fates.items() if fate == ("drop", "no run knows of it any more")}
    assert dropped == {lost, *its}
    assert fates["State_ba9876543210"] == ("keep", "view 'profiles.somebodys' reads it")
    left = {name.partition(".")[2] for name in relations(superseded) if ".State_" in name}
    assert left == {*kept, "State_of_affairs", "State_ba9876543210"} - its
    run(call, superseded, "2023-11-10T00:00:00Z")


def test_builds_that_were_never_finished(call: Call, superseded: Path) -> None:
    do(superseded, 'create table profiles."Material_user_all_0123abcd_1" as select 1 as n')
    do(superseded, 'create table profiles."Material_user_all_0123abcd_9" as select 1 as n')
    do(superseded, 'create table profiles."Material_user_all_0123abcd_1_copy" as select 1 as n')
    fates = cleaned(call, superseded, "-y")
    assert fates["Material_user_all_0123abcd_1"] == ("drop", "its build was never finished")
    left = {name for name in relations(superseded) if "0123abcd" in name}
    assert left == {"profiles.Material_user_all_0123abcd_9", "profiles.Material_user_all_0123abcd_1_copy"}


def test_a_run_that_can_be_continued_stays_whole(call: Call, superseded: Path) -> None:
    edit(superseded, "select: 1000 + count( * )", "select: \"error('no')\"")
    assert call("run", "-p", superseded, "--end-time", "2023-11-10", "--no-report", "-q").code == 1
    fates = cleaned(call, superseded, "-r", "0", "--dry-run")
    third = {fate for name, fate in fates.items() if name.endswith("_3")}
    assert third == {("keep", "the run of seq_no 3 can still be continued")}


def test_another_project_in_the_same_schema_is_left_alone(call: Call, superseded: Path) -> None:
    edit(superseded, "name: quickstart", "name: other", "pb_project.yaml")
    before = relations(superseded)
    assert cleaned(call, superseded, "-r", "0", "-y") == {}
    assert relations(superseded) == before


def test_a_look_changes_nothing(call: Call, superseded: Path) -> None:
    before = relations(superseded)
    outcome = call("cleanup", "materials", "-p", superseded, "--dry-run")
    assert (outcome.code, outcome.err) == (0, outcome.err)
    assert "3 to drop, 18 to keep" in outcome.out
    assert relations(superseded) == before


@pytest.mark.parametrize(("answer", "count"), [("y\n", 3), ("n\n", 0), ("", 0)])
def test_it_asks_first(superseded: Path, spawn: Spawn, answer: str, count: int) -> None:
    before = relations(superseded)
    process = spawn("cleanup", "materials", "-p", superseded, stdin=-1)
    _, err = process.communicate(answer, timeout=120)
    assert "drop 3 materials? [y/N]" in err
    assert process.returncode == (0 if answer else 2)
    assert len(before.keys() - relations(superseded).keys()) == count


def test_a_failure_leaves_everything(call: Call, superseded: Path) -> None:
    """The warehouse refuses half-way: a table of somebody refers to rows of a material."""
    old = next(n.partition(".")[2] for n in relations(superseded) if "Material_user_profile" in n and n.endswith("_1"))
    do(superseded, f'alter table profiles."{old}" add primary key (main_id)')
    do(superseded, f'create table profiles.notes (main_id varchar references profiles."{old}" (main_id))')
    before = relations(superseded)
    outcome = call("cleanup", "materials", "-p", superseded, "-y")
    assert outcome.code == 1
    assert "error[warehouse-error]" in outcome.err
    assert "dropped" not in outcome.out
    assert relations(superseded) == before


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["-r", "soon"], "bad-duration"),
        (["--json"], "no-answer"),
        (["-r", "-1"], "bad-duration"),
        (["-r", "7d", "--retention_time_in_hours", "3"], "options-clash"),
        (["--remove_latest_view_ptrs", "-y"], "unsupported-option"),
        (["--retention_time_in_ms", "-5"], "usage"),
    ],
)
def test_a_wrong_call_exits_with_2(call: Call, superseded: Path, options: list[str], code: str) -> None:
    before = relations(superseded)
    outcome = call("cleanup", "materials", "-p", superseded, *options)
    assert outcome.code == 2
    assert f"error[{code}]" in outcome.err
    assert relations(superseded) == before


def test_a_period_that_is_none_is_said_at_its_place(call: Call, superseded: Path) -> None:
    edit(superseded, "schema_version: ", "retention_period: a while\nschema_version: ", "pb_project.yaml")
    outcome = call("cleanup", "materials", "-p", superseded, "-y")
    assert outcome.code == 2
    assert "pb_project.yaml:" in outcome.err
    assert "error[bad-duration]: retention_period 'a while' is no length of time" in outcome.err


def test_before_the_first_run_there_is_nothing_to_clean(call: Call, quickstart: Path) -> None:
    outcome = call("cleanup", "materials", "-p", quickstart, "-y")
    assert (outcome.code, outcome.out) == (0, "0 to drop, 0 to keep; --json says why each is kept\n")
    assert not (quickstart / ".profiles").exists()
