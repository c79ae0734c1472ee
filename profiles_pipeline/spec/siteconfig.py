"""Reads the connections of `~/.pb/siteconfig.yaml`: where a project is built, and how to log in there.

Values may name environment variables, as in ``${WAREHOUSE_PASSWORD}``; they are looked up when an output is asked for,
so an unset variable of one connection does not stand in the way of another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, NoReturn, TypeVar

from pydantic import ConfigDict, Field

from profiles_pipeline.errors import Problems, ProjectError, Span, did_you_mean, fail, nearest
from profiles_pipeline.spec.convert import keys_of, validated
from profiles_pipeline.spec.model import Spec, Text
from profiles_pipeline.spec.output_keys import COMPILED_FOR, tell_shown_secrets, tell_what_is_not_done, unknown_keys
from profiles_pipeline.spec.placed import PlacedList, PlacedMap
from profiles_pipeline.spec.secrets import Secret
from profiles_pipeline.spec.stores import StoreCredential
from profiles_pipeline.spec.yaml_nodes import read_yaml

DEFAULT_SITECONFIG = Path("~/.pb/siteconfig.yaml")
_SECTIONS = ("profiles", "connections")
S = TypeVar("S", bound=Spec)
_NOT_WRITTEN = ("connection", "target", "settings", "unknown")
"""What an output knows of itself besides its keys."""
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ConnectionOutput(Spec):
    """One place a connection can build in.

    Attributes:
        type: the kind of warehouse.
        connection: name of the connection.
        target: name of the output, such as ``dev``.
        settings: every key as written, variables filled in; never shown by ``repr``.
        dialect: the dialect the project's SQL is written in; empty where that is not said.
        unknown: keys that nobody knows, and that have no effect.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, arbitrary_types_allowed=True)
    default_dialect: ClassVar[str | None] = None

    type: Text
    connection: str = ""
    target: str = ""
    settings: Annotated[Mapping[str, object], Field(repr=False)] = Field(default_factory=dict)
    schema_: Annotated[Text, Field(alias="schema")] = Text("")
    dialect: Text = Text("")
    unknown: tuple[str, ...] = ()


class AttachedDatabase(Spec):
    """A database whose tables inputs may name beside those of the warehouse's own. It is only read.

    Attributes:
        type: ``duckdb``, or an extension of DuckDB that attaches databases: ``postgres``, ``ducklake``, ``motherduck``.
        path: the file of a DuckDB database, relative to the project folder.
        address: what ATTACH is given for the other types; it may hold a password.
    """

    type: Text = Text("duckdb")
    path: Text | None = None
    address: Secret | None = None


