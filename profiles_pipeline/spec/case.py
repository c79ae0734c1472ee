"""Reads test cases: rows that are given, a project, a time, and the rows or problems to expect.

Only YAML in and values out; running a case is the business of `profiles_pipeline.testing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml

from profiles_pipeline.errors import Problems, Span, did_you_mean, fail
from profiles_pipeline.spec.placed import PlacedList, PlacedMap, WrittenFloat, WrittenInt
from profiles_pipeline.spec.yaml_nodes import read_yaml

KEYS = (
    "description",
    "dialect",
    "project",
    "given",
    "earlier_runs",
    "begin_time",
    "end_time",
    "expect",
    "errors",
    "warnings",
)
_MODEL_KEYS = ("inputs", "models", "var_groups", "macros", "optimizations")
_DEFAULTS: Mapping[str, object] = {
    "name": "case",
    "schema_version": 98,
    "connection": "none",
    "model_folders": ["models"],
}


@dataclass(frozen=True, slots=True)
class Given:
    """A table of the inputs.

    Attributes:
        columns: column -> type in DuckDB's spelling, or None to have it follow from the values.
        rows: one tuple per row, in the order of the columns.
    """

    table: str
    columns: Mapping[str, str | None]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a relation must hold.

    Attributes:
        relation: name of the relation, or of the query.
        columns: the columns that are compared; the relation may have more.
        query: SQL to ask instead of reading the relation whole.
        ordered: whether the order of the rows counts.
    """

    relation: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    query: str | None = None
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A test case.

    Attributes:
        file: where it was read from.
        project: name of a shipped example, path of a project folder, or None when `files` holds the project.
        files: the project's files by relative path.
        earlier_runs: end times of runs that come first, in this order.
        errors: texts that the problems must contain, one each; when there are any, the case must fail.
        warnings: the same for warnings; None leaves them unchecked.
    """

    file: Path
    end_time: datetime
    begin_time: datetime | None = None
    earlier_runs: tuple[datetime, ...] = ()
    description: str = ""
    dialect: str | None = None
    project: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    given: tuple[Given, ...] = ()
    expect: tuple[Expected, ...] = ()
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] | None = None


def read_case(path: Path) -> Case:
    """Return the case in a YAML file.

    Raises:
        ProjectError: it is not valid YAML, or not a case.
    """
    problems = Problems()
    root = read_yaml(path, path.name, problems)
    problems.raise_errors()
    if not isinstance(root, PlacedMap):
        fail("wrong-type", "a case must be a mapping of keys such as 'given' and 'expect'", Span(path.name, 1, 1))
    for key in root:
        if key not in KEYS:
            fail("unknown-key", f"unknown key '{key}' in a case", root.key_span(key), hint=did_you_mean(key, KEYS))
    project = root.get("project")
    return Case(
        file=path,
        end_time=_moment(root, "end_time", root.get("end_time")) or _missing(root, "end_time"),
        begin_time=_moment(root, "begin_time", root.get("begin_time")),
        earlier_runs=tuple(m for text in _texts(root, "earlier_runs") if (m := _moment(root, "earlier_runs", text))),
        description=str(root.get("description") or ""),
        dialect=str(root["dialect"]) if root.get("dialect") else None,
        project=str(project) if isinstance(project, str) else None,
        files=_files(project) if isinstance(project, PlacedMap) else {},
        given=tuple(_given(name, value, root) for name, value in _section(root, "given").items()),
        expect=tuple(_expected(name, value, root) for name, value in _section(root, "expect").items()),
        errors=_texts(root, "errors"),
        warnings=_texts(root, "warnings") if "warnings" in root else None,
    )


def plain(value: object) -> object:
    """Return a placed value as ordinary Python: dict, list, str, int, float, bool or None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, PlacedList):
        return [plain(item) for item in value]
    if isinstance(value, WrittenInt):
        return int(value)
    if isinstance(value, WrittenFloat):
        return float(value)
    return str(value) if isinstance(value, str) else value


