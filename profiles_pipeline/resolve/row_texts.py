"""Models without those texts that say what the rows of a source carry and that are wrong, for checks of the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from profiles_pipeline.resolve.model import EdgeSource, IdType, Input, Model, RowId, SqlModel, Stitcher
from profiles_pipeline.spec.model import Text

RowTexts = Mapping[str, Collection[str]]
"""Path of a source -> texts of it: ids, the time of a row, which rows count."""

_NO_ID = "cast(null as varchar)"
_NO_TIME = "cast(null as timestamp)"


def without_row_texts(models: Mapping[str, Model], wrong: RowTexts, filters: Collection[str] = ()) -> dict[str, Model]:
    """Return the models with NULL for these ids and times, without these conditions on rows.

    Args:
        models: path -> model.
        wrong: what to leave out of sources.
        filters: texts of filters of id types; the filters that have them are left out.
    """
    return {path: _without(model, wrong, filters) for path, model in models.items()}


def without_filters(id_type: IdType, filters: Collection[str]) -> IdType:
    """Return an id type without the filters that have one of these texts."""
    kept = (rule for rule in id_type.filters if rule.sql is None or not {rule.sql.select, rule.sql.where} & {*filters})
    return replace(id_type, filters=tuple(kept))


def _without(model: Model, wrong: RowTexts, filters: Collection[str]) -> Model:
    if isinstance(model, Stitcher):
        id_types = tuple(without_filters(id_type, filters) for id_type in model.id_types)
        sources = tuple(_edges_without(source, wrong) for source in model.sources)
        return replace(model, sources=sources, id_types=id_types)
    texts = wrong.get(model.path)
    if not texts or not isinstance(model, Input | SqlModel):
        return model
    time = Text(_NO_TIME) if model.occurred_at in texts else model.occurred_at
    if isinstance(model, Input) and model.where in texts:
        model = replace(model, where=None)
    return replace(model, ids=_ids_without(model.ids, texts), occurred_at=time)


def _edges_without(source: EdgeSource, wrong: RowTexts) -> EdgeSource:
    return replace(source, ids=_ids_without(source.ids, wrong.get(source.path, ())))


def _ids_without(ids: tuple[RowId, ...], texts: Collection[str]) -> tuple[RowId, ...]:
    return tuple(replace(row_id, select=Text(_NO_ID)) if row_id.select in texts else row_id for row_id in ids)
