"""The SQL for Databricks, run by a local Spark session: every model has the cells that it has on DuckDB."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlglot import exp

from profiles_pipeline import connections, examples, plan, steps
from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.dialects import identifier, render
from profiles_pipeline.dialects.databricks.generator import CALLS
from profiles_pipeline.dialects.loops import repeated
from profiles_pipeline.dialects.spoken import named
from profiles_pipeline.events import Options
from profiles_pipeline.examples.ecommerce_data import generate
from profiles_pipeline.identity import contraction_script
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.run import run
from profiles_pipeline.stages import BuildMaterial, Plan, State
from profiles_pipeline.warehouse.base import Rows
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.warehouse import spark

pytestmark = pytest.mark.spark

END = datetime(2025, 1, 1, tzinfo=UTC)
OF_A_RUN = "input_row_id"
"""A column that numbers the rows of an input in whatever order they were read."""

MODELS = {"quickstart": 7, "ecommerce": 25}
"""The example projects, and how many models each has."""

NOT_FUNCTIONS = named(
    """ALL AND ANY AS BETWEEN BY CASE DECIMAL DISTINCT ELSE EXCEPT EXISTS FROM GROUP IN INTERSECT JOIN LATERAL NOT ON OR
    OVER SELECT THEN TIMESTAMPADD TIMESTAMPDIFF TRY_CAST UNION USING VALUES WHEN WHERE WITHIN"""
)


@dataclass(frozen=True)
class Both:
    """A project that was built on DuckDB and on Spark."""

    project: ProfilesProject
    output: connections.Output
    materials: dict[str, str]
    planned: Plan
    spark: spark.Spark

    def on_duckdb(self, path: str) -> Rows:
        with connect(self.output.settings, purpose="test", read_only=True) as warehouse:
            return warehouse.query(f'SELECT * FROM "{self.output.schema}"."{self.materials[path]}"')

    def on_spark(self, path: str) -> Rows:
        (name,) = (stage.material for stage in self.planned.materials if stage.model.path == path)
        return self.spark.query(f"SELECT * FROM profiles.{identifier(name, 'databricks')}")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[spark.Spark]:
    """A session of Spark. Where there can be none the test is skipped, on CI (`CI=true`) it fails."""
    if missing := spark.missing():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with spark.session(tmp_path_factory.mktemp("spark")) as session:
        session.sql("CREATE SCHEMA profiles")
        session.sql("USE profiles")
        yield spark.Spark(session)


@pytest.fixture(scope="module", params=MODELS)
def both(request: pytest.FixtureRequest, engine: spark.Spark, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """An example project with rows that differ in all that is compared."""
    name = str(request.param)
    folder = tmp_path_factory.mktemp("project") / name
    examples.copy_example(name, folder)
    if name == "ecommerce":
        shutil.rmtree(folder / "data", ignore_errors=True)
        generate(folder / "data", events=2_000)
    return built(folder, engine)


def built(folder: Path, engine: spark.Spark) -> Both:
    """Build a project on both; Spark has no databases above schemas, so that these are left out of names."""
    project = ProfilesProject.load(folder)
    output = connections.find_output(folder, None)
    done = run(project, output, Options(end=END))

    def shortened(table: exp.Table) -> exp.Table:
        table.set("catalog", None)
        return table

    with connect(output.settings_for(project), purpose="test", read_only=True) as duckdb:
        for model in project.graph.models.values():
            if isinstance(model, Input) and model.csv is None:
                rows = duckdb.fetch_arrow(duckdb.source(str(model.table)).select)
                engine.load(shortened(exp.to_table(str(model.table))).sql("databricks"), rows)
    sources = replace(
        plan.as_written(),
        of_input=lambda m: shortened(exp.to_table(str(m.table))),
        of_table=lambda t: shortened(t.copy()),
    )
    planned = plan.build(project, State(), plan.Window(1, END, None), sources, schema="profiles")
    for stage in planned.stages:
        if isinstance(stage, BuildMaterial):
            for step in stage.script.steps:
                if isinstance(step, SolveComponents):
                    contract(engine, step)
                else:
                    steps.take(engine, step, lambda tree: render(tree, "databricks"))  # type: ignore[arg-type]
    return Both(project, output, {built.model.path: built.material for built in done.built}, planned, engine)


def contract(engine: spark.Spark, step: SolveComponents) -> None:
    """Find components by the script that is written for Databricks, whose loop Spark runs by itself."""
    script = contraction_script(step)
    left, check, *rounds = (render(tree, "databricks") for tree in (script.left, script.check, *script.rounds))
    for tree in (script.guard, *script.before):
        engine.execute(render(tree, "databricks"))
    engine.execute("\n".join(repeated(rounds, left, check, "databricks")))
    assert engine.scalar(check) == 1
    for tree in script.after:
        engine.execute(render(tree, "databricks"))


def plain(value: object) -> object:
    """A value as both engines can be asked for it."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, Decimal | float):
        return None if math.isnan(value) else float(f"{float(value):.12g}")
    return [plain(item) for item in value] if isinstance(value, list) else value


def cells(rows: Rows) -> list[list[object]]:
    """Rows in an order of their own, their columns by name, without what belongs to a run."""
    kept = sorted(name for name in map(str.lower, rows.columns) if name != OF_A_RUN)
    places = [[column.lower() for column in rows.columns].index(name) for name in kept]
    return [kept, *sorted(([plain(row[place]) for place in places] for row in rows.rows), key=repr)]


def test_every_model_has_the_cells_that_it_has_on_duckdb(both: Both) -> None:
    assert len(both.materials) == MODELS[both.project.name]
    for path in both.materials:
        found = cells(both.on_spark(path))
        assert found == cells(both.on_duckdb(path)), path
        assert len(found) > 1, path


def test_what_spark_has_otherwise_is_known(both: Both) -> None:
    assert both.spark.otherwise.keys() == {"CREATE OR REPLACE TABLE", "CREATE OR REPLACE TEMPORARY TABLE"}


def test_every_function_that_may_be_called_is_one_of_spark(engine: spark.Spark) -> None:
    known = {str(row[0]).upper() for row in engine.query("SHOW ALL FUNCTIONS").rows}
    assert known >= CALLS - NOT_FUNCTIONS
