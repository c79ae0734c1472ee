"""Tells RudderStack that a table has changed: starts the sync of a Reverse ETL connection, and watches how it ends.

The calls are those of its API for these connections: ``POST /retl-connections/<id>/start`` gives the id of a sync,
``GET /retl-connections/<id>/syncs/<id>`` says whether it is running, has succeeded or has failed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests

from profiles_pipeline.errors import Check, Problem, ProjectError, RunError, Severity, fail
from profiles_pipeline.publish.delivery import SYNC_SUCCEEDED
from profiles_pipeline.publish.ledger import Publication
from profiles_pipeline.publish.retrying import (
    PassingError,
    Server,
    asked,
    host_of,
    may_be_sent_to,
    patiently,
    seconds_of,
)
from profiles_pipeline.resolve.publishing import Publisher

_RUNNING_ALREADY = 409
_FAILED = frozenset(("failed", "aborted", "cancelled"))

_SHORTEST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
"""Seconds between two questions whether a sync has ended."""


@dataclass(frozen=True, slots=True)
class Connection(Server):
    """A connection of Reverse ETL, and for how many seconds to wait for the end of a sync."""

    wait: float

    def ask(self, method: str, path: str, content: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """Return the answer to a call; a server that cannot answer now is asked again.

        Raises:
            PassingError: it did not answer even after waiting, or another sync is running.
            ProjectError: it refuses the call.
        """
        body = json.dumps(content).encode() if content is not None else b""
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        with requests.Session() as client:
            return patiently(self.attempts, self.patience)(self._once, client, method, path, body, headers)

    def _once(
        self, client: requests.Session, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Mapping[str, object]:
        answer = asked(client, method, self.url + path, timeout=self.timeout, data=body, headers=headers)
        if answer.status_code == _RUNNING_ALREADY:  # it may have read the table before it was written
            raise PassingError(f"{self.host} answers that a sync is running already")
        if not answer.ok or answer.is_redirect:
            hint = "check connection_id, and that the token may edit and connect the source and the destination"
            fail("receiver-refuses", f"{self.host} answers {answer.status_code}", hint=hint)
        try:
            found = answer.json()
        except requests.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            fail("receiver-refuses", f"{self.host} answers with no JSON object", hint="check api_url")
        return found


def connection(publisher: Publisher, environment: Mapping[str, str] = os.environ) -> Connection:
    """Return the connection whose syncs are started, with the token from the environment.

    Raises:
        ProjectError: the token is missing, or the address is not one to send it to.
    """
    options = publisher.options
    name, url = str(options["token_env"]), str(options["api_url"]).rstrip("/")
    if not may_be_sent_to(url):
        hint = "https://...; http only for this machine itself"
        fail("bad-address", f"'{publisher.name}' cannot send a token to '{host_of(url)}'", publisher.span, hint=hint)
    token = environment.get(name, "")
    if not token:
        message = f"'{publisher.name}' starts syncs, and the environment has no {name}"
        fail("no-secret", message, publisher.span, hint=f"set {name} to a service access token of the workspace")
    if not token.isascii() or not token.isprintable() or " " in token:
        message = f"'{publisher.name}' cannot start syncs: {name} has characters that no token has"
        fail("no-secret", message, publisher.span, hint="a line break at its end, or a blank, is read as part of it")
    timeout, patience, wait = (seconds_of(options, name) for name in ("timeout", "patience", "wait"))
    at = f"{url}/retl-connections/{options['connection_id']}"
    return Connection(at, token, timeout, int(str(options["attempts"])), patience, wait)


def start(publisher: Publisher, publication: Publication) -> str:
    """Start a sync of what has changed since the last one, and return its id.

    Raises:
        RunError: it could not be started; publishing again tries it again.
        ProjectError: the token is missing.
    """
    to = connection(publisher)
    try:
        answer = to.ask("POST", "/start", {"syncType": "incremental"})
    except (PassingError, ProjectError) as error:
        message = f"'{publisher.name}' is written, and its sync could not be started: {_why(error)}"
        hint = f"nothing is lost: `profiles publish {publisher.name}` tries it again"
        problem = Problem("not-delivered", message, publisher.span, hint)
        raise RunError(problem, publisher.path, publication.seq_no) from error
    return str(answer.get("syncId", ""))


def ended(publisher: Publisher, sync: str, pause: Callable[[float], None] = time.sleep) -> Check:
    """Wait for the end of a sync, at most as long as the project says, and return how it went.

    Args:
        publisher: whose sync it is.
        sync: its id.
        pause: waits for so many seconds.
    """
    try:
        return _ended(connection(publisher), sync, pause)
    except (PassingError, ProjectError) as error:
        return _told(f"How sync {sync} goes is not known: {_why(error)}.", 1, "warning")


def _ended(to: Connection, sync: str, pause: Callable[[float], None]) -> Check:
    until, length = time.monotonic() + to.wait, _SHORTEST_PAUSE
    while True:
        answer = to.ask("GET", f"/syncs/{sync}")
        status = str(answer.get("status", ""))
        if status == "succeeded":
            return _told(f"Sync {sync} did.", 0)
        if status in _FAILED:
            return _told(f"Sync {sync} has {status}: {str(answer.get('error') or 'no reason is given')[:500]}", 1)
        if time.monotonic() + length > until:
            return _told(f"Sync {sync} has not ended yet.", 1, "warning")
        pause(length)
        length = min(length * 1.5, _LONGEST_PAUSE)


def _told(what: str, broken: int, severity: Severity = "error") -> Check:
    return Check(SYNC_SUCCEEDED.name, f"{SYNC_SUCCEEDED.description} {what}", broken, severity)


def _why(error: PassingError | ProjectError) -> str:
    return error.problems[0].message if isinstance(error, ProjectError) else str(error)
