"""Finds where a project is built: its connection in the site configuration, or the embedded default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from profiles_pipeline.dialects import capabilities
from profiles_pipeline.errors import did_you_mean, fail
from profiles_pipeline.spec import connection_of
from profiles_pipeline.spec.secrets import as_secret
from profiles_pipeline.spec.siteconfig import (
    DEFAULT_SITECONFIG,
    AttachedDatabase,
    ConnectionOutput,
    DuckDBOutput,
    PostgresOutput,
    SiteConfig,
    SnowflakeOutput,
    load_siteconfig,
)
from profiles_pipeline.warehouse.settings import (
    MEMORY,
    Attached,
    CompiledSettings,
    DuckDBSettings,
    PostgresSettings,
    Settings,
    SnowflakeSettings,
)

if TYPE_CHECKING:
    from profiles_pipeline.project import ProfilesProject

EMBEDDED_TARGET = "dev"
STATE_FOLDER = ".profiles"
"""Folder in a project for what belongs to this machine: the embedded warehouse, the Dagster instance."""


@dataclass(frozen=True, slots=True)
class Output:
    """A place to build in, ready to be connected to.

    Attributes:
        dialect: the dialect in which the project's SQL is written; None where the siteconfig does not say.
        notice: a sentence for the user when the place is not what the project names; else None.
    """

    target: str
    schema: str
    settings: Settings
    dialect: str | None = None
    notice: str | None = None

    def settings_for(self, project: ProfilesProject) -> Settings:
        """Return how to connect so that the sources of a project are found and read as it means them."""
        return self.settings.for_project(project.relation_names, project.objects, project.id_columns)


def find_output(
    folder: Path, connection: str | None, siteconfig: Path | None = None, target: str | None = None
) -> Output:
    """Return the output of a project.

    Args:
        folder: the project folder; relative paths of an embedded warehouse start there.
        connection: the connection the project names.
        siteconfig: the file with connections; None for the default one.
        target: which output of the connection; None for its default.

    Raises:
        ProjectError: the connection or target does not exist where one was asked for.
    """
    config = load_siteconfig(siteconfig)
    found = _found(config, folder, connection, siteconfig, target)
    if not isinstance(found.settings, DuckDBSettings):
        return found
    return replace(found, settings=replace(found.settings, credentials=config.store_credentials))


def with_passcode(output: Output, passcode: str) -> Output:
    """Return an output that is logged in to with the code of a second factor.

    Raises:
        ProjectError: it is no Snowflake, or is logged in to without a password.
    """
    settings = output.settings
    if not isinstance(settings, SnowflakeSettings) or settings.password is None:
        hint = "leave it out, or name a target of type snowflake with a password by -t"
        fail("options-clash", "a passcode belongs to a login to Snowflake by password", hint=hint)
    return replace(output, settings=replace(settings, passcode=as_secret(passcode)))


def stated_dialect(folder: Path, siteconfig: Path | None = None, target: str | None = None) -> str | None:
    """Return the dialect in which the project in `folder` is written, as its connection says; None where it does not.

    Raises:
        ProjectError: the connection or target does not exist where one was asked for.
    """
    return find_output(folder, connection_of(folder), siteconfig, target).dialect


def _found(
    config: SiteConfig, folder: Path, connection: str | None, siteconfig: Path | None, target: str | None
) -> Output:
    asked_target = target if target != EMBEDDED_TARGET else None
    asked = siteconfig is not None or asked_target is not None
    if connection is not None and (connection in config.connections or asked):
        found = config.output(connection, target)
        _refuse_long_name(found)
        if (output := _built_in(folder, found)) is not None:
            return replace(output, notice=_unknown(found))
        if target is not None:
            return replace(_compiled(folder, found), notice=_unknown(found))
        why = f"connection '{connection}' is of type '{found.type}', for which SQL is only written (-t {found.target})"
        return replace(embedded(folder, f"{why}: building on the embedded default"), dialect=str(found.dialect))
    where = siteconfig or DEFAULT_SITECONFIG
    return embedded(folder, f"connection '{connection}' is not in {where}: building on the embedded default instead")


def _built_in(folder: Path, found: ConnectionOutput) -> Output | None:
    """Return the place that an output leads to; None where nothing is ever built."""
    if isinstance(found, DuckDBOutput):
        return _duckdb(folder, found)
    if isinstance(found, PostgresOutput):
        return _postgres(folder, found)
    return _snowflake(folder, found) if isinstance(found, SnowflakeOutput) else None


def _refuse_long_name(found: ConnectionOutput) -> None:
    """Raise ProjectError where a server would cut off the name of the schema, or refuse it."""
    longest = capabilities(str(found.type)).max_identifier_length
    length = len(found.schema_.encode())
    if found.type != "duckdb" and length > longest:
        what = (
            f"the schema of output '{found.target}' has a name of {length} bytes; {found.type} takes {longest} at most"
        )
        fail("name-too-long", what, found.schema_.span, hint="choose a shorter one")


def _unknown(found: ConnectionOutput) -> str | None:
    """Return a sentence about the keys of an output that nobody knows."""
    if not found.unknown:
        return None
    keys = ", ".join(f"'{key}'" for key in found.unknown)
    return f"output '{found.target}' of connection '{found.connection}' has keys that have no effect: {keys}"


def embedded(folder: Path, notice: str | None = None) -> Output:
    """Return the embedded default: a DuckDB file in the project's state folder, sources from its data folder."""
    folder = folder.absolute()
    settings = DuckDBSettings(
        path=folder / STATE_FOLDER / "warehouse.duckdb", schema="profiles", sources_dir=folder / "data", base=folder
    )
    file = f"{STATE_FOLDER}/warehouse.duckdb"
    return Output(
        EMBEDDED_TARGET, "profiles", settings, notice=f"{notice} ({file}, sources from data/)" if notice else None
    )


