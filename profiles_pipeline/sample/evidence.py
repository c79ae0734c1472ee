"""What a project's SQL gives away about the columns it reads: a ledger of clues, filled in any order.

A clue may be noted any number of times; noting it again changes nothing. So texts can be read twice, the second time
with everything known that the first reading found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from profiles_pipeline.sample.patterns import first_match

Kind = Literal["text", "number", "timestamp", "date", "boolean", "json", "array", "struct", "map"]
Scalar = str | float | bool
ELEMENT = "[]"
"""Step of a JSON path that means any element of an array."""

WEAK, USUAL, STRONG = 1, 2, 3


@dataclass(frozen=True, order=True, slots=True)
class Slot:
    """A place that holds values: a column of a table, or a path inside the JSON or the struct of one. All names in
    lower case, but for keys of JSON."""

    table: str
    column: str
    path: tuple[str, ...] = ()

    @property
    def whole(self) -> Slot:
        """The column itself."""
        return Slot(self.table, self.column)


@dataclass(frozen=True, slots=True)
class Wish:
    """Values one of which a row should have at a slot so that some condition holds; no values means any but NULL.

    `missing` asks for NULL. With `part` ("year", "hour" ...) the values are of that part of a time.
    """

    slot: Slot
    values: tuple[Scalar, ...] = ()
    missing: bool = False
    part: str = ""


@dataclass(frozen=True, order=True, slots=True)
class IdForm:
    """How a column writes identifiers that SQL makes of its values.

    Attributes:
        before: what stands before the identifier where SQL cuts it out; ``one@`` is any mailbox.
        after: what stands after it there.
        pattern: the regular expression that cuts it out, if one does.
        group: the group of the expression that is the identifier.
        longest: how many characters are cut out; 0 when there may be any number.
        prefix: what SQL puts before the value to make the identifier.
        suffix: what it puts after it.
        width: how many digits it fills up with zeros; else 0.
    """

    before: str = ""
    after: str = ""
    pattern: str = ""
    group: int = 0
    longest: int = 0
    prefix: str = ""
    suffix: str = ""
    width: int = 0

    @property
    def made(self) -> bool:
        """True when SQL puts identifiers together from the values."""
        return bool(self.prefix or self.suffix or self.width)

    def written(self, identifier: str) -> str:
        """Return the value of which SQL makes the identifier."""
        inner = identifier.removeprefix(self.prefix).removesuffix(self.suffix)
        return self.before + (inner.lstrip("0") if self.width else inner) + self.after

    def gives(self, identifier: str) -> bool:
        """Tell whether SQL makes the identifier of the value that is written for it."""
        if self.pattern and first_match(self.pattern, self.group, self.written(identifier)) != identifier:
            return False
        if self.longest and len(identifier) > self.longest:
            return False
        return identifier.startswith(self.prefix) and identifier.endswith(self.suffix)


@dataclass(frozen=True, order=True, slots=True)
class IdUse:
    """A column holds identifiers of an entity.

    Attributes:
        share: which of the people: "all", or "few" for a list of identifiers to leave out; "sound" means all of them
            and nothing else, where an identifier is made from the value, so that no filter can tell what is junk.
        form: how the column writes them.
    """

    entity: str
    id_type: str
    share: Literal["all", "few", "sound"] = "all"
    form: IdForm = IdForm()


@dataclass(slots=True)
class Clues:
    """What is known of one slot. Literals keep the order in which they were met."""

    votes: dict[Kind, int] = field(default_factory=dict)
    literals: dict[Scalar, None] = field(default_factory=dict)
    bounds: dict[float, None] = field(default_factory=dict)
    likes: dict[str, None] = field(default_factory=dict)
    regexes: dict[str, None] = field(default_factory=dict)
    formats: dict[str, None] = field(default_factory=dict)
    around_numbers: dict[tuple[str, str], None] = field(default_factory=dict)
    ids: dict[IdUse, None] = field(default_factory=dict)
    separator: str | None = None
    blank: bool = False
    nullable: bool = False
    epoch: int = 0
    most: float | None = None
    whole: bool = False
    occurred_at: bool = False
    future: bool = False

    def absorb(self, other: Clues) -> None:
        """Take over everything `other` knows except which identifiers it holds and whether it is the row's time."""
        for kind, weight in other.votes.items():
            self.votes[kind] = max(weight, self.votes.get(kind, 0))
        for name in ("literals", "bounds", "likes", "regexes", "formats", "around_numbers"):
            getattr(self, name).update(getattr(other, name))
        self.separator = self.separator or other.separator
        self.blank = self.blank or other.blank
        self.nullable = self.nullable or other.nullable
        self.epoch = self.epoch or other.epoch
        self.most = self.most or other.most
        self.whole = self.whole or other.whole
        self.future = self.future or other.future


