"""How an engine says what the canonical dialect says, behind one record for every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.generator import Generator
from sqlglot.tokenizer_core import TokenType

from profiles_pipeline.dialects.rewriting import Rewrite
from profiles_pipeline.errors import WarehouseError


def _no_statements(_: str) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Spoken:
    """How an engine says what the canonical dialect says.

    Attributes:
        people_say: the name of the engine, for people.
        rewrite: returns a tree of the canonical dialect as one of the engine; changes it in place.
        rewrites: what it is made of, for people.
        text: writes trees of the engine.
        canonical_type: returns a type, as the engine names it, in the canonical spelling.
        helpers: returns what has to be run once in a schema before rendered SQL can be.
        keeps_relations: names of relations are written as they stand, those of columns are not.
        calls: upper-case names of all that may stand before a parenthesis; None where the engine itself is asked.
    """

    people_say: str
    rewrite: Callable[[exp.Expr], exp.Expr]
    rewrites: tuple[Rewrite, ...]
    text: type[Generator]
    canonical_type: Callable[[str], str] = str
    helpers: Callable[[str], tuple[str, ...]] = _no_statements
    keeps_relations: bool = False
    calls: frozenset[str] | None = None


def refuse(people_say: str, what: str) -> NoReturn:
    """Refuse a construct for which nothing stands in an engine.

    Raises:
        WarehouseError: always.
    """
    raise WarehouseError(f"cannot be said in {people_say}: nothing there stands for {what}")


def said_format(given: exp.Expr, said: Callable[[str], str | None], people_say: str) -> exp.Expr:
    """Return a format of times as an engine has it.

    Args:
        given: the format of strftime.
        said: returns a format that is written out as one of the engine; None for one that it does not know.
        people_say: the name of the engine, for people.

    Raises:
        WarehouseError: it is computed, or the engine does not know it.
    """
    wanted = said(given.name) if isinstance(given, exp.Literal) else None
    if wanted is None:
        refuse(people_say, f"the format of times {given.name}")
    return exp.Literal.string(wanted)


@cache
def spoken(dialect: str) -> Spoken | None:
    """Return how an engine speaks; None for the canonical dialect. Loads no other engine."""
    if dialect == "duckdb":
        return None
    found: Spoken = import_module(f"profiles_pipeline.dialects.{dialect}").SPOKEN
    return found


def unknown_calls(text: str, dialect: str, known: frozenset[str]) -> Iterator[str]:
    """Yield the upper-case names that stand before a parenthesis in a text, without quotes, and are not known."""
    tokens = Dialect.get_or_raise(dialect).tokenize(text)
    for word, following in pairwise(tokens):
        named = word.token_type not in (TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER)
        if following.token_type == TokenType.L_PAREN and named and word.text.replace("_", "a").isalnum():
            name = word.text.upper()
            if name not in known:
                yield name


def named(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())
