"""Reads a project folder: finds its files, joins them, lifts them to the newest form and builds the typed project."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from profiles_pipeline.errors import Problem, Problems, Span, did_you_mean, fail, nearest
from profiles_pipeline.spec.checks import check_choices, told_apart
from profiles_pipeline.spec.convert import build_project
from profiles_pipeline.spec.fetch import NEWEST_SCHEMA, fetcher
from profiles_pipeline.spec.lift import Note, lift
from profiles_pipeline.spec.model import KNOWN_KEYS, SESSIONS, ProjectSpec, Text
from profiles_pipeline.spec.namesakes import cohorts_told_apart
from profiles_pipeline.spec.packages import with_packages
from profiles_pipeline.spec.pipeline import OWN_SECTIONS, PIPELINE_FILES
from profiles_pipeline.spec.placed import PlacedList, PlacedMap
from profiles_pipeline.spec.yaml_nodes import read_yaml

PROJECT_FILES = ("pb_project.yaml", "pb_project.yml", "wht_project.yaml", "wht_project.yml")
_LISTS = ("inputs", "models", "var_groups", "macros")
_MAPPINGS = ("optimizations", "resources")
SECTIONS = (*_LISTS, *_MAPPINGS)
"""What may stand in any file of a project."""
_GENERATED = frozenset({"output", "logs", "migrations"})
_NO_MODELS = (*PROJECT_FILES, *PIPELINE_FILES)


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
    problems = Problems()
    loaded = read_project(folder, problems)
    problems.raise_errors()
    return loaded


def read_project(folder: Path, problems: Problems, root: Path | None = None) -> Loaded:
    """Return as much of the project in `folder` as can be read; packages are named but not fetched.

    Everything wrong with its files is added to `problems`. Files are named as seen from `root`, which is the folder
    itself unless it is a package of the project there.

    Raises:
        ProjectError: nothing of it can be read; with everything in `problems`.
    """
    folder = folder.expanduser().absolute()
    files = project_files(folder, problems, root or folder)
    project = next(iter(files.values()))
    if not project:
        problems.raise_errors()
    lifted, notes = lift(joined(files.values(), problems))
    lifted, namesakes = cohorts_told_apart(lifted, problems)
    lifted = told_apart(lifted, problems)
    check_choices(lifted, problems)
    spec = build_project(lifted, str(folder), problems).model_copy(update={"namesakes": namesakes})
    _check_version(project, problems)
    return Loaded(spec, notes, problems.warnings)


def project_files(folder: Path, problems: Problems, root: Path | None = None) -> dict[str, PlacedMap]:
    """Return what stands in each file of the project, by path from `root` or `folder`, the project file first."""
    root = root or folder
    project = _read_project_file(folder, root, problems)
    files = {project.span.file: project}
    for path in _model_files(folder, project, problems):
        files[_named(path, root)] = _read_models(path, root, problems)
    for name, models in _own_models(folder, root, problems):
        files[name] = models
    return files


def _own_models(folder: Path, root: Path, problems: Problems) -> Iterator[tuple[str, PlacedMap]]:
    """Yield the models in pipeline.yaml that other tools do not know, and the vars over these.

    What else is in the file says how the project is run, and is read elsewhere.
    """
    path = next((folder / name for name in PIPELINE_FILES if (folder / name).is_file()), None)
    value = read_yaml(path, _named(path, root), Problems()) if path else None
    if path is None or not isinstance(value, PlacedMap):
        return
    models = value.get("models")
    for model in models if isinstance(models, PlacedList) else ():
        kind = model.get("model_type") if isinstance(model, PlacedMap) else None
        if isinstance(model, PlacedMap) and isinstance(kind, Text) and kind != SESSIONS:
            message = f"only models of type {SESSIONS} may stand in {path.name}, not of type '{kind}'"
            hint = "move it to a file of models, where other tools find it as well"
            problems.error("wrong-value", message, model.value_span("model_type"), hint=hint)
    yield _named(path, root), value.without([key for key in value if key not in OWN_SECTIONS])


def joined(files: Iterable[PlacedMap], problems: Problems) -> PlacedMap:
    """Return the project that its files, the project file first, make together."""
    project, *others = files
    for other in others:
        project = _joined(project, other, problems)
    return project


def load_whole_project(folder: Path) -> Loaded:
    """Return the project in `folder` with its packages fetched and merged into it.

    Raises:
        ProjectError: with every problem of the project, or of the package that cannot be had.
    """
    problems = Problems()
    loaded = read_whole_project(folder, problems)
    problems.raise_errors()
    return loaded


def read_whole_project(folder: Path, problems: Problems, siteconfig: Path | None = None) -> Loaded:
    """Return as much of the project in `folder` and its packages as can be read; the rest is added to `problems`.

    Args:
        folder: the project folder.
        problems: where problems are added.
        siteconfig: the file with the git credentials for its packages; None for the default one.

    Raises:
        ProjectError: nothing of it can be read; with everything in `problems`.
    """
    loaded = read_project(folder, problems)
    root = Path(loaded.spec.folder)

    def load_package(path: Path) -> ProjectSpec:
        return read_project(path, problems, root).spec

    spec = with_packages(loaded.spec, load_package, fetcher(root, siteconfig), problems)
    return replace(loaded, spec=spec)


def connection_of(folder: Path) -> Text | None:
    """Return the name of the connection in the project file of `folder`; None when there is none to be read."""
    path = next((folder / name for name in PROJECT_FILES if (folder / name).is_file()), None)
    value = read_yaml(path, path.name, Problems()) if path else None
    lifted, _ = lift(value) if isinstance(value, PlacedMap) else (None, ())
    name = lifted.get("connection") if lifted else None
    return name if isinstance(name, Text) else None


def _check_version(project: PlacedMap, problems: Problems) -> None:
    version = project.get("schema_version")
    if isinstance(version, int) and version > NEWEST_SCHEMA:
        message = f"schema_version {version} is newer than {NEWEST_SCHEMA}, the newest that is known here"
        hint = f"keys that came later are refused; if there are none, write schema_version: {NEWEST_SCHEMA}"
        problems.warn("schema-version", message, project.value_span("schema_version"), hint=hint)


def _read_project_file(folder: Path, root: Path, problems: Problems) -> PlacedMap:
    path = next((folder / name for name in PROJECT_FILES if (folder / name).is_file()), None)
    if path is None:
        _fail_without_project(folder)
    value = read_yaml(path, _named(path, root), problems)
    start = Span(_named(path, root), 1, 1)
    if isinstance(value, PlacedMap):
        return value
    if not problems.errors:
        problems.error("wrong-type", "the project file must be a mapping of keys such as 'name' and 'entities'", start)
    return PlacedMap(start)


def _named(path: Path, root: Path) -> str:
    """Return how to name a file in spans: as seen from the project folder, in full where that leads far away."""
    relative = Path(os.path.relpath(path, root)).as_posix()
    return path.as_posix() if relative.startswith("../../..") else relative


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
                near = nearest(name, _folders(folder))
                hint = f"did you mean '{near}'?" if near else None
                problems.warn("missing-model-folder", f"there is no model folder '{name}'", span, hint=hint)
            for path in [target] if target.is_file() else _yaml_files(target, folder):
                if path not in seen:
                    seen.add(path)
                    yield path


def _folders(folder: Path) -> list[str]:
    return [item.name for item in folder.iterdir() if item.is_dir() and item.name not in (*_GENERATED, "data")]


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
            if name.endswith((".yaml", ".yml")) and not (here == folder and name in _NO_MODELS):
                yield here / name


def _read_models(path: Path, root: Path, problems: Problems) -> PlacedMap:
    file = _named(path, root)
    value = read_yaml(path, file, problems)
    start = Span(file, 1, 1)
    if not isinstance(value, PlacedMap):
        if value is not None:
            problems.error("wrong-type", f"the file must be a mapping of {', '.join(_LISTS)}", start)
            problems.broken.anything = True
        return PlacedMap(start)
    for key in value:
        if key not in SECTIONS and not (value[key] is None and key in KNOWN_KEYS):
            hint = did_you_mean(key, (*_LISTS, "optimizations"))
            problems.error("unknown-key", f"unknown key '{key}' in a model file", value.key_span(key), hint=hint)
            problems.broken.anything = True
    return value.without([key for key in value if key not in SECTIONS])


def _joined(project: PlacedMap, file: PlacedMap, problems: Problems) -> PlacedMap:
    """Return the project with the sections of one more file added to its own."""
    result = project.copy()
    for key, value in file.items():
        if value is None:
            continue
        if not isinstance(value, PlacedList | PlacedMap):
            shape = "a list" if key in _LISTS else "a mapping"
            problems.error("wrong-type", f"'{key}' must be {shape}", file.value_span(key))
            problems.broken.anything = True
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
