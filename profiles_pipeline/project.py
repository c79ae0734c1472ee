"""A project that is ready to be planned: read, resolved, ordered and fingerprinted. Touches no warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline import graph as graphs
from profiles_pipeline import spec, versions
from profiles_pipeline.errors import Problem, Problems
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
        loaded = spec.load_project(path)
        problems = Problems(list(loaded.warnings))
        project = resolve(loaded.spec, problems, source_dialect)
        problems.raise_errors()
        reader = Reader(project, versions.ANY_TIME, bound=False)
        graph = graphs.build(project, reader, problems)
        problems.raise_errors()
        found = versions.fingerprints(graph, reader, problems)
        problems.raise_errors()
        return cls(path, project, graph, found, problems.warnings, tuple(str(n) for n in loaded.notes))
