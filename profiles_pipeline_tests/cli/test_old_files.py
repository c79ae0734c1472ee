"""A warehouse file of another version of the program, or one from which somebody has dropped tables."""

from __future__ import annotations

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


def test_a_plan_says_what_has_been_dropped(call: Call, built: Path) -> None:
    """Both a table that is kept from run to run and a material are made anew, and the reason is told."""
    run(call, built, "2023-11-08T06:00:00Z")
    with duckdb.connect(str(built / ".profiles" / "warehouse.duckdb")) as connection:
        tables = connection.execute("select table_name from duckdb_tables() where table_name like '%_graph'").fetchall()
        ((kept,),) = tables
        connection.execute(f'drop table profiles."{kept}"')
    for end, said in {
        "2023-11-08T06:00:00Z": "what it was a view of has been dropped or altered",
        "2023-11-08T12:00:00Z": f"what later runs go on from: {kept} was dropped since the last run",
    }.items():
        outcome = call("plan", "-p", built, "--end-time", end)
        assert said in " ".join(outcome.out.split()), outcome.out
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
