"""The id types of a project, each with the filters and caps of those it extends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from profiles_pipeline.errors import Problems, did_you_mean
from profiles_pipeline.resolve.model import IdType
from profiles_pipeline.spec.model import IdFilter, IdTypeSpec, ProjectSpec

MOST_EDGES = 10
MOST_CAPPED_TYPES = 5
"""What the format allows: edges to one id type, and id types with such a cap."""


def id_types_of(spec: ProjectSpec, problems: Problems) -> dict[str, IdType]:
    """Return the id types by name, each with the filters of those it extends before its own.

    Unknown bases and filters that nothing can pass are added to `problems`.
    """
    written = {t.name.lower(): t for t in spec.id_types}
    known = [str(t.name) for t in written.values()]
    found = {}
    for own in written.values():
        name = str(own.name)
        chain, base = [own], written.get((own.extends or "").lower())
        while base is not None and base not in chain:
            chain.insert(0, base)
            base = written.get((base.extends or "").lower())
        if own.extends and own.extends.lower() not in written and f"id_type/{own.extends}" not in problems.broken:
            hint = did_you_mean(own.extends, known)
            message = f"id type '{own.extends}' not in project id types"
            problems.error("unknown-id-type", message, own.extends.span, hint=hint)
        caps = {_named(other, written): most for item in chain for other, most in item.maximum_edges.items()}
        for other in own.maximum_edges:
            if other.lower() not in written and f"id_type/{other}" not in problems.broken:
                message = f"maximum_edges of '{name}' names an id type '{other}' that the project has not"
                problems.error("unknown-id-type", message, own.span, hint=did_you_mean(other, known))
        _check_caps(own, problems)
        filters = tuple(rule for item in chain for rule in item.filters)
        _check_includes(name, filters, problems)
        found[name] = IdType(name, filters, tuple(sorted(caps.items())))
    return found


def _named(name: str, written: Mapping[str, IdTypeSpec]) -> str:
    """Return the name of an id type as it is declared."""
    own = written.get(name.lower())
    return str(own.name) if own else name


def _check_caps(own: IdTypeSpec, problems: Problems) -> None:
    """Warn of caps that go beyond what the format allows; they count here all the same."""
    high = [f"{most} for '{other}'" for other, most in own.maximum_edges.items() if most > MOST_EDGES]
    if high:
        message = f"maximum_edges of '{own.name}' says {' and '.join(high)}; the format goes up to {MOST_EDGES}"
        problems.warn("high-cap", message, own.span, hint="it counts here, and is refused elsewhere")
    if (count := len(own.maximum_edges)) > MOST_CAPPED_TYPES:
        message = f"maximum_edges of '{own.name}' names {count} id types; the format goes up to {MOST_CAPPED_TYPES}"
        problems.warn("high-cap", message, own.span, hint="they count here, and are refused elsewhere")


def _check_includes(name: str, filters: Iterable[IdFilter], problems: Problems) -> None:
    """Warn of an id type that asks its ids to have several values at once: every include has to hold."""
    included = {str(rule.value): rule for rule in filters if rule.type == "include" and rule.value is not None}
    if len(included) < 2:
        return
    values = ", ".join(f"'{value}'" for value in included)
    message = f"no id of type '{name}' passes its filters: it would have to be {values} at once"
    hint = f"write one include with a regex: {'|'.join(map(re.escape, included))}"
    problems.warn("contradictory-filters", message, list(included.values())[-1].span, hint=hint)
