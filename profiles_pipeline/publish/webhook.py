"""Sends changes to a server over HTTP: signed batches, in order, each at least once.

The outbox is the table of changes. What a server has taken is noted batch by batch, so that whoever comes next goes on
where this one stopped. A change that the server refuses for good becomes a dead letter and does not hold up the others.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import requests
from sqlglot import exp

from profiles_pipeline.compile.published_tables import dead_letters_of, outbox_query
from profiles_pipeline.compile.publishing import relations_of
from profiles_pipeline.dialects import literal_tree, render
from profiles_pipeline.errors import Problem, ProjectError, RunError, fail
from profiles_pipeline.publish.ledger import Ledger, Publication
from profiles_pipeline.publish.retrying import PassingError, Server, asked, may_be_sent_to, patiently, seconds_of
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build

ABOUT_CONTENT = frozenset((400, 409, 413, 415, 422))
"""Answers that refuse what was sent; others refuse who sent it, or where to, and stop the publication."""

_OPERATIONS = {"I": "insert", "U": "update", "D": "delete"}


@dataclass(frozen=True, slots=True)
class Sent:
    """How much of a publication a server has taken: batches, changes, and changes that it refused for good."""

    batches: int = 0
    rows: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to a batch that was not taken."""

    status: int
    text: str


def receiver(publisher: Publisher, environment: Mapping[str, str] = os.environ) -> Server:
    """Return where to send, with the secret from the environment.

    Raises:
        ProjectError: the address or the secret is missing, or the address is not one to send to.
    """
    options = publisher.options
    url_name, secret_name = str(options["url_env"]), str(options["secret_env"])
    url = environment.get(url_name, "") if url_name else str(options["url"])
    if not url:
        what = f"the environment has no {url_name}" if url_name else "it has neither 'url' nor 'url_env'"
        fail("no-address", f"'{publisher.name}' has nowhere to send to: {what}", publisher.span)
    if not may_be_sent_to(url):
        hint = "https://...; http only for this machine itself"
        fail("bad-address", f"'{publisher.name}' cannot send to its address", publisher.span, hint=hint)
    secret = environment.get(secret_name, "")
    if not secret:
        message = f"'{publisher.name}' signs what it sends, and the environment has no {secret_name}"
        fail(
            "no-secret", message, publisher.span, hint=f"set {secret_name} to what the receiver checks signatures with"
        )
    timeout, patience = (seconds_of(options, name) for name in ("timeout", "patience"))
    return Server(url, secret, timeout, int(str(options["attempts"])), patience)


def send(session: Session, publisher: Publisher, ledger: Ledger, publication: Publication) -> Sent:
    """Send what a server has not taken yet of the newest publication, and note what it takes.

    Raises:
        RunError: the server is down, or refuses whatever is sent; what is left is sent the next time.
        ProjectError: the address or the secret is missing.
    """
    to = receiver(publisher)
    batches = rows = dead = 0
    acknowledged = publication.acknowledged
    with requests.Session() as client:
        while acknowledged < publication.last_seq:
            batch = _batch(session, publisher, acknowledged)
            try:
                letters = _send_batch(client, to, publisher, publication, batch)
            except (PassingError, ProjectError) as error:
                left = publication.last_seq - acknowledged
                raise _stopped(publisher, publication, left, error) from error
            acknowledged = int(str(batch[-1]["seq"]))
            with session.warehouse.transaction():
                for change, answer in letters:
                    _bury(session, publisher, publication, change, answer)
                ledger.acknowledge(publication.number, acknowledged)
            batches, rows, dead = batches + 1, rows + len(batch) - len(letters), dead + len(letters)
    return Sent(batches, rows, dead)


def _batch(session: Session, publisher: Publisher, after: int) -> list[dict[str, object]]:
    """Return the changes that come next, as they are sent."""
    relations = relations_of(publisher, session.output.schema)
    query = outbox_query(relations, after, int(str(publisher.options["batch_size"])))
    found = session.warehouse.query(render(query, session.warehouse.dialect)).rows
    return [change(row, [item.name for item in publisher.properties]) for row in found]


