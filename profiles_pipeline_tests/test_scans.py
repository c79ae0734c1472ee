"""However many vars a source has, its rows are read once: seen in the shape of the plan."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlglot import exp

from profiles_pipeline import plan
from profiles_pipeline.compile import Statement
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import VarTable
from profiles_pipeline.testing import load_case, write_case
from profiles_pipeline_tests.bench.large_project import write_project

CASES = Path(__file__).parent / "data" / "sql" / "var_table"


def scans(folder: Path) -> Counter[str]:
    """Return how often the var tables of a project read each table of the warehouse that is not theirs."""
    project = ProfilesProject.load(folder)
    window = plan.Window(1, datetime(2024, 3, 1, tzinfo=UTC), None)
    planned = plan.build(project, plan.State(), window, plan.as_written(), schema="profiles")
    read: Counter[str] = Counter()
    for stage in planned.materials:
        if isinstance(stage.model, VarTable):
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


def test_a_row_filter_over_another_var_reads_once_more(tmp_path: Path) -> None:
    write_case(load_case(CASES / "two_phases.yaml"), tmp_path)
    assert scans(tmp_path)["orders"] == 2