def _duckdb(folder: Path, found: DuckDBOutput) -> Output:
    folder = folder.absolute()
    if str(found.path).lower().startswith(("md:", "motherduck:")):
        hint = "attach it to read from it: `attach: {name: {type: motherduck, address: 'md:...'}}`"
        fail("unsupported-warehouse", "projects are not built on MotherDuck", found.path.span, hint=hint)
    sources: Mapping[str, str] = {name: str(path) for name, path in found.sources.items()}
    schema = str(found.schema_ or "profiles")
    settings = DuckDBSettings(
        path=MEMORY if found.path == ":memory:" else folder / Path(str(found.path)).expanduser(),
        schema=schema,
        sources_dir=folder / Path(str(found.sources_dir or "data")).expanduser(),
        sources=sources,
        base=folder,
        threads=found.threads,
        memory_limit=str(found.memory_limit) if found.memory_limit else None,
        external_access=found.external_access,
        attached=tuple(_attached(folder, name, database) for name, database in found.attach.items()),
    )
    return Output(found.target, schema, settings, dialect=str(found.dialect) or None)


_ATTACHABLE = ("duckdb", "postgres", "ducklake", "motherduck")


def _attached(folder: Path, name: str, database: AttachedDatabase) -> Attached:
    """Return how to attach a database.

    Raises:
        ProjectError: its type is not known, or it does not say where it is.
    """
    kind, what = str(database.type), f"database '{name}' under 'attach'"
    if kind not in _ATTACHABLE:
        hint = did_you_mean(kind, list(_ATTACHABLE)) or f"known: {', '.join(_ATTACHABLE)}"
        fail("wrong-value", f"{what} has the unknown type '{kind}'", database.span, hint=hint)
    needed = "path" if kind == "duckdb" else "address"
    if getattr(database, needed) is None:
        fail("missing-key", f"{what} is of type '{kind}' and has no '{needed}'", database.span)
    file = folder / Path(str(database.path)).expanduser() if kind == "duckdb" else None
    return Attached(name, kind, file, database.address if file is None else None)


def _compiled(folder: Path, found: ConnectionOutput) -> Output:
    """Return a place for which SQL is written."""
    settings = CompiledSettings(
        dialect=str(found.type), target=found.target, schema=str(found.schema_ or "profiles"), base=folder.absolute()
    )
    return Output(found.target, settings.schema, settings, dialect=str(found.dialect) or None)


def _postgres(folder: Path, found: PostgresOutput) -> Output:
    settings = PostgresSettings(
        host=str(found.host),
        port=found.port,
        database=str(found.dbname),
        user=str(found.user),
        password=found.password,
        sslmode=str(found.sslmode) if found.sslmode else None,
        schema=str(found.schema_),
        sources={name: str(table) for name, table in found.sources.items()},
        base=folder,
    )
    return Output(found.target, settings.schema, settings, dialect=str(found.dialect) or None)


def _snowflake(folder: Path, found: SnowflakeOutput) -> Output:
    """Return how to connect to Snowflake. Of several ways to log in, a key pair is taken only where that is asked for.

    Raises:
        ProjectError: none is given.
    """
    by_key = found.use_key_pair_auth or not (found.password or found.token)
    if by_key and not (found.private_key or found.private_key_file):
        where = f"output '{found.target}' of connection '{found.connection}'"
        hint = "add privateKey or privateKeyFile with useKeyPairAuth: true, or a password, or a token"
        fail("missing-key", f"{where} does not say how to log in", hint=hint)
    file = Path(str(found.private_key_file)).expanduser() if by_key and found.private_key_file else None
    settings = SnowflakeSettings(
        account=str(found.account),
        user=str(found.user),
        database=str(found.dbname),
        schema=str(found.schema_),
        role=str(found.role) if found.role else None,
        compute=str(found.warehouse) if found.warehouse else None,
        password=None if by_key else found.password,
        private_key=found.private_key if by_key else None,
        private_key_file=folder.absolute() / file if file else None,
        passphrase=found.private_key_passphrase if by_key else None,
        passcode=found.passcode,
        token=None if by_key else found.token,
        host=str(found.host) if found.host else None,
        port=found.port,
        protocol=str(found.protocol),
        sources={name: str(table) for name, table in found.sources.items()},
        base=folder,
    )
    return Output(found.target, settings.schema, settings, dialect=str(found.dialect) or None)
