"""The example projects on other engines: every view has the cells that it has on DuckDB."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from profiles_pipeline import connections, examples
from profiles_pipeline.cli import main
from profiles_pipeline.dialects import capabilities, identifier, spelled
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.events import Options, Report
from profiles_pipeline.examples.ecommerce_data import generate
from profiles_pipeline.freshness import tables_from_outside
from profiles_pipeline.names import ACCUMULATOR, MATERIAL
from profiles_pipeline.plan import Request
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES
from profiles_pipeline.run import open_session, run
from profiles_pipeline.testing import Case, load_case, write_case
from profiles_pipeline.warehouse.base import Rows
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import Settings
from profiles_pipeline_tests.warehouse.engines import Engine, Postgres, Snowflake

OF_A_RUN = "input_row_id"
"""A column that numbers the rows of an input in whatever order they were read."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("snowflake", marks=pytest.mark.snowflake),
    ],
)
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "postgres":
        return Postgres(request.getfixturevalue("postgres_port"))
    return Snowflake(request.getfixturevalue("snowflake_account"))


@dataclass(frozen=True)
class Place:
    """A project with its sources on both engines."""

    folder: Path
    siteconfig: Path
    end: datetime
    engine: str

    def run(self, target: str, **options: object) -> Report:
        project = ProfilesProject.load(self.folder)
        return run(project, self.output(target), Options(end=self.end, **options))  # type: ignore[arg-type]

    def output(self, target: str) -> connections.Output:
        return connections.find_output(self.folder, "test", self.siteconfig, target)

    def views(self, target: str) -> dict[str, Rows]:
        return views(self.output(target))


def views(output: connections.Output) -> dict[str, Rows]:
    """The rows of every plain view of a place."""
    with connect(output.settings, purpose="test", read_only=True) as warehouse:

        def rows(name: str) -> Rows:
            parts = (identifier(part, warehouse.dialect) for part in (output.schema, name))
            return warehouse.query(f"SELECT * FROM {'.'.join(parts)}")

        names = sorted(warehouse.relations(output.schema) & warehouse.view_texts(output.schema).keys())
        hidden = (MATERIAL.lower(), ACCUMULATOR.lower())
        return {name.lower(): rows(name) for name in names if not name.lower().startswith(hidden)}


def cells(rows: Rows) -> list[tuple[object, ...]]:
    """The rows without those columns that each run numbers anew, in an order of their own."""
    kept = [number for number, name in enumerate(rows.columns) if name.lower() != OF_A_RUN]
    return sorted((tuple(_cell(row[number]) for number in kept) for row in rows.rows), key=repr)


def _cell(value: object) -> object:
    """A number without its type: sums of integers are wider here than there; a list or document as one text."""
    if isinstance(value, list | dict):
        return json.dumps(value, default=str, sort_keys=True)
    if isinstance(value, str) and value[:1] in ("[", "{"):
        with suppress(ValueError):
            return json.dumps(json.loads(value), sort_keys=True)
    return value.normalize() if isinstance(value, Decimal) else Decimal(value) if type(value) is int else value


def place(project: str, engine: Engine, folder: Path, end: datetime) -> Place:
    """An example project, its data in the server and in a folder beside it."""
    examples.copy_example(project, folder)
    if project == "ecommerce":
        shutil.rmtree(folder / "data", ignore_errors=True)
        generate(folder / "data", events=6_000)
    site = folder.parent / f"{project}.yaml"
    site.write_text(engine.siteconfig(project), encoding="utf-8")
    engine.drop(project)
    engine.load_files(sorted((folder / "data").iterdir()))
    return Place(folder, site, end, engine.name)


