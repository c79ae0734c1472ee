"""What has to be known before a DuckDB file can be opened and the inputs of a project be found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from profiles_pipeline.spec.stores import StoreCredential

MEMORY = Path(":memory:")


@dataclass(frozen=True, slots=True)
class DuckDBSettings:
    """One DuckDB connection of a site.

    Attributes:
        path: the database file, or ``:memory:``.
        schema: where the project's own relations live.
        sources_dir: folder of local files that stand in for warehouse tables; None when there is none.
        sources: input table to path, pattern, address or relation name.
        base: the project folder; relative paths of the three fields above start there.
        threads: worker threads; None leaves the choice to DuckDB (one per core).
        memory_limit: such as ``4GB``; None leaves the choice to DuckDB.
        built_here: lower-case names of relations in the schema that the project builds; they are never its sources.
        id_columns: table, in lower case, to lower-case names of columns that carry ids.
        objects: addresses in object stores that the inputs of the project name.
        credentials: returns how to log in to object stores; called when one is asked for something.
        external_access: let the project's SQL read and write every file that the user can.
    """

    path: Path
    schema: str = "profiles"
    sources_dir: Path | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    base: Path = field(default_factory=Path.cwd)
    threads: int | None = None
    memory_limit: str | None = None
    built_here: frozenset[str] = frozenset()
    id_columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    credentials: Callable[[], tuple[StoreCredential, ...]] = tuple
    external_access: bool = False

    @property
    def file(self) -> Path | None:
        """The database file as an absolute path without links, or None for a database in memory."""
        return None if self.path == MEMORY else (self.base / self.path.expanduser()).resolve()
