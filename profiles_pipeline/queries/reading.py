"""Opens a project's warehouse for reading only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from profiles_pipeline import run
from profiles_pipeline.availability import available_part
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import Problem, ProjectError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import Registry
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings


@contextmanager
def open_for_reading(
    project: ProfilesProject,
    output: Output,
    purpose: str,
    observe: run.Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> Iterator[run.Session]:
    """Yield the project open on its warehouse without the right to write.

    A warehouse file that does not exist is not created: an empty database in memory takes its place.
    """
    settings = output.settings_for(project)
    if isinstance(settings, DuckDBSettings) and settings.file is not None and not settings.file.exists():
        settings = replace(settings, path=MEMORY)
    with connect(
        settings,
        purpose=purpose,
        read_only=not settings.is_in_memory,
        lock_timeout=lock_timeout,
        on_wait=lambda holder: observe(run.Waiting(holder)),
    ) as warehouse:
        registry = Registry(warehouse, output.schema, target=output.target, folder=str(project.folder))
        present = available_part(project, warehouse)
        sources = run.found_sources(warehouse, lambda: registry.suppressed(project.name))
        yield run.Session(present, output, warehouse, registry, sources, observe)


def missing_inputs(session: run.Session) -> tuple[Problem, ...]:
    """Return a problem for each input whose table is not found, at its place in the YAML."""
    problems: list[Problem] = []
    for model in session.project.graph.models.values():
        if isinstance(model, Input) and model.csv is None:
            try:
                session.sources.of_input(model)
            except ProjectError as error:
                place = getattr(model.table, "span", None) or model.span
                problems += [replace(problem, span=problem.span or place) for problem in error.problems]
    return tuple(problems)