def change(row: Sequence[object], names: Sequence[str]) -> dict[str, object]:
    """Return a change as it is sent; one that deletes has no properties.

    Args:
        row: number, operation, key, hash of the row, and its properties.
        names: what the destination calls the properties.
    """
    seq, op, key, row_hash, *values = row
    made: dict[str, object] = {"seq": int(str(seq)), "op": _OPERATIONS[str(op)], "key": str(key)}
    if op != "D":
        made["row_hash"] = row_hash
        made["properties"] = {name: as_json(value) for name, value in zip(names, values, strict=True)}
    return made


def as_json(value: object) -> object:
    """Return a value as JSON has it: times as ISO 8601 in UTC, decimals as numbers, None for what is no number."""
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat()}Z"
    if isinstance(value, date):
        return value.isoformat()
    number = float(value) if isinstance(value, Decimal) else value
    return None if isinstance(number, float) and not math.isfinite(number) else number


def _send_batch(
    client: requests.Session,
    to: Server,
    publisher: Publisher,
    publication: Publication,
    batch: Sequence[dict[str, object]],
) -> list[tuple[dict[str, object], Refused]]:
    """Send a batch; return the changes that the server refuses for good. A batch that it refuses is sent in pieces.

    Raises:
        PassingError: the server took it not even after waiting.
        ProjectError: the server refuses whatever is sent.
    """
    refused = _posted(client, to, publisher, publication, batch)
    if refused is None:
        return []
    if refused.status not in ABOUT_CONTENT:
        fail("receiver-refuses", f"{to.host} answers {refused.status}", hint="check the address and what it expects")
    if len(batch) == 1:
        return [(batch[0], refused)]
    half = len(batch) // 2
    return [
        letter
        for part in (batch[:half], batch[half:])
        for letter in _send_batch(client, to, publisher, publication, part)
    ]


def _posted(
    client: requests.Session,
    to: Server,
    publisher: Publisher,
    publication: Publication,
    batch: Sequence[Mapping[str, object]],
) -> Refused | None:
    """Send a batch, again where the server asks for it; return its answer if it is a refusal."""
    key = f"{publisher.name}:{publication.seq_no}:{batch[0]['seq']}-{batch[-1]['seq']}"
    body = json.dumps(
        {
            "publisher": publisher.name,
            "publication": publication.number,
            "seq_no": publication.seq_no,
            "published_at": as_json(publication.published_at),
            "changes": batch,
        },
        ensure_ascii=False,
        allow_nan=False,
    ).encode()
    return patiently(to.attempts, to.patience)(_once, client, to, body, key)


def _once(client: requests.Session, to: Server, body: bytes, key: str) -> Refused | None:
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "X-Profiles-Signature": signature(to.secret.encode(), body, int(time.time())),
    }
    answer = asked(client, "POST", to.url, timeout=to.timeout, data=body, headers=headers)
    if answer.ok and not answer.is_redirect:
        return None
    return Refused(answer.status_code, answer.text[:500])


def signature(secret: bytes, body: bytes, at: int) -> str:
    """Return what proves who sent a body and when: ``t=<unix seconds>,v1=<HMAC-SHA256 of "t.body">``."""
    digest = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _bury(
    session: Session, publisher: Publisher, publication: Publication, lost: Mapping[str, object], answer: Refused
) -> None:
    values: Iterator[object] = iter(
        (lost["seq"], publication.number, lost["op"], lost["key"], answer.status, answer.text)
    )
    statement = build(
        "INSERT INTO :letters VALUES (:values)",
        letters=dead_letters_of(publisher, session.output.schema),
        values=[*map(exp.convert, values), literal_tree(datetime.now(UTC))],
    )
    session.warehouse.execute(render(statement, session.warehouse.dialect))


def _stopped(publisher: Publisher, publication: Publication, left: int, error: PassingError | ProjectError) -> RunError:
    why = error.problems[0].message if isinstance(error, ProjectError) else str(error)
    message = f"'{publisher.name}' has {left:,} changes left to send: {why}"
    hint = f"nothing is lost: `profiles publish {publisher.name}` goes on with the rest"
    return RunError(Problem("not-delivered", message, publisher.span, hint), publisher.path, publication.seq_no)
