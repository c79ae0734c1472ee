"""Unit tests of a project, as data: given rows and a time, which rows do its relations hold?

A case is a YAML file::

    project: ../my_project        # a folder, the name of a shipped example, or the project itself as one mapping
    end_time: 2024-02-01T00:00:00Z
    earlier_runs: [2024-01-31T00:00:00Z]      # where the project looks back: end times of runs that come first
    given:                        # the tables of the inputs; column types follow from the values or are stated
      shop.orders:
        - {user_id: u1, amount: 3, ordered_at: 2024-01-05 10:00:00}
    expect:                       # only the columns named are compared; the order counts with `ordered: true`
      user_feature_view:
        - {user_main_id: "rid(user_id, u1)", n_orders: 1}

``rid(type, value)`` stands for the main id that the node of this type and value gives to its cluster. Instead of
``expect`` a case may list ``errors``: texts that the problems of the project contain, one each.
"""

from __future__ import annotations

import hashlib
import math
import re
import shutil
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Literal

import duckdb

from profiles_pipeline import connections, examples
from profiles_pipeline.dialects import identifier
from profiles_pipeline.errors import ProfilesError, ProjectError, RunError, WarehouseError, did_you_mean
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Event, Options, Planned, run
from profiles_pipeline.spec.case import Case, Expected, Given, read_case
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.sources import parse_table_name

__all__ = ["Case", "Mismatch", "load_case", "main_id", "run_case"]

NODE_SALT = "fe971b24-9572-4005-b22f-351e9c09274d"

