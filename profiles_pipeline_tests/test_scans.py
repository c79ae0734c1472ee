"""However many vars a source has, its rows are read once: seen in the shape of the plan."""

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlglot import exp

from profiles_pipeline import plan
from profiles_pipeline.compile import Statement
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import VarTable
from profiles_pipeline.stages import State
from profiles_pipeline.testing import load_case, write_case
from profiles_pipeline_tests.bench.large_project import write_project

FINGERPRINT = re.compile("_[0-9a-f]{8}_1")
CASES = Path(__file__).parent / "data" / "sql" / "var_table"


def scans(folder: Path, entity: str | None = None) -> Counter[str]:
    """Return how often the var tables of a project, or of an entity, read each table that is not theirs."""
    project = ProfilesProject.load(folder)
    window = plan.Window(1, datetime(2024, 3, 1, tzinfo=UTC), None)
    planned = plan.build(project, State(), window, plan.as_written(), schema="profiles")
    read: Counter[str] = Counter()
    for stage in planned.materials:
        if isinstance(stage.model, VarTable) and stage.model.path.startswith(f"{entity}/" if entity else ""):
            trees = [step.tree for step in stage.script.steps if isinstance(step, Statement)]
            read.update(table.name for tree in trees for table in tree.find_all(exp.Table))
    return read


@pytest.mark.parametrize(("vars_", "inputs"), [(40, 1), (200, 4)])
def test_vars_over_one_input_share_a_scan(tmp_path: Path, vars_: int, inputs: int) -> None:
    write_project(tmp_path / "large", vars_, inputs)
    found = scans(tmp_path / "large")
    assert {name: n for name, n in found.items() if name.startswith("events_")} == {
        f"events_{number}": 1 for number in range(inputs)
    }


@pytest.mark.parametrize(
    ("entity", "read"),
    [("booking", {"bookings"}), ("hotel", {"Material_bookings_var_table"})],  # hotels count main ids of guests
)
def test_a_scan_looks_up_no_main_id_that_no_var_looks_at(tmp_path: Path, entity: str, read: set[str]) -> None:
    write_case(load_case(CASES.parents[1] / "cases" / "entities_on_one_row.yaml"), tmp_path)
    found = {FINGERPRINT.sub("", name) for name in scans(tmp_path, entity)}
    assert read <= found
    assert {name for name in found if "stitcher" in name} <= {f"Material_{entity}_default_id_stitcher_mappings"}


def test_a_row_filter_over_another_var_reads_once_more(tmp_path: Path) -> None:
    write_case(load_case(CASES / "two_phases.yaml"), tmp_path)
    assert scans(tmp_path)["orders"] == 2
