"""Writes trees the readable way: SQL text in the canonical dialect (DuckDB's) with named gaps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from profiles_pipeline.sql.copying import copied
from profiles_pipeline.sql.walking import nodes_of

Filling = exp.Expr | str | Sequence[exp.Expr | str] | None

_MARK = "\x00"
_OPERATORS = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.AtTimeZone, exp.Bracket, exp.Dot)
_QUERY_HOLDERS = (exp.Create, exp.Exists, exp.Subquery, exp.Insert)
_CLAUSES = (exp.Where, exp.Having, exp.Qualify, exp.Order, exp.Group, exp.Limit, exp.Filter, exp.Returning)


def build(text: str, /, **fillings: Filling) -> exp.Expr:
    """Return the tree of `text` with every ``:name`` filled.

    A filling may be a tree, a name (it becomes a quoted identifier), or a sequence of these where a list may stand
    (columns, arguments, keys, values, set operands are not lists). A query in the place of a table becomes a
    sub-query. None or an empty sequence removes the clause that would hold nothing else: ``WHERE``, ``HAVING``,
    ``QUALIFY``, ``ORDER BY``, ``GROUP BY``, ``PARTITION BY``, ``LIMIT`` and ``FILTER``.

    Raises ValueError when the text is not valid SQL or names and fillings do not match.
    """
    tree = copied(_parsed(text))
    gaps = [node for node in nodes_of(tree, exp.Identifier) if node.name.startswith(_MARK)]
    names = {gap.name.removeprefix(_MARK) for gap in gaps}
    if names != fillings.keys():
        raise ValueError(f"gaps {sorted(names)} do not match fillings {sorted(fillings)}")
    root = exp.Tuple(expressions=[tree])
    for gap in gaps:
        _fill(gap, fillings[gap.name.removeprefix(_MARK)])
    filled: exp.Expr = root.expressions[0]
    return filled.pop()


def wrapped(tree: exp.Expr) -> exp.Expr:
    """Return `tree` in brackets when it is an operator that another operator could tear apart."""
    needs = isinstance(tree, _OPERATORS) and not isinstance(tree, (exp.Paren, exp.Bracket, exp.Dot))
    return exp.Paren(this=tree) if needs else tree


def holds_apart(parent: exp.Expr | None, node: exp.Expr, made: exp.Expr) -> exp.Expr:
    """Return `made`, which takes the place of `node` below `parent`: in brackets where `node` was no operator and
    `parent` is one."""
    torn = isinstance(parent, _OPERATORS) and not isinstance(node, _OPERATORS)
    return wrapped(made) if torn else made


def put(place: exp.Expr, tree: exp.Expr) -> None:
    """Replace `place` in its tree by `tree`, in brackets where precedence or a query as a value asks so."""
    parent = place.parent
    if isinstance(tree, exp.Select | exp.SetOperation):
        if isinstance(parent, exp.In) and place.arg_key == "expressions":
            parent.set("expressions", None)
            parent.set("query", exp.Subquery(this=tree))
        else:
            place.replace(tree if isinstance(parent, _QUERY_HOLDERS) else exp.Subquery(this=tree))
    elif isinstance(parent, _OPERATORS) and place.arg_key != "expressions":
        place.replace(wrapped(tree))
    else:
        place.replace(tree)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> exp.Expr:
    engine = Dialect.get_or_raise("duckdb")
    try:
        trees = engine.parser()._parse(Parser._parse_statement, _gaps(engine.tokenize(text)), text)
    except ParseError as error:
        raise ValueError(f"cannot build from:\n{text}\n{error}") from error
    if len(trees) != 1 or trees[0] is None:
        raise ValueError(f"expected one statement or expression:\n{text}")
    return trees[0]


def _gaps(tokens: list[Token]) -> list[Token]:
    found: list[Token] = []
    for token in tokens:
        before = found[-1] if found else None
        adjacent = before is not None and before.token_type == TokenType.COLON and before.end + 1 == token.start
        if adjacent and token.text.isidentifier() and token.token_type != TokenType.STRING:
            colon = found.pop()
            found.append(Token(TokenType.IDENTIFIER, _MARK + token.text, token.line, token.col, colon.start, token.end))
        else:
            found.append(token)
    return found


def _fill(gap: exp.Identifier, filling: Filling) -> None:
    place = _place(gap)
    if filling is None or (isinstance(filling, Sequence) and not isinstance(filling, str) and not filling):
        _drop(place)
    elif isinstance(filling, str):
        gap.replace(exp.to_identifier(filling, quoted=True))
    elif isinstance(filling, exp.Expr):
        _fill_one(gap, place, copied(filling))
    else:
        items = [exp.column(item, quoted=True) if isinstance(item, str) else copied(item) for item in filling]
        _fill_many(place, items)


def _place(gap: exp.Identifier) -> exp.Expr:
    """Return the smallest node that means just the gap: the column, table or sort key it stands for."""
    place: exp.Expr = gap
    parent = gap.parent
    if isinstance(parent, exp.Column | exp.Table) and parent.this is gap and len(parent.parts) == 1:
        place = parent
    return place


def _fill_one(gap: exp.Identifier, place: exp.Expr, tree: exp.Expr) -> None:
    if isinstance(tree, exp.Identifier):
        gap.replace(tree)
    elif place is gap:
        if not isinstance(tree, exp.Column | exp.Table):
            raise ValueError(f"only a name fits here, not {type(tree).__name__}")
        gap.replace(tree.this)
    elif isinstance(place, exp.Table):
        _fill_table(place, tree)
    elif isinstance(tree, exp.Ordered) and isinstance(place.parent, exp.Ordered):
        place.parent.replace(tree)
    else:
        put(place, tree)


def _fill_table(place: exp.Table, tree: exp.Expr) -> None:
    query = isinstance(tree, exp.Select | exp.SetOperation)
    relation = exp.Subquery(this=tree) if query and not isinstance(place.parent, exp.Subquery) else tree
    for key in ("alias", "joins", "laterals", "sample", "pivots"):
        if place.args.get(key) and not relation.args.get(key):
            relation.set(key, place.args[key])
    place.replace(relation)


def _fill_many(place: exp.Expr, items: list[exp.Expr]) -> None:
    target = place
    if isinstance(place.parent, exp.Ordered):
        target = place.parent
        items = [item if isinstance(item, exp.Ordered) else exp.Ordered(this=item, nulls_first=False) for item in items]
    if isinstance(place, exp.Identifier):
        items = [item.this if isinstance(item, exp.Column) else item for item in items]
    parent, key, index = target.parent, str(target.arg_key), target.index
    if isinstance(parent, exp.Func) and parent.is_var_len_args and key == "this":
        parent.set("this", items[0])
        parent.set("expressions", [*items[1:], *parent.expressions])
    elif parent is not None and index is not None:
        siblings = parent.args[key]
        parent.set(key, [*siblings[:index], *items, *siblings[index + 1 :]])
    else:
        raise ValueError(f"a list does not fit into {type(parent).__name__}")


def _drop(place: exp.Expr) -> None:
    holder = place.parent.parent if isinstance(place.parent, exp.Ordered) else place.parent
    if isinstance(holder, exp.Window) and place.arg_key == "partition_by":
        holder.set("partition_by", [node for node in holder.args["partition_by"] if node is not place])
    elif isinstance(holder, exp.Where) and isinstance(holder.parent, exp.Filter):
        holder.parent.replace(holder.parent.this)
    elif isinstance(holder, _CLAUSES):
        holder.pop()
    elif place.index is not None and holder is not None:
        place.pop()
    else:
        raise ValueError(f"nothing does not fit into {type(holder).__name__}")
