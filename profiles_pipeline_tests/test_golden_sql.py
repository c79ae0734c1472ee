"""The SQL of each kind of model, as it is written to files. Rewrite it with `--update-golden` and read the diff."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import sqlglot

from profiles_pipeline import compiled, plan
from profiles_pipeline.dialects import Texts, capabilities
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import (
    Cohort,
    FeatureTable,
    FeatureView,
    InputVarTable,
    Model,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.testing import load_case, write_case

KINDS: dict[str, type[Model]] = {
    "cohort": Cohort,
    "feature_table": FeatureTable,
    "feature_view": FeatureView,
    "input_var_table": InputVarTable,
    "sessions": SessionTable,
    "sql_model": SqlModel,
    "stitcher": Stitcher,
    "var_table": VarTable,
}
FOLDER = Path(__file__).parent / "data" / "sql"
CASES = sorted(path for kind in KINDS for path in (FOLDER / kind).glob("*.yaml"))


DIALECTS = ("duckdb", "snowflake", "redshift", "bigquery", "databricks")
"""The canonical dialect, that of a service which is only emulated here, and those that are compiled for and not run."""


def sql_of(file: Path, folder: Path, kind: type[Model], dialect: str) -> str:
    """The SQL of every model of a kind in the project of a case; fingerprints in names are left out."""
    case = load_case(file)
    write_case(case, folder)
    window = plan.Window(1, case.end_time, case.begin_time)
    sources = replace(plan.as_written(), structs=capabilities(dialect).structs)
    planned = plan.build(ProfilesProject.load(folder), plan.State(), window, sources, schema="profiles")
    texts = [
        compiled.text(stage, planned, Texts(dialect)) for stage in planned.materials if isinstance(stage.model, kind)
    ]
    return re.sub(r"_[0-9a-fA-F]{8}_1(?![0-9])", "_1", "\n".join(texts))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("file", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_sql_is_as_agreed(file: Path, dialect: str, tmp_path: Path, update_golden: bool) -> None:
    found = sql_of(file, tmp_path, KINDS[file.parent.name], dialect)
    golden = file.with_suffix(f".{dialect}.sql")
    if update_golden:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert len(sqlglot.parse(found, dialect=dialect)) >= 1


def test_every_kind_of_model_has_a_case() -> None:
    assert {file.parent.name for file in CASES} == KINDS.keys()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_kind_of_model_has_a_case_that_can_be_said_whole(dialect: str) -> None:
    said = {file: file.with_suffix(f".{dialect}.sql").read_text(encoding="utf-8") for file in CASES}
    refused = {file.parent.name + "/" + file.stem for file, text in said.items() if "cannot be said" in text}
    assert refused == ({"stitcher/rules_and_metadata"} if dialect == "redshift" else set())
    assert {file.parent.name for file in CASES if file.parent.name + "/" + file.stem not in refused} == KINDS.keys()
