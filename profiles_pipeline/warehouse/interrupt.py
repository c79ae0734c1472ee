"""Work in a driver that a signal can stop."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def run_interruptibly(work: Callable[[], Result], interrupt: Callable[[], None]) -> Result:
    """Return what `work` returns, or raise what it raises.

    In the main thread `work` runs in a thread of its own, so that Python sees signals meanwhile. When a signal handler
    raises, `interrupt` is called until `work` has ended, and what the handler raised propagates. In other threads,
    which get no signals, this is a plain call.

    Args:
        work: blocks in C code that does not look at signals.
        interrupt: makes `work` give up soon; may be called at any time from any thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    # A signal can arrive between any two steps here: `claim` decides whether the work begins or is given up, and the
    # lists, not `ended`, tell whether it is over.
    claim, ended = threading.Lock(), threading.Lock()
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def target() -> None:
        if not claim.acquire(blocking=False):
            return
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)
        finally:
            ended.release()

    ended.acquire()
    try:
        # threading.Thread does more in Python before it runs, and each line of that is a place for a signal to fall.
        _thread.start_new_thread(target, ())
        # A signal just before a wait does not end it; the next turn notices.
        while not ended.acquire(timeout=0.2):
            continue
    except BaseException:
        begun = not claim.acquire(blocking=False)
        while begun and not (outcome or failure):
            _nudge(interrupt)
        raise
    if failure:
        raise failure[0]
    return outcome[0]


def _nudge(interrupt: Callable[[], None]) -> None:
    """Interrupt once and give it time. Pressing Ctrl-C again makes nothing faster, so it is not heard."""
    try:
        # One call is not enough: it is lost when it falls between two statements.
        interrupt()
        time.sleep(0.02)
    except KeyboardInterrupt:
        return
