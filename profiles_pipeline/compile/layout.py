"""The layout of what is kept from run to run: which columns these tables have, and what is in them.

A table of another layout is never read. Its name is another one, so that earlier materials go on to show what they did,
and the registry says with which layout a table was kept, so that a plan can say why it is kept anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from profiles_pipeline.names import ACCUMULATOR

CHANGES: tuple[str, ...] = (
    "on PostgreSQL texts are in the order of their bytes, and numbers and times are hashed as what they are",
)
"""What has changed since the first layout, a line for each change. Whoever changes what is in a kept table, or the
meaning of it, adds one: the columns, how buckets are cut, how values are put together, what is hashed."""


def current() -> int:
    """Return the number of the layout that this program keeps."""
    return 1 + len(CHANGES)


def kept_name(owner: str, definition: Iterable[str]) -> str:
    """Return the name of a table that is kept: it changes with whatever decides on what is in it.

    Args:
        owner: what it is for: the project and the path of the model.
        definition: texts that say what is kept.
    """
    return f"{ACCUMULATOR}{digest([owner, *definition, *CHANGES])}"


def digest(texts: Iterable[str]) -> str:
    """Return 12 hex digits that change with any of the texts."""
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:12]
