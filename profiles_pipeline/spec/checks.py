"""What the shape alone cannot say: names given twice, and keys of which exactly one must be there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from profiles_pipeline.errors import Problems, Span, nearest
from profiles_pipeline.spec.convert import called, groups_of, keys_of
from profiles_pipeline.spec.lift.rewrite import maps_in
from profiles_pipeline.spec.model import (
    CohortFilter,
    CohortSpec,
    EntityVarSpec,
    FeatureTableSpec,
    FilterNode,
    IdFilter,
    InputSpec,
    InputVarSpec,
    Spec,
    SqlTemplateSpec,
    Text,
    VarGroupSpec,
    VarItem,
)
from profiles_pipeline.spec.placed import PlacedList, PlacedMap
from profiles_pipeline.spec.things import vars_of


def told_apart(project: PlacedMap, problems: Problems) -> PlacedMap:
    """Report every input, model, macro, entity, id type and var that has no name or that of an earlier one.

    Names count as equal when they differ only in case, except macro names. A var of a cohort may have the name of a var
    of its entity.

    Returns: the project in which a later thing of the same name has a number behind it, so that each is checked by
        itself. What refers to the name means the first; so it does for entities and macros, which keep theirs.
    """
    twins: dict[int, Text] = {}
    for key, noun in (("inputs", "input"), ("models", "model"), ("id_types", "id type")):
        twins |= _twins(_named(maps_in(project, key), str.lower), noun, problems)
    _twins(_named(maps_in(project, "entities"), str.lower), "entity", problems)
    _twins(_named(maps_in(project, "macros"), str), "macro", problems)
    twins |= _twins(_vars(project, "entity_var"), "entity_var", problems)
    twins |= _twins(_vars(project, "input_var"), "input_var", problems)
    return _renamed(project, twins) if twins else project


Named = tuple[tuple[str, ...], PlacedMap]
"""A thing that has a name, and within what the name must be the only one."""


def _named(items: Iterable[PlacedMap], fold: Callable[[str], str]) -> Iterator[Named]:
    for item in items:
        name = item.get("name")
        if isinstance(name, Text):
            yield (fold(str(name)),), item


def _vars(project: PlacedMap, kind: str) -> Iterator[Named]:
    for group in maps_in(project, "var_groups"):
        scope = str(group.get("entity_cohort") or f"{group.get('entity_key')}/all").lower()
        for item in maps_in(group, "vars"):
            var = item.get(kind)
            if isinstance(var, PlacedMap) and isinstance(name := var.get("name"), Text):
                owner = str(var.get("from")).lower() if kind == "input_var" else scope
                yield (owner, name.lower()), var


def _twins(things: Iterable[Named], noun: str, problems: Problems) -> dict[int, Text]:
    """Return the identity of each thing that has the name of an earlier one, and what to call it; tell each."""
    first: dict[tuple[str, ...], Span] = {}
    numbers: Counter[tuple[str, ...]] = Counter()
    twins: dict[int, Text] = {}
    for key, thing in things:
        name, span = str(thing["name"]), thing.value_span("name")
        numbers[key] += 1
        if not name.strip():
            problems.error("wrong-value", f"{'an' if noun[0] in 'aeiou' else 'a'} {noun} has an empty name", span)
        elif key in first:
            hint = f"first defined at {first[key]}"
            problems.error("duplicate-name", f"{noun} '{name}' is defined twice", span, hint=hint)
            twins[id(thing)] = Text(f"{name} ({numbers[key]})", span)
        else:
            first[key] = span
    return twins


def _renamed(value: PlacedMap, names: Mapping[int, Text]) -> PlacedMap:
    result = value.with_value("name", names[id(value)]) if id(value) in names else value.copy()
    for key, inner in value.items():
        if isinstance(inner, PlacedMap):
            result[key] = _renamed(inner, names)
        elif isinstance(inner, PlacedList):
            items = PlacedList(inner.span)
            for item, span in inner.placed_items():
                items.add(_renamed(item, names) if isinstance(item, PlacedMap) else item, span)
            result[key] = items
    return result


def check_choices(project: PlacedMap, problems: Problems) -> None:
    """Report every object that does not have exactly one of the keys it must choose from."""
    choose = _Choices(problems)
    for item in maps_in(project, "inputs"):
        with problems.breaking(f"inputs/{item.get('name')}"):
            choose.one(item, ("table", "view", "csv", "s3"), called("input", item), InputSpec)
    for item in maps_in(project, "id_types"):
        with problems.breaking(f"id_type/{item.get('name')}"):
            for rule in maps_in(item, "filters"):
                choose.one(rule, ("value", "regex", "sql"), f"a filter of {called('id type', item)}", IdFilter)
    for group in maps_in(project, "var_groups"):
        choose.of_group(group)
    for model in maps_in(project, "models"):
        if isinstance(spec := model.get("model_spec"), PlacedMap):
            with problems.breaking(f"models/{model.get('name')}"):
                choose.of_model(str(model.get("model_type")), spec, called(str(model.get("model_type")), model))


@dataclass(frozen=True)
class _Choices:
    """The rules about keys that exclude or need each other."""

    problems: Problems

    def of_group(self, group: PlacedMap) -> None:
        label = called("var_group", group)
        with self.problems.breaking(*vars_of(group)):
            self.one(group, ("entity_key", "entity_cohort"), label, VarGroupSpec)
        for item in maps_in(group, "vars"):
            vars_ = [var for kind in ("entity_var", "input_var") if isinstance(var := item.get(kind), PlacedMap)]
            with self.problems.breaking(*(f"var/{var.get('name')}" for var in vars_)):
                self.of_var(item, label)

    def of_var(self, item: PlacedMap, label: str) -> None:
        self.one(item, ("entity_var", "input_var"), f"a var of {label}", VarItem)
        if isinstance(var := item.get("entity_var"), PlacedMap):
            hint = "give 'select', 'default_value' or both"
            self.some(var, ("select", "default_value"), called("entity_var", var), EntityVarSpec, hint)
        if isinstance(var := item.get("input_var"), PlacedMap):
            label = called("input_var", var)
            self.some(var, ("select", "default_value"), label, InputVarSpec, None)
            self.some(var, ("from",), label, InputVarSpec, None)

    def of_model(self, kind: str, spec: PlacedMap, label: str) -> None:
        if kind == "sql_template":
            self.one(spec, ("single_sql", "multi_sql"), label, SqlTemplateSpec)
        elif kind == "feature_table_model":
            self.one(spec, ("entity_key", "entity_cohort"), label, FeatureTableSpec)
        elif kind == "entity_cohort":
            for rule in maps_in(spec, "filter_pipeline"):
                self.one(rule, ("value", "sql"), f"a filter of {label}", CohortFilter)
            if "filter_pipeline" in spec and "filter_expression" in spec:
                self.one(spec, ("filter_pipeline", "filter_expression"), label, CohortSpec)
            if isinstance(node := spec.get("filter_expression"), PlacedMap):
                self.of_condition(node, label)

    def of_condition(self, node: PlacedMap, label: str) -> None:
        self.one(node, ("AND", "OR", "expression"), f"a condition of {label}", FilterNode)
        for key in ("AND", "OR"):
            for child in maps_in(node, key):
                self.of_condition(child, label)

    def one(self, item: PlacedMap, keys: tuple[str, ...], label: str, cls: type[Spec]) -> None:
        given = [key for key in item if key in keys]
        if len(given) == 1 or (not given and _misspelt(item, keys, cls)):
            return
        choices = ", ".join(keys[:-1]) + " and " + keys[-1]
        has = " and ".join(given) or "none"
        span = item.key_span(given[1]) if given else item.span
        self.problems.error("one-of", f"{label} needs exactly one of {choices}, and has {has}", span)

    def some(self, item: PlacedMap, keys: tuple[str, ...], label: str, cls: type[Spec], hint: str | None) -> None:
        if any(key in item for key in keys) or _misspelt(item, keys, cls):
            return
        self.problems.error("missing-key", f"key '{keys[0]}' is missing in {label}", item.span, hint=hint)


def _misspelt(item: PlacedMap, keys: Iterable[str], cls: type[Spec]) -> bool:
    """Whether an unknown key of `item`, reported elsewhere, was meant to be one of `keys`, or to hold one."""
    known, meant = keys_of(cls), (*keys, *groups_of(cls))
    return any(nearest(key, meant) for key in item if key not in known)
