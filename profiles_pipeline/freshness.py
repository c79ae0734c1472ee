"""Whether what was built for a window still says what its sources say, as far as can be told without reading them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES, Input
from profiles_pipeline.warehouse.base import Warehouse

if TYPE_CHECKING:
    from profiles_pipeline.registry import SeqNo
    from profiles_pipeline.session import Session


def states_of_inputs(project: ProfilesProject, warehouse: Warehouse) -> dict[str, str]:
    """Return input -> hash of where its rows come from and what they look like from outside.

    An input that is a file of the project, or that is not found, is left out; so are the rules over the id graph,
    whose rows are part of what the graph means.
    """
    states = {}
    for model in project.graph.models.values():
        if isinstance(model, Input) and model.csv is None and model.path != RULES:
            try:
                state = warehouse.source(str(model.table)).state
            except ProjectError:
                continue
            states[model.path] = hashlib.sha256(state.encode()).hexdigest()[:16]
    return states


def states_behind(session: Session, path: str) -> Mapping[str, str]:
    """Return the states of the inputs that a model is made from, directly or not."""
    above = session.project.graph.with_upstream([path])
    return {name: state for name, state in session.states.items() if name in above}


def outdated(session: Session, seq_no: SeqNo) -> frozenset[str]:
    """Return the complete materials of a time context whose inputs are in another state now than when they were built.

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