@pytest.fixture(scope="module", params=["quickstart", "ecommerce"])
def built(request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("projects") / str(request.param)
    end = {"quickstart": datetime(2024, 2, 1, tzinfo=UTC), "ecommerce": datetime(2025, 1, 1, tzinfo=UTC)}
    made = place(str(request.param), engine, folder, end[str(request.param)])
    made.run("dev")
    made.run(made.engine, concurrency=3)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lively(built: Place, request: pytest.FixtureRequest) -> Place:
    """A project that is run again and again; on the emulation, which is slow, the small one, unless it is asked for."""
    is_slow = built.engine == "snowflake" and built.folder.name != "quickstart"
    if is_slow and not request.config.getoption("--every-project"):
        pytest.skip("the quickstart shows it; --every-project asks for all")
    return built


def test_every_view_is_equal_cell_by_cell(built: Place) -> None:
    here, there = built.views("dev"), built.views(built.engine)
    assert here.keys() == there.keys()
    assert sum(len(rows.rows) for rows in here.values()) > 50
    for name, expected in here.items():
        assert [c.lower() for c in expected.columns] == [c.lower() for c in there[name].columns], name
        assert cells(expected) == cells(there[name]), name


def test_a_second_run_takes_everything_over(lively: Place) -> None:
    assert all(item.reused for item in lively.run(lively.engine).built)


def test_later_runs_say_what_runs_from_the_rows_say(lively: Place) -> None:
    built = lively
    before = built.views(built.engine)
    ways = []
    for day in (2, 3):
        later = replace(built, end=built.end.replace(day=day))
        report = later.run(later.engine, concurrency=3)
        ways.append({item.how.action for item in report.built if type(item.model).__name__ in ("Stitcher", "VarTable")})
        whys = [item.how.reason for item in report.built if type(item.model).__name__ in ("Stitcher", "VarTable")]
        later.run("dev", request=Request(whole=True))
        here, there = later.views("dev"), later.views(later.engine)
        goes_on = capabilities(built.engine).increments
        assert there.keys() - here.keys() == ({"user_id_stitcher_id_changes"} if goes_on else set())
        assert {name: cells(rows) for name, rows in here.items()} == {name: cells(there[name]) for name in here}
        assert before.keys() == here.keys()
        said = f"on {built.engine} every run builds from the rows"
        assert all((said in why) is not goes_on for why in whys)
    assert ways == [{"build"}, {"increment"} if goes_on else {"build"}]
    later.run(later.engine, request=Request(force=True), concurrency=3)
    again = later.views(later.engine)
    assert {name: cells(rows) for name, rows in here.items()} == {name: cells(again[name]) for name in here}


def test_by_the_command_line(lively: Place, capsys: pytest.CaptureFixture[str]) -> None:
    built = lively
    given = ["-p", str(built.folder), "-c", str(built.siteconfig), "-t", built.engine]
    end = f"{built.end.replace(day=4):%Y-%m-%d}"
    told = said(["run", *given, "--end-time", end, "--concurrency", "2"], capsys)
    assert told.startswith(f"{built.folder.name}: building in {built.output(built.engine).settings.place}")
    query = ["query", *given, "--format", "json", "select count(*) as n from user_id_stitcher"]
    expected = [{spelled("n", built.engine): len(built.views(built.engine)["user_id_stitcher"].rows)}]
    assert json.loads(said(query, capsys)) == expected
    assert json.loads(said([*query, "--seq-no", "latest"], capsys)) == expected


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that succeeds prints."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    out, err = capsys.readouterr()
    assert left.value.code == 0, err
    return out


PROJECTS = Path(__file__).parent / "projects"
CASES = Path(__file__).parent / "data" / "cases"
REFUSED = {
    "postgres": {},
    "snowflake": {
        "borrowed_dialects": "cannot be said in Snowflake: it has no function REGEXP_SPLIT",
        "json_events": "cannot be said in Snowflake: it has no function MAP_FROM_ENTRIES",
    },
}
"""Projects that need what cannot be said there yet, with what the server says."""

USUALLY = {"postgres": None, "snowflake": {"leading_comma", "sessions_as_published", "sessions_without_bots"}}
"""Projects and cases that are built there without being asked for by `--every-project`; None for all."""


@pytest.fixture
def only_usual_ones(engine: Engine, request: pytest.FixtureRequest) -> None:
    """Skips what takes too long on an engine for every day."""
    given = request.getfixturevalue("name")
    usual = USUALLY[engine.name]
    if usual is not None and given not in usual and not request.config.getoption("--every-project"):
        pytest.skip(f"built on {engine.name} with --every-project")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.parent.name for path in PROJECTS.glob("*/expected.yaml")))
@pytest.mark.usefixtures("only_usual_ones")
def test_projects_of_all_years_are_equal_cell_by_cell(name: str, engine: Engine, tmp_path: Path) -> None:
    _compare_with_duckdb(load_case(PROJECTS / name / "expected.yaml"), name, engine, tmp_path / "project")


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("sessions_*.yaml")))
@pytest.mark.usefixtures("only_usual_ones")
def test_sessions_are_equal_cell_by_cell(name: str, engine: Engine, tmp_path: Path) -> None:
    """By the main id, as published, of several sources, and without bots."""
    _compare_with_duckdb(load_case(CASES / f"{name}.yaml"), name, engine, tmp_path / "project")


def _compare_with_duckdb(case: Case, name: str, engine: Engine, folder: Path) -> None:
    write_case(case, folder)
    project = ProfilesProject.load(folder, source_dialect=case.dialect)
    embedded = connections.embedded(folder)
    there = connections.Output(engine.name, name, _with_tables_of(project, embedded, engine, name))
    ends = [Options(begin=case.begin_time, end=end) for end in (*case.earlier_runs, case.end_time)]
    for options in ends:
        run(project, embedded, options)
    if name in REFUSED[engine.name]:
        with pytest.raises(ProjectError, match=re.escape(REFUSED[engine.name][name])):
            run(project, there, ends[0])
        return
    for options in ends:
        run(project, there, options)
    expected, found = views(embedded), views(there)
    assert expected.keys() == found.keys()
    assert {view: cells(rows) for view, rows in expected.items()} == {view: cells(rows) for view, rows in found.items()}


def _with_tables_of(project: ProfilesProject, embedded: connections.Output, engine: Engine, schema: str) -> Settings:
    """Load what a project reads into the server; return settings by which its inputs are found there."""
    tables = {table for own in tables_from_outside(project).values() for table in own}
    tables |= {str(model.table) for path, model in project.graph.models.items() if path == RULES}
    sources, place = {}, f"{schema}_sources"
    engine.drop(schema, place)
    with open_session(project, embedded, "test") as session, engine.loading(place) as load:
        for number, table in enumerate(sorted(tables)):
            with suppress(ProjectError):  # an optional table that is not there
                rows = session.warehouse.fetch_arrow(session.warehouse.source(table).select)
                load(place, f"table_{number}", rows)
                sources[table] = f"{place}.table_{number}"
    return replace(engine.settings(schema), base=project.folder, sources=sources)
