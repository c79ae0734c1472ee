"""Which models and vars can run at all: what is switched off, and what falls with it.

A model that needs something disabled is disabled too. A stitcher needs only one of its edge sources; a var table keeps
what is left of it, and so do feature tables and views while there is any of the features chosen for them. What the
author calls a must is an error when it falls.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from profiles_pipeline.errors import Problems, Span
from profiles_pipeline.resolve.features import Features
from profiles_pipeline.resolve.model import (
    ColumnUnion,
    FeatureTable,
    FeatureView,
    InputVarTable,
    Model,
    Project,
    Stitcher,
    Unsupported,
    VarTable,
)
from profiles_pipeline.resolve.readings import VarKey

Node = str | VarKey


@dataclass(frozen=True, slots=True)
class Disabled:
    """A model or var that is left out, and why."""

    path: str
    reason: str


def enabled_part(
    project: Project,
    needs: Mapping[Node, set[Node]],
    unavailable: Mapping[Node, str],
    problems: Problems,
) -> tuple[Project, tuple[Disabled, ...]]:
    """Return the project without what cannot run, and what that is.

    Args:
        project: a resolved project.
        needs: node -> nodes it cannot do without, for every model and var.
        unavailable: model or var -> reason, for what is known to be missing.
        problems: must-haves that cannot run are added here.
    """
    off = _disabled(project, needs, unavailable)
    for node, reason in off.items():
        if _status(project, node) == "must_have":
            message = f"'{shown(node)}' is a must-have but cannot run: {reason}"
            problems.error("must-have", message, _span(project, node), hint="mend the cause, or make it good_to_have")
    if not off:
        return project, ()
    return _without(project, off), tuple(Disabled(shown(node), reason) for node, reason in off.items())


def shown(node: Node) -> str:
    """Return a node as a path."""
    return node if isinstance(node, str) else "/".join(node)


def _disabled(project: Project, needs: Mapping[Node, set[Node]], unavailable: Mapping[Node, str]) -> dict[Node, str]:
    off: dict[Node, str] = {}
    order = list(graphlib.TopologicalSorter(needs).static_order())
    for node in order:
        reason = _own_reason(project, node, unavailable) or _inherited_reason(project, node, needs.get(node, ()), off)
        if reason:
            off[node] = reason
    needed: set[Node] = set()
    for node in reversed(order):
        if node in off:
            continue
        if node in needed or _is_wanted(project, node):
            needed |= needs.get(node, set())
        elif _status(project, node) == "only_if_necessary":
            off[node] = "it is to run only if necessary, and nothing needs it"
    for node in order:  # what falls now are tables of rows that nobody has asked for
        if node not in off and (reason := _inherited_reason(project, node, needs.get(node, ()), off)):
            off[node] = reason
    return off


def _is_wanted(project: Project, node: Node) -> bool:
    """Return whether a node is to run for its own sake; the bare var table that every source has is not."""
    model = project.models.get(node) if isinstance(node, str) else None
    if isinstance(model, InputVarTable) and not model.vars:
        return False
    return _status(project, node) != "only_if_necessary"


def _own_reason(project: Project, node: Node, unavailable: Mapping[Node, str]) -> str | None:
    if node in unavailable:
        return unavailable[node]
    if isinstance(node, str):
        model = project.models.get(node)
        if isinstance(model, Unsupported):
            return f"models of type '{model.model_type}' are not computed"
    return "its enable_status is disabled" if _status(project, node) == "disabled" else None


def _inherited_reason(project: Project, node: Node, needs: Iterable[Node], off: Mapping[Node, str]) -> str | None:
    missing = sorted((need for need in needs if need in off), key=shown)
    if not missing:
        return None
    model = project.models.get(node) if isinstance(node, str) else None
    if isinstance(model, Stitcher) and not any(m for m in missing if m not in {s.path for s in model.sources}):
        return None if any(s.path not in off for s in model.sources) else "none of its edge sources can run"
    if isinstance(model, ColumnUnion):
        return None if any(path not in off for path in model.united) else "none of what it unites can run"
    if isinstance(model, InputVarTable):
        missing = [m for m in missing if not isinstance(project.models.get(m if isinstance(m, str) else ""), Stitcher)]
    if isinstance(model, FeatureTable | FeatureView):
        extra = {m.path for models in project.feature_models.values() for m in models}
        features = {need for need in needs if need in extra or not isinstance(need, str)}
        if model.features and features <= off.keys():
            return "none of its features can run"
        missing = [m for m in missing if m not in features]
    if isinstance(model, VarTable):
        missing = [m for m in missing if m == model.cohort]
    return f"it needs '{shown(missing[0])}', which is disabled" if missing else None


def _status(project: Project, node: Node) -> str | None:
    if isinstance(node, str):
        return project.statuses.get(node)
    forced = project.statuses.get("/".join(node))
    if forced is not None:
        return forced
    var = project.entity_vars.get(node[0], {}).get(node[1])
    return var.spec.materialization.enable_status if var else None


def _span(project: Project, node: Node) -> Span | None:
    if isinstance(node, str):
        return getattr(project.models.get(node), "span", None)
    return project.entity_vars[node[0]][node[1]].spec.span


def _without(project: Project, off: Mapping[Node, str]) -> Project:
    entity_vars = {
        cohort: {name: var for name, var in own.items() if (cohort, name) not in off}
        for cohort, own in project.entity_vars.items()
    }
    features = {
        cohort: tuple(m for m in models if m.path not in off) for cohort, models in project.feature_models.items()
    }
    left = Features(project.models, entity_vars, features)
    kept = {p: _kept(project, m, off, left) for p, m in project.models.items() if p not in off}
    left_out = project.left_out | (project.models.keys() - kept.keys())
    return replace(project, models=kept, entity_vars=entity_vars, feature_models=features, left_out=left_out)


def _inherited(project: Project, table: VarTable, off: Mapping[Node, str]) -> str | None:
    """Return the nearest var table above one that is left: a cohort goes on without the one of its parent."""
    if table.inherited not in off:
        return table.inherited
    above = project.models.get(table.inherited or "")
    return _inherited(project, above, off) if isinstance(above, VarTable) else None


def _kept(project: Project, model: Model, off: Mapping[Node, str], left: Features) -> Model:
    """Return a model without the parts that are disabled."""
    match model:
        case Stitcher():
            return replace(model, sources=tuple(s for s in model.sources if s.path not in off))
        case ColumnUnion() if any(path in off for path in model.united):
            return model.of([path for path in model.united if path not in off])
        case InputVarTable():
            return replace(model, entities=tuple(e for e in model.entities if project.entities[e].stitcher not in off))
        case VarTable():
            return replace(
                model,
                vars=tuple(v for v in model.vars if (v.cohort, v.name.lower()) not in off),
                inherited=_inherited(project, model, off),
                coarser=tuple(path for path in model.coarser if path not in off),
            )
        case FeatureTable(features=tuple() as chosen) | FeatureView(features=tuple() as chosen):
            known = left.choosable(model.cohort)
            return replace(model, features=tuple(name for name in chosen if name.lower() in known))
    return model
