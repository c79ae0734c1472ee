"""For how long what a model holds is good enough, as far as the project says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from profiles_pipeline import durations
from profiles_pipeline.errors import Problems
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.spec.model import ProjectSpec, Text


def with_validity(
    models: Mapping[str, Model], spec: ProjectSpec, stitchers: Mapping[str, Text], problems: Problems
) -> dict[str, Model]:
    """Return the models with the validity times that are stated; a text that is none is added to `problems`.

    Args:
        models: path -> model.
        spec: the project as written.
        stitchers: path of a default stitcher -> validity time, where an entity states one.
        problems: where problems are added.
    """
    stated: dict[str, Text | None] = {
        f"models/{model.name.lower()}": getattr(model.body, "validity_time", None) for model in spec.models
    }
    found = {path: _read(text, problems) for path, text in (stated | dict(stitchers)).items() if text is not None}
    return {
        path: replace(model, validity=found[path]) if found.get(path) is not None else model
        for path, model in models.items()
    }


def _read(text: Text, problems: Problems) -> timedelta | None:
    """Return the length of time that a text says; None for nothing and for one that always needs to be made anew."""
    found = durations.duration(str(text)) if isinstance(text, str) else None
    if found is None:
        span = getattr(text, "span", None)
        hint = "write it like 30m, 24h or 7d"
        problems.error("bad-duration", f"validity_time '{text}' is no length of time", span, hint=hint)
    return found or None
