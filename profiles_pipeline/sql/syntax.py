"""Tokens and syntax errors: what stands between a SQL text and the parser.

Turns the parser's complaints into problems that point at the place in the YAML the text came from.
"""

from __future__ import annotations

import re
from typing import NoReturn

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from profiles_pipeline.errors import Problem, ProjectError, Span

MAX_EXCERPT = 120


def tokenize(text: str, dialect: str, span: Span | None, what: str) -> list[Token]:
    """Return the tokens of `text` without comments. Raises ProjectError where a quote or a comment never ends."""
    try:
        tokens = list(Dialect.get_or_raise(dialect).tokenize(text))
    except TokenError as error:
        line, column = _unfinished(text, error)
        _fail(text, span, line, column, f"{what} is not valid SQL: expected the quote or comment to end")
    for token in tokens:
        token.comments.clear()
    return tokens


def drop_final_semicolons(tokens: list[Token]) -> list[Token]:
    """Return the tokens without the semicolons at their end."""
    end = len(tokens)
    while end and tokens[end - 1].token_type == TokenType.SEMICOLON:
        end -= 1
    return tokens[:end]


def enclose(prefix: str, tokens: list[Token], suffix: str, dialect: str, text: str) -> list[Token]:
    """Return `tokens` of `text` between those of two fixed texts; the closing ones stand at the end of `text`."""
    engine = Dialect.get_or_raise(dialect)
    line = text.count("\n") + 1
    column = len(text) - (text.rfind("\n") + 1) + 1
    closing = [
        Token(token.token_type, token.text, line=line, col=column, start=len(text), end=len(text))
        for token in engine.tokenize(suffix)
    ]
    return [*engine.tokenize(prefix), *tokens, *closing]


def refuse(text: str, span: Span | None, error: ParseError, what: str) -> NoReturn:
    """Raise ProjectError for a parse error: what was expected, and where."""
    found = error.errors[0] if error.errors else {}
    highlight = str(found.get("highlight") or "")
    line = int(found.get("line") or 1)
    column = max(1, int(found.get("col") or 1) - max(0, len(highlight) - 1))
    _fail(text, span, line, column, f"{what} is not valid SQL: {_expectation(found.get('description'), highlight)}")


def refuse_at(text: str, span: Span | None, token: Token | None, message: str, hint: str | None = None) -> NoReturn:
    """Raise ProjectError at a token of `text`, or at its start when there is no token."""
    line, column = (token.line, token.col - len(token.text) + 1) if token else (1, 1)
    _fail(text, span, line, column, message, hint)


def place(text: str, span: Span | None, line: int, column: int) -> Span | None:
    """Return the place in the file of a line and column of `text`, or the start of the text when no more is known."""
    span = span or getattr(text, "span", None)
    if span is None:
        return None
    if getattr(text, "block", False) or "\n" not in text.rstrip():
        return Span(span.file, span.line + line - 1, span.column + column - 1)
    return span


def excerpt(text: str, line: int, column: int) -> str:
    """Return the line of `text` with a caret under the column."""
    lines = text.split("\n")
    shown = lines[line - 1].expandtabs(1).rstrip() if line <= len(lines) else ""
    cut = max(0, column - MAX_EXCERPT + 20)
    return f"{shown[cut : cut + MAX_EXCERPT]}\n{' ' * (column - 1 - cut)}^"


def _fail(text: str, span: Span | None, line: int, column: int, message: str, hint: str | None = None) -> NoReturn:
    problem = Problem("sql-syntax", message, place(text, span, line, column), hint, excerpt(text, line, column))
    raise ProjectError([problem]) from None


def _expectation(description: object, highlight: str) -> str:
    said = str(description or "")
    unexpected = f"'{highlight}'" if highlight else "the end"
    if match := re.fullmatch(r"Expect(?:ing|ed) (.+?)( but got .*)?", said, re.DOTALL):
        wanted = match[1]
        return f"expected {wanted if ' ' in wanted else repr(wanted)} at {unexpected}"
    if said.startswith("Required argument"):
        return f"expected a value at {unexpected}"
    if highlight and not re.search(r"\w", highlight):
        return f"expected more after {unexpected}, or something else"
    return f"did not expect {unexpected}"


def _unfinished(text: str, error: TokenError) -> tuple[int, int]:
    """Return line and column of the quote or comment that never ends; the tokenizer tells the offset of quotes only."""
    match = re.search(r"Missing .+? from \d+:(\d+)", str(error.__cause__ or ""), re.DOTALL)
    offset = int(match[1]) if match else max(0, text.rfind("/*"))
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
