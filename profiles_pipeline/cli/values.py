"""Reads the values of command line options. Text in, values out; what does not fit is a ProjectError."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from profiles_pipeline.errors import fail

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:?\d{2})?)?")
_UNIX = re.compile(r"(0|\d{9,10})(\.\d{1,6})?")
_MILLISECONDS = re.compile(r"\d{12,13}")
_BARE_DATE = re.compile(r"(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_TIME_HINT = (
    "write 2023-01-02, 2023-01-02T12:00:00Z, 2023-01-02T12:00:00+02:00 (no zone means UTC), "
    "or unix seconds such as 1672660800"
)


def moment(text: str, option: str) -> datetime:
    """Return the moment that `text` says, in UTC. A date alone is its midnight, a plain number unix seconds.

    Numbers that are more likely a year, a day or milliseconds are refused, 0 is not.
    """
    cleaned = text.strip()
    try:
        if _UNIX.fullmatch(cleaned):
            return datetime.fromtimestamp(float(cleaned), UTC)
        if _ISO.fullmatch(cleaned):
            found = datetime.fromisoformat(cleaned.upper().replace(" ", "T"))
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError as error:
        fail("bad-time", f"{option}: '{text}' is no moment: {error}", hint=_TIME_HINT)
    near = _meant(cleaned)
    hint = f"did you mean {near}? {_TIME_HINT}" if near else _TIME_HINT
    fail("bad-time", f"{option}: '{text}' is neither a date, nor a time, nor unix seconds", hint=hint)


def _meant(text: str) -> str | None:
    """Return the time that a text in a form that is not accepted seems to mean, in one that is."""
    if _MILLISECONDS.fullmatch(text):
        return text[:-3]
    if date := _BARE_DATE.fullmatch(text):
        return "-".join(part.zfill(2) for part in date.groups())
    return None


def duration(text: str, option: str) -> timedelta:
    """Return the length of time that a text such as ``45m`` or ``1h30m`` says."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        fail(
            "bad-duration",
            f"{option}: '{text}' is no duration",
            hint="write days, hours, minutes, seconds: 45m, 1h30m, 2d",
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    try:
        found = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        datetime.now(UTC) - found
    except OverflowError:
        fail("bad-duration", f"{option}: '{text}' reaches back to before the year 1", hint="write a shorter one: 90d")
    return found


def seq_no(text: str | None) -> int | Literal["latest", "new"] | None:
    """Return the time context that an option names: a number, ``latest``, ``new``, or None."""
    if text is None:
        return None
    if text.lower() == "latest":
        return "latest"
    if text.lower() == "new":
        return "new"
    if not text.isdecimal() or int(text) == 0:
        fail("bad-seq-no", f"--seq-no: '{text}' is no time context", hint="write a number from 1 on, latest or new")
    return int(text)


def model_refs(texts: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the paths of an option that may be repeated and may list several with commas; None when there are none."""
    paths = [part.strip() for text in texts or () for part in text.split(",")]
    return tuple(dict.fromkeys(path for path in paths if path)) or None
