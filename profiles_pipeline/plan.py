"""The plan: what a run will do, as data. `run` executes it, `profiles plan` prints it; there is no other truth.

Building a plan has no effects. It needs the project, what the registry remembers, and a window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from profiles_pipeline import history, increments
from profiles_pipeline.compile import Compilation, Past, Statement, compile_model
from profiles_pipeline.compile.guards import Before, guards
from profiles_pipeline.compile.hooks import compile_hook
from profiles_pipeline.compile.put_off import put_off
from profiles_pipeline.compile.rows import moment
from profiles_pipeline.compile.statement import Files, transient
from profiles_pipeline.compile.suppression import Suppressed
from profiles_pipeline.errors import Problem, Problems, ProjectError, at
from profiles_pipeline.increments import Increment, Keeping
from profiles_pipeline.names import ACCUMULATOR, MATERIAL, material_name, tables_of_held
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, Model, SqlModel, Stitcher, VarTable
from profiles_pipeline.resolve.past import PastRef
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.sql import build as sql_build
from profiles_pipeline.stages import (
    AuditMaterial,
    BuildMaterial,
    EnsureSchema,
    Plan,
    Promote,
    PromotedView,
    ReuseMaterial,
    RunHook,
    Stage,
    State,
)
from profiles_pipeline.windows import Held, Window, contexts


@dataclass(frozen=True, slots=True)
class Sources:
    """Where rows from outside are found: the FROM item of an input, of a table named in SQL text, of an old material.

    `dialect` is that of the warehouse that reads them; `structs` says whether a column of it can hold several values,
    `rolls_back` whether tables that are made in a transaction can be taken back, and `transient` whether tables can be
    made without a past that is paid for. `suppressed` tells whose rows are not read.
    """

    of_input: Callable[[Input], exp.Expr]
    of_table: Callable[[exp.Table], exp.Expr]
    dialect: str = "duckdb"
    of_past: Callable[[exp.Table], exp.Expr] = lambda table: table
    files: Callable[[Input], Files | None] = lambda _: None
    structs: bool = True
    rolls_back: bool = True
    transient: bool = False
    suppressed: Callable[[], Suppressed | None] = lambda: None


def as_written() -> Sources:
    """Return sources that keep the names as the project writes them, for compiling without a warehouse."""
    return Sources(
        of_input=lambda model: exp.to_table(str(model.table), dialect="snowflake"), of_table=lambda table: table
    )


def from_item(sql: str) -> exp.Expr:
    """Return the tree of a FROM item written in the canonical dialect, such as ``read_parquet('x.parquet')``."""
    query = sql_build(f"SELECT * FROM {sql}")
    return query.args["from_"].this.pop()  # type: ignore[no-any-return]


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
        rebase: use no earlier state that a model can do without.
        keep: keep what was read for later runs from the first run on.
        whole: build everything from its rows, as if nothing had been kept.
        why_whole: why that is so, where it was not asked for.
    """

    models: tuple[str, ...] | None = None
    force: bool = False
    only: bool = False
    rebase: bool = False
    keep: bool = False
    whole: bool = False
    why_whole: str = ""


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
    chosen, state = selected(project, request), replace(state, rebase=state.rebase or request.rebase)
    if request.rebase:
        state = state.without(_made_from_earlier(project, state, window))
    stages: list[Stage] = [EnsureSchema(schema)]
    problems = Problems()
    keeping = Keeping(window, {h.name: h for h in state.held}, state.built or state.kept, request.keep, state.rebase)
    known = replace(state, kept=(), forced=True) if request.force else state

    def is_there(path: str, context: Window) -> bool:
        name = material_name(project.graph.models[path].name, project.fingerprints[path], context.seq_no)
        return name in state.complete and not request.force

    for context, paths in contexts(project, window, _roots(project, request), chosen, is_there):
        compilation = _compilation(project, window, context, sources, schema)
        for path in paths:
            keeping = replace(keeping, held={h.name: h for h in _held_by(stages, keeping)})
            own = _with_past(compilation, _past(project, state, window, context, path), sources, schema)
            try:
                carried = None if request.whole or request.force else keeping
                of_model = _stages(project, known, own, path, context, carried)
                of_model = of_model if sources.rolls_back else tuple(map(_with_changes_put_off, of_model))
                of_model = tuple(map(_made_transient(project), of_model)) if sources.transient else of_model
                stages += _explained(of_model, request.why_whole)
            except ProjectError as error:
                wrong = (*error.problems, *_not_found(project, sources, path))
                placed = [at(problem, project.graph.models[path].span) for problem in wrong]
                problems.found += [problem for problem in dict.fromkeys(placed) if problem not in problems.found]
    problems.raise_errors()
    names = frozenset(material_names(project, window).values())
    made = {s.model.path for s in stages if isinstance(s, AuditMaterial | ReuseMaterial) and s.material in names}
    stages.append(promotion(project, state, window, made))
    return Plan(window, schema, tuple(stages), state)


