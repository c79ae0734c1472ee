"""Writes a project of an older dialect in the newest one: same meaning, comments kept, unchanged lines as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from profiles_pipeline.errors import Problems, fail
from profiles_pipeline.spec.fetch import NEWEST_SCHEMA
from profiles_pipeline.spec.lift import MIGRATED, Note, lift, take_step
from profiles_pipeline.spec.lift.rewrite import Rewrite
from profiles_pipeline.spec.load import PROJECT_FILES, SECTIONS, joined, load_project, project_files
from profiles_pipeline.spec.migrate.bare_names import Meant, templates_for_bare_names
from profiles_pipeline.spec.migrate.moving import seen_from
from profiles_pipeline.spec.migrate.printing import Printer, laid_out_afresh, owned_keys, read_values
from profiles_pipeline.spec.migrate.source import read_document
from profiles_pipeline.spec.migrate.written import as_written
from profiles_pipeline.spec.placed import PlacedList, PlacedMap, WrittenInt
from profiles_pipeline.spec.yaml_nodes import parse_yaml

__all__ = ["FileChange", "Meant", "Migration", "migrate"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of the project, by path from its folder: its text before and after, and the name it gets."""

    file: str
    name: str
    before: str
    after: str

    @property
    def is_change(self) -> bool:
        """True when the file does not stay as it is."""
        return (self.file, self.before) != (self.name, self.after)


@dataclass(frozen=True)
class Migration:
    """What it takes to bring a project to the newest schema.

    Attributes:
        notes: what is rewritten to what, and what is in doubt, in file order.
        files: every file of the project, those that stay the same among them.
    """

    notes: tuple[Note, ...]
    files: tuple[FileChange, ...]

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """The files that do not stay the same."""
        return tuple(file for file in self.files if file.is_change)

    @property
    def rewritten(self) -> tuple[Note, ...]:
        """What is rewritten to what."""
        return tuple(note for note in self.notes if not note.is_doubt)

    @property
    def doubts(self) -> tuple[Note, ...]:
        """What stays although it may mean something else."""
        return tuple(note for note in self.notes if note.is_doubt)


def migrate(folder: Path, destination: Path | None = None, meant: Meant = MappingProxyType({})) -> Migration:
    """Return what it takes to bring the project in `folder` to the newest schema; nothing is written.

    Args:
        folder: the project folder.
        destination: where the result will lie, when that is elsewhere: paths that lead out of the folder are adjusted.
        meant: what names that stand bare in vars over rows mean, as far as the columns of their sources are known.

    Raises:
        ProjectError: the project is wrong, or it cannot be written so that it means the same.
    """
    load_project(folder)
    folder = folder.expanduser().absolute()
    problems = Problems()
    read = project_files(folder, problems)
    texts = {file: (folder / file).read_bytes().decode("utf-8-sig") for file in read}
    steps = [] if destination is None or destination == folder else [seen_from(folder, destination)]
    naming = partial(templates_for_bare_names, meant=meant)
    lifted, notes = _lifted(joined(read.values(), problems), [naming, *steps])
    goal = _meaning(lifted)
    wanted = {file: _part(as_written(lifted, read), root, file) for file, root in read.items()}
    after = {file: _rewritten(text, file, read[file], wanted[file]) for file, text in texts.items()}
    if _meaning_of(after) != goal:
        hint = "please report the project that shows this"
        fail("not-migrated", "the project cannot be rewritten so that it is certain to mean the same", hint=hint)
    files = (FileChange(file, _newest_name(file), texts[file], text) for file, text in after.items())
    return Migration(tuple(sorted(notes, key=_place)), tuple(files))


def _lifted(project: PlacedMap, steps: Iterable[Rewrite]) -> tuple[PlacedMap, list[Note]]:
    notes: list[Note] = []
    for step in (*MIGRATED, *steps):
        project, left = take_step(step, project)
        notes += left
    version = project.get("schema_version")
    if version != NEWEST_SCHEMA:
        span = project.value_span("schema_version")
        notes.append(Note(span, f"schema_version {version} became {NEWEST_SCHEMA}"))
        project = project.with_value("schema_version", WrittenInt(str(NEWEST_SCHEMA)))
    return project, notes


def _place(note: Note) -> tuple[bool, str, int, int]:
    return note.span.file not in PROJECT_FILES, note.span.file, note.span.line, note.span.column


def _part(lifted: PlacedMap, before: PlacedMap, file: str) -> PlacedMap:
    """Return what of the project belongs into a file: what was in it before, and what was made of that."""
    is_project = file in PROJECT_FILES
    result = PlacedMap(before.span)
    for key, value in lifted.items():
        if key not in SECTIONS:
            if is_project:
                result.put(key, value, lifted.key_span(key), lifted.value_span(key))
            continue
        old = before.get(key)
        if isinstance(value, PlacedMap):
            own: PlacedMap | PlacedList = value.without(k for k in value if value.key_span(k).file != file)
        elif isinstance(value, PlacedList):
            own = PlacedList(old.span if isinstance(old, PlacedList) else before.span)
            for item, span in value.placed_items():
                if span.file == file or (is_project and not span.file):
                    own.add(item, span)
        else:
            continue
        origin = "resources" if key == "models" and key not in before else key
        if own:
            result.put(key, own, before.key_span(origin), before.value_span(origin))
    return result


def _rewritten(text: str, file: str, before: PlacedMap, after: PlacedMap) -> str:
    """Return the text of a file that has the value `after`: as close to the old text as one that can be read again."""
    if before == after:
        return text
    for printed in _printed(text, file, before, after):
        problems = Problems()
        if _plain(parse_yaml(printed, file, problems)) == _plain(after) and not problems.errors:
            break
    return printed.replace("\n", "\r\n") if "\r\n" in text else printed


def _printed(text: str, file: str, before: PlacedMap, after: PlacedMap) -> Iterator[str]:
    """Yield the file as it was but for what changed, then without aliases, then laid out afresh without comments."""
    document = read_document(text, file)
    read, said = read_values(before)
    for written_out in (False, True):
        if document is not None:
            yield Printer(document, read, said, owned_keys(after, document), written_out).file(after)
    yield laid_out_afresh(after)


def _meaning_of(texts: Mapping[str, str]) -> object:
    """Return what migrated files mean; None when they are no longer right."""
    problems = Problems()
    values = [parse_yaml(text, file, problems) for file, text in texts.items()]
    roots = [value for value in values if isinstance(value, PlacedMap)]
    if problems.errors:
        return None
    again, _ = take_step(templates_for_bare_names, lift(joined(roots, problems))[0])
    return None if problems.errors else _plain(again)


def _meaning(lifted: PlacedMap) -> object:
    return _plain(lift(lifted)[0])


def _plain(value: object, key: str = "") -> object:
    """Return a value such that two are equal when they mean the same: the order of definitions does not count."""
    if isinstance(value, PlacedMap):
        return {k: _plain(v, k) for k, v in value.items() if k not in ("bare_names", "schema_version")}
    if isinstance(value, PlacedList):
        items = [_plain(item) for item in value]
        return sorted(items, key=repr) if key in SECTIONS else items
    return str(value)


def _newest_name(file: str) -> str:
    return PROJECT_FILES[0] if file in PROJECT_FILES[2:] else file