class DuckDBOutput(ConnectionOutput):
    """An embedded DuckDB file. Relative paths are relative to the project folder.

    Attributes:
        path: the database file, or ``:memory:``.
        schema_: where relations are made.
        sources_dir: folder of local files that stand in for tables of the inputs.
        sources: table name of an input, to the file or table that stands in for it.
        external_access: let the project's SQL read and write every file that the user can.
        attach: name of a database, as inputs name it, to where it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)
    default_dialect: ClassVar[str | None] = ""

    path: Text = Text("profiles.duckdb")
    schema_: Annotated[Text, Field(alias="schema")] = Text("main")
    sources_dir: Text | None = None
    sources: dict[str, Text] = Field(default_factory=dict)
    threads: int | None = None
    memory_limit: Text | None = None
    external_access: bool = False
    attach: dict[str, AttachedDatabase] = Field(default_factory=dict)


class SnowflakeOutput(ConnectionOutput):
    """A Snowflake schema, by password, key pair or token.

    Attributes:
        passcode: of a second factor.
        token: an OAuth access token.
        host: where the account is reached when not by its own name, with `port` and `protocol`.
        sources: table name of an input, to the table of the account that stands in for it.
    """

    account: Text
    dbname: Text
    schema_: Annotated[Text, Field(alias="schema")]
    user: Text
    role: Text | None = None
    warehouse: Text | None = None
    password: Secret | None = None
    use_key_pair_auth: Annotated[bool, Field(alias="useKeyPairAuth")] = False
    private_key: Annotated[Secret | None, Field(alias="privateKey")] = None
    private_key_file: Annotated[Text | None, Field(alias="privateKeyFile")] = None
    private_key_passphrase: Annotated[Secret | None, Field(alias="privateKeyPassphrase")] = None
    passcode: Secret | None = None
    token: Secret | None = None
    host: Text | None = None
    port: int | None = None
    protocol: Text = Text("https")
    sources: dict[str, Text] = Field(default_factory=dict)


class PostgresOutput(ConnectionOutput):
    """A PostgreSQL schema.

    Attributes:
        sources: table name of an input, to the table of the database that stands in for it.
    """

    default_dialect: ClassVar[str | None] = ""

    host: Text
    dbname: Text
    schema_: Annotated[Text, Field(alias="schema")]
    user: Text
    port: int = 5432
    password: Secret | None = None
    sslmode: Text | None = None
    sources: dict[str, Text] = Field(default_factory=dict)


_OUTPUTS: dict[str, type[ConnectionOutput]] = {
    "duckdb": DuckDBOutput,
    "snowflake": SnowflakeOutput,
    "postgres": PostgresOutput,
    "redshift": ConnectionOutput,
    "bigquery": ConnectionOutput,
    "databricks": ConnectionOutput,
}


class BasicAuth(Spec):
    """A user name and a password or token."""

    username: Text
    password: Secret


class GitCredential(Spec):
    """How to log in to some git repositories: by an ssh key, or by name and password.

    Attributes:
        reporegex: pattern that their addresses contain.
    """

    reporegex: Text
    key: Secret | None = None
    basic_auth: BasicAuth | None = None

    def is_for(self, address: str) -> bool:
        """Whether a repository is meant, with or without ``.git`` and a user in its address."""
        plain = re.sub(r"(?<=://)[^/@]+@", "", address)
        return any(re.search(self.reporegex, text) for text in (address, plain))


@dataclass(frozen=True)
class SiteConfig:
    """The connections of a machine.

    Attributes:
        file: the file they were read from.
        connections: each connection as written, by name; not shown by ``repr`` because it may hold secrets.
        gitcreds: the git credentials as written.
        stores: the credentials of object stores as written; the one that is for every bucket comes last.
    """

    file: str
    connections: Mapping[str, PlacedMap] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    gitcreds: PlacedList = field(default_factory=PlacedList, repr=False)
    stores: PlacedList = field(default_factory=PlacedList, repr=False)

    def git_credentials(self) -> tuple[GitCredential, ...]:
        """Return the credentials for git, in order.

        Raises:
            ProjectError: when one does not fit, or a variable it names is not set.
        """
        problems = Problems()
        found = self._validated(GitCredential, self.gitcreds, "an item of 'gitcreds'", problems)
        fitting = tuple(credential for credential in found if _pattern_fits(credential, problems))
        problems.raise_errors()
        return fitting

    def store_credentials(self) -> tuple[StoreCredential, ...]:
        """Return the credentials for object stores, in order.

        Raises:
            ProjectError: when one does not fit, or a variable it names is not set.
        """
        problems = Problems()
        found = tuple(self._validated(StoreCredential, self.stores, "a credential of an object store", problems))
        problems.raise_errors()
        return found

    def _validated(self, cls: type[S], items: PlacedList, label: str, problems: Problems) -> Iterator[S]:
        """Yield those of some items that fit, their variables filled in; the rest are problems."""
        for item, span in items.placed_items():
            if not isinstance(item, PlacedMap):
                problems.error("wrong-type", f"{label} must be a mapping", span)
                continue
            fitting = validated(cls, _filled_map(item, self.environment, problems), label, problems)
            if fitting is not None:
                yield fitting

    def output(self, connection: str, target: str | None = None) -> ConnectionOutput:
        """Return the output `target` of `connection`; its default target when none is named.

        Raises:
            ProjectError: when there is no such connection or target, a variable is not set or a key does not fit.
        """
        found = self.connections.get(connection)
        if found is None:
            way_out = did_you_mean(connection, list(self.connections)) or f"add it to {self.file}"
            fail("unknown-connection", f"no connection '{connection}' in {self.file}", hint=way_out)
        outputs = found.get("outputs")
        if not isinstance(outputs, PlacedMap) or not outputs:
            fail("missing-key", f"key 'outputs' is missing in connection '{connection}'", found.span)
        name = target or _default_target(connection, found, outputs)
        if name not in outputs:
            place = found.value_span("target") if target is None else found.key_span("outputs")
            hint = did_you_mean(name, list(outputs))
            fail("unknown-target", f"connection '{connection}' has no target '{name}'", place, hint=hint)
        return self._build(connection, name, outputs)

    def _build(self, connection: str, target: str, outputs: PlacedMap) -> ConnectionOutput:
        label = f"output '{target}' of connection '{connection}'"
        problems = Problems()
        raw = outputs[target]
        if not isinstance(raw, PlacedMap):
            fail("wrong-type", f"{label} must be a mapping", outputs.value_span(target))
        filled = _filled_map(raw, self.environment, problems)
        problems.raise_errors()
        kind = str(filled.get("type", ""))
        cls = _OUTPUTS.get(kind)
        if cls is None:
            _fail_for_type(kind, label, filled)
        settings = {key: _plain(value) for key, value in filled.items()}
        dialect = filled.get("dialect", Text(kind if cls.default_dialect is None else cls.default_dialect))
        known = [key for key in keys_of(cls) if key not in _NOT_WRITTEN]
        is_strict = cls.model_config.get("extra") == "forbid"
        unknown = () if is_strict else unknown_keys(filled, [*known, *COMPILED_FOR.get(kind, ())], label, problems)
        tell_what_is_not_done(filled, label, problems)
        tell_shown_secrets(filled, label, problems)
        own = {"connection": connection, "target": target, "settings": settings, "dialect": dialect, "unknown": unknown}
        for key, value in own.items():
            filled = filled.with_value(key, value)
        output = validated(cls, filled, label, problems)
        problems.raise_errors()
        assert output is not None, "what does not fit is a problem"
        return output


def load_siteconfig(path: Path | None = None, environment: Mapping[str, str] | None = None) -> SiteConfig:
    """Return the connections of the file at `path`, or of the default file, which need not exist.

    Args:
        path: the file; None for ``~/.pb/siteconfig.yaml``.
        environment: variables that values may name; the process's own when not given.

    Raises:
        ProjectError: when the named file is missing, is no YAML or has another shape; without excerpts, which could
            show a password.
    """
    environment = os.environ if environment is None else environment
    file = (path or DEFAULT_SITECONFIG).expanduser()
    if not file.is_file():
        if path is None:
            return SiteConfig(str(file), {}, environment)
        fail("no-siteconfig", f"there is no file {file}", hint=f"leave it out to use {DEFAULT_SITECONFIG}")
    problems = Problems()
    value = read_yaml(file, str(file), problems)
    if problems.errors:
        raise ProjectError(replace(problem, excerpt=None) for problem in problems.errors)
    if value is None:
        return SiteConfig(str(file), {}, environment)
    if not isinstance(value, PlacedMap):
        fail("wrong-type", "the file must be a mapping with 'connections'", Span(str(file), 1, 1))
    for key in value:
        near = nearest(key, _SECTIONS)
        if key not in _SECTIONS and near:
            message = f"unknown key '{key}' in the file"
            problems.error("unknown-key", message, value.key_span(key), hint=f"did you mean '{near}'?")
    connections: dict[str, PlacedMap] = {}
    for section in _SECTIONS:
        connections.update(_connections(value, section, problems))
    gitcreds, stores = _list(value, "gitcreds"), _list(value, "block_store_creds").joined(PlacedList())
    if value.get("aws_credential") is not None:
        stores.add(value["aws_credential"], value.value_span("aws_credential"))
    problems.raise_errors()
    return SiteConfig(str(file), connections, environment, gitcreds, stores)


def _list(config: PlacedMap, key: str) -> PlacedList:
    found = config.get(key) or PlacedList()
    if not isinstance(found, PlacedList):
        fail("wrong-type", f"'{key}' must be a list", config.value_span(key))
    return found


def _pattern_fits(credential: GitCredential, problems: Problems) -> bool:
    try:
        re.compile(credential.reporegex)
    except re.error as error:
        message = f"'{credential.reporegex}' is not a regular expression: {error.msg}"
        problems.error("wrong-value", message, credential.reporegex.span)
        return False
    return True


def _connections(config: PlacedMap, section: str, problems: Problems) -> list[tuple[str, PlacedMap]]:
    found = config.get(section)
    if found is None:
        return []
    if not isinstance(found, PlacedMap):
        problems.error("wrong-type", f"'{section}' must be a mapping by name", config.value_span(section))
        return []
    good = []
    for name, connection in found.items():
        if isinstance(connection, PlacedMap):
            good.append((name, connection))
        else:
            problems.error("wrong-type", f"connection '{name}' must be a mapping", found.value_span(name))
    return good


def _default_target(connection: str, found: PlacedMap, outputs: PlacedMap) -> str:
    if "target" in found:
        return str(found["target"])
    if len(outputs) == 1:
        return next(iter(outputs))
    hint = "known: " + ", ".join(sorted(outputs))
    fail("missing-key", f"key 'target' is missing in connection '{connection}'", found.span, hint=hint)


def _fail_for_type(kind: str, label: str, output: PlacedMap) -> NoReturn:
    if not kind:
        fail("missing-key", f"key 'type' is missing in {label}", output.span)
    hint = did_you_mean(kind, list(_OUTPUTS))
    fail("unknown-warehouse", f"{label} has the unknown type '{kind}'", output.value_span("type"), hint=hint)


def _filled_map(mapping: PlacedMap, environment: Mapping[str, str], problems: Problems) -> PlacedMap:
    result = mapping.copy()
    for key in mapping:
        result[key] = _filled(mapping[key], mapping.value_span(key), environment, problems)
    return result


def _filled(value: object, span: Span, environment: Mapping[str, str], problems: Problems) -> object:
    """Return `value` with every ``${NAME}`` replaced; a variable that is not set is a problem at `span`."""
    if isinstance(value, PlacedMap):
        return _filled_map(value, environment, problems)
    if isinstance(value, PlacedList):
        items = PlacedList(value.span)
        for item, place in value.placed_items():
            items.add(_filled(item, place, environment, problems), place)
        return items
    if not isinstance(value, Text):
        return value
    for name in _VARIABLE.findall(value):
        if name not in environment:
            hint = f"set it, for example: export {name}=..."
            problems.error("missing-variable", f"the environment variable {name} is not set", span, hint=hint)
    return Text(_VARIABLE.sub(lambda match: environment.get(match[1], ""), value), value.span, value.block)


def _plain(value: object) -> object:
    """Return `value` without places: dicts, lists, strings, numbers, booleans, None."""
    if isinstance(value, PlacedMap):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, PlacedList):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for plain in (str, int, float):
        if isinstance(value, plain):
            return plain(value)
    return value
