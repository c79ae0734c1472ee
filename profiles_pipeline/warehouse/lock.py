"""Turns: one writer at a time per DuckDB file, across threads and processes, and everyone knows whom they wait for.

The lock is the operating system's (on ``<file>.lock``), so it is free the moment its holder dies, however it dies. The
note beside it (``<file>.lock.json``) only tells people who the holder is; it is read when the lock is found taken.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from profiles_pipeline.errors import LockTimeoutError, WarehouseError

Result = TypeVar("Result")

TELL_AGAIN_AFTER = 10.0
_COMMAND_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the file. Fields that are not known are None or empty.

    Attributes:
        pid: process id on `host`.
        thread: native thread id within that process.
        command: the command line, shortened.
        purpose: what it is doing, in its own words.
        host: name of its machine.
        since: when it got the file, ISO 8601, UTC.
    """

    pid: int | None = None
    thread: int | None = None
    command: str = ""
    purpose: str = ""
    host: str = ""
    since: str = ""

    def __str__(self) -> str:
        who = f"process {self.pid}" if self.pid else "another process"
        if self.host and self.host != socket.gethostname():
            who += f" on {self.host}"
        doing = self.purpose or self.command
        return who + (f" ({doing})" if doing else "") + (f", since {self.since}" if self.since else "")

    @property
    def is_this_thread(self) -> bool:
        """Whether the caller itself is the holder."""
        return (self.host, self.pid, self.thread) == (socket.gethostname(), os.getpid(), threading.get_native_id())

    @property
    def may_be_alive(self) -> bool:
        """False only when the process is known to be gone; a process on another machine cannot be asked."""
        if self.pid is None or self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


OnWait = Callable[[Holder], None]


class BusyError(Exception):
    """Somebody else has the file right now."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        super().__init__(str(holder))


class Patience:
    """How long to wait in all, over several things that may be busy, and whom to tell meanwhile."""

    def __init__(self, place: Path | str, timeout: float | None, on_wait: OnWait | None) -> None:
        self._place = place
        self._timeout = timeout
        self._on_wait = on_wait
        self._started = time.monotonic()
        self._told_at: float | None = None

    def wait_for(self, attempt: Callable[[], Result]) -> Result:
        """Return what `attempt` returns as soon as it no longer raises BusyError.

        Raises:
            LockTimeoutError: names the holder; the timeout has passed.
            WarehouseError: the calling thread is the holder and would wait for itself for ever.
        """
        from tenacity import Retrying, retry_if_exception_type  # noqa: PLC0415 - nothing waits in most processes

        retrying = Retrying(
            retry=retry_if_exception_type(BusyError),
            wait=lambda _: self._pause(),
            stop=lambda _: self._timeout is not None and self._waited() >= self._timeout,
            before_sleep=lambda state: self._tell(state.outcome.exception() if state.outcome else None),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except BusyError as busy:
            raise LockTimeoutError(
                f"{self._place} is still in use after {self._waited():.0f} s of waiting, by {busy.holder}"
            ) from None

    def _waited(self) -> float:
        return time.monotonic() - self._started

    def _pause(self) -> float:
        """Return the seconds until the next attempt: who has waited longer asks more often, so turns come in order."""
        longest = 0.1 + 0.1 / (1 + self._waited() / 10)
        pause = random.uniform(0.1, longest)  # noqa: S311 - spreads the attempts, guards nothing
        return pause if self._timeout is None else max(0.0, min(pause, self._timeout - self._waited()))

    def _tell(self, error: BaseException | None) -> None:
        if not isinstance(error, BusyError):
            return
        if error.holder.is_this_thread:
            raise WarehouseError(f"{self._place} is already open in this thread ({error.holder.purpose})")
        now = time.monotonic()
        if self._on_wait and (self._told_at is None or now - self._told_at >= TELL_AGAIN_AFTER):
            self._told_at = now
            self._on_wait(error.holder)


@contextmanager
def hold(path: Path, purpose: str, timeout: float | None = None, on_wait: OnWait | None = None) -> Iterator[None]:
    """Be the only one inside the block for `path`, over all threads and processes of this machine.

    Args:
        path: the file to guard; it need not exist, its folder must.
        purpose: what is being done, for those who wait.
        timeout: seconds to wait; None waits for ever, 0 does not wait.
        on_wait: called with the holder when waiting begins and about every 10 s after that.

    Raises:
        LockTimeoutError: names the holder.
        WarehouseError: this thread already holds `path`, or the lock file cannot be written.
    """
    with held(path, purpose, Patience(path, timeout, on_wait)):
        yield


@contextmanager
def held(path: Path, purpose: str, patience: Patience) -> Iterator[None]:
    """As `hold`, with waiting time that is shared with other things to wait for."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - its import costs as much as DuckDB's

    lock = FileLock(f"{path}.lock")

    def take() -> None:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(read_holder(path)) from None
        except OSError as error:
            raise WarehouseError(f"cannot write {path}.lock: {error.strerror}") from error

    patience.wait_for(take)
    try:
        _write_holder(path, purpose)
        try:
            yield
        finally:
            _note(path).unlink(missing_ok=True)
    finally:
        lock.release()


def read_holder(path: Path) -> Holder:
    """Return who says to hold `path`; an empty Holder if the note is missing, unreadable or left by a dead process."""
    try:
        holder = Holder(**json.loads(_note(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Holder()
    return holder if holder.may_be_alive else Holder()


def _note(path: Path) -> Path:
    return Path(f"{path}.lock.json")


def _write_holder(path: Path, purpose: str) -> None:
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    holder = Holder(
        pid=os.getpid(),
        thread=threading.get_native_id(),
        command=command if len(command) <= _COMMAND_LENGTH else command[: _COMMAND_LENGTH - 3] + "...",
        purpose=purpose,
        host=socket.gethostname(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    draft = Path(f"{path}.lock.json.new")
    draft.write_text(json.dumps(asdict(holder)), encoding="utf-8")
    draft.replace(_note(path))
