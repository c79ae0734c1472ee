"""How often a command or a run looks for garbage.

A project of hundreds of vars makes millions of small objects, most of which live to the end: looking through them over
and over would take a third of the time of a short command.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

RARE = (1_000_000, 50, 100)
"""Thresholds while a command runs. A million of the objects take some 150 MB."""

_BINDING = "_duckdb"

_blocks = 0
_usual = gc.get_threshold()
_counting = threading.Lock()


@contextlib.contextmanager
def rare_collection(*, is_last: bool = False) -> Iterator[None]:
    """Look for garbage less often inside the block; `is_last` says that the process ends with it.

    Then it stays so: what is left is looked through once more when Python ends, and that is enough. Blocks may lie
    inside each other and beside each other in threads: what was usual holds again when the last of them ends.
    """
    global _blocks, _usual  # noqa: PLW0603 - the thresholds are the process's own
    with _counting:
        _blocks += 1
        if _blocks == 1:
            _usual = gc.get_threshold()
            gc.set_threshold(*RARE)
    try:
        yield
    finally:
        with _counting:
            _blocks -= 1
            if _blocks == 0 and not is_last:
                gc.set_threshold(*_usual)
                gc.unfreeze()


def spare_what_is_loaded() -> None:
    """Inside `rare_collection`, look at no object again that is there now, not even when the process ends.

    Not where DuckDB's Python binding is loaded: it counts its objects at the end and complains of those that are left.
    """
    if _blocks and _BINDING not in sys.modules:
        gc.freeze()
