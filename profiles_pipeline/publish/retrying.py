"""Patience with a server that cannot answer now: it is asked again, when it says or after growing waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from threading import Thread
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from profiles_pipeline.errors import fail

PASSING = frozenset((408, 425, 429))
"""Answers that ask to come again, beside those from 500 on."""

_BACKOFF = wait_random_exponential(multiplier=0.5, max=60)
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
    try:
        parts = urlsplit(url)
        _ = parts.port  # which may be none that there is
    except ValueError:
        return False
    is_near = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return parts.hostname is not None and (parts.scheme == "https" or is_near)


def host_of(url: str) -> str:
    """Return where an address leads, for people: without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def patiently(attempts: int, patience: float) -> Retrying:
    """Return what asks again after a `PassingError`, up to so many times and seconds, and then raises it.

    A wait that would end after these seconds is not begun.
    """
    return Retrying(
        retry=retry_if_exception_type(PassingError),
        stop=stop_after_attempt(attempts) | stop_before_delay(patience),
        wait=_wait,
        reraise=True,
    )


def asked(
    client: requests.Session, method: str, url: str, *, timeout: float, data: bytes, headers: Mapping[str, str]
) -> requests.Response:
    """Return the answer to one request, all of it read; redirections are not followed.

    Args:
        client: connections that are open already.
        method: of HTTP.
        url: where to.
        timeout: seconds for all of the answer, however slowly it comes.
        data: the body.
        headers: those of the request.

    Raises:
        PassingError: there was no whole answer in time, or one that asks to come again.
        ProjectError: such a request cannot be made.
    """
    host = host_of(url)

    def ask() -> requests.Response:
        return client.request(method, url, data=data, headers=dict(headers), timeout=timeout, allow_redirects=False)

    try:
        answer = _within(timeout, ask)
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
        hint = "look at the address and at the secret for blanks, line breaks and letters that belong into neither"
        fail("bad-request", f"{host} cannot be asked ({type(error).__name__})", hint=hint)
    except (requests.ConnectionError, requests.Timeout, TimeoutError) as error:
        raise PassingError(f"{host} cannot be reached ({type(error).__name__})") from error
    except requests.RequestException as error:
        raise PassingError(f"{host} gives an answer that cannot be read ({type(error).__name__})") from error
    if answer.status_code in PASSING or answer.status_code >= 500:
        wait = asked_wait(answer.headers, time.time())
        until = f" and asks to wait {wait:,.0f} s" if wait else ""
        raise PassingError(f"{host} answers {answer.status_code}{until}", wait)
    return answer


def _within(seconds: float, ask: Callable[[], requests.Response]) -> requests.Response:
    """Return the answer to a call, made in a thread: limits of sockets hold for each piece that comes, not for all.

    Raises:
        TimeoutError: there is none yet; the thread is left behind, and ends when its connection does.
    """
    answer: Future[requests.Response] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # it is raised where the answer is waited for
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer.result(seconds)


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds a server asks to wait: ``Retry-After``, or else the moment in a header of resets."""
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after)
    if after:
        try:
            return max(parsedate_to_datetime(after).timestamp() - now, 0)
        except (ValueError, OverflowError):
            return None
    reset = headers.get("X-RateLimit-Reset", "").strip()
    return max(float(reset) - now, 0) if reset.isdecimal() else None


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wanted = error.wait if isinstance(error, PassingError) else None
    return _BACKOFF(state) if wanted is None else wanted
