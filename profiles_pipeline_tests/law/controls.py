"""Asks whether a history breaks the law while parts of the engine are out of order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from profiles_pipeline.errors import RunError
from profiles_pipeline_tests.law.check import Judge, LawBrokenError, check
from profiles_pipeline_tests.law.kept import FORGETFUL, HISTORIES

Patch = Callable[[pytest.MonkeyPatch], None]
"""Puts a part of the engine out of order."""


def is_broken(name: str, *patches: Patch, judge: Judge = "rebuild") -> bool:
    """True when a kept history breaks the law before a judge, after whichever run, or a check of the engine itself
    finds that it would; rebuilds are not patched.
    """

    @contextmanager
    def patched() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            for patch in patches:
                patch(monkeypatch)
            yield

    try:
        check((HISTORIES | FORGETFUL)[name], every_run=True, patched=patched, judges=(judge,))
    except LawBrokenError:
        return True
    except RunError as error:
        if error.checks:
            return True
        raise
    return False
