"""Names that are taken: by columns that the engine adds, by its own tables, by the files of a run."""

from __future__ import annotations

from collections.abc import Iterator

from profiles_pipeline.errors import Problem
from profiles_pipeline.names import OWN_TABLES
from profiles_pipeline.resolve.model import Input, InputVarTable, Project

COLUMNS = frozenset({"other_id", "other_id_type", "valid_at", "first_seen_at", "input_row_id"})
"""Columns that stand beside the main id in what is built."""


def reserved_names(project: Project) -> Iterator[Problem]:
    """Yield a problem for each name of a project that is taken."""
    hint = "give it another name"
    for entity in project.entities.values():
        if entity.id_column.lower() in COLUMNS:
            message = f"id_column_name '{entity.id_column}' of '{entity.name}' is another column of every id graph"
            yield Problem("reserved-name", message, getattr(entity.id_column, "span", None) or entity.span, hint)
    for model in project.models.values():
        if isinstance(model, InputVarTable):
            added = {"input_row_id", *(project.entities[e].id_column.lower() for e in model.entities)}
            for var in model.vars:
                if var.name.lower() in added:
                    message = f"input_var '{var.name}' has the name of a column that the var table of every source has"
                    yield Problem("reserved-name", message, getattr(var.spec.name, "span", None) or var.spec.span, hint)
        if isinstance(model, Input | InputVarTable):
            continue
        if model.name.lower() in OWN_TABLES:
            yield Problem("reserved-name", f"'{model.name}' is the name of a table of the registry", model.span, hint)
        elif "/" in model.name:
            message = f"'{model.name}' cannot be a name: '/' separates the parts of a path"
            yield Problem("reserved-name", message, model.span, hint)
