"""Which columns of an input anything is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlglot import exp

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, InputVarTable, Model, SqlModel, Stitcher, VarTable
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.session_models import SessionTable, event_texts
from profiles_pipeline.sql import columns_of_rows

Names = frozenset[str] | None


def columns_in_use(project: ProfilesProject, reader: Reader, model: Input) -> Names:
    """Return the lower-case names of the columns that models are made of; None when that may be any.

    Names of vars may be among them, and columns of other tables that the same text names.
    """
    found: set[str] = set()
    for names in _used(project, reader, model):
        if names is None:
            return None
        found |= names
    return frozenset(found)


def _used(project: ProfilesProject, reader: Reader, model: Input) -> Iterator[Names]:
    for text in filter(None, (model.where, model.occurred_at, *(row_id.select for row_id in model.ids))):
        yield _named(reader.expression(text, model.path).tree)
    for input_var in project.project.input_vars.get(model.path, {}).values():
        read = reader.input_var(input_var)
        yield None if model.path in read.models else read.columns
    own = {p for p, m in project.graph.models.items() if isinstance(m, InputVarTable) and m.source == model.path}
    sources = own | {model.path}
    for path, parents in project.graph.parents.items():
        if path not in own and sources & set(parents):
            yield from _read_by(project, reader, project.graph.models[path], sources)


def _read_by(project: ProfilesProject, reader: Reader, other: Model, sources: Collection[str]) -> Iterator[Names]:
    """Yield what a model reads of the rows of an input, or of the table of its input vars."""
    match other:
        case Stitcher() if any(source.path in sources for source in other.sources):
            return  # its ids, which are looked at anyway
        case VarTable():
            for var in project.project.entity_vars.get(other.cohort, {}).values():
                read = reader.entity_var(var)
                if not read.models.isdisjoint(sources):
                    yield None
                elif var.source in sources:
                    yield read.columns
        case SessionTable():  # the first relation of a family that needs a text tells it for all of them
            for text, this in event_texts(other):
                yield _named(reader.expression(text, this).tree)
        case SqlModel() if other.spec.single_sql is not None:
            yield _named(reader.query(other.spec.single_sql, other.path).tree)
        case _:
            yield None


def _named(tree: exp.Expr) -> Names:
    """Return every column that a text names, wherever; None when a star stands for some."""
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        return None
    named = {column.name.rpartition("/")[2].lower() for column in tree.find_all(exp.Column)}
    return frozenset(named | {struct.lower() for struct in columns_of_rows(tree)})
