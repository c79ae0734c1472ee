"""Sessions of Snowflake: logging in, running one statement to its end, and what refusals mean."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from snowflake import connector
from snowflake.connector import errors
from snowflake.connector.constants import QueryStatus
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from profiles_pipeline.dialects import identifier
from profiles_pipeline.errors import WarehouseError

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

    from profiles_pipeline.warehouse.settings import SnowflakeSettings

LOGIN_WITHIN_S = 30
ANSWER_WITHIN_S = 60
"""How long the driver itself tries a request again while nobody answers it."""

ATTEMPTS = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 2.0
_UNKNOWN = 30
"""How often the server may say that it knows nothing of a statement that it has just taken up."""

Result = TypeVar("Result")

_WHAT_TO_DO: Mapping[int, str] = {
    390100: "check user and password of the connection",
    390101: "an administrator has to enable the user",
    390102: "wait a quarter of an hour, or ask an administrator to unlock the user",
    390127: "give the code of your second factor as passcode",
    390129: "give the code of your second factor as passcode",
    390144: "see that the public key of the private key is that of the user (ALTER USER ... SET RSA_PUBLIC_KEY) and "
    "that the clock of this machine is right",
    394304: "see that the public key of the private key is that of the user (ALTER USER ... SET RSA_PUBLIC_KEY)",
    390189: "see that the role exists and is granted to the user (GRANT ROLE ... TO USER ...)",
    390303: "get a new token",
    390318: "get a new token",
    390422: "let a network policy allow the address of this machine",
    250001: "check account, host and the network",
    250003: "check the network",
    251001: "name the account in the siteconfig",
    290404: "check the account: no such one is there",
    606: "name a warehouse in the siteconfig, and grant the role USAGE on it",
    607: "resume the warehouse, or grant the role OPERATE on it",
    90073: "a resource monitor has stopped the warehouse: raise its quota, or name another warehouse",
    2003: "see that it exists and that the role may use it",
    3001: "grant the role what it lacks; docs/warehouses.md lists it",
    90105: "see that the database exists and that the role has USAGE on it",
    90106: "see that the schema exists and that the role has USAGE on it",
    630: "the statement took longer than STATEMENT_TIMEOUT_IN_SECONDS allows",
}
"""What its reader can do about an error, by the number that the server or the driver gives it."""

_TOLD = frozenset(_WHAT_TO_DO) - {250001, 250003}
"""Numbers of errors by which the server has answered, whatever class the driver gives them."""

_PREFIX = re.compile(r"^\d{6,}(?: \(\S+\))?: |^(?:\d+: )+")
_LOST = (errors.OperationalError, errors.InterfaceError, errors.ServiceUnavailableError, errors.GatewayTimeoutError,
         errors.BadGatewayError, errors.RequestTimeoutError, errors.OtherHTTPRetryableError)  # fmt: skip


def connected(settings: SnowflakeSettings, tag: str) -> SnowflakeConnection:
    """Return a session. A server that cannot be reached is asked again, by the driver; one that refuses is not.

    Raises:
        WarehouseError: it cannot be reached, refuses the user, or does not have what the settings name.
    """
    given = {**_place(settings), **_credentials(settings)}
    parameters = {
        "QUERY_TAG": tag,
        "TIMEZONE": "UTC",
        "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
        "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
        "WEEK_START": 0,
        "CLIENT_TELEMETRY_ENABLED": False,
    }
    try:
        opened: SnowflakeConnection = connector.connect(
            session_parameters=parameters,
            autocommit=True,
            paramstyle="qmark",
            application="profiles_pipeline",
            login_timeout=LOGIN_WITHIN_S,
            network_timeout=ANSWER_WITHIN_S,
            client_session_keep_alive=True,
            platform_detection_timeout_seconds=0,
            **given,
        )
    except errors.Error as error:
        raise warehouse_error(error) from None  # what the driver was given is part of its traceback
    try:
        _check(opened, settings)
    except WarehouseError:
        opened.close()
        raise
    return opened


def _place(settings: SnowflakeSettings) -> dict[str, object]:
    found: dict[str, object] = {
        "account": settings.account,
        "user": settings.user,
        "database": _unquoted(settings.database),
        "schema": _unquoted(settings.schema),
        "protocol": settings.protocol,
    }
    optional = {"role": settings.role, "warehouse": settings.compute, "host": settings.host, "port": settings.port}
    return found | {name: value for name, value in optional.items() if value is not None}


def _unquoted(name: str) -> str:
    """Return a name as a login takes it: what would need quotes gets them."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", name) else identifier(name, "snowflake")


def _check(opened: SnowflakeConnection, settings: SnowflakeSettings) -> None:
    """Refuse a session without what it was asked for: the server opens one all the same."""
    role = f"role {opened.role}" if opened.role else "the user"
    if not opened.database:
        hint = "check dbname, and grant the role USAGE on it"
        raise WarehouseError(f"database {settings.database} does not exist, or {role} may not use it: {hint}")
    if not opened.warehouse:
        named = f"warehouse {settings.compute} does not exist, or {role} may not use it" if settings.compute else ""
        hint = "name one in the siteconfig, and grant the role USAGE on it"
        raise WarehouseError(f"{named or 'no warehouse is named, and the user has no default one'}: {hint}")


def _credentials(settings: SnowflakeSettings) -> dict[str, object]:
    if settings.private_key is not None or settings.private_key_file is not None:
        return {"authenticator": "SNOWFLAKE_JWT", "private_key": private_key(settings)}
    if settings.token is not None:
        return {"authenticator": "oauth", "token": settings.token.get_secret_value()}
    password = settings.password.get_secret_value() if settings.password else ""
    if settings.passcode is not None:
        return {"password": password, "passcode": settings.passcode.get_secret_value()}
    return {"password": password}


