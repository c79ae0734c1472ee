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
from typing import TYPE_CHECKING, Any, TextIO

from rich.text import Text
from rich.tree import Tree

from profiles_pipeline import queries
from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.terminal import note, out, plural, print_document, print_table, print_trees, say
from profiles_pipeline.cli.trees import Branch, forest
from profiles_pipeline.errors import fail
from profiles_pipeline.queries import ModelRow
from profiles_pipeline.queries.answer import Question
from profiles_pipeline.warehouse.base import Rows

if TYPE_CHECKING:
    import pyarrow

FORMATS = ("table", "csv", "json")
_FILE_FORMATS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
_ROWS_ON_SCREEN = 100
_NUMERIC = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|NUMBER.*|DOUBLE|FLOAT", re.IGNORECASE)


# --- models ---------------------------------------------------------------------------------------------------------


def show_models(place: Place, as_json: bool, as_tree: bool) -> None:
    """Print the models of a project: as a table, as trees of what they read, or as data."""
    project, output = place.open()
    rows, disabled = queries.list_models(project, output.schema), queries.list_disabled(project)
    if as_json:
        print_document([_model_document(row) for row in (*rows, *disabled)])
        return
    if as_tree:
        print_trees(out(), _trees(rows))
    else:
        _print_models(rows)
    for row in disabled:
        say(f"disabled: {row.path}: {row.status.reason}", style="yellow")
    if not as_tree:
        inputs = sum(row.output == "source" for row in rows)
        say(f"\n{plural(len(rows) - inputs, 'model')}, {plural(inputs, 'input')}, in the order of building")


def _print_models(rows: Sequence[ModelRow]) -> None:
    """Print a table; columns that would say the same of every model are left out."""
    columns: dict[str, list[str]] = {
        "path": [r.path for r in rows],
        "type": [r.type for r in rows],
        "output": [r.output for r in rows],
        "relation": [r.relation or "" for r in rows],
    }
    if any(r.time_grain for r in rows):
        columns["time grain"] = [r.time_grain or "" for r in rows]
    if any(r.status.state != "enabled" for r in rows):
        columns["status"] = [r.status.state + (f": {r.status.reason}" if r.status.reason else "") for r in rows]
    columns["reads"] = [", ".join((*r.reads, *r.tables)) for r in rows]
    print_table(out(), tuple(columns), list(zip(*columns.values(), strict=True)))


def _model_document(row: ModelRow) -> dict[str, object]:
    return {
        "path": row.path,
        "name": row.name,
        "type": row.type,
        "output": row.output,
        "relation": row.relation,
        "enable_status": row.status.state,
        "reason": row.status.reason,
        "time_grain": row.time_grain,
        "dependencies": list(row.reads),
        "dependents": list(row.read_by),
        "tables": list(row.tables),
        "description": row.description,
        "file": row.span.file if row.span else None,
        "line": row.span.line if row.span else None,
    }


def _trees(rows: Sequence[ModelRow]) -> list[Tree]:
    """Return a tree for each model that nothing else reads; a branch that was shown before is not unfolded again."""
    by_path = {row.path: row for row in rows}

    def label(row: ModelRow, style: str = "") -> Text:
        maybe = f"  ({row.status.state})" if row.status.state != "enabled" else ""
        return Text(row.path, style=style) + Text(f"  {row.type}{maybe}", style="dim")

    def below(path: str) -> list[Branch]:
        row = by_path.get(path)
        if row is None:  # a table
            return []
        tables = ((name, Text(name) + Text("  table", style="dim")) for name in row.tables)
        return [*((read, label(by_path[read])) for read in row.reads), *tables]

    return forest([(row.path, label(row, "bold")) for row in rows if not row.read_by], below)


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
    question = Question(text, seq_no, limit, asked.dialect)
    if form == "parquet":
        table, complete, names = queries.run_arrow_query(project, output, question, tell_waiting, asked.lock_timeout)
        count = table.num_rows
        _write_parquet(asked.file or Path(), table)
        _tell_renamed(table.column_names, names)
    else:
        answer = queries.run_query(project, output, question, tell_waiting, asked.lock_timeout)
        count, complete = len(answer.rows.rows), answer.complete
        _show_answer(answer, form, asked.file)
    if asked.file is not None:
        note(f"wrote {plural(count, 'row')} to {from_here(asked.file)}")
    if not complete and (asked.file is not None or form != "table"):
        note(f"there are more rows than the {count:,} asked for", style="yellow")


def _show_answer(answer: queries.Answer, form: str, file: Path | None) -> None:
    count = plural(len(answer.rows.rows), "row")
    rows = answer.rows if form == "json" else answer.as_named
    if file is not None:
        _write_file(file, _WRITERS[form], rows)
    elif form == "table":
        _print_rows(rows)
        note(count if answer.complete else f"the first {count}; --max-rows shows more")
    else:
        _WRITERS[form](rows, sys.stdout)
    _tell_renamed(rows.columns, answer.names)


def _tell_renamed(columns: Sequence[str], names: Sequence[str]) -> None:
    """Say which columns are not called what the query calls them, for a form in which names must differ."""
    renamed = [new for new, name in zip(columns, names, strict=True) if new != name]
    if renamed:
        note(f"columns of one name have a number behind it: {', '.join(renamed)}", style="yellow")


def _form(asked: Query) -> str:
    """Return the format to write: that of a file follows from its ending unless it is stated."""
    if asked.form is not None and asked.form not in FORMATS:
        fail("bad-format", f"--format: '{asked.form}' is no format", hint="known: " + ", ".join(FORMATS))
    if asked.file is None:
        return asked.form or "table"
    if asked.form == "table":
        fail("bad-format", "a table is for reading, not for a file", hint="write --format csv or --format json")
    by_name = _FILE_FORMATS.get(asked.file.suffix.lower())
    if asked.form is None and by_name is None:
        endings = ", ".join(_FILE_FORMATS)
        fail("bad-format", f"--file: '{asked.file.name}' does not say its format", hint=f"let it end with {endings}")
    if by_name == "parquet" and asked.form is not None:
        fail("bad-format", f"--format {asked.form} is not for '{asked.file.name}'", hint="leave out --format")
    return asked.form or by_name or "csv"


def _write_parquet(file: Path, table: pyarrow.Table) -> None:
    from pyarrow import parquet  # noqa: PLC0415 - slow to import, and only needed here

    try:
        parquet.write_table(table, str(file.expanduser()))
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fail("cannot-write", f"cannot write {file}: {reason}", hint="choose another file, or cast the column")


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
    cells = [tuple(None if value is None else text_of(value) for value in row) for row in rows.rows]
    print_table(out(), rows.columns, cells, right=right)


def _is_numeric(kind: str) -> bool:
    return _NUMERIC.fullmatch(kind) is not None


def _write_csv(rows: Rows, stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows([["" if value is None else text_of(value) for value in row] for row in rows.rows])


def _write_json(rows: Rows, stream: TextIO) -> None:
    found = [{name: plain_value(value) for name, value in zip(rows.columns, row, strict=True)} for row in rows.rows]
    stream.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


_WRITERS: dict[str, Callable[[Rows, TextIO], None]] = {"csv": _write_csv, "json": _write_json}


def text_of(value: object) -> str:
    """Return a value as one text: times in ISO form, lists and structures as JSON."""
    plain = plain_value(value)
    if isinstance(plain, str):
        return plain
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(plain, ensure_ascii=False)


def plain_value(value: object) -> object:
    """Return a value of the warehouse as one that JSON knows."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
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
