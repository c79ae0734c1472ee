"""Projects compiled for engines that are not run on: what is written, what is refused, and where."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlglot
import yaml
from sqlglot import exp

from profiles_pipeline import examples, plan, untranslated
from profiles_pipeline.cli import main
from profiles_pipeline.compile import Statement
from profiles_pipeline.dialects import KNOWN, render
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.stages import BuildMaterial, Plan, State
from profiles_pipeline_tests.test_golden_sql import without_loops

ONLY_COMPILED = tuple(name for name, record in KNOWN.items() if not record.runs)
PROJECTS = Path(__file__).parent / "projects"
REFUSED: dict[str, dict[str, list[str]]] = yaml.safe_load(
    (Path(__file__).parent / "data" / "untranslated.yaml").read_text(encoding="utf-8")
)
NO_PROJECT = {"package_library": "a part of others", "past_material": "needs an earlier run"}

SITECONFIG = """\
connections:
  {connection}:
    target: local
    outputs:
      local: {{type: duckdb, path: local.duckdb}}
      rs: {{type: redshift, host: h, dbname: d, schema: made, password: planted-secret, dialect: snowflake}}
      bq: {{type: bigquery, project_id: p, schema: made, credentials: planted-secret, dialect: snowflake}}
      dbx: {{type: databricks, host: h, catalog: c, schema: made, access_token: planted-secret, dialect: snowflake}}
"""


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(Path(examples.__file__).parent / "quickstart", folder)
    connection = yaml.safe_load((folder / "pb_project.yaml").read_text())["connection"]
    (tmp_path / "siteconfig.yaml").write_text(SITECONFIG.format(connection=connection))
    return folder


def profiles(folder: Path, *command: str) -> object:
    """Run a command and return the code that it ends with."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "-p", str(folder), "-c", str(folder.parent / "siteconfig.yaml")])
    return ended.value.code


def statements(folder: Path) -> Iterator[str]:
    for file in sorted((folder / "output").rglob("*.sql")):
        yield file.read_text(encoding="utf-8")


@pytest.mark.parametrize(("target", "dialect"), [("rs", "redshift"), ("bq", "bigquery"), ("dbx", "databricks")])
def test_sql_is_written_for_a_target_and_nothing_is_run(
    target: str, dialect: str, quickstart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profiles(quickstart, "compile", "-t", target, "--end-time", "2024-06-01") == 0
    texts = list(statements(quickstart))
    assert len(texts) == 7
    for text in map(without_loops, texts):
        assert "cannot be said" not in text
        for tree in sqlglot.parse(text, dialect=dialect):
            assert not isinstance(tree, exp.Command)
        for relation in (made for tree in sqlglot.parse(text, dialect=dialect) for made in tree.find_all(exp.Create)):
            assert relation.this.db in ("made", "")  # a temporary table has no schema
    assert not (quickstart / ".profiles" / "warehouse.duckdb").exists()
    said = capsys.readouterr()
    assert "nothing was run" in said.out
    assert "planted-secret" not in said.out + said.err + "".join(texts)


@pytest.mark.parametrize("command", [["run"], ["plan"], ["validate", "access"], ["query", "select 1"]])
def test_what_would_connect_is_refused_with_the_way_out(
    command: list[str], quickstart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profiles(quickstart, *command, "-t", "bq") != 0
    said = capsys.readouterr().err
    assert "error[unsupported-warehouse]: target 'bq' is of type 'bigquery'" in said
    assert "profiles compile -t bq writes the SQL" in " ".join(said.split())
    assert not list((quickstart / "output").rglob("*.sql"))


def test_what_an_engine_has_not_is_refused_where_it_is_written(
    quickstart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = quickstart / "models" / "profiles.yaml"
    text = file.read_text()
    file.write_text(
        text.replace(
            "select: count(distinct(timestamp::date))", "select: mode(event) || jarowinkler_similarity(event, 'x')", 1
        )
    )
    line = next(n for n, each in enumerate(file.read_text().splitlines(), 1) if "jarowinkler" in each)
    assert profiles(quickstart, "compile", "-t", "bq") != 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"models/profiles.yaml:{line}:" in said
    assert "n_active_days_total" in said
    assert "cannot be said in BigQuery" in said
    assert not (quickstart / "output").exists()


@pytest.mark.parametrize("name", sorted(path.name for path in PROJECTS.iterdir() if path.name not in NO_PROJECT))
def test_every_project_is_said_whole_or_refused_in_known_places(name: str) -> None:
    project = ProfilesProject.load(PROJECTS / name)
    window = plan.Window(1, datetime(2024, 6, 1, tzinfo=UTC), None)
    planned = plan.build(project, State(), window, replace(plan.as_written(), structs=False), schema="made")
    for dialect in ONLY_COMPILED:
        assert refused(project, planned, dialect) == REFUSED.get(name, {}).get(dialect, []), dialect
        if name not in REFUSED:
            for text in (render(tree, dialect) for tree in trees(planned)):
                sqlglot.parse(text, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)


def refused(project: ProfilesProject, planned: Plan, dialect: str) -> list[str]:
    """What is refused, as place and message."""
    try:
        untranslated.refuse(project, planned, dialect)
    except ProjectError as error:
        return [f"{problem.span}: {problem.message}" for problem in error.problems]
    return []


def trees(planned: Plan) -> Iterator[exp.Expr]:
    for stage in planned.stages:
        if isinstance(stage, BuildMaterial):
            yield from (step.tree for step in stage.script.steps if isinstance(step, Statement))
