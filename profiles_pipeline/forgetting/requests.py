"""What was asked to be forgotten, in tables of the registry: open requests with ids, done ones with hashes of them."""

from __future__ import annotations

import getpass
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlglot import exp

from profiles_pipeline.compile.suppression import hash_of
from profiles_pipeline.dialects import render
from profiles_pipeline.names import FORGET_REQUESTS, FORGOTTEN_IDS
from profiles_pipeline.session import Session
from profiles_pipeline.warehouse.base import Warehouse


@dataclass(frozen=True, slots=True, order=True)
class Id:
    """An identifier: its type, spelt as the project spells it, and its value as a text."""

    type: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to forget.

    Attributes:
        number: its name: the moment at which it was asked, and a few letters.
        entity: name of the entity.
        ids: all identifiers that are forgotten; none of a request that is done, of which only hashes are left.
        count: how many there are.
        main_ids: the main ids that these have now, in finished runs before, and in what is published.
        done_at: when nothing was left of them; None for one that is still open.
        certificate: what was done, as it was written; None for one that is still open.
    """

    number: str
    entity: str
    reason: str | None
    ids: tuple[Id, ...]
    count: int
    main_ids: frozenset[str]
    asked_at: datetime
    done_at: datetime | None = None
    undone_at: datetime | None = None
    certificate: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests of the project of a session."""

    session: Session

    def record(
        self, entity: str, entities: Iterable[str], ids: Iterable[Id], main_ids: Iterable[str], reason: str | None
    ) -> Request:
        """Write down a request, and return it: from here on no run reads these ids.

        Args:
            entity: name of the entity.
            entities: names of all entities that share its id graph.
            ids: what is to be forgotten.
            main_ids: what they are known by.
            reason: why, for people.
        """
        now = datetime.now(UTC).replace(tzinfo=None)
        ids, main_ids = tuple(sorted(set(ids))), frozenset(main_ids)
        made = Request(f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", entity, reason, ids, len(ids), main_ids, now)
        self.session.registry.ensure()
        salt = self._scalar(f"SELECT MAX(salt) FROM {self._requests} WHERE project = ?", [self._project])
        salt = str(salt) if salt else secrets.token_hex(16)
        with self.session.warehouse.transaction():
            self._execute(
                f"INSERT INTO {self._requests} VALUES ({', '.join('?' * 12)})",
                [self._project, made.number, entity, reason, salt, made.count, json.dumps(sorted(main_ids)), now,
                 _user(),
                 None, None, None],
            )  # fmt: skip
            for name in entities:
                for each in ids:
                    values = [self._project, made.number, name.lower(), each.type.lower(),
                              hash_of(each.value, name, each.type, salt), f"{each}", None]  # fmt: skip
                    self._execute(f"INSERT INTO {self._ids} VALUES ({', '.join('?' * 7)})", values)
        return made

    def all(self) -> tuple[Request, ...]:
        """Return every request, in the order in which they were asked."""
        if not {FORGET_REQUESTS, FORGOTTEN_IDS} <= {n.lower() for n in self._warehouse.relations(self._schema)}:
            return ()
        values: dict[str, set[Id]] = {}
        text = f"SELECT request, id_value FROM {self._ids} WHERE project = ? AND id_value IS NOT NULL"
        for number, value in self._warehouse.query(text, [self._project]).rows:
            id_type, _, spelled = str(value).partition(":")
            values.setdefault(str(number), set()).add(Id(id_type, spelled))
        found = self._warehouse.query(
            f"""SELECT request, entity, reason, ids, main_ids, asked_at, done_at, undone_at, certificate
            FROM {self._requests} WHERE project = ? ORDER BY asked_at, request""",
            [self._project],
        )
        return tuple(
            Request(
                str(number), str(entity), None if reason is None else str(reason),
                tuple(sorted(values.get(str(number), ()))), int(str(count)),
                frozenset(json.loads(str(main_ids))) if main_ids else frozenset(),
                _moment(asked) or datetime.min, _moment(done), _moment(undone),
                json.loads(str(certificate)) if done else None,
            )
            for number, entity, reason, count, main_ids, asked, done, undone, certificate in found.rows
        )  # fmt: skip

    def open(self) -> tuple[Request, ...]:
        """Return the requests that are not done yet."""
        return tuple(each for each in self.all() if each.done_at is None and each.undone_at is None)

    def about(self, entity: str, ids: Iterable[Id]) -> tuple[Request, ...]:
        """Return the requests that hold and in which one of some ids is forgotten."""
        suppressed = self.session.registry.suppressed(self._project)
        hashes = [hash_of(each.value, entity, each.type, suppressed.salt) for each in ids] if suppressed else []
        if not hashes:
            return ()
        text = f"SELECT DISTINCT request FROM {self._ids} WHERE project = ? AND undone_at IS NULL AND id_hash IN "
        marks = f"({', '.join('?' * len(hashes))})"
        numbers = {str(row[0]) for row in self._warehouse.query(text + marks, [self._project, *hashes]).rows}
        return tuple(each for each in self.all() if each.number in numbers)

    def taken(self, request: Request) -> dict[str, dict[str, int]]:
        """Return what was taken out for a request that is open: what it was taken out of -> table -> rows."""
        text = f"SELECT certificate FROM {self._requests} WHERE project = ? AND request = ?"
        found = self._scalar(text, [self._project, request.number])
        return json.loads(str(found)) if found else {}

    def add(self, request: Request, of: str, rows: Mapping[str, int]) -> None:
        """Note what was taken out for a request, in the transaction that does: the certificate counts it once."""
        taken = self.taken(request)
        taken[of] = dict(Counter(taken.get(of, {})) + Counter(rows))
        text = f"UPDATE {self._requests} SET certificate = ? WHERE project = ? AND request = ?"
        self._execute(text, [json.dumps(taken), self._project, request.number])

    def finish(self, request: Request, certificate: Mapping[str, object], done_at: datetime) -> None:
        """Note that a request is done; of its ids only the hashes stay."""
        own = [self._project, request.number]
        with self._warehouse.transaction():
            self._execute(f"UPDATE {self._ids} SET id_value = NULL WHERE project = ? AND request = ?", own)
            self._execute(
                f"""UPDATE {self._requests} SET done_at = ?, main_ids = NULL, certificate = ?
                WHERE project = ? AND request = ?""",
                [done_at, json.dumps(dict(certificate)), *own],
            )

    def undo(self, requests: Iterable[Request]) -> None:
        """Let the next run read the ids of some requests again."""
        now = datetime.now(UTC).replace(tzinfo=None)
        with self._warehouse.transaction():
            for each in requests:
                for table in (self._ids, self._requests):
                    text = f"UPDATE {table} SET undone_at = ? WHERE project = ? AND request = ?"
                    self._execute(text, [now, self._project, each.number])
                text = f"UPDATE {self._ids} SET id_value = NULL WHERE project = ? AND request = ?"
                self._execute(text, [self._project, each.number])
                text = f"UPDATE {self._requests} SET main_ids = NULL WHERE project = ? AND request = ?"
                self._execute(text, [self._project, each.number])

    # --- short names ------------------------------------------------------------------------------------------------

    @property
    def _warehouse(self) -> Warehouse:
        return self.session.warehouse

    @property
    def _schema(self) -> str:
        return self.session.output.schema

    @property
    def _project(self) -> str:
        return self.session.project.name

    @property
    def _requests(self) -> str:
        return self._table(FORGET_REQUESTS)

    @property
    def _ids(self) -> str:
        return self._table(FORGOTTEN_IDS)

    def _table(self, name: str) -> str:
        return render(exp.table_(name, db=self._schema, quoted=True), self.session.warehouse.dialect)

    def _execute(self, text: str, params: Sequence[object]) -> None:
        self._warehouse.execute(text, params)

    def _scalar(self, text: str, params: Sequence[object]) -> object:
        return self._warehouse.scalar(text, params)


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
