"""Reads the SQL that users write: text in one dialect becomes trees that mean the same in another.

Every function here returns trees that are already translated (see `meaning`); when source and target are the same
dialect the tree is what the text says. All of them raise ProjectError with code ``sql-syntax``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from profiles_pipeline.errors import TOO_DEEP, ProjectError, Span
from profiles_pipeline.sql import meaning
from profiles_pipeline.sql.columns import NOTHING, Known
from profiles_pipeline.sql.grammars import grammar, others, surely
from profiles_pipeline.sql.rights import why_left_out
from profiles_pipeline.sql.signs import DIALECTS
from profiles_pipeline.sql.syntax import drop_final_semicolons, enclose, refuse, refuse_at, refuse_flaws, tokenize

WHOLE_PARTITION = exp.WindowSpec(
    kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="UNBOUNDED", end_side="FOLLOWING"
)

MOST_LEVELS = 400
"""Deepest nesting of SQL; warehouses and this program give up not far beyond."""

READ_AS = "read_as"
"""In the meta of a tree: the dialect its text was read in, where that is not the project's."""

_FINAL = ("sql-untranslatable", "unknown-unit")
"""What is wrong with a text that is surely in the dialect it was read in."""

_STUMBLES = (AttributeError, IndexError, KeyError, TypeError, ValueError, ParseError)
"""What comes of calls with fewer or other arguments than the parser of the dialect, or what follows it, counts on."""

Tree = TypeVar("Tree", bound=exp.Expr)


@dataclass(frozen=True, slots=True)
class Reading:
    """The dialect a text is written in and the one it will run in, by their sqlglot names.

    Attributes:
        borrowed: whether a text of a project in another dialect is read as one of `source`, names quoted as there.
        known: the types of what comes from outside the text.
    """

    source: str = "snowflake"
    target: str = "duckdb"
    borrowed: bool = False
    known: Known = NOTHING

    @property
    def grammar(self) -> Dialect:
        """What splits and parses the text."""
        return grammar(self.source, self.borrowed)


def _in_any_dialect(text: str, read: Callable[[Reading], Tree], reading: Reading) -> Tree:
    """Return what `read` makes of `text`. What is not valid in the project's dialect but in another one of the format
    means what it means there, since authors take texts from each other's projects."""
    if reading.source not in DIALECTS:
        return read(reading)
    for source in surely(text) if reading.source == "snowflake" else ():
        with suppress(ProjectError):
            return _borrowed(read, reading, source)
    try:
        return read(reading)
    except ProjectError as error:
        if any(problem.code in _FINAL for problem in error.problems):
            raise
        for source in others(text, reading.source):
            with suppress(ProjectError):
                return _borrowed(read, reading, source)
        raise


def _borrowed(read: Callable[[Reading], Tree], reading: Reading, source: str) -> Tree:
    tree = read(replace(reading, source=source, borrowed=True))
    tree.meta[READ_AS] = source
    return tree


def parse_expression(text: str, reading: Reading, span: Span | None = None, what: str = "expression") -> exp.Expr:
    """Return the value expression that `text` is."""

    def read(reading: Reading) -> exp.Expr:
        tokens = _tokens(text, reading, span, what)
        with _telling_calls(text, reading, span, what):
            return _translated(_parse(_expression, tokens, text, reading, span, what), reading)

    return _in_any_dialect(text, read, reading)


def parse_expressions(text: str, reading: Reading, span: Span | None = None, what: str = "list") -> list[exp.Expr]:
    """Return the expressions of a comma-separated list such as ``a, lower(b)``."""
    tokens = enclose("COALESCE(", _tokens(text, reading, span, what), ")", reading.grammar, text)
    with _telling_calls(text, reading, span, what):
        parsed = _parse(_expression, tokens, text, reading, span, what)
        items = [item for item in (parsed.this, *parsed.expressions) if isinstance(item, exp.Expr)]
        return [_translated(item.pop(), reading) for item in items]


def parse_condition(text: str, reading: Reading, span: Span | None = None, what: str = "condition") -> exp.Expr:
    """Return the condition that `text` is."""
    return parse_expression(text, reading, span, what)


