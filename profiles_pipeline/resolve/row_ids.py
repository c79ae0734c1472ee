"""The ids that rows carry: of which type each is, and of which entity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from profiles_pipeline.resolve.declared import Declared, text_span
from profiles_pipeline.resolve.model import Entity, IdType, RowId
from profiles_pipeline.spec.model import IdSpec


@dataclass
class RowIds:
    """Reads the ids that rows carry, and keeps what is to be known of all of them in the end.

    Attributes:
        types: the types of all ids read; those that are not declared count as plain ones.
        are_lost: True when some source has ids that could not be read, so that nothing can be said about ids it lacks.
    """

    declared: Declared
    types: dict[str, IdType] = field(default_factory=dict)
    are_lost: bool = False

    def read(self, specs: Iterable[IdSpec]) -> tuple[RowId, ...]:
        """Return those of the ids that have an entity; what is wrong with them is told."""
        return tuple(row_id for spec in specs if (row_id := self._row_id(spec)) is not None)

    def _row_id(self, spec: IdSpec) -> RowId | None:
        entity = self.declared.entity_named(spec.entity, spec.span) if spec.entity else self._entity_with_type(spec)
        if entity is None:
            self.are_lost = True
            return None
        if entity.names_main_id(spec.type):
            return RowId(spec.select, None, entity.name.lower(), spec.to_default_stitcher)
        name = self.declared.id_type_named(spec.type, spec.span)
        self.types.setdefault(name, IdType(name))
        if entity.id_types and name in self.declared.id_types and name not in entity.id_types:
            message = f"id type '{name}' is not among the id types of entity '{entity.name}', but rows carry it"
            hint = f"add it to the entity's id_types, or take the id out; it joins {entity.name}s as it is"
            self.declared.problems.warn("unlisted-id-type", message, text_span(spec.type, spec.span), hint=hint)
        return RowId(spec.select, name, entity.name.lower(), spec.to_default_stitcher)

    def _entity_with_type(self, spec: IdSpec) -> Entity | None:
        entities, broken = list(self.declared.entities.values()), self.declared.broken
        owners = [e for e in entities if spec.type.lower() in map(str.lower, e.id_types)] or entities
        if len(owners) == 1:
            return owners[0]
        if broken.anything or any(name.startswith("entity/") for name in broken.names):
            return None
        message = f"id '{spec.select}' does not say its entity"
        self.declared.problems.error("missing-key", message, spec.span, hint="add 'entity:'")
        return None
