"""Cases and lengths of names. Engines take ASCII letters for the same regardless of case, and no others."""

from __future__ import annotations

import hashlib
from string import ascii_lowercase, ascii_uppercase

_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def upper_case(name: str) -> str:
    """Return a name with its ASCII letters in upper case."""
    return name.translate(_UPPER)


def lower_case(name: str) -> str:
    """Return a name with its ASCII letters in lower case."""
    return name.translate(_LOWER)


def fitted(name: str, longest: int) -> str:
    """Return `name` if it has at most so many bytes, else its beginning and a hash of the whole.

    An engine refuses a name that is too long, or cuts it off and takes two names for one.
    """
    if len(name.encode()) <= longest:
        return name
    tail = hashlib.sha256(name.encode()).hexdigest()[:12]
    return name.encode()[: longest - 1 - len(tail)].decode(errors="ignore") + "_" + tail
