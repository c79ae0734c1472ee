"""Checks the keys of an output of a connection beyond their types: which are known, and which may hold a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from profiles_pipeline.errors import Problems, Span, did_you_mean, nearest
from profiles_pipeline.spec.placed import PlacedMap

COMPILED_FOR = {
    "redshift": (
        "host", "port", "dbname", "user", "password", "sslmode", "tunnel_info", "driver", "workgroup_name", "region",
        "cluster_identifier", "access_key_id", "secret_access_key", "session_token", "shared_profile", "secrets_arn",
    ),
    "bigquery": ("project_id", "credentials", "location"),
    "databricks": (
        "host", "port", "http_endpoint", "catalog", "user", "access_token", "client_id", "client_secret",
    ),
}  # fmt: skip
"""Kind of warehouse that SQL is only written for -> keys of the format that say how to connect there."""

_MOTHERDUCK = re.compile("(md|motherduck):", re.IGNORECASE)
_ADDRESS = re.compile(r"^(md|motherduck):|://", re.IGNORECASE)
_SECRET = re.compile(
    r"://[^/?#@]*:[^/?#]*@|\b[\w-]*(password|passwd|pwd|token|secret|signature|credential|sig|api_?key)[\w-]*\s*=",
    re.IGNORECASE,
)
_SETTING = re.compile(r"=")
_USER = re.compile(r"(?<=.)@")
_NAMES = {
    "path": (_SECRET, re.compile("://")),
    "sources_dir": (_SECRET, _ADDRESS),
    "dbname": (_ADDRESS, _SETTING, _SECRET),
    "host": (_ADDRESS, _SETTING, _USER),
    "account": (_ADDRESS, _SETTING, _USER),
    "user": (_ADDRESS, _SECRET),
    "schema": (_ADDRESS, _SECRET),
    "role": (_ADDRESS, _SECRET),
    "warehouse": (_ADDRESS, _SECRET),
}
"""Key whose value is shown to people -> what in it says that it is no name but a way to connect, with secrets maybe."""


def unknown_keys(output: PlacedMap, known: list[str], label: str, problems: Problems) -> tuple[str, ...]:
    """Return the keys of an output that are not known; one that seems to be a known one misspelt is a problem."""
    unknown = [key for key in output if key not in known]
    for key in unknown:
        if nearest(key, known):
            message = f"unknown key '{key}' in {label}"
            problems.error("unknown-key", message, output.key_span(key), hint=did_you_mean(key, known))
    return tuple(unknown)


def tell_what_is_not_done(output: PlacedMap, label: str, problems: Problems) -> None:
    """Add a problem for a key of the format that changes where a connection leads, and that is not heeded."""
    if output.get("type") == "postgres" and "tunnel_info" in output:
        hint = "open the tunnel with `ssh -N -L`, and name its end: host 127.0.0.1 and its port"
        message = f"no tunnel is opened for {label}"
        problems.error("unsupported-key", message, output.key_span("tunnel_info"), hint=hint)


def tell_shown_secrets(output: PlacedMap, label: str, problems: Problems) -> None:
    """Add a problem for each value that people are shown and that may hold a secret. None of the values is told."""
    for key, what, span in _shown_secrets(output):
        hint = {
            "dbname": "write the name of the database; what else it says belongs under host, port, user and password",
            "host": "write the name of the server; what else it says belongs under port, dbname, user and password",
            "account": "write the identifier of the account, such as myorg-myaccount",
            "path": "write the name of a file",
            "address": "write it under `address`, with the type of the database: that is never shown",
            "sources": "name a table or a file, or an object of a store whose credentials are in block_store_creds",
        }.get(what, "write the name alone")
        message = f"'{key}' of {label} says how to connect, or holds a secret, where a name is expected"
        problems.error("secret-shown", message, span, hint=hint)


def _shown_secrets(output: PlacedMap) -> Iterator[tuple[str, str, Span]]:
    for key, patterns in _NAMES.items():
        written = str(output.get(key, ""))
        is_refused = key == "path" and _MOTHERDUCK.match(written)  # by whoever would open it, without its value
        if not is_refused and any(pattern.search(written) for pattern in patterns):
            yield key, key, output.value_span(key)
    sources = output.get("sources")
    for name, value in sources.items() if isinstance(sources, PlacedMap) else ():
        if isinstance(sources, PlacedMap) and _SECRET.search(str(value)):
            yield f"sources: {name}", "sources", sources.value_span(name)
    attached = output.get("attach")
    for name, database in attached.items() if isinstance(attached, PlacedMap) else ():
        if isinstance(database, PlacedMap) and any(
            p.search(str(database.get("path", ""))) for p in (_ADDRESS, _SECRET)
        ):
            yield f"attach: {name}: path", "address", database.value_span("path")
