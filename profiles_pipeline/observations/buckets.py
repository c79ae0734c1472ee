"""Fingerprints of the days of an input, and what it means when they differ. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from profiles_pipeline.spec.pipeline import Level

Kind = Literal["first", "new", "late", "corrected", "emptied"]
"""How a bucket has changed.

``first``: nobody had looked at the input before. ``new``: it has rows newer than all that were there. ``late``: it has
more rows, none of them newer. ``corrected``: its rows differ, or there are fewer. ``emptied``: it has none any more.
"""

TIMELESS = datetime(1, 1, 1)
"""The bucket of rows without a time. Like all times here it is UTC and carries no zone."""

LATER = datetime(9999, 12, 31)
"""The bucket of rows that are not seen yet. It is never compared; its `newest` is the time of the first of them."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The fingerprint of a bucket.

    Attributes:
        rows: how many there are; None when nobody counted.
        newest: time of the newest one; None for rows without a time.
        content: sum of the hashes of its rows; None when that was not computed.
    """

    rows: int | None = None
    newest: datetime | None = None
    content: int | None = None


EMPTY = Bucket(rows=0)
"""What remains of a bucket that is emptied."""

Buckets = Mapping[datetime, Bucket]
"""Beginning of a day, or TIMELESS -> its fingerprint."""


def added_up(parts: Iterable[Buckets]) -> dict[datetime, Bucket]:
    """Return the fingerprints of rows that are kept in several parts."""
    found: dict[datetime, Bucket] = {}
    for part in parts:
        for day, bucket in part.items():
            found[day] = _added(day, found[day], bucket) if day in found else bucket
    return found


def _added(day: datetime, one: Bucket, other: Bucket) -> Bucket:
    times = [bucket.newest for bucket in (one, other) if bucket.newest is not None]
    content = None if one.content is None or other.content is None else one.content + other.content
    rows = None if one.rows is None or other.rows is None else one.rows + other.rows
    return Bucket(rows, (min if day == LATER else max)(times, default=None), content)


def compare(before: Buckets, now: Buckets, level: Level) -> dict[datetime, Kind]:
    """Return the buckets that differ, and how. What one side does not know is not compared.

    Args:
        before: what was seen last.
        now: what is seen; at level ``append`` only buckets with rows newer than all that were seen.
        level: what was looked at.
    """
    known = {day: bucket for day, bucket in before.items() if bucket != EMPTY}
    newest = max((b.newest for b in known.values() if b.newest is not None), default=None)
    found: dict[datetime, Kind] = {}
    for day, bucket in now.items():
        if (kind := _difference(known.get(day), bucket, newest)) is not None:
            found[day] = kind
    if level != "append":
        found |= dict.fromkeys(known.keys() - now.keys(), "emptied")
    return dict(sorted(found.items()))


def _difference(before: Bucket | None, now: Bucket, newest: datetime | None) -> Kind | None:
    is_newer = now.newest is not None and (newest is None or now.newest > newest)
    if before is None:
        return "new" if is_newer else "late"
    if _agree(before.rows, now.rows) and before.newest == now.newest and _agree(before.content, now.content):
        return None
    if is_newer:
        return "new"
    return "late" if (now.rows or 0) > (before.rows or 0) else "corrected"


def _agree(before: int | None, now: int | None) -> bool:
    return before is None or now is None or before == now


def remembered(before: Buckets, now: Buckets, level: Level) -> dict[datetime, Bucket]:
    """Return what to keep of two looks at an input: buckets that are gone stay, as empty ones.

    What the later look has not asked for is kept from the earlier one where the buckets agree in all the rest.
    """
    gone = before if level == "append" else dict.fromkeys(before, EMPTY)
    return {**gone, **{day: _filled(before.get(day), bucket) for day, bucket in now.items()}}


def _filled(before: Bucket | None, now: Bucket) -> Bucket:
    if before is None or not _agree(before.rows, now.rows) or before.newest != now.newest:
        return now
    return replace(
        now,
        rows=before.rows if now.rows is None else now.rows,
        content=before.content if now.content is None else now.content,
    )


def comparable(before: Buckets, *, contents: bool) -> Buckets:
    """Return what was seen, without contents where these were hashed in another way."""
    return before if contents else {day: replace(bucket, content=None) for day, bucket in before.items()}


def version_of(buckets: Buckets) -> str:
    """Return a version of the rows of an input: another one whenever a fingerprint is another."""
    seen = [f"{day} {b.rows} {b.newest} {b.content}" for day, b in sorted(buckets.items()) if b != EMPTY]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]
