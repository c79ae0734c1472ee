"""Statements about roles, rights and sessions, which a warehouse without any of these has no use for."""

from __future__ import annotations

from sqlglot import exp

_WITHOUT_ROLES = frozenset({"duckdb"})


def means_nothing(statement: exp.Expr, target: str) -> bool:
    """Return whether a statement is about roles, rights or the session, and the target dialect has none of them."""
    if target not in _WITHOUT_ROLES:
        return False
    of_session = isinstance(statement, exp.Alter) and statement.args.get("kind") == "SESSION"
    return of_session or isinstance(statement, exp.Grant | exp.Revoke | exp.Use)
