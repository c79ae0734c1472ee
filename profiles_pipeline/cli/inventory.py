"""Does what ``profiles discover`` and ``profiles show plan`` say."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.inventory_commands import DiscoverOptions
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import print_strategies, strategies_document, tell_waiting
from profiles_pipeline.cli.terminal import note, out, plural, print_document, print_table, say
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import did_you_mean, fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries import discover as finding
from profiles_pipeline.queries.discover import Found, Kind, Wanted
from profiles_pipeline.queries.history import MaterialRow, history
from profiles_pipeline.resolve.model import Input

_NUMBERS = ("rows", "members", "features", "seconds", "seq_no")


# --- discover -----------------------------------------------------------------------------------------------------


def discover(place: Place, kind: str | None, asked: DiscoverOptions) -> None:
    """List what there is: one table for each kind of thing, or data."""
    kinds = _kinds(kind)
    source = None if asked.source == "*" else asked.source
    wanted = Wanted(asked.entity, asked.model, source, asked.keyword)
    if asked.file is not None and len(kinds) > 1:
        fail("options-clash", "a file holds one list", hint="profiles discover features --csv features.csv")
    project, output = place.open()
    _fail_unless_input(project, output, source)
    lists = {
        one: finding.discover(project, output, one, wanted, tell_waiting)
        for one in kinds
        if len(kinds) == 1 or _applies(one, wanted)
    }
    if asked.file is not None:
        _write(asked.file, kinds[0], lists[kinds[0]])
    elif asked.as_json:
        documents = {one: [_document(row) for row in rows] for one, rows in lists.items()}
        print_document(documents[kinds[0]] if len(kinds) == 1 else documents)
    else:
        for one, rows in lists.items():
            say(one, style="bold")
            _print(rows)
            say(f"{len(rows):,} found\n")


def _fail_unless_input(project: ProfilesProject, output: Output, source: str | None) -> None:
    """Refuse a part of an input's path that no input has, which may be meant for a schema."""
    inputs = [path for path, model in project.project.models.items() if isinstance(model, Input)]
    if source is not None and not any(source.lower() in path.lower() for path in inputs):
        lists = f"discover lists what is in schema '{output.schema}' of the connection; -s asks for an input"
        fail("unknown-input", f"there is no input '{source}'", hint=did_you_mean(source, inputs) or lists)


def _kinds(name: str | None) -> tuple[Kind, ...]:
    """Return the kinds of things to list. Raises ProjectError for one that does not exist."""
    found = tuple(kind for kind in finding.ROW_TYPES if name in (None, kind))
    if not found:
        fail("bad-kind", f"there is no list of '{name}'", hint=did_you_mean(name or "", list(finding.ROW_TYPES)))
    return found


def _applies(kind: Kind, wanted: Wanted) -> bool:
    """True when a kind of thing can be looked for by all that is asked for."""
    known = {field.name for field in fields(finding.ROW_TYPES[kind])}
    return all(getattr(wanted, name) is None or name in known for name in ("entity", "model", "source"))


def _print(rows: Sequence[Found]) -> None:
    """Print a table; columns that are empty everywhere are left out."""
    cells = [{field.name: _text(getattr(row, field.name)) for field in fields(row)} for row in rows]
    head = [name for name in (cells[0] if cells else ()) if any(row[name] for row in cells)]
    if head:
        shown = [name.replace("_", " ") for name in head]
        numbers = [name.replace("_", " ") for name in _NUMBERS]
        print_table(out(), shown, [[row[name] for name in head] for row in cells], right=numbers)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _document(row: Found) -> dict[str, object]:
    found = {field.name: getattr(row, field.name) for field in fields(row)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}


def _write(file: Path, kind: Kind, rows: Sequence[Found]) -> None:
    try:
        with file.expanduser().open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, [f.name for f in fields(finding.ROW_TYPES[kind])], lineterminator="\n")
            writer.writeheader()
            writer.writerows(_document(row) for row in rows)
    except OSError as error:
        fail("cannot-write", f"cannot write {file}: {error.strerror}", hint="choose another file")
    note(f"wrote {plural(len(rows), 'row')} to {from_here(file)}")


# --- show plan ----------------------------------------------------------------------------------------------------


def show_plan(place: Place, seq_no: str | None, show_dependents: bool, as_json: bool) -> None:
    """Print what a run built, and what each material was made from."""
    number = values.seq_no(seq_no) or "latest"
    if number == "new":
        fail("bad-seq-no", "--seq-no: this command looks at what was built", hint="profiles plan shows what will be")
    project, output = place.open()
    found = history(project, output, number, tell_waiting)
    window = found.seq_no
    if as_json:
        print_document(
            {
                "seq_no": window.number,
                "begin_time": window.begin.isoformat() if window.begin else None,
                "end_time": window.end.isoformat(),
                "finished": window.complete,
                "materials": [_material_document(row, show_dependents) for row in found.rows],
                "vars": strategies_document((row.material.model_path, row.material.how) for row in found.rows),
                "missing": list(found.missing),
            }
        )
        return
    state = "finished" if window.complete else "not finished"
    say(f"seq_no {window.number}, as of {window.end:%Y-%m-%dT%H:%M:%SZ}: {state}")
    columns: dict[str, list[str]] = {
        "": [row.material.how.action if row.material.how else "" for row in found.rows],
        "model": [row.material.model_path for row in found.rows],
        "material": [row.material.name for row in found.rows],
        "kind": [row.material.kind for row in found.rows],
        "rows": [_text(row.material.row_count) for row in found.rows],
        "seconds": [_text(row.material.seconds) for row in found.rows],
    }
    if any(row.time_grain for row in found.rows):
        columns["time grain"] = [row.time_grain or "" for row in found.rows]
    columns["made from"] = [", ".join(row.reads) for row in found.rows]
    if show_dependents:
        columns["read by"] = [", ".join(row.read_by) for row in found.rows]
    columns["why"] = [row.material.how.reason if row.material.how else "" for row in found.rows]
    print_table(out(), tuple(columns), list(zip(*columns.values(), strict=True)), right=_NUMBERS)
    print_strategies((row.material.model_path, row.material.how) for row in found.rows)
    if not found.rows:
        number = found.seq_no.number
        say(f"nothing of this run is left; profiles run --seq-no {number} builds it again", style="yellow")
        return
    for path in found.missing:
        say(f"not built in this run as it is defined now: {path}", style="yellow")


def _material_document(row: MaterialRow, show_dependents: bool) -> dict[str, object]:
    made = row.material
    document: dict[str, object] = {
        "model": made.model_path,
        "material": made.name,
        "kind": made.kind,
        "action": made.how.action if made.how else None,
        "reason": made.how.reason if made.how else None,
        "rows": made.row_count,
        "seconds": made.seconds,
        "time_grain": row.time_grain,
        "end_time": made.end.isoformat(),
        "sql_file": made.sql_file,
        "dependencies": list(row.reads),
    }
    return document | ({"dependents": list(row.read_by)} if show_dependents else {})
