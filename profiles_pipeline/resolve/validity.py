"""For how long what a model holds is good enough, and for how long it is kept, as far as the project says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from profiles_pipeline import durations
from profiles_pipeline.errors import Problems, Span
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.spec.model import ProjectSpec, Text

_HINT = "write it like 30m, 24h or 7d"


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
    texts = {path: text for path, text in (stated | dict(stitchers)).items() if text is not None}
    found = {path: _length(text, "validity_time", problems) for path, text in texts.items()}
    return {  # what is good for no time at all is always made anew, as if nothing were stated
        path: replace(model, validity=found[path]) if found.get(path) else model for path, model in models.items()
    }


def check_retention(spec: ProjectSpec, problems: Problems) -> None:
    """Add every retention period and look-back that is no length of time, or keeps nothing, to `problems`."""
    for text in (spec.retention_period, *(getattr(model.body, "retention_period", None) for model in spec.models)):
        if text is not None and _length(text, "retention_period", problems) == timedelta(0):
            problems.error("bad-duration", f"retention_period '{text}' keeps nothing", _place(text), hint=_HINT)
    for text in _look_backs(spec):
        _length(text, "incremental_timedelta", problems)


def not_needed(spec: ProjectSpec) -> tuple[str, ...]:
    """Return what is said of each look-back of a project, with its place: days that changed are found without one."""
    said = "incremental_timedelta is read and not needed: late rows are found however late they are"
    return tuple(f"{_place(text)}: {said}" for text in _look_backs(spec))


def _look_backs(spec: ProjectSpec) -> tuple[Text, ...]:
    stated = [getattr(model.body, "incremental_timedelta", None) for model in spec.models]
    stated += [entity.default_id_stitcher.incremental_timedelta for entity in spec.entities]
    return tuple(text for text in stated if text is not None)


def _length(text: Text, key: str, problems: Problems) -> timedelta | None:
    """Return the length of time that a text says; one that says none is told."""
    found = durations.duration(str(text)) if isinstance(text, str) else None
    if found is None:
        problems.error("bad-duration", f"{key} '{text}' is no length of time", _place(text), hint=_HINT)
    return found


def _place(text: Text) -> Span | None:
    return getattr(text, "span", None)
