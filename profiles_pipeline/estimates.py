"""How many rows a plan will read, as far as earlier runs have counted them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.stages import Plan, ReuseMaterial
from profiles_pipeline.windows import Kept


def rows_to_read(project: ProfilesProject, planned: Plan, input_rows: Mapping[str, int]) -> Mapping[str, int | None]:
    """Return material -> rows of all that it is made from, as of the latest run that has counted them.

    What goes on from an earlier run reads at most these, what is reused none. None where something was never counted.

    Args:
        project: the project.
        planned: what is planned for it.
        input_rows: path of an input -> how many rows it has.
    """
    state = planned.state
    newest: dict[str, Kept] = {}
    for kept in sorted(state.built or state.kept, key=lambda material: (material.end, material.seq_no)):
        if kept.rows is not None:
            newest[kept.path] = kept
    counted = {path: kept.rows for path, kept in newest.items() if kept.rows is not None} | dict(input_rows)
    return {
        stage.material: 0
        if isinstance(stage, ReuseMaterial)
        else _sum(counted, project.graph.parents[stage.model.path])
        for stage in planned.materials
    }


def _sum(counted: Mapping[str, int], paths: tuple[str, ...]) -> int | None:
    return sum(counted[path] for path in paths) if counted.keys() >= set(paths) else None
