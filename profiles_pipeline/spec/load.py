"""Reads a project folder: finds its files, joins them, lifts them to the newest form and builds the typed project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from profiles_pipeline.errors import Problem, Problems, Span, did_you_mean, fail
from profiles_pipeline.spec.checks import check_choices, check_names
from profiles_pipeline.spec.convert import build_project
from profiles_pipeline.spec.fetch import fetch
from profiles_pipeline.spec.lift import Note, lift
from profiles_pipeline.spec.model import ProjectSpec, Text
from profiles_pipeline.spec.packages import with_packages
from profiles_pipeline.spec.placed import PlacedList, PlacedMap
from profiles_pipeline.spec.yaml_nodes import read_yaml

PROJECT_FILES = ("pb_project.yaml", "pb_project.yml", "wht_project.yaml", "wht_project.yml")
_LISTS = ("inputs", "models", "var_groups", "macros")
_MAPPINGS = ("optimizations", "resources")
_GENERATED = frozenset({"output", "logs", "migrations"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project as read.

    Attributes:
        spec: the project in its newest form.
        notes: what was written in an older form, in the order of the lifting steps.
        warnings: what is doubtful but does not stop the work.
    """

    spec: ProjectSpec
    notes: tuple[Note, ...]
    warnings: tuple[Problem, ...]


def load_project(folder: Path) -> Loaded:
    """Return the project in `folder`; packages are named but not fetched.

    Raises:
        ProjectError: with every problem of all its files at once.
    """
    folder = folder.expanduser().absolute()
    problems = Problems()
    project = _read_project_file(folder, problems)
    combined = project
    for path in _model_files(folder, project, problems):
        combined = _joined(combined, _read_models(path, folder, problems), problems)
    if problems.errors and not project:
        problems.raise_errors()
    lifted, notes = lift(combined)
    check_names(lifted, problems)
    check_choices(lifted, problems)
    spec = build_project(lifted, str(folder), problems)
    return Loaded(spec, notes, problems.warnings)


def load_whole_project(folder: Path) -> Loaded:
    """Return the project in `folder` with its packages fetched and merged into it.

    Raises:
        ProjectError: with every problem of the project, or of the package that cannot be had.
    """
    loaded = load_project(folder)
    return replace(loaded, spec=with_packages(loaded.spec, lambda path: load_project(path).spec, fetch))


def _read_project_file(folder: Path, problems: Problems) -> PlacedMap:
    path = next((folder / name for name in PROJECT_FILES if (folder / name).is_file()), None)
    if path is None:
        _fail_without_project(folder)
    value = read_yaml(path, path.name, problems)
    start = Span(path.name, 1, 1)
    if isinstance(value, PlacedMap):
        return value
    if not problems.errors:
        problems.error("wrong-type", "the project file must be a mapping of keys such as 'name' and 'entities'", start)
    return PlacedMap(start)


def _fail_without_project(folder: Path) -> NoReturn:
    looked = "pb_project.yaml or wht_project.yaml"
    if not folder.is_dir():
        fail("not-a-project", f"there is no folder {folder}", hint=f"give the folder that holds {looked}")
    nearby = sorted(path.parent for name in PROJECT_FILES for path in folder.glob(f"*/{name}"))
    hint = f"did you mean the folder {nearby[0]}?" if nearby else "make a project there with `profiles init`"
    fail("not-a-project", f"no {looked} in {folder}", hint=hint)


def _model_files(folder: Path, project: PlacedMap, problems: Problems) -> Iterator[Path]:
    """Yield each YAML file of the listed folders once; a folder that is not there is a warning."""
    seen: set[Path] = set()
    for key in ("model_folders", "macro_folders"):
        for name, span in _listed(project, key):
            target = Path(os.path.normpath(folder / name))
            if not target.exists():
                problems.warn("missing-model-folder", f"there is no model folder '{name}'", span)
            for path in [target] if target.is_file() else _yaml_files(target, folder):
                if path not in seen:
                    seen.add(path)
                    yield path


def _listed(project: PlacedMap, key: str) -> Iterator[tuple[str, Span]]:
    value = project.get(key)
    if isinstance(value, Text):
        yield value, project.value_span(key)
    elif isinstance(value, PlacedList):
        yield from ((item, span) for item, span in value.placed_items() if isinstance(item, Text))


def _yaml_files(target: Path, folder: Path) -> Iterator[Path]:
    for directory, subfolders, files in os.walk(target):
        here = Path(directory)
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and not (here == folder and name in _GENERATED)
        )
        for name in sorted(files):
            if name.endswith((".yaml", ".yml")) and not (here == folder and name in PROJECT_FILES):
                yield here / name


def _read_models(path: Path, folder: Path, problems: Problems) -> PlacedMap:
    file = Path(os.path.relpath(path, folder)).as_posix()
    value = read_yaml(path, file, problems)
    start = Span(file, 1, 1)
    known = (*_LISTS, *_MAPPINGS)
    if not isinstance(value, PlacedMap):
        if value is not None:
            problems.error("wrong-type", f"the file must be a mapping of {', '.join(_LISTS)}", start)
        return PlacedMap(start)
    for key in value:
        if key not in known:
            hint = did_you_mean(key, (*_LISTS, "optimizations"))
            problems.error("unknown-key", f"unknown key '{key}' in a model file", value.key_span(key), hint=hint)
    return value.without([key for key in value if key not in known])


def _joined(project: PlacedMap, file: PlacedMap, problems: Problems) -> PlacedMap:
    """Return the project with the sections of one more file added to its own."""
    result = project.copy()
    for key, value in file.items():
        if value is None:
            continue
        if not isinstance(value, PlacedList | PlacedMap):
            shape = "a list" if key in _LISTS else "a mapping"
            problems.error("wrong-type", f"'{key}' must be {shape}", file.value_span(key))
            continue
        added = _listed_alone(value) if key in _LISTS and isinstance(value, PlacedMap) else value
        result.put(key, _united(result.get(key), added), file.key_span(key), file.value_span(key))
    return result


def _listed_alone(item: PlacedMap) -> PlacedList:
    single = PlacedList(item.span)
    single.add(item, item.span)
    return single


def _united(first: object, second: PlacedList | PlacedMap) -> PlacedList | PlacedMap:
    """Return `second` with what `first` holds in front of it, when both have the same shape."""
    if isinstance(first, PlacedList) and isinstance(second, PlacedList):
        return first.joined(second)
    if not isinstance(first, PlacedMap) or not isinstance(second, PlacedMap):
        return second
    result = first.copy()
    for key, value in second.items():
        result.put(key, value, second.key_span(key), second.value_span(key))
    return result
