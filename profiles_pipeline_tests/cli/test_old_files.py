"""A warehouse file of another version of the program, or one from which somebody has dropped tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline.connections import embedded
from profiles_pipeline.examples import copy_example
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry_schema import VERSION
from profiles_pipeline.run import Options, open_session
from profiles_pipeline.run import run as make

from .conftest import Call
from .test_cleanup import do
from .test_retention import rows, run

COMMANDS = (("run",), ("plan",), ("query", "select 1"), ("show", "plan"), ("cleanup", "materials", "--dry-run"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            "insert into profiles.pb_ct_version values (99, now())",
            f"error[newer-registry]: the registry in schema 'profiles' has version 99, this program knows {VERSION}\n"
            "    hint: upgrade profiles-pipeline, or use another schema",
            id="newer",
        ),
        pytest.param(
            "drop table profiles.material_registry",
            "error[broken-registry]: of the registry in schema 'profiles' there is no material_registry, so what is "
            "there cannot be told\n    hint: restore it, or drop schema 'profiles' and run again",
            id="broken",
        ),
    ],
)
def test_a_registry_that_cannot_be_read_is_refused_by_every_command(
    call: Call, built: Path, change: str, said: str
) -> None:
    do(built, change)
    for command, *arguments in COMMANDS:
        outcome = call(command, *arguments[:1], *arguments[1:], "-p", built)
        assert (outcome.code, said in outcome.err) == (2, True), (command, outcome.err)


def plan(call: Call, project: Path, end: str, *options: str) -> str:
    """Return what a plan says of the stitcher."""
    outcome = call("plan", "-p", project, "--end-time", end, "--json", *options)
    return next(
        str(model["reason"])
        for model in json.loads(outcome.out)["models"]
        if model["path"] == "models/user_id_stitcher"
    )


def test_a_plan_says_why_nothing_is_gone_on_from(call: Call, built: Path) -> None:
    """What was dropped, kept from run to run or built, is made anew; what is kept may be of later, or not wanted."""
    run(call, built, "2023-11-08T06:00:00Z")
    anew = "reads everything, and keeps what later runs go on from"
    assert plan(call, built, "2023-11-08T12:00:00Z") == "reads what changed since 2023-11-08 06:00:00"
    assert plan(call, built, "2023-11-08T12:00:00Z", "--rebase-incremental") == f"{anew}: it is to start over"
    earlier = "no material of this definition for this window, and what is kept is as of later (2023-11-08 06:00:00)"
    assert plan(call, built, "2023-11-08T03:00:00Z") == earlier
    with duckdb.connect(str(built / ".profiles" / "warehouse.duckdb")) as connection:
        tables = connection.execute("select table_name from duckdb_tables() where table_name like '%_graph'").fetchall()
        ((kept,),) = tables
        connection.execute(f'drop table profiles."{kept}"')
    assert plan(call, built, "2023-11-08T06:00:00Z").startswith(f"{anew}: {kept} was dropped since the last run")
    assert plan(call, built, "2023-11-08T12:00:00Z") == f"{anew}: {kept} was dropped since the last run"
    run(call, built, "2023-11-08T06:00:00Z")
    names = ("user_profile", "user_id_stitcher", "user_feature_view")
    found = rows(built, *names)
    outcome = call("run", "-p", built, "--end-time", "2023-11-08T06:00:00Z", "--force", "--no-report", "-q")
    assert outcome.code == 0, outcome.err
    assert rows(built, *names) == found


def test_all_that_is_kept_is_found_again(home: Path, tmp_path: Path) -> None:  # noqa: ARG001
    """Of what is kept for vars that need the rows of a person there are only the days."""
    copy_example("ecommerce", tmp_path / "shop")
    project = ProfilesProject.load(tmp_path / "shop")
    output = embedded(tmp_path / "shop")
    for day in (20, 21):
        make(project, output, Options(end=datetime(2024, 11, day, tzinfo=UTC)))
    with open_session(project, output, "test") as session:
        known = session.warehouse.query("SELECT table_name FROM profiles.held_tables").rows
        assert {held.name for held in session.registry.held(project.name)} == {name for (name,) in known}
