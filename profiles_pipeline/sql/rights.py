"""Statements that an embedded warehouse has no use for: about roles, sessions, layout of rows, other databases."""

from __future__ import annotations

import re

from sqlglot import exp

_EMBEDDED = frozenset({"duckdb"})

_LAYOUT = (exp.ClusterProperty, exp.AlterSet)
_COMMANDS = (
    (re.compile(r"call\b"), "has no procedures to call"),
    (re.compile(r"(?:execute|alter)\s+task\b"), "has no tasks"),
    (
        re.compile(r"(?:grant|revoke)\b|alter\s.*\bowner\s+to\b"),
        "has no roles, rights or sessions to alter",
    ),
    (re.compile(r"alter\s+(?:warehouse|account|user|role|session)\b"), "has no roles, rights or sessions to alter"),
    (re.compile(r"(?:optimize|vacuum)\b"), "keeps its tables in order by itself"),
    (
        re.compile(r"alter\s+table\s.*\b(?:recluster|search\s+optimization|set\s+tblproperties)\b"),
        "keeps no clusters, tags or options of tables",
    ),
)
"""How statements begin that sqlglot knows by their first word alone, and why they are left out."""


def why_left_out(statement: exp.Expr, target: str) -> str | None:
    """Return why a statement is left out in the target dialect, as the rest of a sentence about it; None when it is
    not."""
    if target not in _EMBEDDED:
        return None
    if isinstance(statement, exp.Command):
        rest = statement.args.get("expression") or ""
        text = f"{statement.this} {rest.name if isinstance(rest, exp.Expr) else rest}"
        text = " ".join(text.lower().split())
        return next((why for begins, why in _COMMANDS if begins.match(text)), None)
    if isinstance(statement, exp.Grant | exp.Revoke | exp.Use) or statement.args.get("kind") == "SESSION":
        return "has no roles, rights or sessions to alter"
    if isinstance(statement, exp.Alter):
        actions = statement.args.get("actions") or ()
        if actions and all(isinstance(action, _LAYOUT) for action in actions):
            return "keeps no clusters, tags or options of tables"
    if isinstance(statement, exp.Analyze):
        return "keeps its tables in order by itself"
    table = _written(statement)
    return f"has no database '{table.catalog}' to write to" if table is not None and table.catalog else None


def _written(statement: exp.Expr) -> exp.Table | None:
    """Return the table that a statement writes to."""
    if not isinstance(statement, exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Create | exp.Drop):
        return None
    found = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
    return found if isinstance(found, exp.Table) else None
