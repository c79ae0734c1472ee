"""Types of columns: what is known from outside a text, and what follows for the queries inside it.

A column of a common table expression, a derived table or another model is what was selected there. So JSON that goes
through several queries is still known to be JSON where it is cast, compared or written as a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.annotate_types import TypeAnnotator
from sqlglot.schema import ensure_schema

from profiles_pipeline.sql.kinds import MAPS, dtype, leads_on

DType = exp.DType

_FLATTENED = (
    ("seq", DType.BIGINT), ("key", DType.VARCHAR), ("path", DType.VARCHAR), ("index", DType.BIGINT),
    ("value", DType.JSON), ("this", DType.JSON),
)  # fmt: skip
_COUNTED = (exp.TsOrDsDiff, exp.RegexpCount)
"""Calls that give whole numbers, which sqlglot leaves without a type in some dialects."""

_YIELDED = "columns"
_COUNTED_UP: dict[type[exp.Expr], DType] = {
    exp.GenerateDateArray: DType.DATE,
    exp.GenerateTimestampArray: DType.TIMESTAMP,
}
_SPLIT = (("seq", DType.BIGINT), ("index", DType.BIGINT), ("value", DType.VARCHAR))


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of the columns of a relation.

    Attributes:
        types: lower-case name and type of each, in order; None for a type that is not known.
        complete: True when it has no other columns.
        named: lower-case name and type of each as the warehouse names it, for a relation of the warehouse.
    """

    types: tuple[tuple[str, DType | None], ...] = ()
    complete: bool = False
    named: tuple[tuple[str, str], ...] = ()

    @property
    def by_name(self) -> dict[str, DType | None]:
        """The types by name; of columns of one name the first counts."""
        return dict(reversed(self.types))


