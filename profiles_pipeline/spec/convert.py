"""Builds the typed project out of a placed mapping in its newest form, and turns what does not fit into problems."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from profiles_pipeline.errors import Problems, ProjectError, Span, did_you_mean, nearest
from profiles_pipeline.spec.model import (
    MODEL_BODIES,
    UNSUPPORTED_MODEL_TYPES,
    InputSpec,
    ModelSpec,
    ProjectSpec,
    Spec,
    Text,
    UnsupportedModelSpec,
)
from profiles_pipeline.spec.placed import PlacedList, PlacedMap, Unreadable, WrittenInt
from profiles_pipeline.spec.things import Steps, names_of_model, pruned, thing_at, without_broken

S = TypeVar("S", bound=BaseModel)

_NOT_WRITTEN = frozenset(
    {"span", "folder", "bare_names", "aliases", "statuses", "namesakes", "package_folders", "body"}
)
_GROUPS: dict[type[BaseModel], str] = {InputSpec: "app_defaults", ModelSpec: "model_spec"}
"""The key under which others of a thing are written, where the thing itself has them, or something made of them."""
_ESSENTIAL: dict[str, object] = {"name": Text("project"), "schema_version": WrittenInt("98")}
_DECLARING = ("entities", "id_types", "inputs", "macros", "model_folders", "models", "packages", "var_groups")
"""Sections without which nobody can say what the project has."""
_CENTRAL = ("entities", "id_types")
"""Sections of things that so much depends on that they are read without the keys that do not fit."""
_PLAIN_PACKAGE = re.compile(r"profiles[-_]rudderstack\b(?![-_])", re.IGNORECASE)
_MISSPELT = 0.9
"""How alike two names must be for one to be the other misspelt, where new names are to be expected."""
_NOUNS = {
    "entities": "entity",
    "id_types": "id type",
    "inputs": "input",
    "macros": "macro",
    "models": "model",
    "packages": "package",
    "tags": "tag",
    "var_groups": "var_group",
    "with_columns": "column",
    "features": "feature",
}
_EXPECTED = {
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
}


def build_project(project: PlacedMap, folder: str, problems: Problems) -> ProjectSpec:
    """Return as much of the project as fits, typed; each misfit is added to `problems` and counts as broken.

    Raises:
        ProjectError: nothing of it fits.
    """
    rest = without_broken(project, problems.broken).with_value("folder", folder)
    models = rest.get("models")
    if isinstance(models, PlacedList):
        typed = PlacedList(models.span)
        packages = _packages_of_types(rest)
        for item, span in models.placed_items():
            if not isinstance(item, PlacedMap):
                problems.error("wrong-type", f"a model must be a mapping, not {_kind_of(item)}", span)
            elif (model := _build_model(item, packages, problems)) is not None:
                typed.add(model, span)
            else:
                names = tuple(names_of_model(item))
                problems.broken.add(*names)
                problems.broken.anything |= not names
        rest = rest.with_value("models", typed)
    spec, misfits = _tried(ProjectSpec, rest, "the project", problems)
    if misfits:
        spec = validated(ProjectSpec, _fitting(rest, misfits, problems), "the project", Problems())
    if spec is None:
        raise ProjectError(problems.errors)
    return spec


def _fitting(project: PlacedMap, details: list[ErrorDetails], problems: Problems) -> PlacedMap:
    """Return the project without what does not fit, with defaults for the keys that it must have."""
    left_out: set[Steps] = set()
    for detail in details:
        loc = tuple(detail["loc"])
        place = _follow(loc, ProjectSpec, project, "the project")
        if detail["type"] == "extra_forbidden" and not _meant_otherwise(place):
            left_out.add(loc)
            continue
        if loc[0] in _CENTRAL and len(loc) > 2 and loc[2] != "name":
            left_out.add(loc[:4] if len(loc) > 4 and isinstance(loc[3], int) else loc[:3])
            continue
        item, names = thing_at(project, loc)
        problems.broken.add(*names)
        meant = nearest(str(place.key), keys_of(place.cls)) if detail["type"] == "extra_forbidden" else None
        problems.broken.anything |= not names and (meant or loc[0]) in _DECLARING
        left_out.add(item)
    rest = pruned(project, left_out)
    for key, default in _ESSENTIAL.items():
        rest = rest if key in rest else rest.with_value(key, default)
    return rest


def _meant_otherwise(place: _Place) -> bool:
    """Whether an unknown key seems to be another one misspelt, so that its absence changes the meaning."""
    return nearest(str(place.key), keys_of(place.cls)) is not None


def _packages_of_types(project: PlacedMap) -> tuple[str, ...]:
    """Return the Python packages the project requires that may bring model types of their own."""
    required = project.get("python_requirements")
    names = map(str, required) if isinstance(required, PlacedList) else ()
    return tuple(name for name in names if not _PLAIN_PACKAGE.match(name))


def _build_model(model: PlacedMap, packages: Sequence[str], problems: Problems) -> ModelSpec | None:
    label = called("model", model)
    kind = model.get("model_type")
    known = [*MODEL_BODIES, *sorted(UNSUPPORTED_MODEL_TYPES)]
    if kind is None:
        _model_of(model, UnsupportedModelSpec(), problems)
        return None
    if not isinstance(kind, Text):
        place = model.value_span("model_type")
        problems.error("wrong-type", f"'model_type' of {label} must be a text, not {_kind_of(kind)}", place)
        return None
    if kind not in known and (not packages or difflib.get_close_matches(kind, known, cutoff=_MISSPELT)):
        hint = did_you_mean(str(kind), known) or "known: " + ", ".join(sorted(MODEL_BODIES))
        place = model.value_span("model_type")
        problems.error("unknown-model-type", f"{label} has the unknown type '{kind}'", place, hint=hint)
        return None
    if "model_spec" not in model and nearest("model_spec", [key for key in model if key not in keys_of(ModelSpec)]):
        _model_of(model, UnsupportedModelSpec(), problems)
        return None
    raw = model.get("model_spec", PlacedMap(model.span))
    body_type = MODEL_BODIES.get(str(kind), UnsupportedModelSpec)
    if not isinstance(raw, PlacedMap):
        place = model.value_span("model_spec")
        problems.error("wrong-type", f"'model_spec' of {label} must be a mapping, not {_kind_of(raw)}", place)
        return None
    label = called(str(kind), model)
    body, misfits = _tried(body_type, raw, label, problems)
    if misfits:
        harmless = {
            tuple(d["loc"])
            for d in misfits
            if d["type"] == "extra_forbidden" and not _meant_otherwise(_follow(d["loc"], body_type, raw, label))
        }
        body = validated(body_type, pruned(raw, harmless), label, Problems())
    spec = _model_of(model, body or UnsupportedModelSpec(), problems)
    return spec if body is not None else None


def _model_of(model: PlacedMap, body: Spec, problems: Problems) -> ModelSpec | None:
    shell = model.with_value("body", body).without(("model_spec",))
    return validated(ModelSpec, shell, called("model", model), problems)


def called(noun: str, item: PlacedMap) -> str:
    """Return words for `item`: its noun and name, or the noun alone when it has no name."""
    if "name" in item:
        return f"{noun} '{item['name']}'"
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun} without a name"


def validated(cls: type[S], value: PlacedMap, label: str, problems: Problems) -> S | None:
    """Return `value` as an instance of `cls`, or None after adding each misfit, placed, to `problems`."""
    return _tried(cls, value, label, problems)[0]


def _tried(cls: type[S], value: PlacedMap, label: str, problems: Problems) -> tuple[S | None, list[ErrorDetails]]:
    """Return `value` as an instance of `cls`, or why it is none; each misfit is added, placed, to `problems`."""
    try:
        return cls.model_validate(value), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
        for detail in details:
            if not _misspelt(detail, unknown) and not isinstance(detail["input"], Unreadable):
                _report(detail, cls, value, label, problems)
        return None, details


def _misspelt(detail: ErrorDetails, unknown: list[tuple[int | str, ...]]) -> bool:
    """Whether a key is only missing because an unknown key of the same mapping was meant to be it."""
    if detail["type"] != "missing":
        return False
    *parent, wanted = detail["loc"]
    siblings = [str(loc[-1]) for loc in unknown if list(loc[:-1]) == parent]
    return nearest(str(wanted), siblings) is not None


@dataclass(frozen=True)
class _Place:
    """Where an error's location leads: the innermost value that exists and words for it."""

    label: str
    holder: object
    key: str | int | None
    cls: type[BaseModel] | None

    @property
    def span(self) -> Span | None:
        if isinstance(self.holder, PlacedMap) and isinstance(self.key, str):
            return self.holder.value_span(self.key)
        if isinstance(self.holder, PlacedList) and isinstance(self.key, int):
            return self.holder.span_at(self.key)
        return getattr(self.holder, "span", None)

    @property
    def words(self) -> str:
        if isinstance(self.key, int):
            return f"item {self.key + 1} of {self.label}"
        return f"'{self.key}' of {self.label}"


