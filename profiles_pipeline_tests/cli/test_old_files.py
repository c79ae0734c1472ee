"""A warehouse file of another version of the program, or one from which somebody has dropped tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline.connections import embedded
from profiles_pipeline.examples import copy_example
from profiles_pipeline.project import ProfilesProject
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
            "update profiles.pb_ct_version set registry_version = 2",
            "error[newer-registry]: the registry in schema 'profiles' has version 2, this program knows 1\n"
            "    hint: upgrade profiles-pipeline, or use another schema",
            id="newer",
        ),
        pytest.param(
            "update profiles.pb_ct_version set registry_version = 0",
            "error[older-registry]: the registry in schema 'profiles' has version 0, this program knows 1\n"
            "    hint: downgrade profiles-pipeline, or use another schema",
            id="older",
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


@pytest.mark.parametrize("lost", ["_people", "_changes", "of edges"])
def test_what_is_kept_and_has_been_dropped_is_kept_anew(call: Call, built: Path, lost: str) -> None:
    """The run goes on from what is left, and says what a rebuild would."""
    run(call, built, "2023-11-08T06:00:00Z")
    with duckdb.connect(str(built / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        held = connection.execute("select table_name, model_ref from profiles.held_tables order by 1").fetchall()
    ends = ("_people", "_changes", "_graph")
    name = next(
        name for name, path in held if (name.endswith(lost) if lost in ends else path == "models/user_id_stitcher"
        and not name.endswith(ends))
    )  # fmt: skip
    do(built, f'drop table profiles."{name}"')
    run(call, built, "2023-11-08T12:00:00Z")
    names = ("user_profile", "user_id_stitcher", "user_feature_view")
    found = rows(built, *names)
    outcome = call("run", "-p", built, "--end-time", "2023-11-08T12:00:00Z", "--force", "--no-report", "-q")
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
