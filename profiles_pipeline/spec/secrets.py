"""Texts of a site configuration that are never shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, SecretStr


def _as_secret(value: object) -> object:
    return SecretStr(str(getattr(value, "text", value))) if isinstance(value, str | int | float) else value


Secret = Annotated[SecretStr, BeforeValidator(_as_secret)]


def as_secret(text: str) -> SecretStr:
    """Return a text that is never shown."""
    return SecretStr(text)
