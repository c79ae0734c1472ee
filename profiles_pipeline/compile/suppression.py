"""Identifiers that are not to be read any more: those of people who were forgotten.

Only salted hashes of them are kept, in a table beside the registry. Every engine computes the same hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.sql import build


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The identifiers that a project leaves out when it reads its sources.

    Attributes:
        table: the table with their hashes.
        project: name of the project whose they are.
        salt: what is hashed with each of them.
        id_types: entity and type, in lower case, of which there are any.
        mark: a text that is another one whenever the list is.
    """

    table: exp.Table
    project: str
    salt: str
    id_types: frozenset[tuple[str, str]]
    mark: str

    def concerns(self, entity: str, id_type: str) -> bool:
        """True when identifiers of a type are left out."""
        return (entity.lower(), id_type.lower()) in self.id_types

    def has(self, value: exp.Expr, entity: str, id_type: str) -> exp.Expr:
        """Return the condition that an identifier, given as a text, is left out; FALSE where there is none."""
        return build(
            """
            COALESCE(SHA256(:head || :value) IN (
                SELECT id_hash FROM :table AS f WHERE project = :project AND undone_at IS NULL
            ), FALSE)
            """,
            head=exp.Literal.string(_head(self.salt, entity, id_type)),
            value=sql.copied(value),
            table=self.table,
            project=exp.Literal.string(self.project),
        )


def hash_of(value: str, entity: str, id_type: str, salt: str) -> str:
    """Return what is kept of an identifier: the SHA-256 of salt, entity, type and value, in hexadecimal."""
    return hashlib.sha256((_head(salt, entity, id_type) + value).encode()).hexdigest()


def _head(salt: str, entity: str, id_type: str) -> str:
    return f"{salt}:{entity.lower()}:{id_type.lower()}:"
