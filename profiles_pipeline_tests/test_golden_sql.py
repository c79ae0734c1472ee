"""The SQL of each kind of model, as it is written to files. Rewrite it with `--update-golden` and read the diff."""

import re
from datetime import timedelta
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
from profiles_pipeline.session import as_able
from profiles_pipeline.stages import BuildMaterial, Plan, State
from profiles_pipeline.testing import load_case, write_case
from profiles_pipeline.windows import Kept

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
    sources = as_able(plan.as_written(), dialect)
    planned = plan.build(ProfilesProject.load(folder), State(), window, sources, schema="profiles")
    return _texts(planned, kind, dialect)


def _texts(planned: Plan, kind: type[Model], dialect: str) -> str:
    texts = [
        compiled.text(stage, planned, Texts(dialect)) for stage in planned.materials if isinstance(stage.model, kind)
    ]
    return re.sub(r"_[0-9a-fA-F]{8}_([12])(?![0-9])", r"_\1", "\n".join(texts))


def sql_of_later_run(file: Path, folder: Path, kind: type[Model], dialect: str) -> str:
    """The SQL of the models of a kind in a run that goes on from one of the day before, which kept what it read."""
    case = load_case(file)
    write_case(case, folder)
    project, sources = ProfilesProject.load(folder), as_able(plan.as_written(), dialect)
    first, second = plan.Window(1, case.end_time - timedelta(days=1)), plan.Window(2, case.end_time)
    request = plan.Request(keep=True)
    before = plan.build(project, State(), first, sources, schema="profiles", request=request)
    made = [stage for stage in before.stages if isinstance(stage, BuildMaterial)]
    kept = tuple(Kept(s.material, s.model.path, s.fingerprint, 1, first.end) for s in made)
    held = {held.name: held for stage in made if stage.increment for held in stage.increment.held}
    state = State(kept=kept, built=kept, held=tuple(held.values()))
    return _texts(plan.build(project, state, second, sources, schema="profiles", request=request), kind, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("file", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_sql_is_as_agreed(file: Path, dialect: str, tmp_path: Path, update_golden: bool) -> None:
    found = sql_of(file, tmp_path, KINDS[file.parent.name], dialect)
    golden = file.with_suffix(f".{dialect}.sql")
    if update_golden:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert len(sqlglot.parse(without_loops(found), dialect=dialect)) >= 1


_LOOPS = re.compile(
    r"^ *(EXECUTE IMMEDIATE \$\$|\$\$;|DECLARE.*|edges_left INTEGER;|BEGIN|(rounds: )?LOOP|(SET )?edges_left :?= .*;"
    r"|IF .* THEN|BREAK;|LEAVE rounds;|END IF;|END LOOP( rounds)?;)$|^END;$",
    re.MULTILINE,
)


def without_loops(script: str) -> str:
    """A script without what repeats a part of it, which the parser knows of no engine."""
    return _LOOPS.sub("", script)


@pytest.mark.parametrize("case", ["stitcher/two_sources", "var_table/fused_scans", "var_table/two_phases"])
def test_sql_of_later_runs_is_as_agreed(case: str, tmp_path: Path, update_golden: bool) -> None:
    """Where definitions cannot be taken back: what is done to rows that are kept stands together, at the end."""
    file = FOLDER / f"{case}.yaml"
    found = sql_of_later_run(file, tmp_path, KINDS[file.parent.name], "snowflake")
    golden = file.with_suffix(".later.snowflake.sql")
    if update_golden:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    done, at_once = found.split("BEGIN;\n")
    changes = r'^(INSERT INTO|UPDATE|DELETE FROM) "PROFILES"'
    assert not re.findall(changes, done, re.MULTILINE)
    assert len(re.findall(changes, at_once, re.MULTILINE)) > 3
    assert not re.findall(r"^(CREATE|DROP|ALTER)", at_once.split("COMMIT;")[0], re.MULTILINE)


def test_every_kind_of_model_has_a_case() -> None:
    assert {file.parent.name for file in CASES} == KINDS.keys()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_kind_of_model_has_a_case_that_can_be_said_whole(dialect: str) -> None:
    said = {file: file.with_suffix(f".{dialect}.sql").read_text(encoding="utf-8") for file in CASES}
    refused = {file.parent.name + "/" + file.stem for file, text in said.items() if "cannot be said" in text}
    assert refused == ({"stitcher/rules_and_metadata"} if dialect == "redshift" else set())
    assert {file.parent.name for file in CASES if file.parent.name + "/" + file.stem not in refused} == KINDS.keys()