def private_key(settings: SnowflakeSettings) -> bytes:
    """Return the private key of the settings as the driver takes it: DER, PKCS #8, not encrypted.

    Raises:
        WarehouseError: it cannot be read, is no key, or its passphrase is wrong or missing.
    """
    where = f"the private key {settings.private_key_file}" if settings.private_key_file else "the private key"
    passphrase = settings.passphrase.get_secret_value().encode() if settings.passphrase else None
    try:
        text = _key_text(settings)
        key = serialization.load_pem_private_key(text, passphrase)
    except OSError as error:
        raise WarehouseError(f"{where} cannot be read: {error.strerror}") from None
    except TypeError:
        needs = "is encrypted: give privateKeyPassphrase" if passphrase is None else "is not encrypted: leave out "
        raise WarehouseError(f"{where} {needs}{'privateKeyPassphrase' if passphrase else ''}") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is not None and b"ENCRYPTED" in text:
            raise WarehouseError(f"{where} cannot be decrypted: privateKeyPassphrase is wrong") from None
        what = "it has to be a PEM file of an RSA key (openssl genrsa 2048 | openssl pkcs8 -topk8)"
        raise WarehouseError(f"{where} is not one that can be read: {what}") from error
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_text(settings: SnowflakeSettings) -> bytes:
    """Return the PEM: of the file, or of the text, whose lines may have become spaces, ``\\n``, or base64."""
    if settings.private_key_file is not None:
        return settings.private_key_file.read_bytes()
    assert settings.private_key is not None
    text = settings.private_key.get_secret_value().strip().replace("\\n", "\n")
    if "-----BEGIN" not in text:
        with_ends = f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----"
        try:
            decoded = base64.b64decode(re.sub(r"\s", "", text), validate=True)
        except (ValueError, binascii.Error):
            return with_ends.encode()
        return decoded if b"-----BEGIN" in decoded else with_ends.encode()
    if match := re.fullmatch(r"(-----BEGIN [A-Z ]+-----)(.*)(-----END [A-Z ]+-----)", text, re.DOTALL):
        inside = match[2].strip()
        if "\n" not in inside and ":" not in inside:
            return "\n".join([match[1], *inside.split(), match[3]]).encode()
    return text.encode()


def is_lost(error: BaseException) -> bool:
    """Tell whether nobody has answered, so that nothing is known of what was asked for."""
    return isinstance(error, _LOST) and getattr(error, "errno", None) not in _TOLD


_RETRYING = Retrying(
    retry=retry_if_exception(is_lost),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_exponential(0.2, max=5),
    reraise=True,
)


def finished(
    cursor: SnowflakeCursor,
    sql: str,
    params: Sequence[object] | None,
    labels: Mapping[str, object],
    began: Callable[[str], None],
) -> str:
    """Run a statement to its end and return its id.

    A connection that is lost meanwhile stops nothing: the server is asked what became of the statement.

    Args:
        cursor: on the session that it runs in.
        sql: one statement.
        params: values in the place of its question marks.
        labels: what its tag says.
        began: called with the id once the statement runs.

    Raises:
        snowflake.connector.Error: the server refuses it, or cannot be reached.
    """
    query = _submitted(cursor, sql, params, labels)
    began(query)
    connection, pause, unknown = cursor.connection, _FIRST_PAUSE_S, 0
    while connection.is_still_running(status := asked_again(lambda: connection.get_query_status_throw_if_error(query))):
        unknown = unknown + 1 if status == QueryStatus.NO_DATA else 0
        if unknown > _UNKNOWN:
            raise errors.DatabaseError(f"the server knows nothing of statement {query}")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
    return query


def _submitted(cursor: SnowflakeCursor, sql: str, params: Sequence[object] | None, labels: Mapping[str, object]) -> str:
    """Return the id of a statement that runs. While nobody answers it is sent again, if it has not arrived before."""
    mark = uuid.uuid4().hex
    sent = False

    def submit() -> str:
        nonlocal sent
        if sent and (arrived := _arrived(cursor, mark)):
            return arrived
        sent = True
        cursor.execute_async(sql, params, _statement_params={"QUERY_TAG": tag_of({**labels, "id": mark})})
        return str(cursor.sfqid)

    return asked_again(submit)


def _arrived(cursor: SnowflakeCursor, mark: str) -> str | None:
    """Return the id of the statement of this session whose tag has a mark; None when the server has not seen it."""
    cursor.execute(
        "SELECT query_id FROM TABLE(information_schema.query_history_by_session()) WHERE CONTAINS(query_tag, ?)", [mark]
    )
    seen = cursor.fetchone()
    return None if seen is None else str(seen[0])


def tag_of(labels: Mapping[str, object]) -> str:
    """Return labels as the tag of a query: JSON of at most 2000 characters, which is what fits."""
    return json.dumps(labels, default=str)[:2000]


def asked_again(work: Callable[[], Result]) -> Result:
    """Return what `work` returns, which is safe to do again; while nobody answers, it is."""
    return _RETRYING(work)


def warehouse_error(error: errors.Error, statement: str | None = None) -> WarehouseError:
    """Return `error` as a WarehouseError: what the server says in one line, and what can be done about it."""
    said = " ".join(_PREFIX.sub("", str(error.raw_msg or error.msg or "")).split())
    advice = _WHAT_TO_DO.get(int(error.errno or -1))
    number = f" ({error.errno:06d})" if error.errno and error.errno > 0 else ""
    return WarehouseError(f"{said}{number}" + (f": {advice}" if advice else ""), statement)
