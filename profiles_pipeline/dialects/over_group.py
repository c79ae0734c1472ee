"""Aggregates that an engine has over windows only, or whose value would lose its type: read off every row of a group.

The query inside computes the window over the rows of the group, the query around it takes any of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build, nodes_of

_FIRST = "FIRST_OF_"
"""How the columns of the query inside begin that hold the values of windows."""

_Windows = list[tuple[exp.Expr, exp.Expr]]
"""Aggregates, each with the window in its place."""


@dataclass(frozen=True, slots=True)
class First:
    """The first value of the rows for which `where` holds, in the order of the keys."""

    value: exp.Expr
    keys: tuple[exp.Expr, ...]
    where: exp.Expr | None

    def window(self, group: list[exp.Expr]) -> exp.Expr:
        """Return FIRST_VALUE over the rows of a group, those for which `where` holds before the others."""
        value, order = self.value.copy(), [key.copy() for key in self.keys]
        if self.where is not None:
            value = where_it_holds(self.where, value)
            holds = exp.If(this=self.where.copy(), true=exp.Literal.number(0), false=exp.Literal.number(1))
            order.insert(0, exp.Ordered(this=holds, nulls_first=False))
        return over(exp.FirstValue(this=value), group, exp.Order(expressions=order))


class Windowed(Protocol):
    """An aggregate that is a window over the rows of a group."""

    def window(self, group: list[exp.Expr]) -> exp.Expr:
        """Return the window, partitioned by what the rows are grouped by."""


Finder = Callable[[exp.Expr], Windowed | None]
"""Returns what a node asks for, if it is an aggregate that is to be a window, within a FILTER or not."""


def where_it_holds(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    """Return a value that is NULL where a condition does not hold."""
    return exp.If(this=condition.copy(), true=value, false=exp.Null())


def over(aggregate: exp.Expr, group: list[exp.Expr], order: exp.Order | None = None) -> exp.Expr:
    """Return a window over the rows of a group."""
    return exp.Window(this=aggregate, partition_by=[key.copy() for key in group], order=order)


def first_of(node: exp.Expr) -> First | None:
    """Return what an aggregate asks for, if it is the first of a group by an order, within a FILTER or not."""
    where = node.expression.this if isinstance(node, exp.Filter) else None
    inner = node.this if isinstance(node, exp.Filter) else node
    while isinstance(inner, exp.IgnoreNulls | exp.RespectNulls):
        if isinstance(inner, exp.IgnoreNulls):
            known = build(":x IS NOT NULL", x=_value(inner.this))
            where = known if where is None else exp.and_(where, known)
        inner = inner.this
    if isinstance(inner, exp.First | exp.AnyValue) and isinstance(inner.this, exp.Order):
        return First(inner.this.this, tuple(inner.this.expressions), where)
    if isinstance(node, exp.StructExtract) and node.expression.name == "v":
        return _of_pair(node.this)
    if isinstance(inner, exp.ArgMax | exp.ArgMin):
        return _of_row(inner, where)
    return None


def _of_row(call: exp.Expr, where: exp.Expr | None) -> First | None:
    """``ARG_MAX(v, ROW(a, b))`` is the value with the greatest a, and of those the greatest b."""
    row = call.expression
    parts = row.expressions if isinstance(row, exp.Anonymous) and row.name.upper() == "ROW" else []
    if not parts:
        return None
    down = isinstance(call, exp.ArgMax)
    keys = tuple(exp.Ordered(this=part.copy(), desc=down, nulls_first=down) for part in parts)
    known = build(":x IS NOT NULL", x=call.this)
    return First(call.this, keys, known if where is None else exp.and_(where, known))


def _value(node: exp.Expr) -> exp.Expr:
    inner = node.this if isinstance(node.this, exp.Expr) else node
    return inner.this if isinstance(inner, exp.Order) else inner


def _of_pair(node: exp.Expr) -> First | None:
    """``MAX({'k': k, 'v': v})`` is the pair with the greatest k, and of those the greatest v; NULL is greatest."""
    where = node.expression.this if isinstance(node, exp.Filter) else None
    inner = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(inner, exp.Max | exp.Min) or not isinstance(inner.this, exp.Struct):
        return None
    fields = [field.expression for field in inner.this.expressions]
    down = isinstance(inner, exp.Max)
    keys = tuple(exp.Ordered(this=field.copy(), desc=down, nulls_first=down) for field in fields)
    return First(fields[-1], keys, where)


def belongs_to_window(node: exp.Expr, find: Finder = first_of) -> bool:
    """Tell whether a node is part of such an aggregate, which is rewritten with its query."""
    above: exp.Expr | None = node
    while above is not None and not isinstance(above, exp.Select):
        if find(above) is not None:
            return True
        above = above.parent
    return False


def over_the_group(node: exp.Expr, find: Finder = first_of) -> exp.Expr:
    """Return a query in which such aggregates are read off every row of the group, by windows in a query inside.

    One that cannot be told apart from what is around it stays, and the server refuses it.
    """
    assert isinstance(node, exp.Select)
    found = list(_windowed(node, find))
    if not found or node.args.get("from_") is None or node.args.get("laterals"):
        return node
    keys = _group_keys(node, find)
    if keys is None:
        return node
    windows = [(each, windowed.window(keys)) for each in found if (windowed := find(each)) is not None]
    return _single(node, windows) if not node.args.get("joins") else _joined(node, windows)


def refuse_what_is_left(tree: exp.Expr, people_say: str, find: Finder = first_of) -> None:
    """Refuse an aggregate that could not be told apart from what is around it.

    Raises:
        WarehouseError: there is one.
    """
    if any(find(node) is not None for node in nodes_of(tree, exp.AggFunc, exp.Filter, exp.StructExtract)):
        refuse(people_say, "the first of a group by an order, or a quantile, in such a query")


def _windowed(select: exp.Select, find: Finder) -> Iterator[exp.Expr]:
    """Yield the outermost such aggregates of a query, not those of queries inside it."""
    parts = [
        *select.expressions,
        *(select.args[name] for name in ("having", "order", "qualify") if select.args.get(name)),
    ]
    for part in parts:
        yield from _within(part, find)


def _within(node: exp.Expr, find: Finder) -> Iterator[exp.Expr]:
    if isinstance(node, exp.Query):
        return
    if find(node) is not None:
        yield node
        return
    for child in node.iter_expressions():
        yield from _within(child, find)


def _group_keys(select: exp.Select, find: Finder) -> list[exp.Expr] | None:
    """Return what the rows are grouped by; None where that cannot be told."""
    group = select.args.get("group")
    if group is None:
        return []
    if group.args.get("all"):
        items = [item.unalias() for item in select.expressions]
        return [item for item in items if not item.find(exp.AggFunc) and not any(_within(item, find))]
    keys = []
    for key in group.expressions:
        if isinstance(key, exp.Literal) and key.is_int:
            keys.append(select.expressions[int(key.name) - 1].unalias())
        else:
            keys.append(_behind_alias(select, key))
    return keys if len(keys) == len(group.expressions) and not group.args.get("grouping_sets") else None


def _behind_alias(select: exp.Select, key: exp.Expr) -> exp.Expr:
    """Return what a key stands for that may be the name of an item of the query."""
    if isinstance(key, exp.Column) and not key.table:
        for item in select.expressions:
            if isinstance(item, exp.Alias) and item.alias == key.name and not isinstance(item.this, exp.Column):
                return item.unalias()
    return key


def _single(select: exp.Select, windows: _Windows) -> exp.Expr:
    source = select.args["from_"].this
    alias = source.alias_or_name or "ROWS"
    name = exp.to_identifier(alias, quoted=True)
    star = exp.Column(this=exp.Star(), table=name.copy()) if source.alias_or_name else exp.Star()
    inner = exp.select(star).from_(source.copy())
    if select.args.get("where"):
        inner.set("where", select.args["where"].copy())
    _replaced(inner, windows)
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=name))))
    select.set("where", None)
    return select


def _joined(select: exp.Select, windows: _Windows) -> exp.Expr:
    """As `_single`, where a star would give two columns of one name: those that are used get names of their own."""
    clauses = [select.args[name] for name in ("group", "having", "order", "qualify") if select.args.get(name)]
    if not all(map(_names_its_columns, (*select.expressions, *clauses))):
        return select
    inner = exp.Select(expressions=[])
    for clause in ("from_", "joins", "where"):
        inner.set(clause, select.args.get(clause))
        select.set(clause, None)
    _replaced(inner, windows)
    aliases = {item.alias for item in select.expressions if isinstance(item, exp.Alias)}
    columns = [column for item in select.expressions for column in item.find_all(exp.Column)]
    for clause in clauses:
        columns += [c for c in clause.find_all(exp.Column) if c.table or c.name not in aliases]
    names: dict[str, str] = {}
    for column in columns:
        if column.name.startswith(_FIRST):
            continue
        text = next((known for known in names if _is_same(column, known)), column.sql())
        if text not in names:
            names[text] = f"USED_{len(names)}"
            inner.select(exp.alias_(column.copy(), names[text], quoted=True), copy=False)
        used: exp.Expr = exp.column(names[text], quoted=True)
        is_item = column.parent is select
        column.replace(exp.alias_(used, column.name, quoted=True) if is_item else used)
    alias = exp.TableAlias(this=exp.to_identifier("USED", quoted=True))
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
    return select


def _is_same(column: exp.Expr, known: str) -> bool:
    """Tell whether a column is one that is known; one without its table is any of its name."""
    text = column.sql()
    return known == text or (not column.args.get("table") and known.endswith(f".{text}"))


def _names_its_columns(part: exp.Expr) -> bool:
    """Tell whether a part of a query says which columns it uses: no query inside it, no star but that of a count."""
    return part.find(exp.Query) is None and all(isinstance(star.parent, exp.Count) for star in part.find_all(exp.Star))


def _replaced(inner: exp.Select, windows: _Windows) -> None:
    """Put the windows into the query inside, and their columns into the place of the aggregates."""
    for number, (node, window) in enumerate(windows):
        name = f"{_FIRST}{number}"
        inner.select(exp.alias_(window, name, quoted=True), copy=False)
        node.replace(exp.AnyValue(this=exp.column(name, quoted=True)))
