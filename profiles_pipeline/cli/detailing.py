"""Does what ``profiles show model_details`` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import print_document, say
from profiles_pipeline.errors import did_you_mean, fail
from profiles_pipeline.names import normalise_path
from profiles_pipeline.queries.details import details

_DEPTH = "  "


def show_details(place: Place, model_ref: str | None, as_json: bool) -> None:
    """Print what is known of the project, or of one of its models, as lines or as data.

    Raises:
        ProjectError: the project is wrong, or has no such model.
    """
    project, output = place.open()
    document: object = details(project, output)
    if model_ref is not None:
        document = _of(document, project.project.meant(normalise_path(model_ref)))
    if as_json:
        print_document(document)
        return
    for line in _lines(document):
        say(line)


def _of(document: object, path: str) -> Mapping[str, object]:
    models = document["models"] if isinstance(document, dict) else []
    by_path = {model["path_ref"]: model for model in models}
    if path not in by_path:
        hint = did_you_mean(path, list(by_path)) or "profiles show models"
        fail("unknown-model", f"there is no model '{path}'", hint=hint)
    found: Mapping[str, object] = by_path[path]
    return found


def _lines(value: object, indent: str = "") -> Iterator[str]:
    """Yield a value as indented lines; what there is none of is left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner and not _is_short(inner):
                yield f"{indent}{key}:"
                yield from _lines(inner, indent + _DEPTH)
            elif inner not in (None, [], {}):
                yield f"{indent}{key}: {_shown(inner, indent)}"
    elif isinstance(value, list):
        for item in value:
            lines = list(_lines(item, indent + _DEPTH))
            yield from (f"{indent}- {first.lstrip()}" for first in lines[:1])
            yield from lines[1:]
    else:
        yield f"{indent}{_shown(value, indent)}"


def _is_short(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and len(item) < 40 for item in value)


def _shown(value: object, indent: str) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == "":
        return "''"
    return str(value).strip().replace("\n", f"\n{indent}{_DEPTH}")