def _files(snippet: PlacedMap) -> dict[str, str]:
    """Return the files of a project written as one mapping: what belongs in the project file, and the rest."""
    keys = plain(snippet)
    assert isinstance(keys, dict)
    models = {key: keys.pop(key) for key in _MODEL_KEYS if key in keys}
    files = {"pb_project.yaml": {**_DEFAULTS, **keys}}
    if models:
        files["models/models.yaml"] = models
    return {name: yaml.safe_dump(content, sort_keys=False, allow_unicode=True) for name, content in files.items()}


def _section(root: PlacedMap, key: str) -> PlacedMap:
    value = root.get(key)
    if value is None:
        return PlacedMap(root.span)
    if not isinstance(value, PlacedMap):
        fail("wrong-type", f"'{key}' must be a mapping of relation names", root.value_span(key))
    return value


def _given(name: str, value: object, root: PlacedMap) -> Given:
    names, types, rows = _rows(name, value, root)
    return Given(name, {column: types.get(column) for column in names}, rows)


def _expected(name: str, value: object, root: PlacedMap) -> Expected:
    columns, _, rows = _rows(name, value, root)
    extra = value if isinstance(value, PlacedMap) else PlacedMap(root.span)
    query = extra.get("query")
    return Expected(name, columns, rows, str(query) if query is not None else None, extra.get("ordered") is True)


Table = tuple[tuple[str, ...], dict[str, str], tuple[tuple[object, ...], ...]]


def _rows(name: str, value: object, root: PlacedMap) -> Table:
    """Return columns, their types where given, and rows of a table written as a list or as a mapping."""
    span = value.span if isinstance(value, PlacedList | PlacedMap) else root.span
    if isinstance(value, PlacedMap):
        unknown = next((key for key in value if key not in ("columns", "rows", "query", "ordered")), None)
        if unknown is not None:
            fail("unknown-key", f"unknown key '{unknown}' in '{name}'", value.key_span(unknown))
        listed, columns = value.get("rows") or PlacedList(span), plain(value.get("columns"))
    else:
        listed, columns = value or PlacedList(span), None
    if not isinstance(listed, PlacedList):
        fail("wrong-type", f"the rows of '{name}' must be a list", span)
    types = {str(c): str(t) for c, t in columns.items() if t is not None} if isinstance(columns, dict) else {}
    names = tuple(str(column) for column in columns) if isinstance(columns, dict | list) else _names(listed)
    return names, types, tuple(_row(name, names, row, place) for row, place in listed.placed_items())


def _names(rows: Sequence[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for row in rows if isinstance(row, PlacedMap) for key in row))


def _row(name: str, columns: tuple[str, ...], row: object, span: Span) -> tuple[object, ...]:
    if isinstance(row, PlacedMap) and set(row) == set(columns):
        return tuple(plain(row[column]) for column in columns)
    if isinstance(row, PlacedList) and len(row) == len(columns):
        return tuple(plain(value) for value in row)
    message = f"a row of '{name}' does not have a value for each of {', '.join(columns) or 'no columns'}"
    fail(
        "wrong-value", message, span, hint="write every row as a mapping of all columns, or as a list beside 'columns'"
    )


def _texts(root: PlacedMap, key: str) -> tuple[str, ...]:
    value = root.get(key)
    if value is not None and not isinstance(value, PlacedList):
        fail("wrong-type", f"'{key}' must be a list of texts", root.value_span(key))
    return tuple(str(item) for item in value or ())


def _moment(root: PlacedMap, key: str, value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        fail("wrong-value", f"'{key}' is not a time: {value}", root.value_span(key), hint="write 2024-01-31T12:00:00Z")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _missing(root: PlacedMap, key: str) -> datetime:
    fail("missing-key", f"key '{key}' is missing in a case", root.span, hint=f"add '{key}: 2024-01-31T00:00:00Z'")
