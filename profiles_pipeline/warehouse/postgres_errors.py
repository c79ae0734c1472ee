"""What a PostgreSQL server refuses, as errors of this package: with the statement that mends it, where there is one."""

from __future__ import annotations

import re

import psycopg
from sqlalchemy.exc import DBAPIError

from profiles_pipeline.dialects import identifier
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.settings import PostgresSettings

_NOT_YET = ("57P03", "53300")
"""SQLSTATE of a server that starts, or has as many connections as it takes."""

_ROLLED_BACK = ("40001", "40P01", "55P03")
"""SQLSTATE of a statement that had to give way to another one: it has had no effect."""

_GONE_MEANWHILE = ("could not open relation with OID", "cache lookup failed for relation")
"""What is said of a view whose text is asked for while somebody else replaces it."""

_DENIED = re.compile(
    r"permission denied for (?P<kind>schema|table|view|database|sequence|function|relation) (?P<name>\S+)"
)
_MISSING = re.compile(r'relation "(?P<name>[^"]+)" does not exist')
_BY_TEXT = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    "FATAL:  role": "28000",
    "FATAL:  database": "3D000",
    "FATAL:  permission denied": "42501",
    "the database system is": "57P03",
    "too many clients": "53300",
    "remaining connection slots": "53300",
}
"""What is said when no connection is made, where the driver has no SQLSTATE, to what it is."""

_UNREACHABLE = ("Connection refused", "could not translate host name", "Name or service not known", "timeout expired",
                "No such file or directory", "No route to host")  # fmt: skip
_LOST = ("server closed the connection", "terminating connection", "the connection is closed", "connection is lost",
         "connection not open", "could not receive data from server", "consuming input failed")  # fmt: skip


def _state(error: BaseException) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    found = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    return found or _state_of(str(cause))


def is_not_ready(error: BaseException) -> bool:
    """True when a server is yet to be ready for a connection."""
    return _state(error) in _NOT_YET


def has_passed(error: BaseException) -> bool:
    """True for a statement that has had no effect, since others were in its way."""
    return _state(error) in _ROLLED_BACK or any(text in str(error) for text in _GONE_MEANWHILE)


def warehouse_error(
    error: DBAPIError | psycopg.Error, settings: PostgresSettings, statement: str | None = None
) -> WarehouseError:
    """Return `error` as a WarehouseError: what the server says in one line; the place in the SQL becomes a note."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    told = cause.diag if isinstance(cause, psycopg.Error) else None
    said = [told.message_primary, told.message_detail, told.message_hint] if told and told.message_primary else []
    message = ": ".join(" ".join(text.split()) for text in said or [str(cause)] if text)
    translated = WarehouseError(message, statement, _advice(message, _state(error), statement, settings))
    if told is None or not said:
        return translated
    if statement and told.statement_position:
        line = statement.count("\n", 0, int(told.statement_position) - 1)
        translated.add_note(f"LINE {line + 1}: {statement.splitlines()[line].strip()}")
    return translated


def _state_of(message: str) -> str | None:
    """Return the SQLSTATE of what is said when no connection is made; None for anything else."""
    return next((state for text, state in _BY_TEXT.items() if text in message), None)


def _advice(message: str, state: str | None, statement: str | None, settings: PostgresSettings) -> str | None:
    """Return what to do, with the SQL for an administrator where that helps; None where nothing is known.

    Args:
        message: what the server or the driver says.
        state: the SQLSTATE of it, if there is one.
        statement: the statement that failed, if there was one.
        settings: where to, and as whom.
    """
    user, database = (identifier(name, "postgres") for name in (settings.user, settings.database))
    known = {
        "28P01": "put the right password into the siteconfig, or set it there as an administrator: "
        f"ALTER ROLE {user} PASSWORD '...'",
        "28000": f"as an administrator: CREATE ROLE {user} LOGIN PASSWORD '...'; and let it in by pg_hba.conf",
        "3D000": f"name another dbname in the siteconfig, or as an administrator: CREATE DATABASE {database}",
        "3F000": f"as an administrator: CREATE SCHEMA {identifier(settings.schema, 'postgres')} AUTHORIZATION {user}",
        "25006": f"ALTER ROLE {user} SET default_transaction_read_only = off; a standby takes no writers",
        "53100": "make room on the disk of the server; what was built before is kept",
        "53200": "give the server more memory, or set work_mem lower for the role of the connection",
        "53300": f"close other connections, or as an administrator: ALTER ROLE {user} CONNECTION LIMIT -1",
        "55P03": "wait for whoever holds the lock: SELECT * FROM pg_locks WHERE granted",
        "57P03": "the server is about to be ready; run again",
    }
    missing = _MISSING.search(message)
    if state == "42501":
        return _grant(message, statement or "", settings)
    if state == "57014" and "statement timeout" in message:
        return f"give it more time: ALTER ROLE {user} SET statement_timeout = 0"
    if state == "42P01" and missing:
        return f"{missing['name']} is not there any more: put it back, or name another table for the input"
    return known.get(state or "") or _of_connection(message, settings)


def _of_connection(message: str, settings: PostgresSettings) -> str | None:
    if any(text in message for text in _UNREACHABLE):
        return f"start the server, or mend host and port in the siteconfig; nothing answers at {settings.place}"
    return "wait until the server is back" if any(text in message for text in _LOST) else None


def _grant(message: str, statement: str, settings: PostgresSettings) -> str:
    """Return the GRANT that is missing."""
    user, denied = identifier(settings.user, "postgres"), _DENIED.search(message)
    if "extension" in message:
        return f"as an administrator, in {settings.database}: CREATE EXTENSION pgcrypto"
    if "must be owner" in message:
        return f"one role has to own all of the schema; as its owner: REASSIGN OWNED BY CURRENT_USER TO {user}"
    if denied is None:
        return f"as the owner: GRANT the right to {user}"
    name = denied["name"].rstrip(":").strip('"')
    own_schema = name.lower() == settings.schema.lower()
    granted = {
        "database": f"CREATE ON DATABASE {identifier(name, 'postgres')}",
        "schema": f"{'USAGE, CREATE' if own_schema else 'USAGE'} ON SCHEMA {identifier(name, 'postgres')}",
        "sequence": f"USAGE ON SEQUENCE {name}",
        "function": f"EXECUTE ON FUNCTION {name}",
    }
    return f"as its owner: GRANT {granted.get(denied['kind'], f'SELECT ON {_as_written(name, statement)}')} TO {user}"


def _as_written(name: str, statement: str) -> str:
    """Return a table with its schema, if the statement says which."""
    quoted = identifier(name, "postgres")
    found = re.search(rf'"((?:[^"]|"")+)"\.{re.escape(quoted)}', statement)
    return f'"{found[1]}".{quoted}' if found else quoted
