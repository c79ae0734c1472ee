"""The texts that say what the rows of a source carry: its ids, their time, which rows count, which ids are left out.

So much stands on them that one that is wrong would hide whatever else is wrong. They are tried by themselves, and those
that are refused are replaced, so that the rest can be checked as if they were mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sqlglot import exp

from profiles_pipeline import rejection, sql, versions
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Problem, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, Model, SqlModel, Stitcher
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.row_texts import RowTexts, without_filters, without_row_texts
from profiles_pipeline.spec.model import Text
from profiles_pipeline.warehouse.base import Warehouse


def refused_texts(
    project: ProfilesProject, model: Input | SqlModel, rows: exp.Expr, stage: Warehouse
) -> dict[str, Problem]:
    """Return what the warehouse says of those texts of a source that it does not accept for its rows."""
    reader = Reader(project.project, versions.ANY_TIME)
    where = model.where if isinstance(model, Input) else None
    own = filter(None, (*(row_id.select for row_id in model.ids), model.occurred_at, where))
    listing = dict(_texts_of_filters(project, model.path))
    trees = {text: reader.expression(text, model.path).tree for text in (*own, *listing)}
    alone = {text: tree for text, tree in trees.items() if not sql.symbols(tree) and not tree.find(exp.Query)}
    if not alone or _refusal(tuple(alone.values()), rows, stage) is None:
        return {}
    return {
        text: rejection.refused_text(project, model, text, said, listing.get(text))
        for text, tree in alone.items()
        if (said := _refusal((tree,), rows, stage)) is not None
    }


def _texts_of_filters(project: ProfilesProject, path: str) -> Iterator[tuple[Text, str]]:
    """Yield the texts of the id type filters that list ids of a source, each with whose they are, in words."""
    for stitcher in project.graph.models.values():
        for id_type in stitcher.id_types if isinstance(stitcher, Stitcher) else ():
            for rule in id_type.filters:
                if rule.sql is not None and project.graph.find(rule.sql.from_) == path:
                    texts = filter(None, (rule.sql.select, rule.sql.where))
                    yield from ((text, f"a filter of id type '{id_type.name}'") for text in texts)


def _refusal(trees: tuple[exp.Expr, ...], rows: exp.Expr, stage: Warehouse) -> str | None:
    """Return what the warehouse says against these values of rows; None when it accepts them."""
    values = (exp.alias_(tree.copy(), f"value_{number}") for number, tree in enumerate(trees))
    try:
        stage.describe(render(exp.select(*values).from_(rows.copy()), stage.dialect, pretty=False))
    except WarehouseError as error:
        return str(error)
    return None


def without_refused(project: ProfilesProject, refused: RowTexts) -> ProfilesProject:
    """Return the project with NULL for the ids and times that are refused, and without such filters."""
    if not refused:
        return project

    gone = {text for path in refused for text, _ in _texts_of_filters(project, path) if text in refused[path]}

    def mended(models: Mapping[str, Model]) -> dict[str, Model]:
        return without_row_texts(models, refused, gone)

    id_types = {name: without_filters(id_type, gone) for name, id_type in project.project.id_types.items()}
    resolved = replace(project.project, models=mended(project.project.models), id_types=id_types)
    ordered = replace(project.graph, project=resolved, models=mended(project.graph.models))
    return replace(project, project=resolved, graph=ordered)
