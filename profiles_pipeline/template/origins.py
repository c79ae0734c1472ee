"""Where the characters of a rendered text come from.

Only asked for when something is wrong: the template is rendered once more, with marks in it that say where each piece
of text stands. Marks can change what a template does, say when it compares texts; then the places are not known.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from profiles_pipeline.errors import ProjectError, Span
from profiles_pipeline.places import Origin, origin_of, place_at
from profiles_pipeline.template.translation import code_spans, regions

_MARK = re.compile("\ue000([0-9]+):([0-9]+):([01])\ue001")


@dataclass(frozen=True, slots=True)
class _Piece:
    """From `start` in the rendered text on: text number `text` from `offset` on, or all of it made at `offset`."""

    start: int
    text: int
    offset: int
    copied: bool


class Marks:
    """Marks texts that are about to be rendered."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str | None]] = []

    def marked(self, text: str, macro: str | None) -> str:
        """Return a template with a mark before each literal piece and each ``{{``."""
        number = len(self.texts)
        self.texts.append((text, macro))
        pieces: list[str] = []
        end = 0
        for begin, stop, tag in regions(text):
            pieces.append(self._literal(number, text, end, begin))
            if tag is None and text.startswith("{{", begin):
                blank = _blank_end(pieces[-1]) if text.startswith("{{-", begin) else ""
                pieces[-1] = pieces[-1].removesuffix(blank)
                pieces += [f"\ue000{number}:{begin}:0\ue001", blank]
            pieces.append(text[begin:stop])
            end = stop
        pieces.append(self._literal(number, text, end, len(text)))
        return "".join(pieces)

    def _literal(self, number: int, text: str, begin: int, end: int) -> str:
        piece = text[begin:end]
        rest = piece.lstrip()
        blank = len(piece) - len(rest)
        return f"{piece[:blank]}\ue000{number}:{begin + blank}:1\ue001{rest}" if rest else piece


def _blank_end(piece: str) -> str:
    """Return the blanks at the end of a piece, which ``{{-`` takes away."""
    return piece[len(piece.rstrip()) :]


class Written(str):
    """A text made by a template; asked for the origin of a character, it finds out."""

    source: str
    _again: Callable[[Marks], str]
    _pieces: list[_Piece] | None
    _texts: list[tuple[str, str | None]]

    def __new__(cls, text: str, source: str, again: Callable[[Marks], str]) -> Written:
        """Return `text`, which `source` was rendered to; `again` renders it with marks."""
        written = super().__new__(cls, text)
        written.source, written._again, written._pieces, written._texts = source, again, None, []
        return written

    def origin(self, offset: int) -> Origin:
        """Return where a character comes from; the template as a whole when that cannot be found out."""
        if self._pieces is None:
            self._pieces = self._traced()
        number = bisect_right(self._pieces, offset, key=lambda piece: piece.start) - 1
        if number < 0:
            return Origin(self.source, None)
        piece = self._pieces[number]
        text, macro = self._texts[piece.text]
        place = min(piece.offset + (offset - piece.start if piece.copied else 0), len(text))
        call = next((p for p in reversed(self._pieces[: number + 1]) if p.text == 0), None) if piece.text else None
        return Origin(text, place, macro, Origin(self.source, call.offset).span if call else None)

    def _traced(self) -> list[_Piece]:
        marks = Marks()
        try:
            marked = self._again(marks)
        except ProjectError:
            return []
        pieces: list[_Piece] = []
        removed = 0
        for match in _MARK.finditer(marked):
            pieces.append(_Piece(match.start() - removed, int(match[1]), int(match[2]), match[3] == "1"))
            removed += len(match[0])
        self._texts = marks.texts
        return pieces if _MARK.sub("", marked) == self else []


def place_of(text: str, target: str) -> Span | None:
    """Return where a template names a model, var or macro, given as the path that was made of it.

    `text` is the template or what it was rendered to. None when no place can be told.
    """
    source: str = getattr(text, "source", text)
    name = target.partition("?")[0].rpartition("/")[2]
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    for begin, end in code_spans(source):
        if found := word.search(source, begin, end):
            return place_at(source, found.start())
    printed = text.lower().find(f":{target}")
    return origin_of(text, printed).span if printed >= 0 else None