def _with_changes_put_off(stage: Stage) -> Stage:
    """Return a stage whose changes of rows that are kept are made all or none."""
    if not isinstance(stage, BuildMaterial) or stage.increment is None:
        return stage
    script = put_off(stage.script)
    creates = [s.tree for s in script.steps if isinstance(s, Statement) and isinstance(s.tree, exp.Create)]
    made = {tree.this.name for tree in creates if tree.args["kind"] == "TABLE"}
    held = [each.name for each in stage.increment.held]
    return replace(stage, script=script, replaces=tuple(name for name in held if made & set(tables_of_held(name))))


def _made_transient(project: ProfilesProject) -> Callable[[Stage], Stage]:
    """Return what says of tables that they can be made again, as the project's pipeline.yaml says which are."""
    names = {"nothing": (), "materials": (MATERIAL,), "everything": (MATERIAL, ACCUMULATOR)}
    lossy = names[project.pipeline.transient]

    def marked(stage: Stage) -> Stage:
        return replace(stage, script=transient(stage.script, lossy)) if isinstance(stage, BuildMaterial) else stage

    return marked


def _explained(stages: Iterable[Stage], why_whole: str) -> Iterator[Stage]:
    """Yield the stages of a model, with why it is built from its rows where it is brought up to date elsewhere."""
    for stage in stages:
        if why_whole and isinstance(stage, BuildMaterial) and _may_go_on(stage.model):
            yield replace(stage, reason=f"{stage.reason}; {why_whole}")
        elif why_whole and isinstance(stage, AuditMaterial) and _may_go_on(stage.model):
            yield replace(stage, how=replace(stage.how, reason=f"{stage.how.reason}; {why_whole}"))
        else:
            yield stage


def _may_go_on(model: Model) -> bool:
    """True for a model that is brought up to date from run to run where that is possible."""
    return isinstance(model, Stitcher | VarTable) or (isinstance(model, SessionTable) and model.kind == "sessions")


def _held_by(stages: Iterable[Stage], keeping: Keeping) -> Iterable[Held]:
    """Return what is kept once these stages are done, the newest of each name last."""
    yield from keeping.held.values()
    for stage in stages:
        if isinstance(stage, BuildMaterial) and stage.increment is not None:
            yield from stage.increment.held


def _made_from_earlier(project: ProfilesProject, state: State, window: Window) -> frozenset[str]:
    """Return the materials of a window that are made from earlier states, directly or not."""
    past = project.graph.past.keys()
    outdated = {path for path in project.graph.models if past & project.graph.with_upstream([path])}
    return frozenset(kept.name for kept in state.kept if kept.seq_no == window.seq_no and kept.path in outdated)


def _compilation(
    project: ProfilesProject, window: Window, context: Window, sources: Sources, schema: str
) -> Compilation:
    """Return what the models that are built in `context` are compiled against."""

    def relation(path: str) -> exp.Table:
        model = project.graph.models[path]
        seq_no = window.within(context, model).seq_no
        return exp.table_(material_name(model.name, project.fingerprints[path], seq_no), db=schema, quoted=True)

    return Compilation(
        graph=project.graph,
        reader=Reader(project.project, context.end, context.begin, sources.dialect),
        relation=relation,
        source=sources.of_input,
        outside=sources.of_table,
        files=sources.files,
        structs=sources.structs,
        suppressed=sources.suppressed(),
        changes={f"inputs/{name.lower()}": how.changes for name, how in project.pipeline.inputs.items() if how.changes},
    )


def _not_found(project: ProfilesProject, sources: Sources, path: str) -> Iterator[Problem]:
    """Yield what is wrong with each input that a model reads; compiling it stops at the first."""
    for parent in project.graph.parents[path]:
        model = project.graph.models[parent]
        if isinstance(model, Input) and model.csv is None:
            try:
                sources.of_input(model)
            except ProjectError as error:
                yield from error.problems


def _past(
    project: ProfilesProject, state: State, window: Window, context: Window, path: str
) -> Mapping[str, history.Found]:
    """Return what a model uses of earlier windows, by address."""
    found = history.found(project, state.kept, window, context, path)
    needed = {ref.address for ref in project.graph.past.get(path, ()) if ref.is_needed}
    return {address: meant for address, meant in found.items() if address in needed or not state.rebase}


def _with_past(c: Compilation, found: Mapping[str, history.Found], sources: Sources, schema: str) -> Compilation:
    """Return the compilation for a model that finds this of earlier windows."""
    if not found:
        return c

    def past(ref: PastRef) -> Past | None:
        if ref.address not in found:
            return None
        meant = found[ref.address]
        name = f"{meant.material.name}_mappings" if ref.kind == "clusters" else meant.material.name
        end = moment(meant.end.replace(tzinfo=None).isoformat(sep=" "))
        return Past(sources.of_past(exp.table_(name, db=schema, quoted=True)), end)

    return replace(c, past=past, reader=c.reader.with_past(lambda ref: ref.address in found))


