"""Finds the rows behind an input table: a relation of the database, or local files that stand in for it.

Names are compared without regard to case everywhere, quoted or not.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from glob import iglob
from pathlib import Path, PurePosixPath
from typing import NoReturn

from profiles_pipeline.dialects import identifier, literal
from profiles_pipeline.errors import fail, nearest
from profiles_pipeline.warehouse.base import FILE_COLUMN, Source, SourceKind
from profiles_pipeline.warehouse.settings import Settings

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^".\s][^".]*?))\s*(\.|$)')
_GLOB = re.compile(r"[*?\[]")
_FORMATS: dict[str, SourceKind] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_COMPRESSIONS = (".gz", ".zst")
_TABLE_SUFFIXES = (".parquet", ".csv")
# Parts written over the years differ in their columns; a column that a part lacks is NULL there. The whole of a file is
# sampled, so that a type never turns out wrong halfway. An empty CSV field is NULL, quoted or not. No line is
# taken for a remark: with one short line that begins with #, every row that begins so would go, in silence.
_READERS: dict[SourceKind, str] = {
    "parquet": "read_parquet({path}, union_by_name = true)",
    "csv": "read_csv({path}, header = true, sample_size = -1, union_by_name = true, comment = '')",
    "json": "read_json({path}, sample_size = -1, union_by_name = true)",
}


@dataclass(frozen=True, order=True, slots=True)
class Relation:
    """A table or view, by the names it was created with."""

    database: str
    schema: str
    name: str
    is_view: bool = False

    @property
    def sql(self) -> str:
        """The full name, every part quoted."""
        return ".".join(identifier(part, "duckdb") for part in (self.database, self.schema, self.name))

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"


@dataclass(frozen=True)
class Catalog:
    """What can be read in a session.

    Attributes:
        database: name of its own database.
        relations: every relation of it and of attached ones.
        default_schema: where a name without a schema is looked for.
    """

    database: str
    relations: tuple[Relation, ...]
    default_schema: str = "main"

    def find(self, database: str, schema: str, name: str) -> Relation | None:
        """Return the relation with these names, if there is one."""
        return self._by_name.get(_folded((database, schema, name)))

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, ...], Relation]:
        return {_folded((r.database, r.schema, r.name)): r for r in reversed(self.relations)}

    @property
    def attached(self) -> tuple[str, ...]:
        """The other databases that hold relations, by name."""
        return tuple(sorted({r.database for r in self.relations} - {self.database}))


@dataclass(frozen=True, slots=True)
class _Place:
    """A place where a table was looked for, and what was found there."""

    description: str
    source: Source | None


def parse_table_name(table: str) -> tuple[str, ...]:
    """Return the one to three parts of ``DB.SCHEMA.TABLE``, quotes removed; for an object in a store, its name.

    Raises:
        ProjectError: code ``bad-table-name``.
    """
    if is_address(table):
        return (PurePosixPath(table).name.partition(".")[0],)
    parts: list[str] = []
    position = 0
    while match := _PART.match(table, position):
        parts.append(match[1].replace('""', '"') if match[1] else match[2])
        position = match.end()
        if not match[3]:
            break
    else:
        parts.clear()
    if not 1 <= len(parts) <= 3:
        fail("bad-table-name", f"'{table}' is not a table name", hint="write TABLE, SCHEMA.TABLE or DB.SCHEMA.TABLE")
    return tuple(parts)


def is_address(table: str) -> bool:
    """Tell whether an input names an object in a store, such as ``s3://bucket/people.csv``, rather than a table."""
    return "://" in table


def resolve_source(table: str, settings: Settings, catalog: Catalog) -> Source:
    """Return where the rows of `table` come from: the first match of, in this order,

    1. an entry of `settings.sources` for this very name,
    2. a relation: ``db.schema.table``, then ``schema.table`` of this file and of attached databases; a name without a
       schema is looked for in the connection's schema, then in the default one,
    3. ``<sources_dir>/<db>.<schema>.<table>`` as ``.parquet``, then as ``.csv``: a file, or a folder of part files,
    4. ``<sources_dir>/<table>`` likewise,
    5. for a name with a schema, the relation ``table`` in the default schema.

    What the project itself builds is no candidate, or a run would read what the one before it wrote.

    An object in a store is read from there, unless 1, 3 or 4 give files of its name that stand in for it.

    An entry of `settings.sources` that leads nowhere is an error of its own: nothing else is tried.

    Raises:
        ProjectError: code ``missing-table`` with every place tried, or ``bad-table-name``.
    """
    parts = parse_table_name(table)
    wanted = _folded(parts)
    for key, value in settings.sources.items():
        if key == table or (_folded(parse_table_name(key)) == wanted and not is_address(key)):
            return _mapped(table, key, value, settings, catalog)
    if is_address(table):
        stand_in = next((place.source for place in _file_places(parts, settings) if place.source), None)
        return stand_in or _reader(_format(table) or "csv", table, table)
    by_table = [(catalog.database, catalog.default_schema, parts[-1])]
    places = [
        *_relation_places(_relation_names(parts, settings, catalog), settings, catalog),
        *_file_places(parts, settings),
        *(_relation_places(by_table, settings, catalog) if len(parts) > 1 else ()),
    ]
    found: Source | None = next((place.source for place in places if place.source), None)
    if found:
        return found
    tried = ["sources entry " + ".".join(parts), *(place.description for place in places)]
    _missing(f"table '{table}' was not found; tried " + ", ".join(tried), parts, _known(settings, catalog))


