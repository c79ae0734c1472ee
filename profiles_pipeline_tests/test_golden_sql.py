"""The SQL of each kind of model, as it is written to files. Rewrite it with `--update-golden` and read the diff."""

import re
from pathlib import Path

import pytest
import sqlglot

from profiles_pipeline import compiled, plan
from profiles_pipeline.dialects import Texts
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


def sql_of(file: Path, folder: Path, kind: type[Model]) -> str:
    """The SQL of every model of a kind in the project of a case; fingerprints in names are left out."""
    case = load_case(file)
    write_case(case, folder)
    window = plan.Window(1, case.end_time, case.begin_time)
    planned = plan.build(ProfilesProject.load(folder), plan.State(), window, plan.as_written(), schema="profiles")
    texts = [
        compiled.text(stage, planned, Texts("duckdb")) for stage in planned.materials if isinstance(stage.model, kind)
    ]
    return re.sub(r"_[0-9a-f]{8}_1(?![0-9])", "_1", "\n".join(texts))


@pytest.mark.parametrize("file", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_sql_is_as_agreed(file: Path, tmp_path: Path, update_golden: bool) -> None:
    found = sql_of(file, tmp_path, KINDS[file.parent.name])
    golden = file.with_suffix(".duckdb.sql")
    if update_golden:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert len(sqlglot.parse(found, dialect="duckdb")) >= 1


def test_every_kind_of_model_has_a_case() -> None:
    assert {file.parent.name for file in CASES} == KINDS.keys()
