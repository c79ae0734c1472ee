"""What a FROM item offers: names of columns, and the places in tables from outside that their values come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from sqlglot import exp

from profiles_pipeline.sample.evidence import ELEMENT, Kind, Ledger, Scalar, Slot, Wish

Alternatives = tuple[tuple[Wish, ...], ...]
"""Ways to make a condition true; each needs all of its wishes."""

ALWAYS: Alternatives = ((),)
_MOST = 12


@dataclass(frozen=True, slots=True)
class Value:
    """Where the value of an expression comes from and what is known of it.

    Attributes:
        slots: places whose values it is, or nearly is.
        kind: what it surely is.
        literal: itself, when it is written in the text.
        total: it grows with the number of rows.
        now: it is the moment that everything is as of.
        parts: it is a list of the parts of a text, between which `around` stands.
        calendar: times of which it is a part, such as the year.
        part: which one; "text" where it is written out, as in ``2024-03``.
        inside: slots of whose texts it is a piece.
        around: what stands before and after the piece there.
        measured: slots of whose texts it is the length.
        choices: all the values that it can be.
    """

    slots: tuple[Slot, ...] = ()
    kind: Kind | None = None
    literal: Scalar | None = None
    total: bool = False
    now: bool = False
    parts: bool = False
    calendar: tuple[Slot, ...] = ()
    part: str = ""
    inside: tuple[Slot, ...] = ()
    around: tuple[str, str] = ("", "")
    measured: tuple[Slot, ...] = ()
    choices: tuple[Scalar, ...] = ()


NOTHING = Value()


Column = Value | Callable[[], Value | None]
"""A column's value, or how to find it; what is found may be None: not a column after all."""


def mixed(values: Iterable[Value]) -> Value:
    """Return the value that is one of `values`."""
    values = tuple(values)
    kinds = {value.kind for value in values if value.kind is not None}
    slots = tuple(dict.fromkeys(slot for value in values for slot in value.slots))
    kind = kinds.pop() if len(kinds) == 1 else None
    piece = next((value for value in values if value.inside), NOTHING)
    return Value(slots, kind, None, any(v.total for v in values), inside=piece.inside, around=piece.around)


def both(left: Alternatives, right: Alternatives) -> Alternatives:
    """Return the ways to make two conditions true at once; only some when there are many."""
    found = (tuple(dict.fromkeys((*one, *two))) for one, two in product(left, right))
    return tuple(dict.fromkeys(islice(found, _MOST))) or ALWAYS


@dataclass
class Relation:
    """Rows with columns.

    Attributes:
        columns: lower-case name -> its value.
        rest: relations whose columns it has as well.
        table: key of the table from outside that it is, which has any column asked of it.
        element: the structs whose fields are its columns, which may be any too.
        alternatives: what its rows have in common.
    """

    ledger: Ledger
    columns: Mapping[str, Column] = field(default_factory=dict)
    rest: tuple[Relation, ...] = ()
    table: str | None = None
    element: Value = NOTHING
    alternatives: Alternatives = ALWAYS

    def knows(self, name: str) -> bool:
        """True when it has the column for sure."""
        if name in self.columns or any(part.knows(name) for part in self.rest):
            return True
        if any(Slot(s.table, s.column, (*s.path, name)) in self.ledger.clues for s in self.element.slots):
            return True
        return self.table is not None and name in self.ledger.columns[self.table]

    def may_have(self, name: str) -> bool:
        """True when it has the column or takes it from a table that can have any."""
        if self.table is not None or self.element.slots or name in self.columns:
            return True
        return any(part.may_have(name) for part in self.rest)

    def value(self, name: str) -> Value:
        """Return the value of a column. A table from outside has it from now on."""
        found = self.columns.get(name.lower())
        value = found() if callable(found) else found
        if value is not None:
            return value
        parts = [part for part in self.rest if part.knows(name.lower())]
        if parts:
            return parts[0].value(name)
        parts = [part for part in self.rest if part.may_have(name.lower())]
        if parts:
            return likeliest(parts, name.lower()).value(name) if len(parts) == 1 or self.ledger.certain else NOTHING
        if self.table is not None:
            return Value((self.ledger.column(self.table, name),))
        return Value(self.ledger.member(self.element.slots, [name]))

    def tables(self) -> frozenset[str]:
        """Return the tables from outside whose columns it has by a star alone."""
        own = frozenset([self.table]) if self.table is not None else frozenset()
        return own.union(*(part.tables() for part in self.rest))


def called_like_field(relation: Relation, name: str) -> bool:
    """Tell whether the structs of a relation probably have a field of that name: ``item_id`` of ``items``."""
    stems = [next(step for step in (*s.path[::-1], s.column) if step != ELEMENT) for s in relation.element.slots]
    return any(name in ("key", "value") or name.startswith(f"{stem.removesuffix('s')}_") for stem in stems)


def likeliest(relations: Sequence[Relation], name: str) -> Relation:
    """Return the relation that a column without a qualifier most likely belongs to: named alike, else the first."""
    fields = [relation for relation in relations if called_like_field(relation, name)]
    if fields:
        return fields[0]
    head = name.partition("_")[0]
    alike = [r for r in relations if any(head in table.rpartition(".")[2] for table in r.tables())]
    return (alike or relations)[0]


@dataclass
class Scope:
    """The names that can be used in a query."""

    parent: Scope | None = None
    items: dict[str, Relation] = field(default_factory=dict)
    ctes: dict[str, Relation] = field(default_factory=dict)
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    alternatives: Alternatives = ALWAYS

    def cte(self, name: str) -> Relation | None:
        """Return the common table expression of that name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.parent
        return None

    def item(self, name: str) -> Relation | None:
        """Return the FROM item of that name, here or around."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.items:
                return scope.items[name]
            scope = scope.parent
        return None
