"""Databases that DuckDB attaches for reading: inputs that lie in another file, and what cannot be attached."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from profiles_pipeline import examples
from profiles_pipeline.connections import Output, find_output
from profiles_pipeline.errors import ProjectError, WarehouseError
from profiles_pipeline.events import Options, Report
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import run
from profiles_pipeline.warehouse.connect import connect

END = Options(end=datetime(2024, 6, 1, tzinfo=UTC))
PROFILES = "SELECT * FROM profiles.user_profile ORDER BY ALL"


class Place:
    """The quickstart project, whose inputs lie in a database of another file."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        shutil.copytree(Path(examples.__file__).parent / "quickstart", self.project)
        self.connection = yaml.safe_load((self.project / "pb_project.yaml").read_text())["connection"]
        self.siteconfig = folder / "siteconfig.yaml"
        self.other = folder / "sample.duckdb"
        with duckdb.connect(str(self.other)) as sample:
            sample.execute("CREATE SCHEMA ecommerce")
            for name in ("identifies", "tracks"):
                file = self.project / "data" / f"profiles_sample.ecommerce.{name}.csv"
                sample.execute(f"CREATE TABLE ecommerce.{name} AS FROM read_csv('{file}')")

    def output(self, attach: object, path: str = "built.duckdb") -> Output:
        made = {"type": "duckdb", "path": path, "schema": "profiles", "attach": attach}
        outputs = {"connections": {self.connection: {"target": "dev", "outputs": {"dev": made}}}}
        self.siteconfig.write_text(yaml.safe_dump(outputs))
        return find_output(self.project, self.connection, self.siteconfig)

    def run(self, output: Output) -> Report:
        return run(ProfilesProject.load(self.project), output, END)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def rows(output: Output) -> list[tuple[object, ...]]:
    with connect(output.settings, purpose="test", read_only=True) as warehouse:
        return warehouse.query(PROFILES).rows


def test_inputs_in_another_database_give_what_files_give(place: Place) -> None:
    from_files = place.output({}, "files.duckdb")
    place.run(from_files)
    expected = rows(from_files)
    shutil.rmtree(place.project / "data")
    attached = place.output({"profiles_sample": {"path": "../sample.duckdb"}})
    place.run(attached)
    assert rows(attached) == expected
    assert len(expected) > 1


def test_what_changes_there_is_seen_by_the_next_run(place: Place) -> None:
    shutil.rmtree(place.project / "data")
    output = place.output({"profiles_sample": {"path": "../sample.duckdb"}})
    place.run(output)
    before = rows(output)
    with duckdb.connect(str(place.other)) as sample:
        sample.execute("UPDATE ecommerce.tracks SET event = 'order_completed'")  # as many rows as before
    place.run(output)
    assert rows(output) != before
    with pytest.raises(WarehouseError, match="read-only"), connect(output.settings, purpose="test") as warehouse:
        warehouse.execute("DELETE FROM profiles_sample.ecommerce.tracks")


def test_sql_of_a_project_attaches_nothing_itself(place: Place) -> None:
    output = place.output({"profiles_sample": {"path": "../sample.duckdb"}})
    with connect(output.settings, purpose="test", confined=True) as warehouse:
        assert warehouse.scalar("SELECT COUNT(*) > 0 FROM profiles_sample.ecommerce.tracks") is True
        with pytest.raises(WarehouseError, match="ATTACH is nothing that the SQL of a project may do"):
            warehouse.execute(f"ATTACH '{place.other}' AS again")


@pytest.mark.parametrize("kind", ["postgres", "ducklake", "motherduck"])
def test_an_extension_that_is_not_there_is_named_and_no_address_is_told(place: Place, kind: str) -> None:
    with duckdb.connect() as session:
        found = session.execute("SELECT installed FROM duckdb_extensions() WHERE extension_name LIKE ? || '%'", [kind])
        if any(installed for (installed,) in found.fetchall()):
            pytest.skip(f"the extension {kind} is installed here")
    output = place.output({"profiles_sample": {"type": kind, "address": "host=h password=planted-secret"}})
    with pytest.raises(WarehouseError) as caught, connect(output.settings, purpose="test"):
        pass
    assert str(caught.value) == (
        f"database 'profiles_sample' needs DuckDB's extension '{kind}', which is not installed"
    )
    assert caught.value.hint is not None
    assert f"INSTALL {kind}" in caught.value.hint
    assert "planted-secret" not in repr(output)


@pytest.mark.parametrize(
    ("attach", "said"),
    [
        ({"a": {"path": "nowhere.duckdb"}}, "there is no DuckDB file"),
        ({"a": {"path": "pb_project.yaml"}}, "cannot be attached as 'a'"),
    ],
)
def test_what_is_no_database_is_refused(place: Place, attach: object, said: str) -> None:
    with pytest.raises(WarehouseError, match=said), connect(place.output(attach).settings, purpose="test"):
        pass


@pytest.mark.parametrize(
    ("attach", "path", "said"),
    [
        ({"a": {}}, "x.duckdb", "database 'a' under 'attach' is of type 'duckdb' and has no 'path'"),
        ({"a": {"type": "mysql"}}, "x.duckdb", "'a' under 'attach' has the unknown type 'mysql'"),
        ({"a": {"type": "postgres"}}, "x.duckdb", "is of type 'postgres' and has no 'address'"),
        ({}, "md:shop", "projects are not built on MotherDuck"),
    ],
)
def test_what_a_siteconfig_says_wrong_has_its_place(place: Place, attach: object, path: str, said: str) -> None:
    with pytest.raises(ProjectError) as caught:
        place.output(attach, path)
    (problem,) = caught.value.problems
    assert problem.span is not None
    assert problem.span.file == str(place.siteconfig)
    assert said in problem.message
