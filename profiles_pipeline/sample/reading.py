"""Reads the queries of a project: which name means which column of which table from outside."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.sample.clues import Clues
from profiles_pipeline.sample.evidence import Ledger
from profiles_pipeline.sample.relations import (
    ALWAYS,
    NOTHING,
    Relation,
    Scope,
    Value,
    both,
    called_like_field,
    likeliest,
    mixed,
)
from profiles_pipeline.sql.rewrites.relations import yields_columns
from profiles_pipeline.warehouse.sources import parse_table_name

_UNPACKED = ("value", "this")


class QueryReader:
    """Reads queries and expressions for clues.

    Args:
        ledger: where clues are noted.
        symbol: what a symbolic table such as ``ref:inputs/orders`` offers.
        var: the value of a symbolic column such as ``var:user/n_orders``; None when the symbol means no value.
    """

    def __init__(
        self,
        ledger: Ledger,
        symbol: Callable[[str], Relation],
        var: Callable[[str], Value],
    ) -> None:
        self.ledger = ledger
        self.symbol = symbol
        self.var = var
        self.clues = Clues(ledger, self._column, self.query)
        self._defining: set[tuple[int, str]] = set()

    def outside(self, written: str) -> Relation:
        """Return a table from outside by its name as written."""
        key = ".".join(part.lower() for part in parse_table_name(written))
        self.ledger.table(key, written)
        return Relation(self.ledger, table=key)

    # --- queries ------------------------------------------------------------------------------------------------

    def query(self, tree: exp.Expr, around: Scope | None = None) -> Relation:
        """Return what a query yields, after noting every clue in it."""
        scope = Scope(parent=around)
        with_ = tree.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            assert with_ is not None
            names = [column.name.lower() for column in cte.args["alias"].args.get("columns") or ()]
            if with_.args.get("recursive"):
                scope.ctes[cte.alias.lower()] = Relation(self.ledger)
            scope.ctes[cte.alias.lower()] = _renamed(self.query(cte.this, scope), names)
        match tree:
            case exp.Select():
                return self._select(tree, scope)
            case exp.SetOperation():
                left, right = self.query(tree.this, scope), self.query(tree.expression, scope)
                if isinstance(tree, exp.Except):
                    values = [value for value in right.columns.values() if isinstance(value, Value)]
                    self.ledger.partial |= right.tables() | {slot.table for v in values for slot in v.slots}
                return self._united(left, right)
            case exp.Subquery():
                return self.query(tree.this, scope)
            case exp.Table():
                return self._table(tree, scope)
        return Relation(self.ledger)

    def _select(self, tree: exp.Select, scope: Scope) -> Relation:
        self._from(tree, scope)
        scope.aliases = {e.alias.lower(): e.this for e in tree.expressions if isinstance(e, exp.Alias)}
        where = tree.args.get("where")
        if where is not None:
            scope.alternatives = both(scope.alternatives, self.clues.condition(where.this, scope))
        relation = self._projected(tree, scope)
        for key in ("having", "qualify"):
            if tree.args.get(key) is not None:
                self.clues.condition(tree.args[key].this, scope)
        for key in ("group", "order", "distinct"):
            if tree.args.get(key) is not None:
                self.clues.value(tree.args[key], scope)
        return relation

    def _projected(self, tree: exp.Select, scope: Scope) -> Relation:
        columns: dict[str, Value] = {}
        rest: list[Relation] = []
        for number, item in enumerate(tree.expressions):
            if item.is_star:
                star = item.table.lower() if isinstance(item, exp.Column) else ""
                starred = [r for r in (scope.items.get(star),) if r is not None] if star else _distinct(scope)
                rest += starred
                columns |= self._excluded(item, starred)
                continue
            name = (item.alias_or_name or f"column_{number}").lower()
            key = (id(scope), name)
            self._defining.add(key)
            columns[name] = self.clues.value(item.unalias(), scope)
            self._defining.discard(key)
        return Relation(self.ledger, columns, tuple(rest), alternatives=scope.alternatives)

    def _excluded(self, item: exp.Expr, relations: list[Relation]) -> dict[str, Value]:
        """Note that what a star leaves out or renames is there to be left out; return what it renames."""
        renamed: dict[str, Value] = {}
        star = item.this if isinstance(item, exp.Column) else item
        for key in ("except_", "rename"):
            for name in star.args.get(key) or ():
                left_out = name.this if isinstance(name, exp.Alias) else name
                if len(relations) == 1 and left_out.name:
                    value = relations[0].value(left_out.name)
                    renamed |= {name.alias.lower(): value} if isinstance(name, exp.Alias) else {}
        return renamed

    def _united(self, left: Relation, right: Relation) -> Relation:
        self.ledger.alike(left.tables() | right.tables() if left.tables() and right.tables() else frozenset())
        columns = dict(left.columns)
        for (name, one), other in zip(left.columns.items(), right.columns.values(), strict=False):
            if isinstance(one, Value) and isinstance(other, Value):
                self.ledger.related(one.slots, other.slots)
                self._same_kind(one, other)
                columns[name] = mixed([one, other])
        ways = tuple(dict.fromkeys((*left.alternatives, *right.alternatives)))[:12]
        return Relation(self.ledger, columns, (*left.rest, *right.rest), alternatives=ways)

    def _same_kind(self, one: Value, other: Value) -> None:
        for slots, kind in ((one.slots, other.kind), (other.slots, one.kind)):
            if kind is not None:
                self.ledger.vote(slots, kind, 1)

    # --- FROM ---------------------------------------------------------------------------------------------------

    def _from(self, tree: exp.Select, scope: Scope) -> None:
        from_ = tree.args.get("from_")
        joins = list(tree.args.get("joins") or ())
        items = [from_.this] if from_ is not None else []
        items += [join.this for join in joins] + list(tree.args.get("laterals") or ())
        for item in items:
            self._add(item, scope)
            for join in item.args.get("joins") or ():
                joins.append(join)
                self._add(join.this, scope)
        for join in joins:
            on = join.args.get("on")
            if on is not None:
                self.clues.condition(on, scope)
            for name in join.args.get("using") or ():
                self._using(str(name.name), scope)

    def _add(self, item: exp.Expr, scope: Scope) -> None:
        names = {item.alias.lower()} if item.alias else set()
        match item:
            case exp.Table():
                relation = self._table(item, scope)
                names = names or {item.name.lower(), item.name.lower().rpartition("/")[2]}
                names.add(item.name.lower())
            case exp.Lateral() | exp.TableFromRows() | exp.Unnest():
                relation = self._unpacked(item, scope)
            case exp.Subquery():
                relation = self.query(item.this, scope)
            case exp.Values():
                relation = Relation(self.ledger)
            case _:
                relation = self.query(item, scope)
        for pivot in item.args.get("pivots") or ():
            relation = self._pivoted(pivot, relation, scope)
            names |= {pivot.alias.lower()} if pivot.alias else set()
        alias = item.args.get("alias")
        if isinstance(alias, exp.TableAlias) and not isinstance(item, exp.Lateral | exp.TableFromRows | exp.Unnest):
            relation = _renamed(relation, [column.name.lower() for column in alias.args.get("columns") or ()])
        for name in names or {f"item {len(scope.items)}"}:
            scope.items.setdefault(name, relation)
        scope.alternatives = both(scope.alternatives, relation.alternatives)

    def _pivoted(self, pivot: exp.Expr, relation: Relation, around: Scope) -> Relation:
        """Return rows after a PIVOT: the columns it does not use, and one for each value that it looks for."""
        if pivot.args.get("unpivot"):
            return relation
        scope = Scope(parent=around, items={"": relation})
        totals = [self.clues.value(total, scope) for total in pivot.expressions]
        for field in pivot.args.get("fields") or ():
            if isinstance(field, exp.In):
                sought = [item.unalias() for item in field.expressions]
                self.clues.condition(exp.In(this=field.this.copy(), expressions=sought), scope)
        cells = [cell.name.lower() for cell in pivot.args.get("columns") or ()]
        called = [name.name.lower() for name in pivot.args["alias"].columns] if pivot.args.get("alias") else []
        rows = (called or cells)[-len(cells) :] + [cell.strip("'") for cell in cells if not called]
        used = {column.name.lower() for column in pivot.find_all(exp.Column)}
        kept = {name: value for name, value in relation.columns.items() if name not in used}
        kept = dict(zip(called or kept, kept.values(), strict=False)) | dict.fromkeys(rows, mixed(totals))
        return Relation(self.ledger, kept, (relation,) if relation.tables() else (), alternatives=relation.alternatives)

    def _table(self, table: exp.Table, scope: Scope) -> Relation:
        if not isinstance(table.this, exp.Identifier):
            return self._unpacked(table, scope)
        name = table.name
        if name.startswith(("ref:", "rows:")):
            return self.symbol(name)
        known = scope.cte(name.lower()) if not table.args.get("db") else None
        if known is not None:
            return known
        return self.outside(".".join(part.sql("snowflake") for part in table.parts))

    def _unpacked(self, item: exp.Expr, scope: Scope) -> Relation:
        """Return the rows that an array inside a row makes, or the rows of a sub-query that sees the row."""
        inner = item.this
        if isinstance(inner, exp.Subquery):
            return self.query(inner.this, scope)
        arguments = [inner.this] if isinstance(inner, exp.Explode) else list(item.expressions)
        if isinstance(inner, exp.SplitToTable):
            arguments = [inner]
        if not arguments:
            return Relation(self.ledger)
        source = arguments[0].expression if isinstance(arguments[0], exp.Kwarg) else arguments[0]
        found = self.clues.value(source, scope)
        element = self.clues.element(found)
        if self.ledger.structs:
            return self._unnested(item, element)
        alias = item.args.get("alias")
        columns = {"index": Value(kind="number"), "key": Value(kind="text"), "seq": NOTHING, "path": NOTHING}
        columns |= dict.fromkeys(_UNPACKED, element)
        if isinstance(item, exp.Unnest) and alias is not None:
            columns |= {name.name.lower(): element for name in (*(alias.args.get("columns") or ()), alias.this) if name}
        if isinstance(item, exp.Lateral):
            columns |= _named_alike(item, element)
        return Relation(self.ledger, columns)

    def _unnested(self, item: exp.Expr, element: Value) -> Relation:
        """Return the rows that an array of the warehouse makes: one column, or the fields of its structs."""
        offset = item.args.get("offset")
        columns = {str(getattr(offset, "name", offset)).lower(): Value(kind="number")} if offset else {}
        columns |= _named_alike(item, element) or {"col": element}
        structs = isinstance(item, exp.Unnest) and yields_columns(item)
        return Relation(self.ledger, columns, element=element if structs else NOTHING)

    def _using(self, name: str, scope: Scope) -> None:
        values = [relation.value(name) for relation in _distinct(scope) if relation.may_have(name.lower())]
        for one in values[:-1]:
            self.clues.matched(one, values[-1])

    # --- names --------------------------------------------------------------------------------------------------

    def _column(self, column: exp.Column, scope: Scope) -> Value:
        name, table = column.name, column.table
        kind, _, rest = name.partition(":")
        if kind == "var" and rest:
            return self.var(rest)
        if kind == "row" and rest:
            return self.symbol(f"rows:{rest.rpartition('/')[0]}").value(rest.rpartition("/")[2])
        if kind in ("member", "value", "ref") and rest:
            return NOTHING
        if isinstance(column.this, exp.Star):
            return NOTHING
        return self._qualified(column, scope) if table else self._bare(name, scope)

    def _qualified(self, column: exp.Column, scope: Scope) -> Value:
        table = column.table
        found = scope.item(table.lower())
        if found is None and table.startswith(("ref:", "rows:")):
            found = self.symbol(table)
        if found is None and self.ledger.structs:
            return self._field(column, scope)
        return found.value(column.name) if found is not None else NOTHING

    def _field(self, column: exp.Column, scope: Scope) -> Value:
        """Return what ``a.b.c`` means where `b` is no table: a field of the column `b` of `a`, or of the column `a`."""
        first, *rest = (part.name for part in column.parts)
        relation = scope.item(first.lower())
        if relation is not None:
            first, *rest = rest
        struct = relation.value(first) if relation is not None else self._bare(first, scope)
        return Value(self.ledger.member(struct.slots, rest))

    def _bare(self, name: str, scope: Scope) -> Value:
        lower = name.lower()
        here = _distinct(scope)
        knowing = [relation for relation in here if relation.knows(lower)]
        if knowing:
            return knowing[0].value(name)
        alias = scope.aliases.get(lower)
        key = (id(scope), lower)
        if alias is not None and key not in self._defining and not _names(alias, lower):
            self._defining.add(key)
            found = self.clues.value(alias, scope)
            self._defining.discard(key)
            return found
        open_ = [relation for relation in here if relation.may_have(lower)]
        structs = [relation for relation in open_ if relation.element.slots]
        sure = any(called_like_field(relation, lower) for relation in structs)
        if scope.parent is not None and len(structs) == len(open_) and not sure and _known(lower, scope.parent, open_):
            return self._bare(name, scope.parent)
        if open_ and (sure or self.ledger.certain or (len(open_) == 1 and not structs)):
            return likeliest(open_, lower).value(name)
        return NOTHING


def _named_alike(item: exp.Expr, element: Value) -> dict[str, Value]:
    """Return the columns that the alias of unpacked rows names: the element, after its position if there is one."""
    alias = item.args.get("alias")
    names = [name.name.lower() for name in alias.columns] if isinstance(alias, exp.TableAlias) else []
    positions = names[:-1] if isinstance(item.this, exp.Posexplode) else []
    return dict.fromkeys(positions, Value(kind="number")) | dict.fromkeys(names[-1:], element)


def _distinct(scope: Scope) -> list[Relation]:
    """Return the FROM items of a scope, each once."""
    return list({id(relation): relation for relation in scope.items.values()}.values())


def _known(name: str, scope: Scope, inner: list[Relation]) -> bool:
    """Return whether a name that the relations of a query may have is surely of a query around it."""
    if not inner or any(relation.knows(name) for relation in _distinct(scope)):
        return True
    return scope.parent is not None and _known(name, scope.parent, inner)


def _names(tree: exp.Expr, name: str) -> bool:
    return any(column.name.lower() == name and not column.table for column in tree.find_all(exp.Column))


def _renamed(relation: Relation, names: list[str]) -> Relation:
    """Return the relation with its columns called `names`, where names are given."""
    if not names:
        return relation
    columns = dict(zip(names, relation.columns.values(), strict=False))
    return Relation(relation.ledger, columns, alternatives=relation.alternatives or ALWAYS)
