"""What has to be known before a warehouse can be opened and the inputs of a project be found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

from profiles_pipeline.spec.secrets import Secret
from profiles_pipeline.spec.stores import StoreCredential

MEMORY = Path(":memory:")


@dataclass(frozen=True, slots=True)
class Attached:
    """A database beside the warehouse's own, for reading.

    Attributes:
        name: how inputs name it.
        kind: ``duckdb``, or the extension that attaches it.
        file: the file of a DuckDB database, absolute; None for another kind.
        address: what another kind is attached by; None for a file.
    """

    name: str
    kind: str
    file: Path | None = None
    address: Secret | None = None


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
        attached: further databases whose tables inputs may name.
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
    attached: tuple[Attached, ...] = ()

    dialect: ClassVar[str] = "duckdb"

    @property
    def file(self) -> Path | None:
        """The database file as an absolute path without links, or None for a database in memory."""
        return None if self.path == MEMORY else (self.base / self.path.expanduser()).resolve()

    @property
    def is_in_memory(self) -> bool:
        """Whether it is gone when its connection is closed."""
        return self.file is None

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.file) if self.file is not None else "memory"

    def for_project(
        self, built_here: frozenset[str], objects: frozenset[str], id_columns: Mapping[str, frozenset[str]]
    ) -> DuckDBSettings:
        """Return how to connect so that the sources of a project are found and read as it means them."""
        return replace(self, built_here=built_here, objects=objects, id_columns=id_columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What is the same of every place that is no file of this machine.

    Attributes:
        schema: where the project's own relations live.
        sources: input table to relation name.
        base: the project folder.
        built_here: lower-case names of relations in the schema that the project builds; they are never its sources.
    """

    schema: str = "profiles"
    sources: Mapping[str, str] = field(default_factory=dict)
    base: Path = field(default_factory=Path.cwd)
    built_here: frozenset[str] = frozenset()

    sources_dir: ClassVar[None] = None
    """Local files do not stand in for tables of a server."""

    file: ClassVar[None] = None
    """It is no file."""

    is_in_memory: ClassVar[bool] = False

    def for_project(
        self,
        built_here: frozenset[str],
        objects: frozenset[str],  # noqa: ARG002 - a server reads no object stores
        id_columns: Mapping[str, frozenset[str]],  # noqa: ARG002 - its columns have types
    ) -> Self:
        """Return how to connect so that the sources of a project are found."""
        return replace(self, built_here=built_here)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings(ServerSettings):
    """One PostgreSQL connection of a site.

    Attributes:
        host: name or address of the server, or the folder of its socket.
        port: its port.
        database: the database.
        user: who logs in.
        password: None where the server asks for none, or finds it elsewhere.
        sslmode: how the connection is encrypted; None leaves the choice to the driver.
    """

    host: str
    database: str
    user: str
    port: int = 5432
    password: Secret | None = None
    sslmode: str | None = None

    dialect: ClassVar[str] = "postgres"

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.database} on {self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnowflakeSettings(ServerSettings):
    """One Snowflake connection of a site. Names are compared as Snowflake does it with names without quotes.

    Attributes:
        account: identifier of the account, such as ``organisation-account``.
        user: who logs in.
        database: the database.
        role: None for the default role of the user.
        compute: the virtual warehouse that does the work; None for the default one of the user.
        password: None where another way to log in is given.
        private_key: text of a PEM file, or that in base64; whoever has it needs no password.
        private_key_file: name of a PEM file, relative to the project folder.
        passphrase: of the private key; None for one that is not encrypted.
        passcode: of a second factor, for one login.
        token: an OAuth access token.
        host: of a private link or a proxy; None for the address that follows from the account.
        port: of that host.
        protocol: ``https``, unless the host is on this machine.
    """

    account: str
    user: str
    database: str
    schema: str = "PROFILES"
    role: str | None = None
    compute: str | None = None
    password: Secret | None = None
    private_key: Secret | None = None
    private_key_file: Path | None = None
    passphrase: Secret | None = None
    passcode: Secret | None = None
    token: Secret | None = None
    host: str | None = None
    port: int | None = None
    protocol: str = "https"

    dialect: ClassVar[str] = "snowflake"

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.database} of the Snowflake account {self.account}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSettings(ServerSettings):
    """A place whose SQL is compiled, and which is never connected to.

    Attributes:
        dialect: in which SQL is written.
        target: name of the output, to tell people which one is meant.
    """

    dialect: str
    target: str

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.dialect}, which is only compiled for"


Settings = DuckDBSettings | PostgresSettings | SnowflakeSettings | CompiledSettings
"""How to connect to a warehouse."""
