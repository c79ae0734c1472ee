"""Ends a group of processes when the one that started this script ends, however it ends.

    python watch.py <process group>

It reads its standard input, a pipe whose other end the starter holds and never writes to: the operating system closes
it when the starter is gone, killed or not. Runs by its path, so that it loads nothing but the standard library.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

STOP_WITHIN_S = 20.0
"""Seconds that the processes get to stop by themselves."""


def stop_group(group: int, reap: Callable[[], object] = lambda: None) -> None:
    """End a group of processes: ask its leader first, then everyone, then insist. `reap` collects dead children."""
    if _gone(group, 0, reap):
        return
    with suppress(ProcessLookupError):
        os.kill(group, signal.SIGINT)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if _gone(group, STOP_WITHIN_S, reap):
            return
        with suppress(ProcessLookupError):
            os.killpg(group, number)


def _gone(group: int, timeout: float, reap: Callable[[], object]) -> bool:
    """True when no process of the group is left within `timeout` seconds."""
    until = time.monotonic() + timeout
    while True:
        reap()
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    stop_group(int(sys.argv[1]))
