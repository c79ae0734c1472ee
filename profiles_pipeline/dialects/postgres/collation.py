"""Texts that the server makes are compared by their bytes, as those of sources are, whatever language it sorts in."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from profiles_pipeline.dialects.postgres.lists import is_list
from profiles_pipeline.sql import nodes_of

BYTES = "C"
"""The collation by which texts are compared as they are elsewhere: byte by byte."""


def by_bytes(node: exp.Expr) -> exp.Expr:
    """Return a text that is compared by its bytes."""
    return exp.Collate(this=node, expression=exp.to_identifier(BYTES, quoted=True))


def compare_by_bytes(tree: exp.Expr) -> exp.Expr:
    """Return a tree of PostgreSQL in which every text that is made in it is compared by its bytes.

    A text has the collation of what it is made from, and one that is made from no text that of the database: the
    fields of documents, casts, literals, and what functions make of these. Changes the tree in place.
    """
    root = tree
    for node in reversed(nodes_of(tree, exp.Expr)):
        if not _is_made(node) or _is_of_no_matter(node):
            continue
        parent, key, index = node.parent, node.arg_key, node.index
        made = by_bytes(exp.Paren(this=node.copy()) if isinstance(node, _LOOSE) else node.copy())
        if parent is None or key is None:
            root = made
        else:
            parent.set(key, made, index)
    return root


_LOOSE = (exp.DPipe, exp.Case, exp.JSONBExtractScalar)
"""What binds less than COLLATE, or is easier to read in brackets."""

_TEXTS = (
    *(exp.Chr, exp.Concat, exp.ConcatWs, exp.GroupConcat, exp.JSONBExtractScalar, exp.Left, exp.Lower, exp.MD5),
    *(exp.Pad, exp.RegexpReplace, exp.Repeat, exp.Replace, exp.Reverse, exp.Right, exp.SplitPart, exp.Substring),
    *(exp.ToChar, exp.Translate, exp.Trim, exp.Upper),
)
_TEXT_CALLS = frozenset(
    [
        *("ARRAY_TO_STRING", "ENCODE", "CONVERT_FROM", "FORMAT", "JSONB_EXTRACT_PATH_TEXT", "TO_CHAR", "QUOTE_LITERAL"),
        *("PROFILES_BASE64_TEXT", "PROFILES_JSON_TYPE", "PROFILES_REGEXP_EXTRACT", "PROFILES_SHA1"),
        *("PROFILES_SUBSTRING", "PROFILES_URL_DECODE", "REGEXP_REPLACE", "STRING_AGG", "TRANSLATE"),
    ]
)
_LIST_CALLS = frozenset(
    [
        *("PROFILES_JSON_KEYS", "PROFILES_REGEXP_EXTRACT_ALL", "PROFILES_STR_SPLIT"),
        *("REGEXP_SPLIT_TO_ARRAY", "STRING_TO_ARRAY"),
    ]
)


def _is_made(node: exp.Expr) -> bool:
    """Tell whether a tree gives a text, or a list of texts, whose collation may be that of the database."""
    if isinstance(node, exp.Filter | exp.Window | exp.WithinGroup):
        return _is_made(node.this)
    if isinstance(node, exp.Column | exp.Collate | exp.Paren):
        return False
    return _is_text(node) or _is_list_of_texts(node)


def _is_text(node: exp.Expr) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Collate):
        return _is_text(node.this)
    if isinstance(node, exp.Literal):
        return node.is_string
    if isinstance(node, exp.Cast):
        return _is_text_type(node.args["to"])
    if isinstance(node, exp.DPipe):
        sides = (node.this, node.expression)
        return any(map(_is_text, sides)) and not any(map(is_list, sides))
    if isinstance(node, _CHOICES):
        return _are_texts(_results(node))
    return isinstance(node, _TEXTS) or (isinstance(node, exp.Anonymous) and node.name.upper() in _TEXT_CALLS)


_CHOICES = (exp.Case, exp.If, exp.Coalesce, exp.Nullif)


def _is_text_type(kind: exp.DataType) -> bool:
    return bool(kind.is_type(*exp.DataType.TEXT_TYPES))


def _is_list_of_texts(node: exp.Expr) -> bool:
    if isinstance(node, exp.Array):
        return _are_texts(node.expressions)
    if isinstance(node, exp.Cast):
        kind = node.args["to"]
        return kind.is_type("array") and bool(kind.expressions) and _is_text_type(kind.expressions[0])
    return isinstance(node, exp.Anonymous) and node.name.upper() in _LIST_CALLS


def _results(node: exp.Expr) -> list[exp.Expr]:
    """Return what a choice gives one of."""
    if isinstance(node, exp.Case):
        found = [branch.args["true"] for branch in node.args["ifs"]]
        return found + ([node.args["default"]] if node.args.get("default") is not None else [])
    if isinstance(node, exp.If):
        return [node.args["true"], *([node.args["false"]] if node.args.get("false") is not None else [])]
    if isinstance(node, exp.Nullif):
        return [node.this]
    return [node.this, *node.expressions]


def _are_texts(nodes: list[exp.Expr]) -> bool:
    known = [node for node in nodes if not isinstance(node.unnest(), exp.Null)]
    return bool(known) and all(map(_is_text, known))


def _is_of_no_matter(node: exp.Expr) -> bool:
    """Tell whether the collation of a text is settled by what is around it, or never asked for."""
    parent = node.parent
    if isinstance(parent, exp.Paren):
        return _is_of_no_matter(parent)
    if isinstance(parent, exp.Collate | exp.Cast | exp.StrPosition | exp.Length):
        return True
    if isinstance(parent, exp.Anonymous) and parent.name.upper() in _READERS:
        return True
    if isinstance(node, exp.Literal):
        return not (_is_column_of_texts(node) or _is_value_of_texts(node) or _is_compared_with_literals(node))
    if isinstance(node, exp.If) and isinstance(parent, exp.Case):
        return True
    return parent is not None and _is_made(parent) and not isinstance(parent, exp.GroupConcat)


_READERS = frozenset(
    [
        *("PROFILES_STRPTIME", "PROFILES_TO_DATE", "PROFILES_TO_TIMESTAMP", "PROFILES_TRY_BOOLEAN"),
        *("PROFILES_TRY_CAST", "PROFILES_TRY_DECIMAL", "PROFILES_TRY_DOUBLE", "PROFILES_TRY_INTEGER"),
        *("PROFILES_JSON", "HASHTEXTEXTENDED"),
    ]
)
"""Functions that read a text as something else."""


def _is_column_of_texts(literal: exp.Expr) -> bool:
    """Tell whether a literal is a column of a query, beside nothing but texts: elsewhere it may be of any type."""
    item = literal.parent if isinstance(literal.parent, exp.Alias) else literal
    select = item.parent
    if not isinstance(select, exp.Select) or item.arg_key != "expressions" or item.index is None:
        return False
    top: exp.Expr = select
    while isinstance(top.parent, exp.SetOperation | exp.Subquery) and not isinstance(top.parent.parent, exp.From):
        top = top.parent
    if isinstance(top.parent, exp.Insert):
        return False
    beside = [each.expressions[item.index : item.index + 1] for each in _branches(top)]
    return all(found and _is_text(found[0].unalias()) for found in beside)


def _is_compared_with_literals(literal: exp.Expr) -> bool:
    """Tell whether a literal is put in order with others that are written out, too."""
    parent = literal.parent
    if not isinstance(parent, exp.Greatest | exp.Least | exp.LT | exp.LTE | exp.GT | exp.GTE | exp.Between):
        return False
    return all(isinstance(each.unnest(), exp.Literal | exp.Collate) for each in parent.iter_expressions())


def _is_value_of_texts(literal: exp.Expr) -> bool:
    """Tell whether a literal stands in a column of VALUES that has nothing but texts, and is not inserted."""
    row = literal.parent
    rows = row.parent if isinstance(row, exp.Tuple) else None
    if not isinstance(row, exp.Tuple) or not isinstance(rows, exp.Values) or isinstance(rows.parent, exp.Insert):
        return False
    return _are_texts([each.expressions[literal.index or 0] for each in rows.expressions])


def _branches(query: exp.Expr) -> Iterator[exp.Select]:
    query = query.unnest()
    if isinstance(query, exp.SetOperation):
        yield from _branches(query.this)
        yield from _branches(query.expression)
    elif isinstance(query, exp.Select):
        yield query
