"""What the rest of the package may ask of a warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow

SourceKind = Literal["relation", "parquet", "csv", "json"]

FILE_COLUMN = "state.file"
"""Name of the column that names the file of a row."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation: its name as written and its type as the canonical dialect (DuckDB's) spells it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A whole result: names, types in the warehouse's spelling, and one tuple of Python values per row."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows of an input come from.

    Attributes:
        sql: what to write after FROM: a quoted relation name or a call that reads files, paths absolute.
        kind: ``relation`` or the format of the files.
        origin: the relation's name, or the path, pattern or address of the files, for people to read.
        state: of files, another text when their rows may be others than before; see `Warehouse.state` for relations.
        with_file: like `sql`, with a further column FILE_COLUMN that names the file of each row; empty for a relation.
        files: each local file and its own state.
        names: of a relation, its database, schema and name as they were created.
    """

    sql: str
    kind: SourceKind
    origin: str
    state: str = ""
    with_file: str = ""
    files: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()

    @property
    def select(self) -> str:
        """The query of all rows."""
        return f"SELECT * FROM {self.sql} AS source_rows"


class Warehouse(Protocol):
    """One session on a warehouse. Every method raises WarehouseError when the warehouse refuses.

    A signal that raises in the main thread while a statement runs there (Ctrl-C above all) stops the statement and
    then propagates as it is.
    """

    dialect: str
    external_access: bool
    """Whether the SQL of a project may reach the files of the machine."""

    def execute(self, sql: str, params: Sequence[object] | None = None) -> None:
        """Run one or more statements for their effect."""

    def query(self, sql: str, params: Sequence[object] | None = None) -> Rows:
        """Return the whole result of `sql`."""

    def scalar(self, sql: str, params: Sequence[object] | None = None) -> object:
        """Return the first column of the first row, or None when there is no row."""

    def fetch_arrow(self, sql: str) -> pyarrow.Table:
        """Return the whole result of a SELECT as an Arrow table."""

    def arrow_relation(self, name: str, table: pyarrow.Table) -> AbstractContextManager[None]:
        """Make `table` readable in SQL as `name` inside the block; it hides a relation of the same name meanwhile."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit when the block ends; roll back when it raises anything, KeyboardInterrupt included. Not nestable."""

    def labelled(self, **labels: object) -> AbstractContextManager[None]:
        """Let the warehouse know what statements inside the block are for, where it keeps records of them."""

    def ensure_schema(self, schema: str) -> None:
        """Make sure that `schema` exists, with whatever the rendered SQL needs in the warehouse."""

    def use(self, schema: str, names: Mapping[str, str]) -> None:
        """Let relations of `schema` be named without it in this session, and let further `names` mean relations."""

    def keeping_views(self, schema: str) -> AbstractContextManager[None]:
        """See to it that views of `schema` which go with a relation that is replaced inside the block come back.

        Those that cannot be made over what has taken its place stay away.
        """

    def load(self, relation_sql: str, table: pyarrow.Table) -> None:
        """Make the table `relation_sql` anew with the rows of an Arrow table."""

    def describe(self, select_sql: str) -> tuple[Column, ...]:
        """Return the columns a SELECT would have. It is bound, not run: no row of a table is read."""

    def relations(self, schema: str) -> frozenset[str]:
        """Return the names of the tables and views of `schema` as they were created; none if it does not exist."""

    def views(self, schema: str) -> frozenset[str]:
        """Return the names of the views among `relations`."""

    def view_texts(self, schema: str) -> Mapping[str, str]:
        """Return the views among `relations`: name -> the statement that makes it."""

    def table_comment(self, schema: str, table: str) -> str | None:
        """Return the comment on a table; None for one without, and where there is no such table."""

    def row_count(self, relation_sql: str) -> int:
        """Return the number of rows of what `relation_sql` names after FROM."""

    def row_counts(self, schema: str, tables: Iterable[str]) -> Mapping[str, int]:
        """Return how many rows tables of `schema` have, of those of which this is told without reading much.

        The names are those that `relations` returns.
        """

    def source(self, table: str) -> Source:
        """Return where the rows of the input table `table` come from.

        Raises:
            ProjectError: with a ``missing-table`` problem that lists every place tried, in order.
        """

    def state(self, table: str) -> str:
        """Return another text when the rows of the input table `table` may be others than before.

        That of a view is the state of what it reads, however deep. Where neither a catalogue nor a file tells of every
        change, the rows are read and hashed.

        Raises:
            ProjectError: as `source` does.
        """

    def interrupt(self) -> None:
        """Stop the statement another thread is running on this session; it raises WarehouseError there."""

    def close(self) -> None:
        """End the session. What was not committed is rolled back."""
