"""Takes what a team has told dagster-snowflake's resource, so that it need not be told again in a siteconfig."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from profiles_pipeline.connections import Output
from profiles_pipeline.errors import fail
from profiles_pipeline.spec.secrets import Secret, as_secret
from profiles_pipeline.warehouse.settings import SnowflakeSettings

if TYPE_CHECKING:
    from dagster_snowflake import SnowflakeResource

TARGET = "snowflake"
_AUTHENTICATORS = ("", "snowflake", "snowflake_jwt", "oauth")
_FURTHER = ("host", "port", "protocol", "token", "passcode")


def snowflake_output(
    resource: "SnowflakeResource", *, sources: Mapping[str, str] | None = None, dialect: str | None = "snowflake"
) -> Output:
    """Return the place that a resource of dagster-snowflake stands for, to build a project in.

    That package is not imported here. What it would pass on to the driver beyond logging in has no effect.

    Args:
        resource: it may name environment variables, which are looked up now.
        sources: input table to relation name.
        dialect: in which the project's SQL is written; None to find out.

    Raises:
        ProjectError: it lacks account, database, schema or a way to log in, or logs in by a way that is not known here.

    Example:
        .. code-block:: python

            account = SnowflakeResource(
                account="myorg-myaccount", user="PROFILES", private_key_path="key.p8",
                database="SHOP", schema="PROFILES", warehouse="PROFILES_WH", role="PROFILES",
            )
            defs = build_definitions("c360", output=snowflake_output(account))
    """
    given = {name: _text(getattr(resource, name)) for name in type(resource).model_fields if name in _TAKEN}
    further = {str(name): _text(value) for name, value in (resource.additional_snowflake_connection_args or {}).items()}
    for name in ("account", "user", "database", "schema_"):
        if not given.get(name):
            fail("missing-key", f"the Snowflake resource has no {name.rstrip('_')}")
    if unknown := sorted(further.keys() - set(_FURTHER)):
        hint = f"known: {', '.join(_FURTHER)}; or name the connection in a siteconfig"
        what = f"additional_snowflake_connection_args has '{unknown[0]}', which is not known here"
        fail("unknown-key", what, hint=hint)
    if (way := (given.get("authenticator") or "").lower()) not in _AUTHENTICATORS:
        hint = "log in by a key pair, a password or an OAuth token"
        fail("wrong-value", f"the Snowflake resource logs in by '{way}', which is not known here", hint=hint)
    if not any((given.get("password"), given.get("private_key"), given.get("private_key_path"), further.get("token"))):
        hint = "give it a key, a password or a token"
        fail("missing-key", "the Snowflake resource does not say how to log in", hint=hint)
    by_key = bool(given.get("private_key") or given.get("private_key_path"))
    file = given.get("private_key_path")
    settings = SnowflakeSettings(
        account=given["account"] or "",
        user=given["user"] or "",
        database=given["database"] or "",
        schema=given["schema_"] or "",
        role=given.get("role"),
        compute=given.get("warehouse"),
        password=None if by_key else _secret(given.get("password")),
        private_key=_secret(given.get("private_key")),
        private_key_file=Path(file).expanduser().absolute() if file else None,
        passphrase=_secret(given.get("private_key_password")),
        passcode=_secret(further.get("passcode")),
        token=None if by_key else _secret(further.get("token")),
        host=further.get("host"),
        port=int(further["port"] or 0) if further.get("port") else None,
        protocol=further.get("protocol") or "https",
        sources=dict(sources or {}),
    )
    return Output(TARGET, settings.schema, settings, dialect=dialect)


_TAKEN = (
    *("account", "user", "password", "database", "schema_", "role", "warehouse", "authenticator"),
    *("private_key", "private_key_path", "private_key_password"),
)


def _text(value: object) -> str | None:
    """Return a value of the resource as a text, that of its environment variable where it names one.

    Raises:
        ProjectError: the variable is not set.
    """
    if value is None:
        return None
    if not isinstance(value, dg.EnvVar):
        return str(value)
    name = value.env_var_name
    if name not in os.environ:
        hint = f"set it, for example: export {name}=..."
        fail("missing-variable", f"the environment variable {name} is not set", hint=hint)
    return os.environ[name]


def _secret(value: str | None) -> Secret | None:
    return as_secret(value) if value else None
