"""Unions of the columns that several sources have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from profiles_pipeline.resolve.declared import Declared
from profiles_pipeline.resolve.lookup import find_source
from profiles_pipeline.resolve.model import ColumnUnion, Input, Model, RowId, SqlModel, united_text
from profiles_pipeline.resolve.row_ids import RowIds
from profiles_pipeline.spec.model import ColumnUnionSpec, ModelSpec, Text


def with_column_unions(declared: Declared, ids: RowIds, models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models and the unions of common columns, each after those that it unites."""
    found = dict(models)
    pending = {path: (model, body) for path, model, body in declared.specs_of(ColumnUnionSpec)}
    while pending:
        ready = [path for path, (_, body) in pending.items() if not pending.keys() & _united(declared, body)]
        if not ready:
            path, (model, _) = next(iter(pending.items()))
            chain = " -> ".join([*pending, path])
            declared.problems.error("cycle", f"unions are made of each other in a circle: {chain}", model.span)
            declared.broken.add(*pending)
            return found
        for path in ready:
            model, body = pending.pop(path)
            sources = _sources(declared, found, model, body)
            if sources is None:
                declared.broken.add(path)
            else:
                found[path] = _union(path, model, sources, ids.read(body.ids), body.occurred_at_col)
    return found


def _united(declared: Declared, body: ColumnUnionSpec) -> set[str]:
    return {declared.path(reference) for reference in body.inputs}


def _sources(
    declared: Declared, models: Mapping[str, Model], model: ModelSpec, body: ColumnUnionSpec
) -> list[Input | SqlModel] | None:
    """Return what is to be united; None when some of it cannot be, which is told."""
    found = [find_source(declared, models, reference, model.span) for reference in body.inputs]
    sources = [source for source in found if isinstance(source, Input | SqlModel)]
    for source in found:
        if source is not None and source not in sources:
            message = f"'{model.name}' cannot unite '{source.path}', which is neither an input nor a SQL model"
            hint = "give it inputs, SQL models and other unions"
            declared.problems.error("wrong-value", message, model.span, hint=hint)
    return None if len(sources) < max(len(found), 1) else sources


def _union(
    path: str,
    model: ModelSpec,
    sources: Sequence[Input | SqlModel],
    ids: tuple[RowId, ...],
    occurred_at: Text | None,
) -> ColumnUnion:
    """Return the model that has the rows of `sources`, with the columns that all of them have.

    Ids and time are those of the sources, as far as these agree, where the model gives none of its own.
    """
    output = model.body.materialization.output_type
    return ColumnUnion(
        path=path,
        name=str(model.name),
        span=model.span,
        spec=united_text([source.path for source in sources]),
        output=output if output in ("table", "ephemeral") else "view",
        ids=ids or _shared_ids(sources),
        occurred_at=occurred_at or _shared_time(sources),
        united=tuple(source.path for source in sources),
    )


def _shared_ids(sources: Sequence[Input | SqlModel]) -> tuple[RowId, ...]:
    """Return the ids that every source carries, written alike."""
    written = [{(i.select.lower(), i.id_type, i.entity) for i in source.ids} for source in sources]
    shared = set.intersection(*written)
    return tuple(i for i in sources[0].ids if (i.select.lower(), i.id_type, i.entity) in shared)


def _shared_time(sources: Sequence[Input | SqlModel]) -> Text | None:
    """Return the time column of the sources when it is the same for all of them."""
    first = sources[0].occurred_at
    same = first is not None and all((s.occurred_at or "").lower() == first.lower() for s in sources)
    return first if same else None
