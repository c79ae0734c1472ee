"""A project open on its warehouse, alone on it, with the sources that are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Literal

from sqlglot import exp

from profiles_pipeline import freshness, plan, sql
from profiles_pipeline.availability import available_part
from profiles_pipeline.column_types import types_of_sources
from profiles_pipeline.compile.statement import Files
from profiles_pipeline.compile.suppression import Suppressed
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import Texts, capabilities
from profiles_pipeline.errors import ProjectError, at
from profiles_pipeline.events import Observer, Waiting
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import Registry
from profiles_pipeline.resolve.model import RULES, Input
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.lock import Holder


@dataclass
class Session:
    """A project open on its warehouse."""

    project: ProfilesProject
    output: Output
    warehouse: Warehouse
    registry: Registry
    sources: plan.Sources
    observe: Observer
    started: float = field(default_factory=time.monotonic)

    @cached_property
    def states(self) -> Mapping[str, str]:
        """Source -> hash of the state it is in, the same from the first look to the end of the session."""
        found = freshness.states_of_sources(self.project, self.warehouse)
        return freshness.as_suppressed(self.project, found, self.sources.suppressed())

    @cached_property
    def texts(self) -> Texts:
        """Writes the statements of the session, each once."""
        return Texts(self.warehouse.dialect)

    @cached_property
    def kinds(self) -> Mapping[str, Literal["TABLE", "VIEW"]]:
        """Relation of the output schema -> what it is, as they were when first looked at."""
        schema = self.output.schema
        views = self.warehouse.views(schema)
        return {name: "VIEW" if name in views else "TABLE" for name in self.warehouse.relations(schema)}

    @cached_property
    def typed(self) -> ProfilesProject:
        """The project, whose texts are read with the types that the columns of the sources have."""
        return self.project.with_types(types_of_sources(self.project, self.warehouse))


@contextmanager
def open_session(
    project: ProfilesProject,
    output: Output,
    purpose: str,
    observe: Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> Iterator[Session]:
    """Yield the project open on its warehouse, alone on it; waits for others first and says so."""

    def on_wait(holder: Holder) -> None:
        observe(Waiting(holder))

    settings = output.settings_for(project)
    with connect(settings, purpose=purpose, confined=True, lock_timeout=lock_timeout, on_wait=on_wait) as warehouse:
        registry = Registry(warehouse, output.schema, target=output.target, folder=str(project.folder))
        present = available_part(project, warehouse)
        sources = found_sources(warehouse, lambda: registry.suppressed(project.name))
        yield Session(present, output, warehouse, registry, sources, observe)


def found_sources(warehouse: Warehouse, suppressed: Callable[[], Suppressed | None] = lambda: None) -> plan.Sources:
    """Return sources as the warehouse finds them when they are looked for first.

    Args:
        warehouse: where they are.
        suppressed: tells whose rows are not read.
    """
    source = cache(warehouse.source)
    item = cache(lambda table: plan.from_item(source(table).sql))

    def find(table: str) -> exp.Expr:
        return item(table).copy()

    def find_input(model: Input) -> exp.Expr:
        try:
            return find(str(model.table))
        except ProjectError as error:
            problems = [at(problem, model.table.span or model.span) for problem in error.problems]
            if model.path == RULES:
                hint = "profiles idstitch rules create makes it, without rules"
                problems = [replace(problem, hint=hint) for problem in problems]
            raise ProjectError(problems) from error

    def files(model: Input) -> Files | None:
        found = source(str(model.table)) if model.csv is None else None
        return Files(plan.from_item(found.with_file), dict(found.files)) if found is not None and found.files else None

    found = plan.Sources(
        of_input=find_input,
        of_table=lambda table: plan.renamed(find(sql.written_name(table)), table),
        files=files,
        suppressed=cache(suppressed),
    )
    return as_able(found, warehouse.dialect)


def as_able(sources: plan.Sources, dialect: str) -> plan.Sources:
    """Return sources of which a plan follows that fits what an engine can do."""
    able = capabilities(dialect)
    return replace(sources, structs=able.structs, rolls_back=able.transactional_ddl, transient=able.transient_tables)