Kind = Literal["problem", "relation", "column", "missing row", "extra row", "different row"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(?:Z|\+00:00)?\Z")
_MAIN_ID = re.compile(r"rid\(\s*([^,()]+?)\s*,\s*(.*?)\s*\)\Z")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference between what a case expects and what there is.

    Attributes:
        where: the relation, or ``errors`` or ``warnings``.
        text: the difference in words, with the values.
    """

    where: str
    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.text}"


def load_case(path: str | Path) -> Case:
    """Return the case in a YAML file.

    Raises:
        ProjectError: it is not valid YAML, or not a case.
    """
    return read_case(Path(path))


def run_case(case: Case, folder: str | Path) -> tuple[Mismatch, ...]:
    """Build the case's project in `folder` and return every difference; none means that the case holds.

    The folder is created. Afterwards it holds the project, the given tables under `data`, the compiled SQL and the
    warehouse, to look into.

    Raises:
        WarehouseError: a given value does not have the type of its column.
    """
    place = Path(folder).resolve()
    write_case(case, place)
    output = connections.embedded(place)
    events: list[Event] = []
    try:
        project = ProfilesProject.load(place, source_dialect=case.dialect)
        for end in case.earlier_runs:
            run(project, output, Options(begin=case.begin_time, end=end))
        run(project, output, Options(begin=case.begin_time, end=case.end_time), events.append)
    except ProfilesError as error:
        return tuple(_compared_texts("errors", case.errors, _said(error)))
    found = list(_compared_texts("errors", case.errors, ()))
    if case.warnings is not None:
        planned = [warning for event in events if isinstance(event, Planned) for warning in event.warnings]
        said = [warning.render() for warning in (*project.warnings, *planned)]
        found += _compared_texts("warnings", case.warnings, said)
    with connect(output.settings, purpose="test", read_only=True) as warehouse:
        warehouse.execute(f"SET schema = '{output.schema}'")
        for expected in case.expect:
            found += _compared(expected, warehouse)
    return tuple(found)


def main_id(id_type: str, value: str) -> str:
    """Return the main id of a cluster whose eldest node has this type and value."""
    inner = hashlib.sha1((NODE_SALT + value).encode(), usedforsecurity=False).hexdigest()[:32]
    return "rid" + hashlib.sha1((inner + id_type).encode(), usedforsecurity=False).hexdigest()[:32]


# --- what is given ------------------------------------------------------------------------------------------------


def write_case(case: Case, folder: Path) -> None:
    """Write the project of a case and its given tables into `folder`, so that it can be run there."""
    if case.project is None:
        for name, text in case.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    elif case.project in examples.EXAMPLES:
        examples.copy_example(case.project, folder)
    else:
        left_out = shutil.ignore_patterns("output", "logs", connections.STATE_FOLDER)
        shutil.copytree(case.file.parent / case.project, folder, ignore=left_out, dirs_exist_ok=True)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for given in case.given:
        _write_table(given, folder / "data" / f"{'.'.join(parse_table_name(given.table))}.parquet")


def _write_table(given: Given, file: Path) -> None:
    """Write the rows as a Parquet file.

    Raises:
        WarehouseError: a value does not have the type of its column.
    """
    names = [identifier(name, "duckdb") for name in given.columns]
    types = [t or inferred_type(row[n] for row in given.rows) for n, t in enumerate(given.columns.values())]
    columns = ", ".join(f"{name} {column_type}" for name, column_type in zip(names, types, strict=True))
    with _blaming(given.table), duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE given ({columns})")
        if given.rows:
            connection.executemany(f"INSERT INTO given VALUES ({', '.join('?' * len(names))})", given.rows)
        connection.table("given").write_parquet(str(file))


@contextmanager
def _blaming(table: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise WarehouseError(f"given table '{table}': {error}") from error


def inferred_type(values: Iterable[object]) -> str:
    """Return the DuckDB type that all values have; texts that all look like dates or times count as these."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, list) for value in known):
        return f"{inferred_type(item for value in known if isinstance(value, list) for item in value)}[]"
    fitting = (name for name, fits in _TYPES.items() if known and all(map(fits, known)))
    return next(fitting, "VARCHAR")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _looks_like(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "BOOLEAN": lambda value: isinstance(value, bool),
    "BIGINT": lambda value: _is_number(value) and isinstance(value, int),
    "DOUBLE": _is_number,
    "DATE": lambda value: _looks_like(_DATE, value),
    "TIMESTAMP": lambda value: _looks_like(_DATE, value) or _looks_like(_TIMESTAMP, value),
}


# --- what is expected ---------------------------------------------------------------------------------------------

Row = tuple[object, ...]


def _compared(expected: Expected, warehouse: Warehouse) -> Iterator[Mismatch]:
    """Yield the differences of one relation."""
    query = expected.query or f"SELECT * FROM {identifier(expected.relation, 'duckdb')}"
    try:
        found = warehouse.query(query)
    except WarehouseError as error:
        yield Mismatch(expected.relation, "relation", str(error))
        return
    numbers = {name.lower(): number for number, name in enumerate(found.columns)}
    unknown = [name for name in expected.columns if name.lower() not in numbers]
    for name in unknown:
        hint = did_you_mean(name, found.columns)
        yield Mismatch(expected.relation, "column", f"there is no column '{name}'" + (f"; {hint}" if hint else ""))
    if unknown:
        return
    actual = [tuple(comparable(row[numbers[name.lower()]]) for name in expected.columns) for row in found.rows]
    wanted = [tuple(comparable(value) for value in row) for row in expected.rows]
    for kind, text in _differences(expected.columns, wanted, actual, expected.ordered):
        yield Mismatch(expected.relation, kind, text)


def comparable(value: object) -> Hashable:
    """Return a hashable value that is equal for values that count as equal.

    Numbers count to nine digits whatever their type; times may be written with a blank or a T, seconds and a final Z
    are optional; ``rid(type, value)`` is the main id it stands for.
    """
    match value:
        case None:
            found: Hashable = None
        case bool():
            found = "boolean", value
        case int() | float() | Decimal():
            found = "nan" if math.isnan(value) else float(f"{value:.9g}")
        case datetime():
            moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            found = moment.isoformat(sep=" ")
        case date() | time():
            found = value.isoformat()
        case list() | tuple():
            found = tuple(comparable(item) for item in value)
        case dict():
            found = tuple((key, comparable(item)) for key, item in value.items())
        case _:
            found = _comparable_text(str(value))
    return found


def _comparable_text(text: str) -> str:
    if found := _MAIN_ID.match(text):
        return main_id(found[1], found[2])
    if found := _TIMESTAMP.match(text):
        return f"{found[1]} {found[2]}{found[3] or ':00'}"
    return text


def _differences(
    columns: Sequence[str], wanted: list[Row], actual: list[Row], ordered: bool
) -> Iterator[tuple[Kind, str]]:
    missing, extra = (wanted, actual) if ordered else _unmatched(wanted, actual)
    if ordered:
        for one, other in zip(wanted, actual, strict=False):
            if one != other:
                yield "different row", _shown_pair(columns, one, other)
        missing, extra = wanted[len(actual) :], actual[len(wanted) :]
    else:
        for one, other in _alike(missing, extra):
            missing.remove(one)
            extra.remove(other)
            yield "different row", _shown_pair(columns, one, other)
    yield from (("missing row", _shown(columns, row)) for row in missing)
    yield from (("extra row", _shown(columns, row)) for row in extra)


def _unmatched(wanted: list[Row], actual: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return what is left of both when equal rows have been taken away pairwise."""
    extra = list(actual)
    missing = []
    for row in wanted:
        if row in extra:
            extra.remove(row)
        else:
            missing.append(row)
    return missing, extra


def _alike(missing: list[Row], extra: list[Row]) -> list[tuple[Row, Row]]:
    """Return pairs of rows that agree in at least half of their columns, the most alike first."""
    scored = sorted(
        (
            (sum(a == b for a, b in zip(one, other, strict=True)), i, j)
            for i, one in enumerate(missing)
            for j, other in enumerate(extra)
        ),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    pairs, used_missing, used_extra = [], set(), set()
    for score, i, j in scored:
        if 2 * score >= len(missing[i]) > 0 and i not in used_missing and j not in used_extra:
            used_missing.add(i)
            used_extra.add(j)
            pairs.append((missing[i], extra[j]))
    return pairs


def _shown_pair(columns: Sequence[str], wanted: Row, actual: Row) -> str:
    cells = [
        f"{name}: expected {_shown_value(one)}, got {_shown_value(other)}"
        for name, one, other in zip(columns, wanted, actual, strict=True)
        if one != other
    ]
    same = [(n, v) for n, v, other in zip(columns, wanted, actual, strict=True) if v == other]
    of = f" (row {_shown([n for n, _ in same], tuple(v for _, v in same))})" if same else ""
    return "; ".join(cells) + of


def _shown(columns: Sequence[str], row: Row) -> str:
    return "{" + ", ".join(f"{n}: {_shown_value(v)}" for n, v in zip(columns, row, strict=True)) + "}"


def _shown_value(value: object) -> str:
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "boolean":
        return str(value[1]).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "null" if value is None else repr(value)


# --- problems -----------------------------------------------------------------------------------------------------


def _said(error: ProfilesError) -> list[str]:
    if isinstance(error, ProjectError):
        return [problem.render() for problem in error.problems]
    return [error.problem.render()] if isinstance(error, RunError) else [str(error)]


def _compared_texts(where: str, wanted: Sequence[str], said: Iterable[str]) -> Iterator[Mismatch]:
    """Yield a mismatch for each text that no message contains, and for each message that nobody expects."""
    left = list(said)
    for text in wanted:
        found = next((message for message in left if text in message), None)
        if found is None:
            yield Mismatch(where, "problem", f"nothing says '{text}'")
        else:
            left.remove(found)
    for message in left:
        yield Mismatch(where, "problem", message)
