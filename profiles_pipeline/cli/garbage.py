"""How often a command looks for garbage.

A project of hundreds of vars makes millions of small objects, most of which live to the end: looking through them over
and over would take a third of the time of a short command.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

RARE = (1_000_000, 50, 100)
"""Thresholds while a command runs. A million of the objects take some 150 MB."""

_BINDING = "_duckdb"


@contextlib.contextmanager
def rare_collection(*, is_last: bool) -> Iterator[None]:
    """Look for garbage less often inside the block; `is_last` says that the process ends with it.

    Then it stays so: what is left is looked through once more when Python ends, and that is enough.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*RARE)
    try:
        yield
    finally:
        if not is_last:
            gc.set_threshold(*usual)
            gc.unfreeze()


def spare_what_is_loaded() -> None:
    """Inside `rare_collection`, look at no object again that is there now, not even when the process ends.

    Not where DuckDB's Python binding is loaded: it counts its objects at the end and complains of those that are left.
    """
    if gc.get_threshold() == RARE and _BINDING not in sys.modules:
        gc.freeze()