class Ledger:
    """Everything noted about the tables of a project.

    Attributes:
        timed: tables whose rows are of a time, such as events.
        partial: tables whose rows are taken away from others, so that they must not be about everybody.
        certain: it was filled before, so that a name which several tables may have can now be given to one of them.
        structs: the SQL is of a warehouse with columns of type STRUCT and ARRAY, into which paths lead.
    """

    def __init__(self, *, structs: bool = False) -> None:
        self.certain = False
        self.structs = structs
        self.written: dict[str, str] = {}
        self.columns: dict[str, dict[str, str]] = {}
        self.clues: dict[Slot, Clues] = {}
        self.recipes: dict[str, dict[tuple[Wish, ...], None]] = {}
        self.same_columns: list[frozenset[str]] = []
        self.pools: dict[Slot, Slot] = {}
        self.kin: set[tuple[Slot, Slot]] = set()
        self.timed: set[str] = set()
        self.partial: set[str] = set()

    def table(self, key: str, written: str) -> None:
        """Note that a table is read; the first spelling counts."""
        self.written.setdefault(key, written)
        self.columns.setdefault(key, {})

    def column(self, table: str, name: str) -> Slot:
        """Note that a column is read; the first spelling counts."""
        slot = Slot(table, name.lower())
        self.columns[table].setdefault(slot.column, name)
        self.of(slot)
        return slot

    def of(self, slot: Slot) -> Clues:
        """Return the clues of a slot, for adding to."""
        return self.clues.setdefault(slot, Clues())

    def vote(self, slots: Iterable[Slot], kind: Kind, weight: int = USUAL) -> None:
        """Note that values of the slots are used as `kind`."""
        for slot in slots:
            votes = self.of(slot).votes
            votes[kind] = max(weight, votes.get(kind, 0))

    def member(self, slots: Iterable[Slot], steps: Iterable[str]) -> tuple[Slot, ...]:
        """Return the places that a path without JSON leads to: fields of structs, and elements of arrays."""
        steps = tuple(step.lower() for step in steps)
        inner = tuple(Slot(slot.table, slot.column, (*slot.path, *steps)) for slot in slots)
        for slot in inner:
            self.of(slot)
            self.vote([slot.whole], "struct")
        return inner

    def recipe(self, wishes: Iterable[Wish]) -> None:
        """Note that rows are looked for in which all of these hold; wishes for several tables are told apart."""
        by_table: dict[str, dict[Wish, None]] = {}
        for wish in wishes:
            by_table.setdefault(wish.slot.table, {})[wish] = None
        for table, found in by_table.items():
            self.recipes.setdefault(table, {})[tuple(found)] = None

    def alike(self, tables: frozenset[str]) -> None:
        """Note that tables are united by position, so that they must have the same columns."""
        if len(tables) > 1 and tables not in self.same_columns:
            self.same_columns.append(tables)

    def related(self, left: Iterable[Slot], right: Iterable[Slot]) -> None:
        """Note that values of both are compared or mixed: they are of one kind."""
        right = tuple(right)
        self.kin.update((one, two) for one in left for two in right if one != two)

    def equal(self, left: Iterable[Slot], right: Iterable[Slot]) -> None:
        """Note that rows are matched by these values: they come from one pool."""
        left, right = tuple(left), tuple(right)
        self.related(left, right)
        for one in left:
            for two in right:
                a, b = self.pool(one), self.pool(two)
                if a != b:
                    self.pools[max(a, b)] = min(a, b)

    def pool(self, slot: Slot) -> Slot:
        """Return the slot that stands for the pool of values that `slot` draws from."""
        while slot in self.pools:
            slot = self.pools[slot]
        return slot
