"""Tokens and syntax errors: what stands between a SQL text and the parser.

Turns the parser's complaints into problems that point at the place in the YAML the text came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NoReturn

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from profiles_pipeline.errors import Problem, ProjectError, Span
from profiles_pipeline.places import SYMBOL, excerpt, offset_at, origin_of, placed, readable

_CLOSING = {TokenType.L_PAREN: TokenType.R_PAREN, TokenType.L_BRACKET: TokenType.R_BRACKET}
_ANGLES = (TokenType.LT, TokenType.GT)
_EMPTY = {
    (TokenType.SELECT, TokenType.FROM),
    (TokenType.SELECT, None),
    (TokenType.COMMA, TokenType.COMMA),
    (TokenType.COLON, TokenType.COLON),
    (TokenType.FROM, TokenType.FROM),
    (TokenType.FROM, TokenType.WHERE),
    (TokenType.ALIAS, None),
}


def tokenize(text: str, dialect: str | Dialect, span: Span | None, what: str) -> list[Token]:
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


def enclose(prefix: str, tokens: list[Token], suffix: str, dialect: str | Dialect, text: str) -> list[Token]:
    """Return `tokens` of `text` between those of two fixed texts; the closing ones stand at the end of `text`."""
    engine = Dialect.get_or_raise(dialect)
    line = text.count("\n") + 1
    column = len(text) - (text.rfind("\n") + 1) + 1
    closing = [
        Token(token.token_type, token.text, line=line, col=column, start=len(text), end=len(text))
        for token in engine.tokenize(suffix)
    ]
    return [*engine.tokenize(prefix), *tokens, *closing]


def refuse_flaws(tokens: Sequence[Token], text: str, span: Span | None, what: str) -> None:
    """Raise ProjectError for what sqlglot's parser overlooks: brackets left open, nothing where something must be."""
    open_brackets: list[Token] = []
    torn = list(_torn_shifts(tokens))
    for token, following in zip_longest(tokens, tokens[1:]):
        if token.token_type in _CLOSING:
            open_brackets.append(token)
        elif open_brackets and token.token_type == _CLOSING[open_brackets[-1].token_type]:
            open_brackets.pop()
        if (token.token_type, following.token_type if following else None) in _EMPTY or token in torn:
            found = f"'{following.text}'" if following else "the end"
            message = f"{what} is not valid SQL: expected something between '{token.text}' and {found}"
            refuse_at(text, span, following or token, message)
    if open_brackets:
        closing = {"(": ")", "[": "]"}[open_brackets[-1].text]
        refuse_at(text, span, open_brackets[-1], f"{what} is not valid SQL: expected a '{closing}' for this bracket")


def _torn_shifts(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the first sign of every ``> >`` and ``< <``, which sqlglot would take for ``>>`` and ``<<``.

    The signs around the types of a type, as in ``array<array<int> >``, are brackets.
    """
    open_types = 0
    for before, token, following in zip((None, *tokens), tokens, tokens[1:], strict=False):
        if token.token_type == TokenType.LT and before and before.token_type in Parser.NESTED_TYPE_TOKENS:
            open_types += 1
        elif token.token_type == TokenType.GT and open_types:
            open_types -= 1
        elif token.token_type in _ANGLES and token.token_type == following.token_type:
            yield from (token,) if following.start > token.end + 1 else ()


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
    _fail(text, span, line, max(1, column), message, hint)


def _fail(text: str, span: Span | None, line: int, column: int, message: str, hint: str | None = None) -> NoReturn:
    origin = origin_of(placed(text, span), offset_at(text, line, column))
    code = origin.template_code()
    said = readable(SYMBOL.sub(lambda match: code or match[0], message)) + origin.through
    shown = origin.excerpt or readable(excerpt(text, line, column))
    raise ProjectError([Problem("sql-syntax", said, origin.span or span, hint, shown)]) from None


def _expectation(description: object, highlight: str) -> str:
    said = str(description or "")
    unexpected = f"'{highlight}'" if highlight else "the end"
    if match := re.fullmatch(r"Expect(?:ing|ed) (.+?)( but got .*)?", said, re.DOTALL):
        wanted = match[1]
        return f"expected {wanted if ' ' in wanted else repr(wanted)} at {unexpected}"
    if said.startswith("Required argument") or (said.startswith("Required") and highlight == ")"):
        return f"expected a value at {unexpected}"
    if highlight and not re.search(r"\w", highlight):
        return f"expected more after {unexpected}, or something else"
    return f"did not expect {unexpected}"


def _unfinished(text: str, error: TokenError) -> tuple[int, int]:
    """Return line and column of the quote or comment that never ends; the tokenizer tells the offset of quotes only."""
    match = re.search(r"Missing .+? from \d+:(\d+)", str(error.__cause__ or ""), re.DOTALL)
    offset = int(match[1]) if match else max(0, text.rfind("/*"))
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
