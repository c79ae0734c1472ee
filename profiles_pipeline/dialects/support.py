"""What each engine does itself and what stands in for the rest, as a page for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from profiles_pipeline.dialects.capabilities import KNOWN, Capabilities
from profiles_pipeline.dialects.spoken import spoken


@dataclass(frozen=True, slots=True)
class Emulation:
    """Something of the canonical dialect that an engine does not say so, and how it says it."""

    what: str
    how: str


_GRANTS = {"none": "has none", "copied": "COPY GRANTS", "granted_again": "granted again", "lost": "lost"}

_FEATURES: dict[str, Callable[[Capabilities], str]] = {
    "can be built on": lambda r: _yes(r.runs),
    "connected components": lambda r: {"in_memory": "scipy, in memory", "contraction": "SQL"}[r.components],
    "later runs go on from earlier ones": lambda r: _yes(r.increments),
    "CREATE and DROP roll back": lambda r: _yes(r.transactional_ddl),
    "replaces a table in one statement": lambda r: _yes(r.create_or_replace_table),
    "replaces a view in one statement": lambda r: _yes(r.create_or_replace_view),
    "views go with what they read": lambda r: _yes(r.cascade_on_drop),
    "FILTER of aggregates": lambda r: _yes(r.filter_clause),
    "QUALIFY": lambda r: _yes(r.qualify),
    "stars that leave columns out": lambda r: _yes(r.star_except),
    "matches columns by their names": lambda r: _yes(r.by_name),
    "keeps the changes of a table": lambda r: _yes(r.change_tracking),
    "columns of several values with types": lambda r: _yes(r.structs),
    "inputs can be local files": lambda r: _yes(r.local_files),
    "tables without a past": lambda r: _yes(r.transient_tables),
    "value on the row with the greatest key": lambda r: r.arg_max or "no",
    "grants on a view that is replaced": lambda r: _GRANTS[r.grants],
    "tells how many bytes a model has read": lambda r: _yes(r.counts_bytes),
    "names without quotes become": lambda r: {"exact": "as written"}.get(
        r.identifier_case, r.identifier_case + " case"
    ),
    "longest name, in bytes": lambda r: str(r.max_identifier_length),
}


def emulations(dialect: str) -> tuple[Emulation, ...]:
    """Return what stands in for parts of the canonical dialect on an engine."""
    engine = spoken(dialect)
    return tuple(Emulation(rewrite.what, rewrite.how) for rewrite in engine.rewrites) if engine is not None else ()


def page() -> str:
    """Return the tables of docs/warehouses.md: what each engine does, and what is emulated and how."""
    names = list(KNOWN)
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for feature, told in _FEATURES.items():
        lines.append(f"| {feature} | {' | '.join(told(KNOWN[name]) for name in names)} |")
    for name in names:
        if found := emulations(name):
            lines += ["", f"On {name}, what DuckDB says is said otherwise:", "", "| DuckDB | here |", "|---|---|"]
            lines += [f"| {_cell(each.what)} | {_cell(each.how)} |" for each in found]
    return "\n".join(lines) + "\n"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
