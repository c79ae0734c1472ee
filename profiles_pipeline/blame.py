"""Finds out whose fault it is when a statement that computes many vars fails."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from profiles_pipeline import stars
from profiles_pipeline.compile import Statement, Step
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import ProjectError, Span, WarehouseError
from profiles_pipeline.places import Origin, origin_of
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.cohort_filters import filter_texts
from profiles_pipeline.resolve.model import (
    Cohort,
    EntityVar,
    Input,
    InputVar,
    InputVarTable,
    Model,
    Source,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.session_models import SessionTable, event_texts
from profiles_pipeline.spec.model import VarSpec, WindowSpec
from profiles_pipeline.sql.syntax import tokenize
from profiles_pipeline.versions import ANY_TIME
from profiles_pipeline.warehouse.base import Warehouse


class StepError(WarehouseError):
    """A step of a script failed; `step` is the one."""

    def __init__(self, step: Step, error: WarehouseError) -> None:
        super().__init__(str(error), error.statement, error.hint)
        self.step = step
        for note in getattr(error, "__notes__", ()):
            self.add_note(note)


def culprits(step: Step, warehouse: Warehouse, same: Callable[[WarehouseError], bool]) -> dict[str, WarehouseError]:
    """Return the vars of a failed step that fail by themselves as well, with what the warehouse says of each.

    Args:
        step: the step.
        warehouse: where to try the vars one by one.
        same: tells whether an error is of the kind looked for.
    """
    if not isinstance(step, Statement) or not step.vars:
        return {}
    reads = {name: len(_queries_before(step.tree, step.columns_of(name))) for name in step.vars}
    for gone in (False, True):
        found: dict[str, WarehouseError] = {}
        for name in sorted(step.vars, key=lambda var: reads[var]):  # what a var is made from comes before it
            try:
                alone = stars.spelled_out(warehouse, _alone(step, name, guilty=found, gone=gone))
                warehouse.execute(render(alone, warehouse.dialect, pretty=False))
            except WarehouseError as error:
                if same(error):
                    found[name] = error
        if found:
            return {name: found[name] for name in step.vars if name in found}
    return {}


def _alone(step: Statement, name: str, guilty: Iterable[str], *, gone: bool) -> exp.Expr:
    """Return the statement for one var and for those it is made from, as a query whose result nobody keeps.

    The other vars and the guilty ones are NULL; with `gone`, the other ones are left out, so that none stands in for a
    column of its name.
    """
    copy = step.tree.copy()
    own, others = step.columns_of(name), step.columns_beside(name)
    made_from = _queries_before(copy, own)
    for aliased in _aliases(copy, others):
        if id(aliased.parent) not in made_from and gone:
            aliased.pop()
        elif id(aliased.parent) not in made_from or aliased.alias.lower() in step.columns_of(*guilty):
            aliased.set("this", exp.Null())
    for select in copy.find_all(exp.Select) if gone else ():
        passed_on = [c for c in select.expressions if isinstance(c, exp.Column) and c.name.lower() in others]
        for column in passed_on if id(select) not in made_from else ():
            column.pop()
    return copy.expression if isinstance(copy, exp.Create | exp.Insert) else copy


def _queries_before(tree: exp.Expr, columns: Collection[str]) -> set[int]:
    """Return the identities of the queries that the outermost one that computes one of these columns may read: those
    inside it, and the earlier ones of its WITH."""
    own = next((aliased.parent for aliased in _aliases(tree, columns)), None)
    if own is None:
        return set()
    found = {id(select) for select in own.find_all(exp.Select) if select is not own}
    cte = own.find_ancestor(exp.CTE)
    while cte is not None and isinstance(cte.parent, exp.With):
        earlier = cte.parent.expressions[: cte.index]
        found |= {id(select) for named in earlier for select in named.find_all(exp.Select)}
        cte = cte.find_ancestor(exp.CTE)
    return found


def _aliases(tree: exp.Expr, columns: Collection[str]) -> list[exp.Alias]:
    """Return where queries compute columns of these names, in lower case; outer ones first."""
    found = list(tree.find_all(exp.Alias, bfs=True))
    return [a for a in found if a.alias.lower() in columns and isinstance(a.parent, exp.Select)]


def place_of_var(project: ProfilesProject, model: Model, name: str) -> Span | None:
    """Return where the text of a var stands."""
    spec = spec_of_var(project, model, name)
    return (getattr(spec.select, "span", None) or spec.span) if spec else model.span


def place_of_model(model: Model) -> Span | None:
    """Return where the text of a model stands."""
    if isinstance(model, SqlModel):
        text = model.spec.single_sql or model.spec.multi_sql
        return getattr(text, "span", None) or model.span
    if isinstance(model, Cohort) and len(texts := tuple(filter_texts(model))) == 1:
        return texts[0].span or model.span
    return model.span


def places(project: ProfilesProject, model: Model, names: Iterable[str]) -> Span | None:
    """Return where the first of some vars stands; the model's place when there is none."""
    return next((place_of_var(project, model, name) for name in names), place_of_model(model))


