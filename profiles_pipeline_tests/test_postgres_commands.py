"""The commands of every day, and Dagster, on a project whose connection is a PostgreSQL database."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline import connections, examples
from profiles_pipeline.assets import ProfilesResource, build_definitions
from profiles_pipeline.cli import main
from profiles_pipeline.observations import look
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import open_session
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.assets.conftest import NO_PARTITIONS, failure_texts, materialize
from profiles_pipeline_tests.warehouse.postgres import load_files, settings, siteconfig

pytestmark = pytest.mark.postgres

SCHEMA = "commands"
HOOK = """\
  - name: marked
    model_type: sql_template
    model_spec:
      single_sql: select 1 as one
      materialization: {output_type: table}
    hooks:
      post_run: insert into commands_log.said select 'made ' || count(*) from {{ this }}
"""

Profiles = Callable[..., str]


@pytest.fixture(scope="module")
def folder(postgres_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project built for three days, with its siteconfig beside it."""
    made = tmp_path_factory.mktemp("commands") / "quickstart"
    examples.copy_example("quickstart", made)
    site = made.parent / "siteconfig.yaml"
    site.write_text(siteconfig(postgres_port, SCHEMA).replace("target: dev", "target: postgres"), encoding="utf-8")
    with connect(settings(postgres_port, "loading_commands"), purpose="test") as warehouse:
        warehouse.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; DROP SCHEMA IF EXISTS commands_log CASCADE")
        warehouse.execute("CREATE SCHEMA commands_log; CREATE TABLE commands_log.said (words TEXT)")
        load_files(warehouse, sorted((made / "data").iterdir()))
    shutil.rmtree(made / "data")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def profiles(folder: Path, capsys: pytest.CaptureFixture[str]) -> Profiles:
    """Runs a command that has to succeed; returns what it prints."""

    def command(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            main([*arguments, "-p", str(folder), "-c", str(folder.parent / "siteconfig.yaml")])
        out, err = capsys.readouterr()
        assert left.value.code == 0, err
        return out

    return command


@pytest.fixture
def built(folder: Path, profiles: Profiles) -> None:
    if not (folder / "output").exists():
        for day in (1, 2, 3):
            profiles("run", "--no-report", "--end-time", f"2024-02-0{day}")


def test_insert(profiles: Profiles) -> None:
    assert re.search(rf"{SCHEMA}\.sample_rs_demo_tracks +500\n", profiles("insert", "--rows", "500", "--force"))


def test_validate_access_tries_all_and_leaves_nothing(profiles: Profiles, postgres_port: int) -> None:
    said = profiles("validate", "access")
    assert "read inputs/rstracks (profiles_sample.ecommerce.tracks)  from dagster.ecommerce.tracks" in said
    assert "a run may do all it needs to" in said
    with connect(settings(postgres_port, SCHEMA), purpose="test", read_only=True) as warehouse:
        assert not any(name.startswith("profiles_access") for name in warehouse.relations(SCHEMA))


@pytest.mark.usefixtures("built")
def test_audit_id_stitcher(profiles: Profiles) -> None:
    (graph,) = json.loads(profiles("audit", "id_stitcher", "--json"))
    assert (graph["ids"]["after"], graph["edges"]["after"], graph["clusters"]) == (20, 22, 5)


@pytest.mark.usefixtures("built")
def test_show_entity_lookup(profiles: Profiles) -> None:
    (person,) = json.loads(profiles("show", "entity-lookup", "-v", "anon-1a", "--json"))
    assert {"user1", "anon-1a", "anon-1b", "user1@example.com"} == {each["id"] for each in person["ids"]}
    assert person["features"]["orders_completed_in_past_365_days"] == 2
    hops = profiles("show", "entity-lookup", "--explain", "anon-1b", "user1@example.com")
    assert "user1" in hops


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("what", ["models", "entities", "features", "sources", "materials"])
def test_discover(profiles: Profiles, what: str) -> None:
    assert json.loads(profiles("discover", what, "--json"))


@pytest.mark.usefixtures("built")
def test_cleanup_drops_what_is_old_and_later_runs_go_on(profiles: Profiles) -> None:
    before = profiles("query", "select * from user_profile order by 1", "--format", "json")
    fates = json.loads(profiles("cleanup", "materials", "-r", "0", "-y", "--json"))["materials"]
    assert sorted({each["seq_no"] for each in fates if each["dropped"]}) == [1, 2]
    assert [each["material"] for each in fates if not each["dropped"] and each["seq_no"] in (1, 2)] == []
    assert profiles("query", "select * from user_profile order by 1", "--format", "json") == before
    later = json.loads(profiles("run", "--no-report", "--end-time", "2024-02-04", "--json"))
    assert "increment" in {each["action"] for each in later["models"]}


def test_hooks_run_on_the_server(folder: Path, profiles: Profiles, postgres_port: int) -> None:
    models = folder / "models" / "profiles.yaml"
    text = models.read_text(encoding="utf-8")
    models.write_text(text.replace("models:\n", f"models:\n{HOOK}", 1), encoding="utf-8")
    try:
        profiles("run", "--no-report", "--end-time", "2024-02-05")
    finally:
        models.write_text(text, encoding="utf-8")
    with connect(settings(postgres_port, SCHEMA), purpose="test", read_only=True) as warehouse:
        assert warehouse.query("SELECT words FROM commands_log.said").rows == [("made 1",)]


def test_dagster_loads_and_materializes(folder: Path) -> None:
    (folder / "pipeline.yaml").write_text(NO_PARTITIONS, encoding="utf-8")
    resource = ProfilesResource(siteconfig=str(folder.parent / "siteconfig.yaml"), target="postgres")
    with dg.instance_for_test() as instance:
        given = {"siteconfig": resource.siteconfig, "target": resource.target, "end_time": "2024-02-06T00:00:00Z"}
        config = {"resources": {"profiles": {"config": given}}}
        result = materialize(build_definitions(folder, resource=resource), instance, run_config=config)
        assert result.success, failure_texts(result)
        rows = {
            event.materialization.asset_key.to_user_string(): event.materialization.metadata["dagster/row_count"].value
            for event in result.get_asset_materialization_events()
        }
    assert rows["models/user_id_stitcher"] == 20
    assert rows["models/user_profile"] == 5


def test_looks_find_days_that_changed(folder: Path) -> None:
    site = folder.parent / "siteconfig.yaml"
    project, now = ProfilesProject.load(folder), datetime(2024, 3, 1, tzinfo=UTC)
    with open_session(project, connections.find_output(folder, "test", site, "postgres"), "test") as session:
        session.registry.ensure()
        first = look(project, session.registry, now=now)
        assert all(observed.problem is None and observed.was_read for observed in first.inputs)
        assert not any(observed.changes for observed in look(project, session.registry, now=now).inputs)
        day = session.warehouse.scalar("SELECT MIN(timestamp)::DATE FROM ecommerce.tracks")
        session.warehouse.execute(f"UPDATE ecommerce.tracks SET event = 'seen' WHERE timestamp::DATE = '{day}'")
        (changed,) = [observed for observed in look(project, session.registry, now=now).inputs if observed.changes]
    assert [found.date() for found in changed.changes] == [day]