def _follow(loc: tuple[str | int, ...], cls: type[BaseModel], root: PlacedMap, label: str) -> _Place:
    """Walk from `root` along `loc`; stop before the last step, or at the first that leads nowhere."""
    value: object = root
    owner: type[BaseModel] | None = cls
    annotation: object = cls
    words = label
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        inner = _child(value, step)
        if last or inner is None:
            return _Place(words, value, step, owner)
        if isinstance(step, str) and owner is not None:
            annotation = _field_annotation(owner, step)
        owner = _spec_class(annotation) if isinstance(inner, PlacedMap) else None
        words = _label(words, step, inner, loc[index - 1] if index else None)
        if isinstance(inner, PlacedList):
            owner = _spec_class(annotation)
        value = inner
    return _Place(words, value, None, owner)


def _child(value: object, step: str | int) -> object:
    if isinstance(value, PlacedMap) and isinstance(step, str):
        return value.get(step)
    if isinstance(value, PlacedList) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _label(words: str, step: str | int, inner: object, before: str | int | None) -> str:
    name = inner.get("name") if isinstance(inner, PlacedMap) else None
    noun = _NOUNS.get(str(before)) if isinstance(step, int) else step
    if isinstance(name, Text) and noun:
        return f"{noun} '{name}'"
    if isinstance(step, int):
        return f"item {step + 1} of {words}"
    return f"'{step}'" if words == "the project" else f"'{step}' of {words}"