def writer_of(project: ProfilesProject, model: Model, name: tuple[str, ...]) -> tuple[str | None, Origin | None]:
    """Return the var of a model whose SQL writes a name, None for the model itself, and where.

    Args:
        project: the project.
        model: the model.
        name: the parts of the name.
    """
    for var in model.vars if isinstance(model, VarTable | InputVarTable) else ():
        if origin := origin_of_name(project, model, var.name, *name):
            return var.name, origin
    if origin := origin_of_name(project, model, None, *name):
        return None, origin
    source = source_with_name(project, model, *name)
    return None, source[1] if source else None


def origin_of_name(project: ProfilesProject, model: Model, var: str | None, *name: str) -> Origin | None:
    """Return where the SQL of a model, or of one of its vars, writes a name; None when it does not."""
    return origin_in(project, model, _texts_of_var(project, model, var) if var else _texts_of_model(model), *name)


def source_with_name(project: ProfilesProject, model: Model, *name: str) -> tuple[str, Origin] | None:
    """Return the source of a model whose ids, filter or time write a name, in words, and where."""
    found = next(sources_with_name(project, model, *name), None)
    return (words_of(found[0]), found[1]) if found else None


def sources_with_name(project: ProfilesProject, model: Model, *name: str) -> Iterator[tuple[Source, Origin]]:
    """Yield each source of a model whose ids, filter or time write a name, and where."""
    for path in project.graph.parents[model.path]:
        parent = project.graph.models[path]
        source = project.graph.models[parent.source] if isinstance(parent, InputVarTable) else parent
        if isinstance(source, Source):
            own = (source.occurred_at, getattr(source, "where", None), *(row_id.select for row_id in source.ids))
            if origin := origin_in(project, source, filter(None, own), *name):
                yield source, origin


def words_of(source: Source) -> str:
    """Return what to call a source."""
    noun = "input" if isinstance(source, Input) else "SQL model" if isinstance(source, SqlModel) else "sessions"
    return f"{noun} '{source.name}'"


def origin_in(project: ProfilesProject, model: Model, texts: Iterable[str], *name: str) -> Origin | None:
    """Return where the first of these texts of a model that writes a name, given by its parts, does so."""
    wanted = [word for part in name for word in (".", part.lower())][1:]
    reader = Reader(project.project, ANY_TIME, bound=False)
    for text in texts:
        rendered = reader.render(text, model.path).text
        written = text if rendered == text else rendered
        try:
            tokens = tokenize(written, project.project.source_dialect, None, "text")
        except ProjectError:
            continue  # no text that can be read as SQL names a table, and what is wrong with it is told by who reads it
        for number, token in enumerate(tokens):
            words = [following.text.lower() for following in tokens[number : number + len(wanted)]]
            if words == wanted and token.token_type != TokenType.STRING:
                return origin_of(written, token.start)
    return None


def _texts_of_var(project: ProfilesProject, model: Model, name: str) -> Iterator[str]:
    spec = spec_of_var(project, model, name)
    if spec is None:
        return
    window = spec.window or WindowSpec()
    yield from filter(None, (spec.select, spec.where, spec.default_value, *window.partition_by, *window.order_by))


def _texts_of_model(model: Model) -> Iterator[str]:
    match model:
        case SqlModel():
            yield from filter(None, (model.spec.single_sql, model.spec.multi_sql))
        case Cohort():
            yield from filter_texts(model)
            for listed in filter(None, (item.sql for item in model.pipeline)):
                yield from filter(None, (listed.select, listed.where))
        case SessionTable():
            yield from (text for text, _ in event_texts(model))
        case Stitcher():
            for rule in (rule for id_type in model.id_types for rule in id_type.filters):
                yield from filter(None, (rule.sql.select, rule.sql.where)) if rule.sql else ()


def spec_of_var(project: ProfilesProject, model: Model, name: str) -> VarSpec | None:
    """Return how a var of a model is written; None when there is no such var."""
    var = _var(project, model, name)
    return var.spec if var else None


def source_of_var(project: ProfilesProject, model: Model, name: str) -> str | None:
    """Return the path of what a var of a model reads; None when it reads nothing or there is no such var."""
    var = _var(project, model, name)
    return var.source if var else None


def _var(project: ProfilesProject, model: Model, name: str) -> EntityVar | InputVar | None:
    if isinstance(model, VarTable):
        return project.project.entity_vars.get(model.cohort, {}).get(name.lower())
    if isinstance(model, InputVarTable):
        return project.project.input_vars.get(model.source, {}).get(name.lower())
    return None
