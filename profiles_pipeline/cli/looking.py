"""Does what ``profiles show`` and ``profiles query`` say."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from rich.text import Text
from rich.tree import Tree

from profiles_pipeline import queries
from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.terminal import note, out, plural, print_document, print_table, say
from profiles_pipeline.errors import fail
from profiles_pipeline.queries import ModelRow
from profiles_pipeline.queries.answer import Question
from profiles_pipeline.warehouse.base import Rows

FORMATS = ("table", "csv", "json")
_ROWS_ON_SCREEN = 100
_NUMERIC = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|NUMBER.*|DOUBLE|FLOAT", re.IGNORECASE)


# --- models ---------------------------------------------------------------------------------------------------------


def show_models(place: Place, as_json: bool, as_tree: bool) -> None:
    """Print the models of a project: as a table, as trees of what they read, or as data."""
    project, output = place.open()
    rows = queries.list_models(project, output.schema)
    if as_json:
        print_document([_model_document(row) for row in rows])
    elif as_tree:
        for tree in _trees(rows):
            out().print(tree)
    else:
        cells = [(r.path, r.type, r.output, r.relation or "", ", ".join(r.reads)) for r in rows]
        print_table(out(), ("path", "type", "output", "relation", "reads"), cells)
        inputs = sum(row.output == "source" for row in rows)
        say(f"\n{plural(len(rows) - inputs, 'model')}, {plural(inputs, 'input')}, in the order of building")


def _model_document(row: ModelRow) -> dict[str, object]:
    return {
        "path": row.path,
        "name": row.name,
        "type": row.type,
        "output": row.output,
        "relation": row.relation,
        "dependencies": list(row.reads),
        "dependents": list(row.read_by),
        "description": row.description,
        "file": row.span.file if row.span else None,
        "line": row.span.line if row.span else None,
    }


def _trees(rows: Sequence[ModelRow]) -> list[Tree]:
    """Return a tree for each model that nothing else reads; a branch that was shown before is not unfolded again."""
    by_path = {row.path: row for row in rows}
    unfolded: set[str] = set()

    def grow(tree: Tree, row: ModelRow) -> Tree:
        unfolded.add(row.path)
        for path in row.reads:
            label = Text(path) + Text(f"  {by_path[path].type}", style="dim")
            if path in unfolded and by_path[path].reads:
                tree.add(label + Text("  (see above)", style="dim"))
            else:
                grow(tree.add(label), by_path[path])
        return tree

    ends = [row for row in rows if not row.read_by]
    return [grow(Tree(Text(row.path, style="bold") + Text(f"  {row.type}", style="dim")), row) for row in ends]


# --- rows -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Query:
    """The options of a query as they are typed."""

    text: str
    form: str | None = None
    file: Path | None = None
    max_rows: int | None = None
    seq_no: str | None = None
    dialect: str | None = None
    lock_timeout: float | None = None


def query(place: Place, asked: Query) -> None:
    """Print, or write to a file, the rows that a query returns."""
    form = _form(asked)
    seq_no = values.seq_no(asked.seq_no)
    if seq_no == "new":
        fail("bad-seq-no", "--seq-no: a query looks at what was built", hint="write a number or latest")
    text = sys.stdin.read() if asked.text == "-" else asked.text
    limit = asked.max_rows or (_ROWS_ON_SCREEN if form == "table" and asked.file is None else None)
    project, output = place.open()
    answer = queries.run_query(
        project, output, Question(text, seq_no, limit, asked.dialect), tell_waiting, asked.lock_timeout
    )
    count = len(answer.rows.rows)
    if asked.file is not None:
        _write_file(asked.file, _WRITERS[form], answer.rows)
        note(f"wrote {plural(count, 'row')} to {from_here(asked.file)}")
    elif form == "table":
        _print_rows(answer.rows)
        note(plural(count, "row") if answer.complete else f"the first {plural(count, 'row')}; --max-rows shows more")
    else:
        _WRITERS[form](answer.rows, sys.stdout)
    if not answer.complete and (asked.file is not None or form != "table"):
        note(f"there are more rows than the {count:,} asked for", style="yellow")


def _form(asked: Query) -> str:
    if asked.form is not None and asked.form not in FORMATS:
        fail("bad-format", f"--format: '{asked.form}' is no format", hint="known: " + ", ".join(FORMATS))
    if asked.file is None:
        return asked.form or "table"
    if asked.form == "table":
        fail("bad-format", "a table is for reading, not for a file", hint="write --format csv or --format json")
    return asked.form or ("json" if asked.file.suffix.lower() == ".json" else "csv")


def _write_file(file: Path, write: Callable[[Rows, TextIO], None], rows: Rows) -> None:
    try:
        with file.expanduser().open("w", encoding="utf-8", newline="") as stream:
            write(rows, stream)
    except OSError as error:
        fail("cannot-write", f"cannot write {file}: {error.strerror}", hint="choose another file")


def _print_rows(rows: Rows) -> None:
    if not rows.columns:
        return
    right = [name for name, kind in zip(rows.columns, rows.types, strict=True) if _is_numeric(kind)]
    cells = [tuple(None if value is None else _text(value) for value in row) for row in rows.rows]
    print_table(out(), rows.columns, cells, right=right)


def _is_numeric(kind: str) -> bool:
    return _NUMERIC.fullmatch(kind) is not None


def _write_csv(rows: Rows, stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows([["" if value is None else _text(value) for value in row] for row in rows.rows])


def _write_json(rows: Rows, stream: TextIO) -> None:
    found = [{name: _plain(value) for name, value in zip(rows.columns, row, strict=True)} for row in rows.rows]
    stream.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


_WRITERS: dict[str, Callable[[Rows, TextIO], None]] = {"csv": _write_csv, "json": _write_json}


def _text(value: object) -> str:
    """Return a value as one text: times in ISO form, lists and structures as JSON."""
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(plain, ensure_ascii=False)


def _plain(value: object) -> object:
    """Return a value of the warehouse as one that JSON knows."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    write = next((write for kind, write in _AS_PLAIN.items() if isinstance(value, kind)), str)
    return write(value)


_AS_PLAIN: dict[type, Callable[[Any], object]] = {
    float: lambda number: number if number - number == 0 else str(number),
    Decimal: lambda number: int(number) if number == number.to_integral_value() else float(number),
    datetime: lambda moment: moment.isoformat(sep=" "),
    date: date.isoformat,
    time: time.isoformat,
    bytes: bytes.hex,
}
