"""The models that can be built, in order, with what each of them reads. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from profiles_pipeline.enable import Disabled
from profiles_pipeline.errors import Span
from profiles_pipeline.graph.paths import locate
from profiles_pipeline.resolve.model import Model, Project
from profiles_pipeline.resolve.past import PastRef
from profiles_pipeline.resolve.readings import VarKey


@dataclass(frozen=True)
class Graph:
    """Models in the order in which they can be built.

    Attributes:
        models: path -> model, in build order; var tables already cut into parts.
        parents: path -> paths it reads, in build order.
        var_homes: var -> path of the first part of a var table that has it.
        disabled: what is left out, and why.
        doubtful: models that lack something that is wrong in itself; what is wrong with them may follow from that.
    """

    project: Project
    models: Mapping[str, Model]
    parents: Mapping[str, tuple[str, ...]]
    var_homes: Mapping[VarKey, str]
    disabled: tuple[Disabled, ...] = ()
    past: Mapping[str, tuple[PastRef, ...]] = field(default_factory=dict)
    """Path -> what the model asks of earlier windows, for models that do."""
    doubtful: frozenset[str] = frozenset()
    through_tables: frozenset[VarKey] = frozenset()
    """Entity vars that read the var table of their source; the others read the source itself."""

    def with_upstream(self, paths: Iterable[str]) -> frozenset[str]:
        """Return the given paths and everything they depend on, directly or not."""
        found: set[str] = set()
        todo = list(paths)
        while todo:
            path = todo.pop()
            if path not in found:
                found.add(path)
                todo += self.parents[path]
        return frozenset(found)

    def find(self, path: str, span: Span | None = None) -> str:
        """Return the path of the model that holds what `path` means; for a var, the var table part that has it.

        Raises:
            ProjectError: there is nothing of that name.
        """
        if path in self.models:  # parts of var tables among them, which the project does not know
            return path
        node = locate(self.project, path, span)
        return self.var_homes[node] if isinstance(node, tuple) else node
