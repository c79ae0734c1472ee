"""Whether the plain names that a run is going to give away are free: what others have made is never replaced."""

from __future__ import annotations

import re

from profiles_pipeline.errors import Problem, ProjectError
from profiles_pipeline.names import MATERIAL
from profiles_pipeline.session import Session
from profiles_pipeline.stages import Plan, Promote

_SHOWN = re.compile(rf'"?({MATERIAL}\w+)"?', re.IGNORECASE)


def taken_names(session: Session, planned: Plan) -> tuple[Problem, ...]:
    """Return a warning for each view of another project that a plan repoints.

    Raises:
        ProjectError: a table, or a view that shows no material, has the name of a view that the plan makes.
    """
    schema, warehouse = session.output.schema, session.warehouse
    views = {name.lower(): text for name, text in warehouse.view_texts(schema).items()}
    there = {name.lower() for name in warehouse.relations(schema)}
    paths = {stage.material: stage.model.path for stage in planned.materials}
    promoted = [view for stage in planned.stages if isinstance(stage, Promote) for view in stage.views]
    owners = {e.material.name: e.project for e in session.registry.entries()} if there else {}
    errors, warnings = [], []
    for view in promoted:
        name = view.name.lower()
        span = session.project.graph.models[paths[view.material]].span if view.material in paths else None
        shown = _SHOWN.search(views.get(name, ""))
        if name in there and shown is None:
            kind = "view" if name in views else "table"
            message = f"{schema}.{view.name} is a {kind} that no run of a project has made, and it is not replaced"
            hint = f"drop or rename the {kind}, give the model another name, or build in another schema"
            errors.append(Problem("name-taken", message, span, hint))
        elif shown is not None and owners.get(shown[1]) not in (None, session.project.name):
            message = f"the view {schema}.{view.name} was that of project '{owners[shown[1]]}' and is now this one's"
            hint = "give each project a schema of its own"
            warnings.append(Problem("name-taken", message, span, hint, severity="warning"))
    if errors:
        raise ProjectError(errors)
    return tuple(warnings)