def _field_annotation(cls: type[BaseModel], key: str) -> object:
    for name, found in cls.model_fields.items():
        if key in (name, found.alias):
            return found.annotation
    return None


def _spec_class(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    if get_origin(annotation) in (tuple, Union, UnionType, Annotated):
        return next((found for part in get_args(annotation) if (found := _spec_class(part))), None)
    return None


def _report(detail: ErrorDetails, cls: type[BaseModel], root: PlacedMap, label: str, problems: Problems) -> None:
    kind, loc = detail["type"], detail["loc"]
    if kind == "reserved_key":
        loc, kind = (*loc, "span"), "extra_forbidden"
    place = _follow(loc, cls, root, label)
    if kind == "extra_forbidden" and isinstance(place.holder, PlacedMap):
        message = f"unknown key '{place.key}' in {place.label}"
        hint = did_you_mean(str(place.key), keys_of(place.cls))
        problems.error("unknown-key", message, place.holder.key_span(str(place.key)), hint=hint)
    elif kind == "missing":
        span = getattr(place.holder, "span", None)
        problems.error("missing-key", f"key '{place.key}' is missing in {place.label}", span)
    elif kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        hint = did_you_mean(str(detail["input"]), allowed)
        problems.error("wrong-value", f"{place.words} cannot be '{detail['input']}'", place.span, hint=hint)
    elif kind == "wrong_value":
        expected, hint = (str(detail.get("ctx", {}).get(key, "")) for key in ("expected", "hint"))
        message = f"{place.words} must be {expected}, not {_kind_of(detail['input'])}"
        problems.error("wrong-value", message, place.span, hint=hint or None)
    elif place.key == "schema_version":
        found = _kind_of(detail["input"])
        problems.error("schema-version", f"'schema_version' must be a whole number, not {found}", place.span)
    else:
        expected = _EXPECTED.get(kind, "a text")
        found = _kind_of(detail["input"])
        problems.error("wrong-type", f"{place.words} must be {expected}, not {found}", place.span)


def keys_of(cls: type[BaseModel] | None) -> list[str]:
    """Return the keys that a mapping of this class may have."""
    if cls is None:
        return []
    own = [found.alias or name for name, found in cls.model_fields.items() if name not in _NOT_WRITTEN]
    return [*own, *groups_of(cls)]


def groups_of(cls: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys under which other keys of a mapping of this class may be written."""
    return tuple(key for of, key in _GROUPS.items() if of is cls)


def _kind_of(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, PlacedMap):
        return "a mapping"
    if isinstance(value, PlacedList):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"the number {getattr(value, 'text', value)}" if isinstance(value, int | float) else f"'{value}'"
