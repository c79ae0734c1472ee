"""Publishers as they stand: how the newest publication of each was declared, whatever pipeline.yaml says by now.

A publisher that was renamed, taken out or given another key or destination has left its tables as they were. Whoever
looks for people there goes by what was published, and a publication tells by it what has been changed since.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import get_args

from sqlglot import exp

from profiles_pipeline.destinations import DESTINATIONS, Property
from profiles_pipeline.dialects import render, spelled
from profiles_pipeline.publish.ledger import Ledger, published_names
from profiles_pipeline.resolve.model import Entity
from profiles_pipeline.resolve.publishing import Deletes, Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.spec.publishing import GuardsSpec
from profiles_pipeline.sql import build

_FIRST = "table"
"""The destination of publishers of which nothing is noted: nothing can be handed on for them."""


@dataclass(frozen=True, slots=True)
class Declared:
    """How a publisher was declared, as plain values.

    Attributes:
        source: path of what was published.
        entity: name of the entity; empty where it is not known.
        key: column or type of the ids that were the key.
        key_column: the key column of the table.
        stitcher: path of the id graph by which keys were found; None where they are a column.
        deletes: what became of rows of those who were gone.
        destination: its name.
        options: what was said of it.
        names: column -> name at the destination.
    """

    source: str
    entity: str
    key: str
    key_column: str
    stitcher: str | None
    deletes: Deletes
    destination: str
    options: Mapping[str, object]
    names: Mapping[str, str]

    @classmethod
    def of(cls, publisher: Publisher) -> Declared:
        """Return how a publisher is declared."""
        return cls(
            publisher.source,
            publisher.entity.name,
            publisher.key,
            publisher.key_column,
            publisher.stitcher,
            publisher.deletes,
            publisher.destination.name,
            {name: _plain(value) for name, value in publisher.options.items()},
            {item.column: item.name for item in publisher.properties},
        )

    def text(self) -> str:
        """Return it as it is noted."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def noted(cls, text: str) -> Declared:
        """Return what was noted."""
        return cls(**json.loads(text))


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    return list(value) if isinstance(value, tuple) else value


def _option(value: object) -> object:
    if isinstance(value, dict):
        return timedelta(**value)
    return tuple(value) if isinstance(value, list) else value


def declared_before(ledger: Ledger) -> Declared | None:
    """Return how the newest publication was declared; None where that is not noted."""
    text = ledger.declaration()
    return None if text is None else Declared.noted(text)


def is_elsewhere(publisher: Publisher, before: Declared | None) -> bool:
    """Tell whether a publisher has another destination than its newest publication, which has nothing of it yet.

    It is another one when its type or its address is, or when what has been written there has other names now.
    """
    if before is None:
        return False
    now, destination = Declared.of(publisher), publisher.destination
    if before.destination != now.destination:
        return True
    if any(before.options.get(name) != now.options.get(name) for name in destination.address):
        return True
    return destination.by_changes and any(before.names.get(column, name) != name for column, name in now.names.items())


def standing(session: Session, entity: Entity) -> Iterator[Publisher]:
    """Yield the publishers of an entity that have a table, as they were when it was written to last.

    Those are among them that are not declared any more, also of entities that the project does not have any more.
    """
    schema, dialect = session.output.schema, session.warehouse.dialect
    there = session.warehouse.relations(schema)
    declared = {publisher.name: publisher for publisher in session.project.publishers}
    for name in published_names(session.warehouse, schema, session.project.name):
        if spelled(name, dialect) not in there:
            continue
        before = declared_before(Ledger(session.warehouse, schema, session.project.name, name))
        known = declared.get(name)
        if before is None:
            before = _as_found(session, name, known)
        publisher = known if known is not None and Declared.of(known) == before else _as_noted(session, name, before)
        if publisher is not None and publisher.entity.stitcher == entity.stitcher:
            yield publisher
        elif publisher is None:
            yield _made(name, before, entity)


def key_columns(session: Session) -> frozenset[str]:
    """Return the names of the key columns of all published tables."""
    schema, project = session.output.schema, session.project.name
    names = published_names(session.warehouse, schema, project)
    noted = (declared_before(Ledger(session.warehouse, schema, project, name)) for name in names)
    return frozenset(each.key_column for each in noted if each is not None)


def _as_found(session: Session, name: str, declared: Publisher | None) -> Declared:
    """Return how a publisher must have been declared of which only the table is known: its key is the first column."""
    warehouse, dialect = session.warehouse, session.warehouse.dialect
    table = build("SELECT * FROM :table", table=exp.table_(name, db=session.output.schema, quoted=True))
    columns = [column.name for column in warehouse.describe(render(table, dialect))]
    if declared is not None and declared.key_column.lower() == columns[0].lower():
        return Declared.of(declared)
    is_soft = "deleted_at" in {column.lower() for column in columns}
    return Declared("", "", columns[0], columns[0], None, "soft" if is_soft else "hard", _FIRST, {}, {})


def _as_noted(session: Session, name: str, before: Declared) -> Publisher | None:
    """Return a publisher as it was declared; None where the project does not know its entity any more."""
    entity = session.project.project.entities.get(before.entity)
    return None if entity is None else _made(name, before, entity)


def _made(name: str, before: Declared, entity: Entity) -> Publisher:
    destination = DESTINATIONS.get(before.destination, DESTINATIONS[_FIRST])
    assert before.deletes in get_args(Deletes)
    return Publisher(
        name=name,
        path=f"publish/{name}",
        span=None,
        source=before.source,
        entity=entity,
        destination=destination,
        key=before.key,
        stitcher=before.stitcher,
        cohort=None,
        fan_out="all",
        properties=tuple(Property(shown, column) for column, shown in before.names.items()),
        decimals={},
        deletes=before.deletes,
        keep_changes=None,
        guards=GuardsSpec(),
        options={option: _option(value) for option, value in before.options.items()},
    )
