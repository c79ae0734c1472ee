"""LIKE where a backslash in a pattern takes away a meaning, and SUBSTRING where no place is counted from the end."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.kinds import whole_number
from profiles_pipeline.dialects.rewriting import call
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build


def like(node: exp.Expr) -> exp.Expr:
    """LIKE and ILIKE without ESCAPE: a backslash in the pattern is one of the text."""
    pattern = node.expression
    if isinstance(node.parent, exp.Escape):
        return node
    if isinstance(pattern, exp.Literal):
        node.set("expression", exp.Literal.string(pattern.name.replace("\\", "\\\\")))
    else:
        backslashes = (exp.Literal.string("\\" * count) for count in (1, 2))
        node.set("expression", call("REPLACE", pattern.copy(), *backslashes))
    return node


def with_backslashes(node: exp.Expr) -> exp.Expr:
    """LIKE ... ESCAPE c, for an engine that has no other character to escape by.

    Raises:
        WarehouseError: the pattern is computed.
    """
    test, mark = node.this, node.expression.name
    if not isinstance(test, exp.Like | exp.ILike):
        return node
    if not isinstance(test.expression, exp.Literal):
        refuse("BigQuery", "LIKE with a computed pattern and ESCAPE")
    pattern, said, position = test.expression.name, "", 0
    while position < len(pattern):
        escaped = mark != "" and pattern.startswith(mark, position)
        position += len(mark) if escaped else 0
        character = pattern[position : position + 1]
        said += f"\\{character}" if character == "\\" or (escaped and character in "%_") else character
        position += 1
    test.set("expression", exp.Literal.string(said))
    return test


def place_from_start(node: exp.Expr, place: exp.Expr) -> exp.Expr:
    """Return the place of SUBSTRING counted from the first character on; it may be before that."""
    known = whole_number(place)
    if known is not None and known < 0:
        return build("LENGTH(:x) - :n", x=node.this, n=exp.convert(-known - 1))
    return build("CASE WHEN :n < 0 THEN LENGTH(:x) + 1 + :n ELSE :n END", n=place, x=node.this)
