"""From pongo2's spelling to Jinja2's, inside template marks only; line breaks stay where they are.

``&&``, ``||``, ``!``, ``nil``, ``null``, ``elseif``, ``empty``, ``forloop``, ``verbatim`` and ``comment`` are
respelled. Text outside of marks and string literals is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NOT = "pongo_not"
"""The name that stands for the prefix operator ``!``, which binds tighter than the word ``not``."""

_MARK = re.compile(r"\{\{|\{%|\{#")
_LITERAL_TAG = re.compile(r"\{%-?\s*(raw|verbatim|comment)\s*-?%\}")
_CODE = re.compile(
    r"""
      "(?:[^"\\]|\\.)*(?:"|\\?\Z) | '(?:[^'\\]|\\.)*(?:'|\\?\Z)    # strings; an open one runs to the end
    | && | \|\| | != | ! | -?%\} | -?\}\} | [{}()\[\]]
    | \.\s*[A-Za-z_]\w* | \w+ | \s+ | .
    """,
    re.DOTALL | re.VERBOSE,
)
_RESPELLED = {
    "&&": " and ",
    "||": " or ",
    "!": f" {NOT} ",
    "nil": "none",
    "null": "none",
    "elseif": "elif",
    "forloop": "loop",
}


def has_marks(text: str) -> bool:
    """Return whether there is anything to render in `text`."""
    return "{{" in text or "{%" in text or "{#" in text


def translate(text: str) -> str:
    """Return `text` as Jinja2 understands it, with the same number of lines."""
    pieces: list[str] = []
    end = 0
    for begin, stop, tag in regions(text):
        pieces.append(text[end:begin])
        pieces.append(_respell(text[begin:stop]) if tag is None else _literal(text[begin:stop], tag))
        end = stop
    pieces.append(text[end:])
    return "".join(pieces)


def code_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end offsets of every ``{{ }}`` and ``{% %}`` in `text`, marks included."""
    return ((begin, end) for begin, end, tag in regions(text) if tag is None)


def regions(text: str) -> Iterator[tuple[int, int, str | None]]:
    """Yield (begin, end, tag) of marks in order: code has tag None. Ends at a mark that is never closed."""
    position = 0
    while (mark := _MARK.search(text, position)) is not None:
        begin = mark.start()
        literal = _LITERAL_TAG.match(text, begin)
        if mark.group() == "{#":
            end, tag = _after(text, "#}", begin + 2), "#"
        elif literal:
            tag = literal.group(1)
            closing = re.compile(rf"\{{%-?\s*end{tag}\s*-?%\}}").search(text, literal.end())
            end = closing.end() if closing else -1
        else:
            end, tag = _code_end(text, begin), None
        if end < 0:
            return
        yield begin, end, tag
        position = end


def _after(text: str, closing: str, start: int) -> int:
    found = text.find(closing, start)
    return found + len(closing) if found >= 0 else -1


def _code_end(text: str, begin: int) -> int:
    """Return the offset after the mark that closes the one at `begin`; the end of the text when none does."""
    closing = "}}" if text[begin + 1] == "{" else "%}"
    depth = 0
    position = begin + 2
    while (token := _CODE.match(text, position)) is not None:
        word = token.group()
        if depth == 0 and word.endswith(closing) and word[0] not in "\"'":
            return token.end()
        position = token.end()
        if word in "{([":
            depth += 1
        elif word in "})]":
            depth = max(depth - 1, 0)
        elif word.endswith("}}") and word[0] not in "\"'":  # the first brace ends a mapping, the next may end the mark
            depth -= 1
            position -= 1
    return len(text)


def _respell(code: str) -> str:
    if re.fullmatch(r"\{%-?\s*empty\s*-?%\}", code):
        return code.replace("empty", "else")
    return code[:2] + _CODE.sub(lambda token: _RESPELLED.get(token.group(), token.group()), code[2:])


def _literal(text: str, tag: str) -> str:
    if tag == "comment":
        return "{#" + "\n" * text.count("\n") + "#}"
    return re.sub(r"(\{%-?\s*(?:end)?)verbatim\b", r"\1raw", text) if tag == "verbatim" else text
