"""From an offset in a text to the place in the file that somebody has to look at."""

from __future__ import annotations

import re
from dataclasses import dataclass

from profiles_pipeline.errors import Span

MAX_EXCERPT = 120
SYMBOL = re.compile(r'["`](ref|var|row|rows|rowset|this|member):([^"`]+)["`]')
"""A reference of a template as it stands in rendered SQL."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a text that somebody wrote.

    Attributes:
        text: the whole text; one that knows its place in a file has a ``span``, and ``block`` or ``turns``.
        offset: where in it, counted from 0; None when that is not known.
        macro: name of the macro whose text it is, if it is one.
        call_site: where the outermost macro on the way here is called.
    """

    text: str
    offset: int | None
    macro: str | None = None
    call_site: Span | None = None

    @property
    def span(self) -> Span | None:
        """The place in the file; None when the text does not know where it stands."""
        return place_at(self.text, self.offset or 0)

    @property
    def excerpt(self) -> str | None:
        """The line with a caret under the place."""
        if self.offset is None:
            return None
        line = self.text.count("\n", 0, self.offset) + 1
        return excerpt(self.text, line, self.offset - (self.text.rfind("\n", 0, self.offset) + 1) + 1)

    @property
    def through(self) -> str:
        """Words to put behind a message: the macro it is about and where that is called; empty for none."""
        if self.macro is None:
            return ""
        called = f", called at {self.call_site}" if self.call_site else ""
        return f", in macro '{self.macro}'{called}"

    def template_code(self) -> str | None:
        """The ``{{ ... }}`` that begins here, if one does."""
        if self.offset is None or not self.text.startswith("{{", self.offset):
            return None
        end = self.text.find("}}", self.offset)
        return self.text[self.offset : end + 2] if end > 0 else None


class _Placed(str):
    """A text that begins at a place it was not written at."""

    span: Span
    block: bool


def placed(text: str, span: Span | None) -> str:
    """Return `text` as if it stood at `span`; a rendered text knows better where it comes from."""
    if span is None or hasattr(text, "origin"):
        return text
    moved = _Placed(text)
    moved.span, moved.block = span, getattr(text, "block", False)
    return moved


def origin_of(text: str, offset: int) -> Origin:
    """Return where a character of `text` comes from; of a rendered text, the place in the template."""
    trace = getattr(text, "origin", None)
    found: Origin = trace(offset) if trace else Origin(text, offset)
    return found


def place_at(text: str, offset: int) -> Span | None:
    """Return the place in the file of a character of a text; the text's beginning when no more is known of it."""
    span: Span | None = getattr(text, "span", None)
    if span is None:
        return None
    turns: tuple[tuple[int, int, int], ...] = getattr(text, "turns", ())
    if turns:
        start, line, column = max((turn for turn in turns if turn[0] <= offset), default=(0, span.line, span.column))
        return Span(span.file, line, column + offset - start)
    lines = text.count("\n", 0, offset)
    if lines == 0 and not text.startswith("\n"):
        return Span(span.file, span.line, span.column + offset)
    if not getattr(text, "block", False):
        return span
    above = len(text) - len(text.lstrip("\n"))
    return Span(span.file, span.line + max(0, lines - above), span.column + offset - (text.rfind("\n", 0, offset) + 1))


def offset_at(text: str, line: int, column: int) -> int:
    """Return the offset of a line and column, both counted from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    return min(start + column - 1, len(text))


def excerpt(text: str, line: int, column: int) -> str:
    """Return the line of `text` with a caret under the column."""
    lines = text.split("\n")
    shown = lines[line - 1].expandtabs(1).rstrip() if line <= len(lines) else ""
    cut = max(0, column - MAX_EXCERPT + 20)
    return f"{shown[cut : cut + MAX_EXCERPT]}\n{' ' * (column - 1 - cut)}^"


def readable(text: str) -> str:
    """Return a text with each symbol in it replaced by something like what the user wrote."""
    return SYMBOL.sub(lambda match: _spelt(match[1], match[2]), text)


def _spelt(kind: str, target: str) -> str:
    owner, _, name = target.rpartition("/")
    if kind == "ref":
        return "{{ this }}" if target == "this" else f"{{{{ this.DeRef('{target}') }}}}"
    if kind == "var":
        return f"{{{{ {owner.removesuffix('/all').rpartition('/')[2]}.{name} }}}}"
    if kind == "this":
        return f"{{{{ this.{target} }}}}"
    return name
