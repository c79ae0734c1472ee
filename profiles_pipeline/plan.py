"""The plan: what a run will do, as data. `run` executes it, `profiles plan` prints it; there is no other truth.

Building a plan has no effects. It needs the project, what the registry remembers, and a window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlglot import exp

from profiles_pipeline.compile import Audit, Compilation, Script, compile_model
from profiles_pipeline.errors import Problems, ProjectError, at
from profiles_pipeline.names import material_name
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, Model, SqlModel
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.sql import build as sql_build


@dataclass(frozen=True, slots=True)
class Window:
    """The time context of a run: rows in [begin, end) count. `seq_no` is its number."""

    seq_no: int
    end: datetime
    begin: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What the registry remembers of a window: the names of the materials that are complete."""

    complete: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EnsureSchema:
    """Make sure that the output schema exists."""

    schema: str


@dataclass(frozen=True, slots=True)
class BuildMaterial:
    """Build a model's material from its script, and record it."""

    model: Model
    material: str
    fingerprint: str
    script: Script
    reason: str


@dataclass(frozen=True, slots=True)
class AuditMaterial:
    """Check a material and record it as complete. A broken rule stops the run before anything is promoted."""

    model: Model
    material: str
    fingerprint: str
    kind: Literal["table", "view"]
    audits: tuple[Audit, ...]
    count: exp.Expr
    """Query that counts the material's rows."""


@dataclass(frozen=True, slots=True)
class ReuseMaterial:
    """Take the material that an earlier run built for the same window from the same definition."""

    model: Model
    material: str
    script: Script
    reason: str


@dataclass(frozen=True, slots=True)
class PromotedView:
    """A plain-named view and the material it will show."""

    name: str
    material: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Point the plain-named views at the new materials, all in one transaction."""

    views: tuple[PromotedView, ...]


Stage = EnsureSchema | BuildMaterial | AuditMaterial | ReuseMaterial | Promote


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages in the order of execution."""

    window: Window
    schema: str
    stages: tuple[Stage, ...]

    @property
    def materials(self) -> tuple[BuildMaterial | ReuseMaterial, ...]:
        """The stages that yield a material, in order."""
        return tuple(s for s in self.stages if isinstance(s, BuildMaterial | ReuseMaterial))


@dataclass(frozen=True, slots=True)
class Sources:
    """Where rows from outside are found: the FROM item of an input, and of a table named in SQL text.

    `dialect` is that of the warehouse that reads them.
    """

    of_input: Callable[[Input], exp.Expr]
    of_table: Callable[[exp.Table], exp.Expr]
    dialect: str = "duckdb"


def as_written() -> Sources:
    """Return sources that keep the names as the project writes them, for compiling without a warehouse."""
    return Sources(
        of_input=lambda model: exp.to_table(str(model.table), dialect="snowflake"), of_table=lambda table: table
    )


def from_item(sql: str) -> exp.Expr:
    """Return the tree of a FROM item written in the canonical dialect, such as ``read_parquet('x.parquet')``."""
    query = sql_build(f"SELECT * FROM {sql}")
    return query.args["from_"].this.pop()  # type: ignore[no-any-return]


def written_name(table: exp.Table) -> str:
    """Return the name of a table as SQL text says it, quotes kept where they matter."""
    return ".".join(part.sql() for part in table.parts)


def renamed(item: exp.Expr, table: exp.Table) -> exp.Expr:
    """Return a FROM item under the alias, or else the name, that the rest of a query knows `table` by."""
    name = exp.to_identifier(table.alias or table.name, quoted=True)
    if isinstance(item, exp.Table):
        item.set("alias", exp.TableAlias(this=name))
        for key in ("joins", "laterals", "sample", "pivots"):
            if table.args.get(key):
                item.set(key, [part.copy() for part in table.args[key]])
        return item
    return exp.alias_(item, name, table=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a plan.

    Attributes:
        models: paths to build with everything upstream; None means all.
        force: build even what is complete.
        only: build exactly `models`, and take everything upstream as it is.
    """

    models: tuple[str, ...] | None = None
    force: bool = False
    only: bool = False


def build(
    project: ProfilesProject,
    state: State,
    window: Window,
    sources: Sources,
    *,
    schema: str,
    request: Request = Request(),
) -> Plan:
    """Return the plan that brings the requested models up to date as of the window's end.

    Raises:
        ProjectError: a requested model does not exist.
    """
    names = material_names(project, window)
    compilation = Compilation(
        graph=project.graph,
        reader=Reader(project.project, window.end, window.begin, sources.dialect),
        relation=lambda path: exp.table_(names[path], db=schema, quoted=True),
        source=sources.of_input,
        outside=sources.of_table,
    )
    chosen = selected(project, request)
    stages: list[Stage] = [EnsureSchema(schema)]
    problems = Problems()
    for path, model in project.graph.models.items():
        if path not in chosen or isinstance(model, Input):
            continue
        try:
            script = compile_model(compilation, model)
        except ProjectError as error:
            placed = [at(problem, model.span) for problem in error.problems]
            problems.found += [problem for problem in placed if problem not in problems.found]
            continue
        assert script is not None
        if names[path] in state.complete and not request.force:
            stages.append(ReuseMaterial(model, names[path], script, "complete for this window, definition unchanged"))
            continue
        reason = "forced" if names[path] in state.complete else "no material of this definition for this window"
        stages.append(BuildMaterial(model, names[path], project.fingerprints[path], script, reason))
        relation = compilation.relation(path)
        count = (
            script.count if script.count is not None else sql_build("SELECT COUNT(*) FROM :relation", relation=relation)
        )
        fingerprint = project.fingerprints[path]
        stages.append(AuditMaterial(model, names[path], fingerprint, script.kind, script.audits, count))
    problems.raise_errors()
    stages.append(Promote(promoted(project, names, chosen)))
    return Plan(window, schema, tuple(stages))


def selected(project: ProfilesProject, request: Request) -> Collection[str]:
    """Return the paths to consider: those asked for and, unless `only`, everything upstream of them."""
    if request.models is None:
        return project.graph.models.keys()
    found = [project.graph.find(path) for path in request.models]
    return frozenset(found) if request.only else project.graph.with_upstream(found)


def material_names(project: ProfilesProject, window: Window) -> Mapping[str, str]:
    """Return path -> name of its material in the window."""
    return {
        path: material_name(model.name, project.fingerprints[path], window.seq_no)
        for path, model in project.graph.models.items()
    }


def promoted(project: ProfilesProject, names: Mapping[str, str], chosen: Collection[str]) -> tuple[PromotedView, ...]:
    """Return the plain-named views of the chosen models. Ephemeral SQL models and parts of var tables have none."""
    return tuple(
        PromotedView(model.name, names[path])
        for path, model in project.graph.models.items()
        if path in chosen and has_plain_name(model)
    )


def has_plain_name(model: Model) -> bool:
    """True when a view of the model's plain name is kept on its newest material."""
    if isinstance(model, Input) or "/part_" in model.path:
        return False
    return not (isinstance(model, SqlModel) and model.output == "ephemeral")
