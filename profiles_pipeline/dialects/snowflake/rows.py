"""Rewrites of what makes rows of the elements of a document: FLATTEN."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.rewriting import Rewrite
from profiles_pipeline.dialects.rewriting import call as _call

_COLUMNS = {"SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"}


def _document(query: exp.Expr | None) -> exp.Expr | None:
    """Return what a query lists the elements of, if it does that and nothing else."""
    select = query.this if isinstance(query, exp.Subquery) else None
    if not isinstance(select, exp.Select) or {item.alias for item in select.expressions} != _COLUMNS:
        return None
    source = select.args["from_"].this if select.args.get("from_") else None
    listed = source.this if isinstance(source, exp.Table) else None
    if not isinstance(listed, exp.Anonymous) or listed.name.upper() != "JSON_EACH" or len(listed.expressions) != 1:
        return None
    found: exp.Expr = listed.expressions[0]
    return found


def _flatten(document: exp.Expr, outer: bool = False) -> exp.Expr:
    given = [exp.Kwarg(this=exp.var("INPUT"), expression=document)]
    if outer:
        given.append(exp.Kwarg(this=exp.var("OUTER"), expression=exp.true()))
    return _call("FLATTEN", *given)


def _beside(node: exp.Expr) -> exp.Expr:
    """LATERAL (SELECT ... FROM JSON_EACH(x)): LATERAL FLATTEN."""
    document = _document(node.this)
    return node if document is None else exp.Lateral(this=_flatten(document), alias=node.args.get("alias"))


def _joined(node: exp.Expr) -> exp.Expr:
    """LEFT JOIN LATERAL ... ON TRUE: with a row where there is no element."""
    flattened = node.this.this if isinstance(node.this, exp.Lateral) else None
    if not isinstance(flattened, exp.Anonymous) or flattened.name != "FLATTEN":
        return node
    lateral = node.this
    if str(node.args.get("side") or "").upper() == "LEFT":
        lateral.set("this", _flatten(flattened.expressions[0].expression, outer=True))
    return exp.Join(this=lateral)


def _alone(node: exp.Expr) -> exp.Expr:
    """FROM (SELECT ... FROM JSON_EACH(x)): TABLE(FLATTEN)."""
    document = _document(node) if isinstance(node.parent, exp.From | exp.Join) else None
    return node if document is None else exp.TableFromRows(this=_flatten(document), alias=node.args.get("alias"))


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("elements of documents, beside a table", "LATERAL FLATTEN", (exp.Lateral,), _beside),
    Rewrite("elements of documents, joined", "LATERAL FLATTEN with OUTER", (exp.Join,), _joined),
    Rewrite("elements of documents", "TABLE(FLATTEN)", (exp.Subquery,), _alone),
)