UNKNOWN = Columns()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of types outside a text.

    Attributes:
        columns: the columns that may stand bare in an expression, and columns that are symbols, in lower case.
        relations: lower-case name of a table, as it is written after FROM -> its columns.
    """

    columns: frozenset[tuple[str, DType]] = frozenset()
    relations: frozenset[tuple[str, Columns]] = frozenset()


NOTHING = Known()


def annotated(tree: exp.Expr, source: str, known: Known = NOTHING) -> exp.Expr:
    """Return `tree` with the types the source dialect gives its nodes; columns have the type of what they stand for,
    as far as it is known. Changes in place."""
    _Annotation(source, known).tree(tree)
    return tree


def columns_of(query: exp.Expr) -> Columns:
    """Return the columns that an annotated query yields."""
    found = query.meta.get(_YIELDED)
    return found if isinstance(found, Columns) else UNKNOWN


@dataclass(frozen=True)
class _Scope:
    """What names mean at a place in a query.

    Attributes:
        ctes: the common table expressions in sight.
        sources: alias and columns of what stands after FROM; the alias None fits any qualifier.
        aliases: types of the columns that the query itself yields, which other parts of it may name.
        outer: the scope around the query.
    """

    ctes: Mapping[str, Columns] = field(default_factory=dict)
    sources: tuple[tuple[str | None, Columns], ...] = ()
    aliases: Mapping[str, DType | None] = field(default_factory=dict)
    outer: _Scope | None = None

    def type_of(self, name: str, qualifier: str) -> DType | None:
        """Return the type of a column, or None."""
        if qualifier:
            found = [columns for alias, columns in self.sources if _is_meant(alias, qualifier)]
            if found:
                return found[0].by_name.get(name)
        else:
            for _, columns in self.sources:
                if name in (types := columns.by_name):
                    return types[name]
            if name in self.aliases:
                return self.aliases[name]
            if not all(columns.complete for _, columns in self.sources):
                return None
        return self.outer.type_of(name, qualifier) if self.outer is not None else None


def _of_no_kind(annotator: TypeAnnotator, node: exp.Expr) -> None:
    annotator._set_type(node, None)


def _of_key(annotator: TypeAnnotator, node: exp.Expr) -> None:
    """``x['k']`` of Databricks is a text where x is a map, or a text that holds one; so is x[0] in ``x[0].a``."""
    by_name = any(key.is_string for key in node.expressions)
    of_text = isinstance(node.this, exp.Column | exp.Bracket | exp.JSONExtract)
    annotator._set_type(node, DType.VARCHAR if of_text and (by_name or leads_on(node)) else None)


def _is_meant(alias: str | None, qualifier: str) -> bool:
    """Return whether a qualifier means a source: a symbol is also known by the name of what it stands for."""
    return alias is None or qualifier in (alias, alias.rpartition("/")[2] if ":" in alias else alias)


class _Annotation:
    """One pass over a text."""

    def __init__(self, source: str, known: Known) -> None:
        schema = ensure_schema(None, dialect=source)
        assert schema.dialect is not None
        metadata = dict(schema.dialect.EXPRESSION_METADATA)
        metadata[exp.Column] = {"annotator": self._of_column}
        metadata |= {counted: {"returns": DType.BIGINT} for counted in _COUNTED}
        if source != "snowflake":  # whose objects alone are JSON
            metadata |= {made: {"annotator": _of_no_kind} for made in (exp.Struct, *MAPS)}
        if source == "databricks":
            metadata[exp.Bracket] = {"annotator": _of_key}
        self.annotator = TypeAnnotator(schema, expression_metadata=metadata)
        self.found: dict[int, DType] = {}
        self.outside = dict(known.columns)
        self.relations = dict(known.relations)

    def tree(self, tree: exp.Expr) -> None:
        """Annotate an expression, query or statement."""
        bare = tuple(self.outside.items())
        scope = _Scope(sources=((None, Columns(bare)),) if bare else ())
        if isinstance(tree, exp.Query):
            tree.meta[_YIELDED] = self.query(tree, scope)
        else:
            self._expression(tree, scope)

    def _of_column(self, annotator: TypeAnnotator, column: exp.Expr) -> None:
        annotator._set_type(column, self.found.get(id(column)))

    def _expression(self, root: exp.Expr, scope: _Scope) -> None:
        """Annotate what stands in a scope, the queries inside included."""
        todo = [root]
        while todo:
            node = todo.pop()
            if isinstance(node, exp.Query):
                self.query(node, _Scope(scope.ctes, outer=scope))
                continue
            if isinstance(node, exp.Column):
                found = self._column(node, scope)
                if found is not None:
                    self.found[id(node)] = found
            todo.extend(node.iter_expressions())
        self.annotator.annotate(root, annotate_scope=False)

    def _column(self, column: exp.Column, scope: _Scope) -> DType | None:
        name = column.name.lower()
        if ":" in name and name in self.outside:
            return self.outside[name]
        return scope.type_of(name, column.table.lower())

    # --- queries --------------------------------------------------------------------------------------------

    def query(self, query: exp.Expr, scope: _Scope) -> Columns:
        """Annotate a query and return its columns."""
        scope = self._with_ctes(query, scope)
        if isinstance(query, exp.SetOperation):
            columns = _united(self.query(query.left, scope), self.query(query.right, scope))
            self._rest(query, scope, ("this", "expression"))
            return columns
        if isinstance(query, exp.Subquery):
            columns = self.query(query.this, scope)
            self._rest(query, scope, ("this",))
            return columns
        if isinstance(query, exp.Select):
            return self._select(query, scope)
        return UNKNOWN

    def _with_ctes(self, query: exp.Expr, scope: _Scope) -> _Scope:
        with_ = query.args.get("with_")
        ctes = dict(scope.ctes)
        if not isinstance(with_, exp.With):
            return scope
        for cte in with_.expressions:
            name = cte.alias.lower()
            if with_.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                start = self.query(cte.this.left, _Scope(ctes, outer=scope.outer))
                ctes[name] = _renamed(start, cte.args.get("alias"))
            columns = self.query(cte.this, _Scope(ctes, outer=scope.outer))
            ctes[name] = _renamed(columns, cte.args.get("alias"))
        return _Scope(ctes, scope.sources, scope.aliases, scope.outer)

    def _select(self, select: exp.Select, scope: _Scope) -> Columns:
        sources: list[tuple[str | None, Columns]] = []
        for relation in _relations(select):
            so_far = _Scope(scope.ctes, tuple(sources), outer=scope.outer)
            sources.append((relation.alias_or_name.lower(), self._relation(relation, so_far)))
        aliases: dict[str, DType | None] = {}
        within = _Scope(scope.ctes, tuple(sources), aliases, scope.outer)
        yielded: list[tuple[str, DType | None]] = []
        for projection in select.expressions:
            self._expression(projection, within)
            if projection.is_star:
                yielded += _of_star(projection, within)
            else:
                yielded.append((projection.output_name.lower(), dtype(projection.unalias())))
                if isinstance(projection, exp.Alias) and not _uses(projection, projection.alias):
                    aliases.setdefault(*yielded[-1])
        self._rest(select, within, ("expressions",))
        stars = any(projection.is_star for projection in select.expressions)
        return Columns(tuple(yielded), not stars or all(columns.complete for _, columns in sources))

    def _relation(self, relation: exp.Expr, scope: _Scope) -> Columns:
        """Annotate what stands after FROM or JOIN and return its columns."""
        if isinstance(relation, exp.Query):
            columns = self.query(relation, _Scope(scope.ctes, outer=scope))
        elif isinstance(relation, exp.Table) and isinstance(relation.this, exp.Identifier):
            name = relation.name.lower()
            in_sight = scope.ctes.get(name) if not relation.args.get("db") else None
            columns = in_sight or self.relations.get(_known_as(relation)) or UNKNOWN
        else:
            self._expression(relation, scope)
            columns = _unpacked(relation)
        if relation.args.get("pivots"):
            return UNKNOWN
        return _renamed(columns, relation.args.get("alias"))

    def _rest(self, query: exp.Expr, scope: _Scope, done: tuple[str, ...]) -> None:
        """Annotate the parts of a query that are neither its queries nor `done`."""
        for key, value in query.args.items():
            if key in {*done, "with_", "from_", "laterals"}:
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, exp.Join):
                    for condition in (part.args.get("on"), part.args.get("match_condition")):
                        if isinstance(condition, exp.Expr):
                            self._expression(condition, scope)
                elif isinstance(part, exp.Expr):
                    self._expression(part, scope)


def _known_as(table: exp.Table) -> str:
    """Return the name of a table with its schema and database, in lower case."""
    return ".".join(part.name for part in table.parts).lower()


def _relations(select: exp.Select) -> Iterator[exp.Expr]:
    """Yield what stands after FROM and JOIN, in order, laterals included."""
    from_ = select.args.get("from_")
    first = [from_.this] if from_ is not None else []
    joined = [join.this for join in select.args.get("joins") or ()]
    for relation in (*first, *joined, *(select.args.get("laterals") or ())):
        yield relation
        for inner in relation.args.get("joins") or ():
            yield inner.this
        yield from relation.args.get("laterals") or ()


def _unpacked(relation: exp.Expr) -> Columns:
    """Return the columns of FLATTEN, SPLIT_TO_TABLE and of rows that are counted up in time."""
    if isinstance(relation, exp.Unnest) and len(relation.expressions) == 1 and not relation.args.get("offset"):
        counted = _COUNTED_UP.get(type(relation.expressions[0]))
        return Columns((("value", counted),), True) if counted is not None else UNKNOWN
    call = relation.this if isinstance(relation, exp.Lateral | exp.TableFromRows) else None
    if isinstance(call, exp.Explode) and not relation.args.get("view"):
        return Columns(_FLATTENED, True)
    return Columns(_SPLIT, True) if isinstance(call, exp.SplitToTable) else UNKNOWN


def _renamed(columns: Columns, alias: object) -> Columns:
    """Return the columns under the names that an alias gives them."""
    names = [name.name.lower() for name in alias.columns] if isinstance(alias, exp.TableAlias) else []
    if not names:
        return columns
    if not columns.complete:
        return UNKNOWN
    types = [found for _, found in columns.types]
    old = [name for name, _ in columns.types]
    return Columns(tuple(zip([*names, *old[len(names) :]], types, strict=False)), True)


def _united(left: Columns, right: Columns) -> Columns:
    """Return the columns of a union: JSON beside something else stays JSON, as VARIANT does."""
    if not (left.complete and right.complete and len(left.types) == len(right.types)):
        other = right.by_name
        return Columns(tuple((name, found if other.get(name) == found else None) for name, found in left.types))
    pairs = zip(left.types, right.types, strict=True)
    return Columns(tuple((name, _common(found, other)) for (name, found), (_, other) in pairs), True)


def _common(one: DType | None, other: DType | None) -> DType | None:
    if other in (one, DType.NULL):
        return one
    if one == DType.NULL:
        return other
    return DType.JSON if DType.JSON in (one, other) and None not in (one, other) else None


def _of_star(projection: exp.Expr, scope: _Scope) -> Iterator[tuple[str, DType | None]]:
    """Yield the columns that ``*`` or ``t.*`` stands for, without those that it leaves out."""
    star = projection.this if isinstance(projection, exp.Column) else projection
    qualifier = projection.table.lower() if isinstance(projection, exp.Column) else ""
    dropped = {item.name.lower() for item in star.args.get("except_") or ()}
    replaced = {item.alias.lower(): dtype(item.unalias()) for item in star.args.get("replace") or ()}
    renamed = {item.this.name.lower(): item.alias.lower() for item in star.args.get("rename") or ()}
    for alias, columns in scope.sources:
        if qualifier in ("", alias):
            for name, found in columns.types:
                if name not in dropped:
                    yield renamed.get(name, name), replaced.get(name, found)


def _uses(projection: exp.Expr, name: str) -> bool:
    """Return whether an expression names a column of the name it has itself, so that its source must have one."""
    return any(column.name.lower() == name.lower() for column in projection.find_all(exp.Column))
