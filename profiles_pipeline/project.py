"""A project that is ready to be planned: read, resolved, ordered and fingerprinted. Touches no warehouse."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from profiles_pipeline import contracts, spec, versions
from profiles_pipeline import graph as graphs
from profiles_pipeline.enable import Disabled, Node
from profiles_pipeline.errors import Problem, Problems, ProjectError
from profiles_pipeline.graph import Graph
from profiles_pipeline.resolve import resolve
from profiles_pipeline.resolve.model import Project
from profiles_pipeline.resolve.reader import Reader


@dataclass(frozen=True)
class ProfilesProject:
    """A project without errors.

    Attributes:
        folder: absolute path of the project folder.
        graph: its models in the order in which they can be built.
        fingerprints: path -> fingerprint of every model.
        warnings: what is doubtful, in file order.
        notes: what was rewritten from older dialects, one sentence each.
    """

    folder: Path
    project: Project
    graph: Graph
    fingerprints: Mapping[str, str]
    warnings: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def disabled(self) -> tuple[Disabled, ...]:
        """What of the project is left out, and why."""
        return self.graph.disabled

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name

    @classmethod
    def load(cls, folder: str | Path, *, source_dialect: str = "snowflake") -> ProfilesProject:
        """Return the project in `folder`.

        Args:
            folder: the folder that holds pb_project.yaml.
            source_dialect: the SQL dialect in which the project is written.

        Raises:
            ProjectError: the project is wrong; holds every problem found.
        """
        path = Path(folder).expanduser().resolve()
        loaded = spec.load_whole_project(path)
        problems = Problems(list(loaded.warnings))
        project = resolve(loaded.spec, problems, source_dialect)
        if problems.errors:
            raise ProjectError([*problems.errors, *_unreadable(project)])
        graph, found = _ordered(project, problems)
        return cls(path, graph.project, graph, found, problems.warnings, tuple(str(n) for n in loaded.notes))

    def without(self, models: Mapping[str, str] = {}, columns: Mapping[str, Collection[str]] = {}) -> ProfilesProject:
        """Return the project without these models, without these columns, and without what cannot run then.

        Args:
            models: path -> reason why it is missing.
            columns: path of an input -> lower-case names of columns that its table does not have.

        Raises:
            ProjectError: a must-have would be left out.
        """
        if not models and not columns:
            return self
        rest = contracts.without_columns(self.project, Reader(self.project, versions.ANY_TIME, bound=False), columns)
        unavailable: dict[Node, str] = {**rest.unavailable}
        unavailable.update(models.items())
        graph, found = _ordered(rest.project, Problems(), unavailable)
        graph = replace(graph, disabled=(*self.graph.disabled, *rest.dropped, *graph.disabled))
        return replace(self, project=graph.project, graph=graph, fingerprints=found)


def _unreadable(project: Project) -> list[Problem]:
    """Return what is wrong with the texts of a project in which some names are not found.

    Only what does not follow from the missing names: they are reported already.
    """
    problems = Problems()
    with contextlib.suppress(KeyError):  # a model that was left out because of its own error
        graphs.build(project, Reader(project, versions.ANY_TIME, bound=False), problems)
    return [p for p in problems.errors if p.code in ("sql-syntax", "template-syntax", "macro-arguments")]


def _ordered(
    project: Project, problems: Problems, unavailable: Mapping[Node, str] | None = None
) -> tuple[Graph, dict[str, str]]:
    reader = Reader(project, versions.ANY_TIME, bound=False)
    graph = graphs.build(project, reader, problems, unavailable)
    problems.raise_errors()
    found = versions.fingerprints(graph, reader if graph.project is project else reader.of(graph.project), problems)
    problems.raise_errors()
    return graph, found
