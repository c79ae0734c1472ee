"""No two relations of a project may have the same name."""

from __future__ import annotations

from collections.abc import Iterable

from profiles_pipeline.errors import Problems
from profiles_pipeline.resolve.model import Input, InputVarTable, Model


def check_relation_names(models: Iterable[Model], problems: Problems) -> None:
    """Add a problem for each model whose relation would have the name of another's.

    The var table of a source is only made where something needs it: the graph looks at these.
    """
    seen: dict[str, Model] = {}
    for model in models:
        if isinstance(model, Input | InputVarTable):
            continue
        other = seen.setdefault(model.name.lower(), model)
        if other is not model:
            message = f"'{model.path}' and '{other.path}' would both be named '{model.name}'"
            problems.error("duplicate-name", message, model.span, hint="give one of them another name")
