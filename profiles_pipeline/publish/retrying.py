"""Patience with a server that cannot answer now: it is asked again, when it says or after growing waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

PASSING = frozenset((408, 425, 429))
"""Answers that ask to come again, beside those from 500 on."""

_BACKOFF = wait_random_exponential(multiplier=0.5, max=60)
_LONGEST_WAIT = 3600.0
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class PassingError(Exception):
    """A server could not answer now.

    Attributes:
        wait: how many seconds it asks to wait; None when it says nothing.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and how patient to be with it, in seconds. The secret is not shown."""

    url: str
    secret: str = field(repr=False)
    timeout: float
    attempts: int
    patience: float

    @property
    def host(self) -> str:
        """Where it is, for people: without what may be secret in an address."""
        return host_of(self.url)


def seconds_of(options: Mapping[str, object], name: str) -> float:
    """Return an option that is a length of time."""
    length = options[name]
    assert isinstance(length, timedelta)
    return length.total_seconds()


def may_be_sent_to(url: str) -> bool:
    """Tell whether what is secret may go to an address: over TLS, or to this machine itself."""
    parts = urlsplit(url)
    is_near = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return parts.hostname is not None and (parts.scheme == "https" or is_near)


def host_of(url: str) -> str:
    """Return where an address leads, for people: without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def patiently(attempts: int, patience: float) -> Retrying:
    """Return what asks again after a `PassingError`, up to so many times and seconds, and then raises it."""
    return Retrying(
        retry=retry_if_exception_type(PassingError),
        stop=stop_after_attempt(attempts) | stop_after_delay(patience),
        wait=_wait,
        reraise=True,
    )


def asked(
    client: requests.Session, method: str, url: str, *, timeout: float, data: bytes, headers: Mapping[str, str]
) -> requests.Response:
    """Return the answer to one request; redirections are not followed.

    Raises:
        PassingError: there was no answer, or one that asks to come again.
    """
    host = host_of(url)
    try:
        answer = client.request(method, url, data=data, headers=dict(headers), timeout=timeout, allow_redirects=False)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise PassingError(f"{host} cannot be reached ({type(error).__name__})") from error
    if answer.status_code in PASSING or answer.status_code >= 500:
        raise PassingError(f"{host} answers {answer.status_code}", asked_wait(answer.headers, time.time()))
    return answer


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds a server asks to wait: ``Retry-After``, or else the moment in a header of resets."""
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after)
    if after:
        try:
            return max(parsedate_to_datetime(after).timestamp() - now, 0)
        except ValueError:
            return None
    reset = headers.get("X-RateLimit-Reset", "").strip()
    return max(float(reset) - now, 0) if reset.isdecimal() else None


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wanted = error.wait if isinstance(error, PassingError) else None
    return _BACKOFF(state) if wanted is None else min(wanted, _LONGEST_WAIT)