def _stages(
    project: ProfilesProject,
    state: State,
    compilation: Compilation,
    path: str,
    context: Window,
    keeping: Keeping | None,
) -> tuple[Stage, ...]:
    """Return the stages that lead to the material of a model in a window; without `keeping` it is built from rows."""
    model, fingerprint = project.graph.models[path], project.fingerprints[path]
    relation = compilation.relation(path)
    name = relation.name
    if name in state.complete:
        script = compile_model(compilation, model)
        assert script is not None
        return (ReuseMaterial(model, name, script, "complete for this window, definition unchanged", context),)
    made = increments.increment(project, keeping, context, compilation, model) if keeping else None
    script = made.script if made is not None else compile_model(compilation, model)
    assert script is not None
    extends = made is not None and made.goes_on and _adds(made, keeping)
    passed_over = increments.passed_over(keeping, model) if keeping else ""
    reason = made.reason if made is not None else _why_built(state, name) + passed_over
    reason += ", and all rows for what was not kept before" if extends else ""
    count = script.count if script.count is not None else sql_build("SELECT COUNT(*) FROM :rel", rel=relation)
    before = _before(state, relation, context, path)
    audits = (*script.audits, *guards(compilation, project.pipeline.checks, model, count, before))
    declared = project.project.hooks.get(path, ())
    hooks = [RunHook(model, name, hook, compile_hook(compilation, path, hook)) for hook in declared]
    built = BuildMaterial(model, name, fingerprint, script, reason, context, made, extends)
    return (
        *(stage for stage in hooks if stage.hook.when == "pre_run"),
        built,
        *(stage for stage in hooks if stage.hook.when == "post_run"),
        AuditMaterial(
            model,
            name,
            fingerprint,
            script.kind,
            audits,
            count,
            context,
            built.how,
            made.version if made is not None else None,
        ),
    )


def _adds(made: Increment, keeping: Keeping | None) -> bool:
    """True when something will be kept that no earlier run has kept."""
    known = {name: frozenset(held.columns) for name, held in keeping.held.items()} if keeping else {}
    return any(held.name not in known or not known[held.name].issuperset(held.columns) for held in made.held)


def _why_built(state: State, material: str) -> str:
    if material in state.lost:
        return "what it was a view of has been dropped or altered"
    if material not in {kept.name for kept in state.built}:
        return "no material of this definition for this window"
    return "asked for although it is complete" if state.forced else "the rows it is made from have changed"


def _before(state: State, relation: exp.Table, context: Window, path: str) -> Before | None:
    """Return what the last run before a window made of a model, whatever its definition was."""
    earlier = [kept for kept in state.built or state.kept if kept.path == path and kept.end < context.end]
    last = max((kept for kept in earlier if kept.begin is None), key=lambda kept: (kept.end, kept.seq_no), default=None)
    return Before(exp.table_(last.name, db=relation.db, quoted=True), last.rows) if last is not None else None


def _roots(project: ProfilesProject, request: Request) -> Collection[str]:
    """Return the paths from which it follows in which windows models are needed.

    Where a model is asked for alone, others may be built beside it: it is needed wherever any of them would need it.
    """
    if request.models is None or request.only:
        return project.graph.models.keys()
    return frozenset(map(project.graph.find, request.models))


def needed(project: ProfilesProject, window: Window, request: Request) -> tuple[str, ...]:
    """Return the paths of the models that a plan builds where nothing has been built yet.

    Raises:
        ProjectError: a requested model does not exist.
    """
    found = contexts(project, window, _roots(project, request), selected(project, request), lambda *_: False)
    return tuple(dict.fromkeys(path for _, paths in found for path in paths))


def selected(project: ProfilesProject, request: Request) -> Collection[str]:
    """Return the paths to consider: those asked for and, unless `only`, everything upstream of them."""
    if request.models is None:
        return project.graph.models.keys()
    found = [project.graph.find(path) for path in request.models]
    return frozenset(found) if request.only else project.graph.with_upstream(found)


def material_names(project: ProfilesProject, window: Window) -> Mapping[str, str]:
    """Return path -> name of the material that a model stands for in a run of the window."""
    return {
        path: material_name(model.name, project.fingerprints[path], window.of(model.time_grain).seq_no)
        for path, model in project.graph.models.items()
    }


def promotion(project: ProfilesProject, state: State, window: Window, chosen: Collection[str]) -> Promote:
    """Return what becomes of the plain-named views of the chosen models.

    They show the latest finished window that has all of these models as they are defined now.
    """
    complete = state.complete
    later = sorted((w for w in state.finished if w.end > window.end), key=lambda w: (w.end, w.seq_no), reverse=True)
    for other in later:
        views = promoted(project, material_names(project, other), chosen)
        if views and all(view.material in complete for view in views):
            return Promote(promoted(project, material_names(project, window), chosen), other)
    return Promote(promoted(project, material_names(project, window), chosen))


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
