"""What a destination demands of what it is given, as data. A destination is a contract, a shape and a sink."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from sqlglot import exp

Kind = Literal["text", "integer", "decimal", "float", "boolean", "date", "timestamp", "nested", "other"]
"""What a value is, whatever the warehouse calls its type; lists, objects and JSON are nested."""

FLAT: frozenset[Kind] = frozenset(("text", "integer", "decimal", "float", "boolean", "date", "timestamp"))
ANY: frozenset[Kind] = FLAT | {"nested"}

Sink = Literal["table", "files", "webhook", "sync"]
"""Where changes go once the table is written: nowhere else, into files, to a server, or fetched on request."""

OptionKind = Literal["text", "count", "duration", "texts"]


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Which texts can be keys.

    Attributes:
        column: name of the key column of the table; None for the name of the id.
        shortest: fewest characters.
        longest: most characters; None for any number.
        refused: lower-case texts that stand for nobody.
    """

    column: str | None = None
    shortest: int = 1
    longest: int | None = None
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Option:
    """Something that a project may say of a destination, beside its type.

    Attributes:
        kind: what is to be written.
        default: what holds when nothing is; None where something must be.
        among: the texts that are known; any when there are none.
    """

    kind: OptionKind
    default: object = None
    among: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """What a destination demands.

    Attributes:
        key: which keys it takes.
        kinds: which values it takes.
        longest_text: texts are cut after so many characters; None for never.
        most_properties: None for any number.
        operations_a_month: how many rows may be written, updated or deleted in a month; None for any number.
        tracked: its changes are read from the warehouse's own record of changes, which must be kept.
    """

    key: KeyRule = field(default_factory=KeyRule)
    kinds: frozenset[Kind] = ANY
    longest_text: int | None = None
    most_properties: int | None = None
    operations_a_month: int | None = None
    tracked: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """A value that is published: its name at the destination, its column in the table, and what that holds if known."""

    name: str
    column: str
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The relations of a publisher, for what is shaped from them.

    Attributes:
        table: one row per key.
        changes: one row per row that was inserted, updated or deleted, in order.
        key: the key column of the table.
        properties: in the order of the table.
        options: what the project says of the destination.
    """

    table: exp.Table
    changes: exp.Table
    key: str
    properties: tuple[Property, ...]
    options: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class View:
    """A view beside the table: the suffix of its name, and its query in the canonical dialect."""

    suffix: str
    query: exp.Expr


def no_views(_: Published) -> tuple[View, ...]:
    """Return no views: the table is what is read."""
    return ()


def nothing_tracked(dialect: str, relation: str, retention: timedelta) -> tuple[str, ...]:  # noqa: ARG001
    """Return no statements: the warehouse keeps no record of changes."""
    return ()


def nothing_beside(_: Mapping[str, object]) -> tuple[str, ...]:
    """Return no names: the key and the properties are all that stands in a row."""
    return ()


def anything_goes(_: Mapping[str, object]) -> str | None:
    """Return None: there is nothing wrong with what is said of a destination."""
    return None


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination.

    Attributes:
        name: as it is written in pipeline.yaml.
        contract: what it demands.
        sink: where changes go once the table is written.
        sink_needs: the option without which they go nowhere else than into the table; None where they always do.
        options: what may be said of it.
        address: options that say where it is, or as whom it knows people: with other ones it is another destination.
        by_changes: it is told of people by the list of changes alone, so that a new one has to be told of everybody.
        views: the relations that it reads, where the table itself is not what it wants; a pure function.
        beside: the names of columns that it has in one row with the key and the properties, given the options; None
            where properties are in an object of their own, or have the names of their columns.
        mapping: the query to give to it, which names properties as it knows them; None where it needs none.
        tracking: the statements that make a warehouse keep the changes of the table, given its dialect, the table as
            its SQL names it, and for how long; none where it cannot.
        fault: what is wrong with what is said of it, as a sentence; None when nothing is.
        next_step: what to do there once, for people.
        erasure: what has to be done there to forget somebody, beyond the deletion that it is given; for people.
    """

    name: str
    contract: Contract = field(default_factory=Contract)
    sink: Sink = "table"
    sink_needs: str | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    address: tuple[str, ...] = ()
    by_changes: bool = False
    views: Callable[[Published], tuple[View, ...]] = no_views
    beside: Callable[[Mapping[str, object]], tuple[str, ...]] | None = None
    mapping: Callable[[Published], exp.Expr] | None = None
    tracking: Callable[[str, str, timedelta], tuple[str, ...]] = nothing_tracked
    fault: Callable[[Mapping[str, object]], str | None] = anything_goes
    next_step: str = ""
    erasure: str = "whoever reads the table has to delete what was copied from it"