def parse_query(text: str, reading: Reading, span: Span | None = None, what: str = "query") -> exp.Query:
    """Return the one query of `text`: ``select``, ``with``, a query in brackets, or common table expressions that
    begin with a comma (``, a as (...) select ...``)."""

    def read(reading: Reading) -> exp.Query:
        with _telling_calls(text, reading, span, what):
            return _query(text, reading, span, what)

    return _in_any_dialect(text, read, reading)


def _query(text: str, reading: Reading, span: Span | None, what: str) -> exp.Query:
    tokens = _tokens(text, reading, span, what)
    first = tokens[0]
    if first.token_type == TokenType.COMMA:
        tokens[0] = Token(TokenType.WITH, "WITH", line=first.line, col=first.col, start=first.start, end=first.end)
    later = next((token for token in tokens if token.token_type == TokenType.SEMICOLON), None)
    if later is not None:
        refuse_at(text, span, later, f"{what} must be one statement", "several statements belong into multi_sql")
    query = _parse(Parser._parse_statement, tokens, text, reading, span, what)
    while isinstance(query, exp.Subquery) and not _modified(query):
        query = query.this
    if not isinstance(query, exp.Query):
        refuse_at(text, span, first, f"{what} is not a query: expected SELECT or WITH at '{first.text}'")
    return _translated(query, reading)


def parse_statements(text: str, reading: Reading, span: Span | None = None, what: str = "statements") -> list[exp.Expr]:
    """Return the statements of `text`, in order. A statement sqlglot does not know is kept word for word when source
    and target are the same dialect, or the target has no use for it, and refused otherwise."""
    with _telling_calls(text, reading, span, what):
        return list(_statements(text, reading, span, what))


def _statements(text: str, reading: Reading, span: Span | None, what: str) -> Iterator[exp.Expr]:
    for tokens in _split(_tokens(text, reading, span, what)):
        tree = _parse(Parser._parse_statement, tokens, text, reading, span, what)
        if isinstance(tree, exp.Command) and why_left_out(tree, reading.target):
            yield tree
            continue
        if isinstance(tree, exp.Command) and reading.source != reading.target:
            refuse_at(text, span, tokens[0], f"cannot translate the statement to {reading.target}")
        yield _translated(tree, reading)


def parse_order_by(
    items: Sequence[str], reading: Reading, span: Span | None = None, what: str = "order_by"
) -> tuple[list[exp.Ordered], exp.WindowSpec | None]:
    """Return the sort keys of a window and the frame that an item may end with. The last frame wins."""
    keys: list[exp.Ordered] = []
    frame: exp.WindowSpec | None = None
    for item in items:
        with _telling_calls(item, reading, span, what):
            window = _parse_window("ORDER BY ", item, reading, span, what)
            keys += [_translated(key, reading) for key in window.args["order"].expressions]
        frame = _normal_frame(window.args.get("spec"), item, span, what) or frame
    return keys, frame


def parse_frame(text: str, reading: Reading = Reading(), span: Span | None = None) -> exp.WindowSpec:
    """Return a window frame such as ``rows between unbounded preceding and current row``."""
    what = "frame clause"
    window = _parse_window("", text, reading, span, what)
    frame = _normal_frame(window.args.get("spec"), text, span, what)
    if frame is None or window.args.get("order") or window.args.get("partition_by"):
        refuse_at(text, span, None, f"{what} is not valid SQL: expected ROWS or RANGE and its bounds")
    return frame


def default_frame(function: exp.Expr, reading: Reading) -> exp.WindowSpec | None:
    """Return the frame that the source gives an ordered window of `function` when none is written, or None when it is
    the standard one."""
    value = function.this if isinstance(function, (exp.IgnoreNulls, exp.RespectNulls)) else function
    whole = isinstance(value, (exp.FirstValue, exp.LastValue, exp.NthValue))
    return WHOLE_PARTITION.copy() if whole and reading.source == "snowflake" else None


def _translated(tree: Tree, reading: Reading) -> Tree:
    return meaning.translate(tree, reading.source, reading.target, reading.known)


@contextmanager
def _telling_calls(text: str, reading: Reading, span: Span | None, what: str) -> Iterator[None]:
    """Tell of the call in `text` over which its reader stumbles."""
    try:
        yield
    except _STUMBLES:
        call = _stumbled_over(text, reading, span, what)
        told = f": '{call.text}' does not take what it is called with" if call else ""
        refuse_at(text, span, call, f"{what} is not valid SQL{told}")


