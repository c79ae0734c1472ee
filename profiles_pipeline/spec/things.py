"""The things a project declares, found in its placed mapping by their names; and mappings without some parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from profiles_pipeline.errors import Broken, nearest
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

Steps = tuple[str | int, ...]
"""Keys and indexes that lead from a mapping to something inside."""

_KINDS = {
    "inputs": "inputs",
    "models": "models",
    "entities": "entity",
    "id_types": "id_type",
    "macros": "macro",
    "packages": "package",
}


def things(project: PlacedMap) -> Iterator[tuple[Steps, str]]:
    """Yield where each thing stands and its name as `Broken` has it; things without a name are left out."""
    for section, kind in _KINDS.items():
        for index, item in _maps(project.get(section)):
            if name := name_of(item):
                yield (section, index), f"{kind}/{name}"
    for number, group in _maps(project.get("var_groups")):
        for index, item in _maps(group.get("vars")):
            for var in item.values():
                if isinstance(var, PlacedMap) and (name := name_of(var)):
                    yield ("var_groups", number, "vars", index), f"var/{name}"


def name_of(item: PlacedMap) -> str | None:
    """Return the name of a thing in lower case, even when the key is misspelt; None when it has none."""
    key = "name" if "name" in item else nearest("name", item)
    name = item.get(key or "")
    return str(name).lower() if isinstance(name, Text) else None


def names_of_model(model: PlacedMap) -> Iterator[str]:
    """Yield the names, as `Broken` has them, of a model and of the features it adds."""
    if name := name_of(model):
        yield f"models/{name}"
    for spec in model.values():
        listed = spec.get("features") if isinstance(spec, PlacedMap) else None
        features = listed if isinstance(listed, PlacedList) else PlacedList()
        yield from (f"var/{name}" for _, feature in _maps(features) if (name := name_of(feature)))
        yield from (f"var/{name.lower()}" for name in features or () if isinstance(name, Text))


def vars_of(group: PlacedMap) -> tuple[str, ...]:
    """Return the names, as `Broken` has them, of the vars of a group."""
    alone = PlacedMap(group.span)
    groups = PlacedList(group.span)
    groups.add(group)
    alone.put("var_groups", groups)
    return tuple(name for _, name in things(alone))


def thing_at(project: PlacedMap, loc: Steps) -> tuple[Steps, tuple[str, ...]]:
    """Return where the innermost thing around `loc` stands, and its name; a section's key when it is in no thing.

    Of a var group, names are those of its vars.
    """
    size = 4 if loc[0] == "var_groups" and len(loc) > 3 and loc[2] == "vars" else 2
    item = loc[: size if len(loc) > 1 and isinstance(loc[1], int) else 1]
    names = tuple(name for steps, name in things(project) if len(item) > 1 and steps[: len(item)] == item)
    return item, names


def without_broken(project: PlacedMap, broken: Broken) -> PlacedMap:
    """Return the project without the things whose names are known to be broken."""
    return pruned(project, {steps for steps, name in things(project) if name in broken.names})


def pruned(mapping: PlacedMap, left_out: Collection[Steps]) -> PlacedMap:
    """Return a copy of `mapping` without the parts that these steps lead to."""
    result = mapping.without([str(steps[0]) for steps in left_out if len(steps) == 1])
    for key in dict.fromkeys(str(steps[0]) for steps in left_out if len(steps) > 1):
        inside = [steps[1:] for steps in left_out if steps[0] == key and len(steps) > 1]
        if key in result:
            result = result.with_value(key, _part(result[key], inside))
    return result


def _part(value: object, left_out: Collection[Steps]) -> object:
    if isinstance(value, PlacedMap):
        return pruned(value, left_out)
    if not isinstance(value, PlacedList):
        return value
    items = PlacedList(value.span)
    for index, (item, span) in enumerate(value.placed_items()):
        mine = [steps[1:] for steps in left_out if steps[0] == index]
        if () not in mine:
            items.add(_part(item, mine) if mine else item, span)
    return items


def _maps(items: object) -> Iterator[tuple[int, PlacedMap]]:
    if isinstance(items, PlacedList):
        yield from ((index, item) for index, item in enumerate(items) if isinstance(item, PlacedMap))