def _folded(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.lower() for part in parts)


def _mapped(table: str, key: str, value: str, settings: Settings, catalog: Catalog) -> Source:
    """Return what the sources entry `key: value` leads to."""
    lead = f"table '{table}' was not found; its sources entry '{key}' names"
    if not _is_path(value, settings.base):
        parts = parse_table_name(value)
        places = _relation_places(_relation_names(parts, settings, catalog), settings, catalog)
        found = next((place.source for place in places if place.source), None)
        if found:
            return found
        tried = ", ".join(place.description for place in places)
        _missing(f"{lead} '{value}'; tried {tried}", parts, {str(r): r.name for r in catalog.relations})
    path = value if "://" in value else os.path.abspath(settings.base / Path(value).expanduser())
    source = _files(path)
    if source:
        return source
    folder = Path(path).parent
    neighbours = {p.name: p.name for p in _listing(folder)}
    _missing(f"{lead} {path}, where there is no parquet, csv or json file", (Path(path).name,), neighbours)


def _is_path(value: str, base: Path) -> bool:
    """Tell whether a sources value means files rather than a relation."""
    return bool("/" in value or os.sep in value or _GLOB.search(value) or _format(value) or (base / value).exists())


def _relation_places(names: Iterable[tuple[str, str, str]], settings: Settings, catalog: Catalog) -> list[_Place]:
    return [_relation_place(*name, settings, catalog) for name in dict.fromkeys(names)]


def _relation_place(database: str, schema: str, name: str, settings: Settings, catalog: Catalog) -> _Place:
    shown = f"relation {_shown(database, catalog)}{schema}.{name}"
    found = catalog.find(database, schema, name)
    if found and _is_built_here(found, settings, catalog):
        return _Place(f"{shown} (which the project itself builds)", None)
    return _Place(shown, _relation_source(found) if found else None)


def _is_built_here(relation: Relation, settings: Settings, catalog: Catalog) -> bool:
    own = (catalog.database.lower(), settings.schema.lower())
    return (relation.database.lower(), relation.schema.lower()) == own and relation.name.lower() in settings.built_here


def _shown(database: str, catalog: Catalog) -> str:
    """Return how to begin the name of a relation: nothing for the warehouse's own database."""
    return "" if database == catalog.database else f"{database}."


