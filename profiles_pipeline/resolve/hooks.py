"""SQL that a project runs right before or right after one of its models is built."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from profiles_pipeline.names import FEATURE_VIEW
from profiles_pipeline.spec.model import CohortSpec, Hooks, ProjectSpec, Text

When = Literal["pre_run", "post_run"]


@dataclass(frozen=True, slots=True)
class Hook:
    """Statements of the author, and what they are said of, for people."""

    when: When
    text: Text
    owner: str


def hooks_of(spec: ProjectSpec, paths: Collection[str]) -> dict[str, tuple[Hook, ...]]:
    """Return path of a model -> its hooks in the order in which they run; those of an entity stand outermost.

    Hooks of an entity, and of the feature views of an entity or a cohort, belong to the feature view by main id.
    """
    before: dict[str, list[Hook]] = {}
    after: dict[str, list[Hook]] = {}
    for path, owner, hooks in _declared(spec):
        if path not in paths:
            continue
        if hooks.pre_run is not None and hooks.pre_run.strip():
            before.setdefault(path, []).append(Hook("pre_run", hooks.pre_run, owner))
        if hooks.post_run is not None and hooks.post_run.strip():
            after.setdefault(path, []).insert(0, Hook("post_run", hooks.post_run, owner))
    return {path: (*before.get(path, ()), *after.get(path, ())) for path in paths if path in before or path in after}


def _declared(spec: ProjectSpec) -> Iterator[tuple[str, str, Hooks]]:
    """Yield the path of a model, what the hooks are said of, and the hooks, outermost first."""
    for entity in spec.entities:
        path = f"{entity.name.lower()}/all/{FEATURE_VIEW}"
        yield path, f"entity '{entity.name}'", entity.hooks
        yield path, f"the feature views of '{entity.name}'", entity.feature_views.hooks
    for model in spec.models:
        path = f"models/{model.name.lower()}"
        if isinstance(model.body, CohortSpec):
            views = model.body.feature_views.hooks
            yield f"{path}/{FEATURE_VIEW}", f"the feature views of '{model.name}'", views
        yield path, f"model '{model.name}'", model.hooks
