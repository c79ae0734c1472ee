"""Whether what was built for a window still says what its sources say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from profiles_pipeline.compile.suppression import Suppressed
from profiles_pipeline.errors import ProjectError, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES, Input
from profiles_pipeline.warehouse.base import Warehouse

if TYPE_CHECKING:
    from profiles_pipeline.registry import SeqNo
    from profiles_pipeline.session import Session


def states_of_sources(project: ProfilesProject, warehouse: Warehouse) -> dict[str, str]:
    """Return input, or model whose SQL names tables itself -> hash of where these rows come from and how they look.

    What is a file of the project, or is not found, is left out; so are the rules over the id graph, whose rows are part
    of what the graph means.
    """
    states = {}
    for path, tables in tables_from_outside(project).items():
        found = [state for table in tables if (state := _state(table, warehouse)) is not None]
        if found:
            states[path] = hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]
    return states


def as_suppressed(
    project: ProfilesProject, states: Mapping[str, str], suppressed: Suppressed | None
) -> Mapping[str, str]:
    """Return the states of sources of which the rows of those who were forgotten are not read.

    What was built before somebody was forgotten is out of date then, whatever its sources are.
    """
    if suppressed is None:
        return states
    inputs = {path for path, model in project.graph.models.items() if isinstance(model, Input)}
    marked = {path: f"{states.get(path, '')}{suppressed.mark}" for path in inputs | states.keys()}
    return {path: hashlib.sha256(text.encode()).hexdigest()[:16] for path, text in marked.items()}


def tables_from_outside(project: ProfilesProject) -> dict[str, tuple[str, ...]]:
    """Return path -> tables from outside that a model reads itself: that of an input, and those that SQL names."""
    found = dict(project.tables)
    for path, model in project.graph.models.items():
        if isinstance(model, Input) and model.csv is None and path != RULES:
            found[path] = (str(model.table), *found.get(path, ()))
    return found


def _state(table: str, warehouse: Warehouse) -> str | None:
    try:
        return warehouse.state(table)
    except (ProjectError, WarehouseError):
        return None  # the rehearsal tells it, at its place in the YAML


def states_behind(session: Session, path: str) -> Mapping[str, str]:
    """Return the states of the sources that a model is made from, directly or not."""
    above = session.project.graph.with_upstream([path])
    return {name: state for name, state in session.states.items() if name in above}


def outdated(session: Session, seq_no: SeqNo) -> frozenset[str]:
    """Return the complete materials of a time context whose sources are in another state now than when they were built.

    Models that the project no longer has, and materials of which no states are recorded, are not among them.
    """
    models = session.project.graph.models
    return frozenset(
        material.name
        for material in session.registry.materials(seq_no.number)
        if material.sources is not None
        and material.model_path in models
        and material.sources != states_behind(session, material.model_path)
    )
