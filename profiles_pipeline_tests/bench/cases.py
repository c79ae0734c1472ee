"""What is measured: the commands, how they are set up, and what has to agree afterwards."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from profiles_pipeline_tests.bench.agreement import Difference, differences
from profiles_pipeline_tests.bench.large_project import write_project
from profiles_pipeline_tests.bench.measure import Case, measure
from profiles_pipeline_tests.bench.workspace import END_TIME, Workspace, warehouse_of

OUTPUTS = {
    "user_id_stitcher": ("other_id", "other_id_type"),
    "user_profile": ("user_main_id",),
    "user_by_email": ("email",),
    "high_value_users_view": ("user_main_id",),
    "campaign_report": ("campaign_source",),
}
"""The relations that the script by hand makes as well, and their keys."""

WHOLE_RUN = "profiles run"
BY_HAND = "script by hand"
STITCHING = "profiles run, stitcher only"
SCIPY = "scipy on numbered edges"
FEATURES = "profiles run, var table only"
IN_PLACE = "a query per var"
COPIED = "a query per var, sources copied"
HELP = "profiles --help"
VALIDATE = "profiles validate, 400 vars"
COMPILE = "profiles compile, 500 vars over 30 inputs"


def profiles(*arguments: str | Path) -> tuple[str, ...]:
    """Return the command line that runs the program."""
    return (sys.executable, "-m", "profiles_pipeline", *map(str, arguments))


def script(name: str, *arguments: str | Path) -> tuple[str, ...]:
    """Return the command line that runs a script of the bench."""
    return (sys.executable, "-m", f"{__package__}.{name}", *map(str, arguments))


def whole_runs(work: Workspace) -> Sequence[Case]:
    """Everything from three tables to finished profiles."""
    project = work.folder / "whole"
    return (
        Case(
            WHOLE_RUN,
            profiles("run", "--quiet", "--no-report", "--project", project, "--end-time", END_TIME),
            lambda: work.project("whole"),
        ),
        Case(
            BY_HAND,
            script("handwritten", work.events, work.folder / "by_hand.duckdb"),
            lambda: work.remove("by_hand.duckdb"),
        ),
    )


def stitchings(work: Workspace) -> Sequence[Case]:
    """The id graph alone; the script by hand leaves its edges for scipy, once and not measured."""
    edges = work.folder / "edges.npy"
    work.remove("edges.duckdb")
    measure(script("handwritten", work.events, work.folder / "edges.duckdb", edges), work.home)
    work.remove("edges.duckdb")
    project = work.folder / "stitched"
    stitcher = ("--model-refs", "models/user_id_stitcher")
    return (
        Case(
            STITCHING,
            profiles("run", "--quiet", "--no-report", "--project", project, "--end-time", END_TIME, *stitcher),
            lambda: work.project("stitched"),
        ),
        Case(SCIPY, script("components", edges)),
    )


def feature_runs(work: Workspace) -> Sequence[Case]:
    """The vars of all users, given a finished id graph."""
    project = work.project("features")
    measure(
        profiles("run", "--quiet", "--no-report", "--project", project, "--end-time", END_TIME, "-m", "user/all"),
        work.home,
    )
    warehouse = str(warehouse_of(project).relative_to(work.folder))
    work.copy(warehouse, "graph.duckdb")
    again = ("--seq-no", "latest", "--model-refs", "user/all/var_table")
    return (
        Case(
            FEATURES,
            profiles("run", "--quiet", "--no-report", "--project", project, *again),
            lambda: work.copy("graph.duckdb", warehouse),  # where it was built: elsewhere its graph would be rebuilt
        ),
        *(
            Case(
                name,
                script("one_by_one", work.events, work.folder / f"{how}.duckdb", how),
                lambda how=how: work.copy("graph.duckdb", f"{how}.duckdb"),  # type: ignore[misc]
            )
            for name, how in ((IN_PLACE, "in-place"), (COPIED, "copied"))
        ),
    )


def small_commands(work: Workspace) -> Sequence[Case]:
    """What people wait for many times a day."""
    validated, compiled = work.folder / "large_400", work.folder / "large_500"
    write_project(validated, vars_=400, inputs=10)
    write_project(compiled, vars_=500, inputs=30)
    return (
        Case(HELP, profiles("--help")),
        Case(VALIDATE, profiles("validate", "--project", validated)),
        Case(COMPILE, profiles("compile", "--project", compiled)),
    )


def disagreements(work: Workspace) -> list[Difference]:
    """Return where the engine's results differ from those of the scripts it was measured against."""
    found = differences(warehouse_of(work.folder / "whole"), work.folder / "by_hand.duckdb", OUTPUTS, "profiles")
    for how in ("in-place", "copied"):
        found += differences(
            warehouse_of(work.folder / "features"),
            work.folder / f"{how}.duckdb",
            {"user_var_table": ("user_main_id",)},
            "profiles",
            others={"user_var_table": "var_table"},
        )
    return found
