"""Does what ``profiles migrate`` says."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline.availability import vars_by_bare_name
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.progress import patience
from profiles_pipeline.cli.terminal import err, note, plural, print_document, say
from profiles_pipeline.connections import STATE_FOLDER
from profiles_pipeline.errors import ProfilesError, fail
from profiles_pipeline.queries.reading import open_for_reading
from profiles_pipeline.spec import Note
from profiles_pipeline.spec.fetch import NEWEST_SCHEMA
from profiles_pipeline.spec.migrate import FileChange, Meant, Migration, migrate

_LEFT_BEHIND = (STATE_FOLDER, "output", "logs", ".git")


@dataclass(frozen=True, slots=True)
class Where:
    """Where to write a migrated project, as it is typed."""

    destination: Path | None = None
    inplace: bool = False
    force: bool = False


def auto(folder: Path, where: Where, as_json: bool) -> None:
    """Write a migrated project, or show the changes when nothing says where to.

    Raises:
        ProjectError: the project is wrong, or the folder for the new one is in use.
    """
    if where.inplace and where.destination is not None:
        fail("options-clash", "--inplace and --destination both say where to write", hint="leave one of them out")
    folder = folder.expanduser().resolve()
    target = folder if where.inplace else where.destination and where.destination.expanduser().resolve()
    done = _migrated(folder, target)
    if target is not None and target != folder:
        _refuse_shared(done)
        _copy(folder, target, where.force)
    if target is not None:
        for change in done.changes:
            _write(target, change)
    if as_json:
        print_document(_document(done, target))
    elif target is None:
        _show(done)
    else:
        _conclude(done, target)
    if not as_json:
        _say_doubts(done, folder)


def manual(folder: Path, as_json: bool) -> None:
    """List what a migration of the project rewrites.

    Raises:
        ProjectError: the project is wrong.
    """
    done = _migrated(folder.expanduser().absolute())
    if as_json:
        print_document(_document(done, None))
        return
    for step in done.rewritten:
        say(_placed(step, folder))
    rest = f"{plural(len(done.rewritten), 'place')} to rewrite; `profiles migrate auto` does it"
    note(rest if done.rewritten else f"nothing to rewrite: the project has the newest schema, {NEWEST_SCHEMA}")
    _say_doubts(done, folder)


def _migrated(folder: Path, target: Path | None = None) -> Migration:
    """Return the migration of a project: what is in doubt without the columns of its sources is looked up in them."""
    done = migrate(folder, target)
    return migrate(folder, target, _meant(folder)) if done.doubts else done


def _meant(folder: Path) -> Meant:
    """Return what bare names mean in the vars whose sources are there; the doubts about the others are told."""
    try:
        project, output = Place(folder).open()
        with patience(err()) as tell, open_for_reading(project, output, "profiles migrate", tell) as session:
            return vars_by_bare_name(session.project)
    except ProfilesError:
        return {}


def _placed(step: Note, folder: Path) -> str:
    place = step.span
    return f"{from_here(folder / place.file)}:{place.line}:{place.column}: {step.message}"


def _say_doubts(done: Migration, folder: Path) -> None:
    for doubt in done.doubts:
        note(f"doubtful: {_placed(doubt, folder)}", style="yellow")


def _refuse_shared(done: Migration) -> None:
    outside = [change.file for change in done.changes if change.file.startswith("../")]
    if outside:
        message = f"{outside[0]} lies outside the project and would have to change"
        fail("shared-files", message, hint="use --inplace, and mind the other projects that read it")


def _copy(folder: Path, target: Path, force: bool) -> None:
    """Copy the project without what running it left behind."""
    if target.is_relative_to(folder):
        fail("folder-in-use", f"{target} lies inside the project", hint="choose a folder beside it with -d")
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not force:
        hint = "choose another folder with -d, or replace files of the same names with --force"
        fail("folder-in-use", f"{target} holds something already", hint=hint)

    def left_behind(here: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(here) == folder and name in _LEFT_BEHIND]

    shutil.copytree(folder, target, ignore=left_behind, symlinks=True, dirs_exist_ok=True)


def _write(folder: Path, change: FileChange) -> None:
    """Put the new text of a file in its place, at once."""
    place = folder / change.name
    fresh = place.with_name(f".{place.name}-{os.getpid()}")
    fresh.write_bytes(change.after.encode())
    if (folder / change.file).exists():
        shutil.copymode(folder / change.file, fresh)
    fresh.replace(place)
    if change.name != change.file:
        (folder / change.file).unlink()


def _show(done: Migration) -> None:
    for change in done.changes:
        for line in _diff(change):
            say(line, style={"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))
    if done.changes:
        note(f"{plural(len(done.changes), 'file')} would change; write them with --inplace or -d DIR", style="bold")
    else:
        note(f"nothing to change: the project has the newest schema, {NEWEST_SCHEMA}")


def _diff(change: FileChange) -> Iterator[str]:
    before, after = change.before.splitlines(), change.after.splitlines()
    return difflib.unified_diff(before, after, f"a/{change.file}", f"b/{change.name}", lineterm="")


def _conclude(done: Migration, target: Path) -> None:
    for change in done.changes:
        say(f"  {from_here(target / change.name)}")
    changed = f"{plural(len(done.changes), 'file')} changed, {plural(len(done.rewritten), 'place')} rewritten"
    say(f"{changed}: {from_here(target)} has schema {NEWEST_SCHEMA}", style="bold green")


def _document(done: Migration, target: Path | None) -> dict[str, object]:
    return {
        "schema_version": NEWEST_SCHEMA,
        "written_to": str(target) if target else None,
        "files": [{"file": change.file, "name": change.name} for change in done.changes],
        "rewritten": list(map(_note_document, done.rewritten)),
        "doubtful": list(map(_note_document, done.doubts)),
    }


def _note_document(step: Note) -> dict[str, object]:
    return {"file": step.span.file, "line": step.span.line, "column": step.span.column, "message": step.message}
