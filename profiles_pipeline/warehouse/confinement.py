"""Keeps the SQL of a project inside the warehouse: of the machine's files it reaches the sources and nothing else.

DuckDB itself refuses the rest, and refuses to be told otherwise. It knows no right to read without one to write, so
statements that could write to a folder of sources, or to the file of the warehouse itself, are refused before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from profiles_pipeline.dialects import literal
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.settings import DuckDBSettings

WAY_OUT = "external_access: true in the siteconfig lets it"
_GLOB = re.compile(r"[*?\[]")
_DENIED = re.compile(r"Permission Error: Cannot access (?:file|directory) \"(?P<place>.+?)\" - file system operations")
_SUSPECT = re.compile(
    r"\b(copy|attach|detach|export|import|install|load|update\s+extensions|pragma|prepare|execute|explain)\b",
    re.IGNORECASE,
)
_OUTWARD = (
    *("ATTACH", "COPY", "COPY_DATABASE", "DETACH", "EXECUTE", "EXPLAIN", "EXPORT"),
    *("EXTENSION", "LOAD", "LOGICAL_PLAN", "PRAGMA", "PREPARE"),
)


@dataclass(frozen=True, slots=True)
class Reach:
    """What SQL may read: everything below some folders, and some single files or objects."""

    folders: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def settings(self) -> dict[str, str]:
        """Return the settings of DuckDB that allow this and nothing else, in the order in which they have to be set."""
        return {
            "allowed_directories": _listed(self.folders),
            "allowed_paths": _listed(self.paths),
            "enable_external_access": "false",
            "lock_configuration": "true",
        }


def reach_of(settings: DuckDBSettings, views: Iterable[str] = (), lakes: Iterable[str] = ()) -> Reach:
    """Return what a project may read: its sources, where links there lead to, and what views of the file read.

    Args:
        settings: where the sources are.
        views: definitions of the views that the file has already; they could only be made by who may read these files.
        lakes: folders with the rows of databases that are attached.
    """
    sources_dir = [str(settings.sources_dir)] if settings.sources_dir is not None else []
    own = [_absolute(place, settings.base) for place in (*settings.sources.values(), *sources_dir)]
    found = [*own, *settings.objects, *(_absolute(place, Path.cwd()) for view in views for place in _read_by(view))]
    folders = dict.fromkeys(folder for place in found for folder in _folders(place))
    folders |= dict.fromkeys(_absolute(place, Path.cwd()) for place in lakes)
    paths = dict.fromkeys(path for place in found for path in _paths(place))
    return Reach(tuple(folders), tuple(paths))


def refuse_outward(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise WarehouseError when one of some statements is of a kind that deals with files, extensions or settings."""
    if not _SUSPECT.search(sql):
        return
    try:
        kinds = [statement.type.name for statement in connection.extract_statements(sql)]
    except duckdb.Error:
        return  # it will not be executed either
    except ValueError:  # a kind that the binding has no name for yet
        kinds = ["EXTENSION"]
    kind = next((kind for kind in kinds if kind in _OUTWARD), None)
    if kind:
        verb = kind.replace("_", " ")
        raise WarehouseError(f"{verb} is nothing that the SQL of a project may do ({WAY_OUT})", sql)


def explained(message: str) -> str:
    """Return what DuckDB says; that something is out of reach is said in our words."""
    if denied := _DENIED.search(message):
        return f"'{denied['place']}' is none of the sources, and the SQL of a project reads nothing else ({WAY_OUT})"
    return message


def _folders(place: str) -> Iterator[str]:
    """Yield the folders below which everything that a place means lies."""
    if wild := _GLOB.search(place):
        yield place[: place.rfind("/", 0, wild.start()) + 1]
    if os.path.isdir(place):
        yield place
        yield from (link for link in _links(place) if os.path.isdir(link))


def _paths(place: str) -> Iterator[str]:
    if not _GLOB.search(place) or os.path.exists(place):
        yield place
    if os.path.islink(place):
        yield os.path.realpath(place)
    if os.path.isdir(place):
        yield from (link for link in _links(place) if os.path.isfile(link))


def _links(folder: str) -> list[str]:
    """Return where the links in a folder lead to, and those in its folders."""
    entries = (os.path.join(place, name) for place, *names in os.walk(folder) for name in (*names[0], *names[1]))
    return [os.path.realpath(entry) for entry in entries if os.path.islink(entry)]


def _read_by(view: str) -> Iterator[str]:
    """Yield the files that a view reads, as DuckDB writes its definition."""
    try:
        tree = sqlglot.parse_one(view, read="duckdb")
    except ParseError:
        return
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            yield from (text.this for text in table.this.find_all(exp.Literal) if text.is_string)
        elif os.sep in table.name:
            yield table.name


def _absolute(place: str, base: Path) -> str:
    return place if "://" in place else os.path.abspath(base / Path(place).expanduser())


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(literal(text, 'duckdb') for text in texts)}]"