def _stumbled_over(text: str, reading: Reading, span: Span | None, what: str) -> Token | None:
    """Return the name of the innermost call that cannot be read by itself, the last one where there are several."""
    tokens = _tokens(text, reading, span, what)
    guilty = None
    for start, (name, opening) in enumerate(pairwise(tokens)):
        if opening.token_type == TokenType.L_PAREN and name.text[:1].isalpha():
            with suppress(ProjectError):
                call = tokens[start : _end(tokens, start + 1)]
                guilty = name if _stumbles(call, text, reading, span, what) else guilty
    return guilty


def _stumbles(call: list[Token], text: str, reading: Reading, span: Span | None, what: str) -> bool:
    try:
        _translated(_parse(_expression, call, text, reading, span, what), reading)
    except _STUMBLES:
        return True
    return False


def _end(tokens: Sequence[Token], opening: int) -> int:
    """Return where what follows the bracket begins that closes the one at `opening`."""
    depth = 0
    for place in range(opening, len(tokens)):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[place].token_type, 0)
        if depth == 0:
            return place + 1
    return len(tokens)


def _parse_window(prefix: str, text: str, reading: Reading, span: Span | None, what: str) -> exp.Window:
    tokens = enclose(f"COUNT(*) OVER ({prefix}", _tokens(text, reading, span, what), ")", reading.grammar, text)
    window = _parse(_expression, tokens, text, reading, span, what)
    if not isinstance(window, exp.Window):
        refuse_at(text, span, None, f"{what} is not valid SQL")
    return window


def _tokens(text: str, reading: Reading, span: Span | None, what: str) -> list[Token]:
    tokens = drop_final_semicolons(tokenize(text, reading.grammar, span, what))
    if not tokens:
        refuse_at(text, span, None, f"{what} is empty")
    return tokens


def _parse(
    method: Callable[[Parser], exp.Expr | None],
    tokens: list[Token],
    text: str,
    reading: Reading,
    span: Span | None,
    what: str,
) -> exp.Expr:
    parser = reading.grammar.parser()
    try:
        trees = parser._parse(method, tokens, text)
    except ParseError as error:
        refuse(text, span, error, what)
    except RecursionError:
        refuse_at(text, span, None, f"{what} is not accepted: {TOO_DEEP}")
    refuse_flaws(tokens, text, span, what)
    if len(tokens) > MOST_LEVELS and any(_deeper(tree, MOST_LEVELS) for tree in trees if tree is not None):
        refuse_at(text, span, None, f"{what} is not accepted: {TOO_DEEP}")
    tree = trees[0]
    if tree is None:
        refuse_at(text, span, tokens[0], f"{what} is not valid SQL: did not expect '{tokens[0].text}'")
    return tree


def _deeper(tree: exp.Expr, levels: int) -> bool:
    """Return whether a tree has more than so many levels."""
    level = [tree]
    while level and levels:
        level, levels = [child for node in level for child in node.iter_expressions()], levels - 1
    return bool(level)


def _expression(parser: Parser) -> exp.Expr | None:
    return parser._parse_disjunction()


def _split(tokens: list[Token]) -> list[list[Token]]:
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            statements.append([])
        else:
            statements[-1].append(token)
    return [statement for statement in statements if statement]


def _modified(query: exp.Subquery) -> bool:
    return any(value for key, value in query.args.items() if key != "this")


def _normal_frame(spec: exp.WindowSpec | None, text: str, span: Span | None, what: str) -> exp.WindowSpec | None:
    if spec is None:
        return None
    for key in ("kind", "start", "start_side", "end", "end_side"):
        value = spec.args.get(key)
        if isinstance(value, str):
            spec.set(key, value.upper())
    start, end = spec.args.get("start"), spec.args.get("end")
    sides = spec.args.get("start_side"), spec.args.get("end_side")
    for bound, side in zip((start, end), sides, strict=True):
        if bound != "CURRENT ROW" and bound is not None and side is None:
            refuse_at(text, span, None, f"{what} is not valid SQL: expected PRECEDING or FOLLOWING after the bound")
    if start is None:
        refuse_at(text, span, None, f"{what} is not valid SQL: expected bounds after {spec.args.get('kind')}")
    return spec.pop()
