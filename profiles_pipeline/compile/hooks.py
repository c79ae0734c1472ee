"""Compiles hooks: statements of the author that run right before or right after a model is built."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.rows import resolve_symbols
from profiles_pipeline.compile.statement import Compilation, Statement
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.resolve.hooks import Hook
from profiles_pipeline.sql.rights import why_left_out


def compile_hook(c: Compilation, path: str, hook: Hook) -> tuple[Statement, ...]:
    """Return the statements of a hook of the model at `path`.

    Tables that are written without a schema stand in the output schema, unless they are read and found elsewhere.
    Statements that the warehouse has no use for, such as GRANT where there are no roles, are left out.

    Raises:
        ProjectError: the text cannot be read, or names a model that does not exist.
    """
    readings = c.reader.statements(hook.text, path)
    kept = [r.tree for r in readings if why_left_out(r.tree, c.reader.target) is None]
    count = "" if len(kept) == 1 else " {number}"
    return tuple(
        Statement(_placed(c, tree, c.relation(path)), f"{hook.when} of {hook.owner}" + count.format(number=number))
        for number, tree in enumerate(kept, start=1)
    )


def _placed(c: Compilation, tree: exp.Expr, relation: exp.Table) -> exp.Expr:
    """Return a statement with models, and tables that are no models, replaced by where they are."""

    def this(node: exp.Expr) -> exp.Expr:
        return relation.copy() if isinstance(node, exp.Table) and node.name == "ref:this" else node

    holder = exp.Tuple(expressions=[tree.copy()])
    for table in sql.external_tables(holder):
        found = (_found(c, table) if _is_read(table) else None) or table
        if isinstance(found, exp.Table) and isinstance(found.this, exp.Identifier) and not found.db:
            found.set("db", relation.args.get("db") and relation.args["db"].copy())
        table.replace(found)
    placed: exp.Expr = holder.expressions[0].pop()
    return resolve_symbols(c, placed.transform(this))


def _is_read(table: exp.Table) -> bool:
    return isinstance(table.parent, exp.From | exp.Join) or table.arg_key == "using"


def _found(c: Compilation, table: exp.Table) -> exp.Expr | None:
    """Return where a table that is read is found; None when it is not there yet: a hook may make it first."""
    try:
        return c.outside(table)
    except ProjectError:
        return None
