"""Hands on what was written, to where a destination has it: files, a server, or a sync that is started there.

What has arrived is noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from profiles_pipeline.errors import Check
from profiles_pipeline.publish.ledger import Ledger
from profiles_pipeline.publish.standing import declared_before, is_elsewhere
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session

SYNC_SUCCEEDED = Check("sync_succeeded", "Who was told to fetch the changes has done so.", 0)
"""The check of a publisher whose destination fetches; nothing was to be fetched."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was handed on.

    Attributes:
        files: what was written.
        batches: how many were taken by a server.
        rows: how many changes were in them.
        dead: how many changes the server refused for good.
        syncs: ids of syncs that were started, of which it is not known yet how they end.
    """

    files: tuple[str, ...] = ()
    batches: int = 0
    rows: int = 0
    dead: int = 0
    syncs: tuple[str, ...] = ()

    def and_then(self, other: Delivered) -> Delivered:
        """Return what both together have handed on."""
        return Delivered(
            (*self.files, *other.files),
            self.batches + other.batches,
            self.rows + other.rows,
            self.dead + other.dead,
            (*self.syncs, *other.syncs),
        )


def check_sink(publisher: Publisher) -> None:
    """Raise ProjectError where what is written could not be handed on: an address or a secret is missing."""
    if publisher.sink == "webhook":
        from profiles_pipeline.publish.webhook import receiver  # noqa: PLC0415 - needs an HTTP client

        receiver(publisher)
    elif publisher.sink == "sync":
        from profiles_pipeline.publish.syncs import connection  # noqa: PLC0415 - needs an HTTP client

        connection(publisher)


def deliver(session: Session, publisher: Publisher) -> Delivered:
    """Hand on what the last publication has left, and note what has arrived.

    Raises:
        RunError: not all of it has; publishing again goes on with the rest.
    """
    ledger = Ledger(session.warehouse, session.output.schema, session.project.name, publisher.name)
    last = ledger.last()
    if last is None or last.delivered_at is not None or is_elsewhere(publisher, declared_before(ledger)):
        return Delivered()  # what another destination has not got stays: this one is given everybody
    if publisher.sink == "files":
        from profiles_pipeline.publish.files import write_files  # noqa: PLC0415 - needs pyarrow

        done = Delivered(files=write_files(session, publisher, last))
    elif publisher.sink == "sync":
        from profiles_pipeline.publish.syncs import start  # noqa: PLC0415 - needs an HTTP client

        done = Delivered(syncs=(start(publisher, last),))
    elif publisher.sink == "table":  # it was another one when this was written
        done = Delivered()
    else:
        from profiles_pipeline.publish.webhook import send  # noqa: PLC0415 - needs an HTTP client

        sent = send(session, publisher, ledger, last)
        done = Delivered((), sent.batches, sent.rows, sent.dead)
    ledger.acknowledge(last.number, last.last_seq, datetime.now(UTC).replace(tzinfo=None))
    return done


def followed(publisher: Publisher, delivered: Delivered) -> tuple[Check, ...]:
    """Wait for the end of what was started elsewhere and return how it went. Needs no warehouse."""
    if publisher.sink != "sync":
        return ()
    if not delivered.syncs:
        return (SYNC_SUCCEEDED,)
    from profiles_pipeline.publish.syncs import ended  # noqa: PLC0415 - needs an HTTP client

    return (ended(publisher, delivered.syncs[-1]),)
