"""Cohorts that have one name, each of another entity: what is meant where only that name stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class AmbiguousCohortError(Exception):
    """A name that cohorts of several entities have, where nothing tells which of them is meant."""

    code = "ambiguous-cohort"
    hint = "write the one that is meant"

    def __init__(self, reference: str, meanings: list[str], entity: str | None) -> None:
        why = f"entity '{entity}', which this is about, has none" if entity else "nothing here tells the entity"
        super().__init__(f"'{reference}' can mean {' or '.join(meanings)}, and {why}")


@dataclass(frozen=True, slots=True)
class Namesakes:
    """The cohorts that share a name.

    Attributes:
        names: lower-case name -> lower-case entity -> name by which its cohort is known in the whole project.
    """

    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def path(self, path: str, entity: str | None) -> str:
        """Return the path that a lower-case path of a cohort, or of what belongs to one, means within an entity.

        Raises:
            AmbiguousCohortError: cohorts of several entities are meant, and none of this one.
        """
        kind, _, rest = path.partition("/")
        name, slash, inside = rest.partition("/")
        if kind != "models" or name not in self.names:
            return path
        return self._own(name, entity, "models/", f"{slash}{inside}")

    def name(self, name: str, entity: str | None) -> str:
        """Return the name, in lower case, of the cohort that a lower-case name means within an entity.

        Raises:
            AmbiguousCohortError: cohorts of several entities are meant, and none of this one.
        """
        return self._own(name, entity) if name in self.names else name

    def _own(self, name: str, entity: str | None, before: str = "", behind: str = "") -> str:
        own = self.names[name]
        if entity is None or entity not in own:
            meanings = [f"{before}{other}{behind}" for other in own.values()]
            raise AmbiguousCohortError(f"{before}{name}{behind}", meanings, entity)
        return f"{before}{own[entity].lower()}{behind}"