def _relation_names(parts: tuple[str, ...], settings: Settings, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Yield the full names `parts` can stand for, best first."""
    *qualifiers, name = parts
    own = catalog.database
    if len(qualifiers) == 2:
        yield qualifiers[0], qualifiers[1], name
    if qualifiers:
        for database in (own, *catalog.attached):
            yield database, qualifiers[-1], name
    if len(qualifiers) == 1 and qualifiers[0].lower() in _folded(catalog.attached):
        yield qualifiers[0], catalog.default_schema, name
    if not qualifiers:
        yield own, settings.schema, name
        yield own, catalog.default_schema, name


def _relation_source(relation: Relation) -> Source:
    return Source(relation.sql, "relation", str(relation), names=(relation.database, relation.schema, relation.name))


def _file_places(parts: tuple[str, ...], settings: Settings) -> list[_Place]:
    if settings.sources_dir is None:
        return []
    folder = Path(os.path.abspath(settings.base / settings.sources_dir.expanduser()))
    entries = _listing(folder)
    stems = dict.fromkeys((".".join(parts), parts[-1]))
    return [_Place(_described(folder, stem, entries), _local_source(stem, entries)) for stem in stems]


def _described(folder: Path, stem: str, entries: list[Path]) -> str:
    names = [(stem + suffix).lower() for suffix in (*_TABLE_SUFFIXES, "")]
    empty = next((e.name for e in entries if e.name.lower() in names and e.is_dir() and _folder(str(e)) is None), None)
    return f"{folder / stem}.parquet or .csv" + (f" ({empty} is a folder without any such files)" if empty else "")


def _local_source(stem: str, entries: list[Path]) -> Source | None:
    """Return the files among `entries` that are called `stem`, parquet before csv, a plain folder last."""
    for suffix in (*_TABLE_SUFFIXES, ""):
        for entry in entries:
            if entry.name.lower() == (stem + suffix).lower() and (suffix or entry.is_dir()):
                source = _files(str(entry))
                if source:
                    return source
    return None


def _files(path: str) -> Source | None:
    """Return how to read `path` (a file, a folder of parts, a pattern or an address), or None if nothing is there."""
    kind = _format(path)
    if "://" in path:
        return _reader(kind, path, path) if kind else None
    if os.path.isdir(path):
        return _folder(path)
    if os.path.exists(path):
        return _reader(kind, _literal(path), path) if kind else None
    first = next(iglob(path, recursive=True), None)
    kind = kind or (_format(first) if first else None)
    return _reader(kind, path, path) if first and kind else None


def _folder(path: str) -> Source | None:
    """Return how to read the part files anywhere below a folder; the first format that has any wins."""
    for suffix, kind in _FORMATS.items():
        for ending in (suffix, *(suffix + compression for compression in _COMPRESSIONS)):
            if next(Path(path).rglob("*" + ending), None):
                return _reader(kind, f"{_literal(path)}/**/*{ending}", path)
    return None


def _reader(kind: SourceKind, path: str, origin: str) -> Source:
    if kind == "csv" and os.path.isfile(origin) and os.path.getsize(origin) == 0:
        hint = "write the names of its columns into the first line; without rows it is an empty input"
        fail("unreadable-source", f"{origin} is empty: it has not even a header", hint=hint)
    if kind == "csv" and os.path.isfile(origin) and (columns := _columns_without_rows(origin)):
        return Source(f"(SELECT {columns} WHERE FALSE)", kind, origin, _state_of_files(path))
    call = _READERS[kind].format(path=literal(path, "duckdb"))
    with_file = f"{call[:-1]}, filename = {literal(FILE_COLUMN, 'duckdb')})"
    return Source(call, kind, origin, _state_of_files(path), with_file, _states_of_each(path))


def _states_of_each(pattern: str) -> tuple[tuple[str, str], ...]:
    """Return each local file that matches, with its size and time; nothing for what lies in a store."""
    if is_address(pattern):
        return ()
    files = sorted(file for file in iglob(pattern, recursive=True) if os.path.isfile(file))
    return tuple((file, f"{status.st_size} {status.st_mtime_ns}") for file in files for status in [os.stat(file)])


def _state_of_files(pattern: str) -> str:
    """Return names, sizes and times of the files that match; only the pattern for what lies in a store."""
    if is_address(pattern):
        return pattern
    found = _states_of_each(pattern)
    return f"{pattern}: {hashlib.sha256(repr(found).encode()).hexdigest()}"


def _columns_without_rows(path: str) -> str | None:
    """Return the columns of a CSV file that has a header only, as NULLs; None when it has rows or is compressed.

    DuckDB would call them all text, and then refuse to add up what is a number on any other day.
    """
    if not path.lower().endswith((".csv", ".tsv", ".txt")):
        return None
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        header, first = file.readline(), file.readline()
        while first and not first.strip():
            first = file.readline()
    if first or not header.strip():
        return None
    delimiter = "\t" if "\t" in header and "," not in header else ","
    names = next(csv.reader([header], delimiter=delimiter))
    return ", ".join(f"NULL AS {identifier(name.strip(), 'duckdb')}" for name in names)


def _literal(path: str) -> str:
    """Return a pattern that matches `path` itself, whatever characters it has."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _format(path: str) -> SourceKind | None:
    name = path.lower()
    for compression in _COMPRESSIONS:
        name = name.removesuffix(compression)
    return _FORMATS.get(os.path.splitext(name)[1])


def _listing(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _known(settings: Settings, catalog: Catalog) -> dict[str, str]:
    """Return everything that could have been meant: the name to show, and the bare table name to compare with."""
    known = {key: parse_table_name(key)[-1] for key in settings.sources}
    known |= {str(relation): relation.name for relation in catalog.relations}
    if settings.sources_dir:
        for entry in _listing(settings.base / settings.sources_dir.expanduser()):
            is_table = entry.suffix.lower() in _TABLE_SUFFIXES
            if is_table or entry.is_dir():
                table = entry.stem if is_table else entry.name
                known[table] = table.rpartition(".")[2]
    return known


def _missing(message: str, parts: tuple[str, ...], known: dict[str, str]) -> NoReturn:
    """Raise the missing-table problem with the nearest known name: by the table's own name, else by the whole name."""
    whole = ".".join(parts)
    known = {name: table for name, table in known.items() if name.lower() != whole.lower()}  # found, but without rows
    table = nearest(parts[-1], known.values())
    alike = [name for name in known if known[name] == table]
    near = nearest(whole, alike or known) or next(iter(alike), None)
    fail("missing-table", message, hint=f"did you mean '{near}'?" if near else None)
