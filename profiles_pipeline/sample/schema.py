"""Works out which columns each table from outside has, and what kind of values, from the project's texts alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.sample.evidence import (
    ELEMENT,
    USUAL,
    WEAK,
    Clues,
    IdForm,
    IdUse,
    Kind,
    Ledger,
    Scalar,
    Slot,
    Wish,
)
from profiles_pipeline.sample.naming import Theme, looks_like_key, suggested_kind, theme_of
from profiles_pipeline.sample.patterns import like_examples, like_matches
from profiles_pipeline.sample.texts import read_project
from profiles_pipeline.sample.words import WORDS
from profiles_pipeline.sql.rewrites.texts import says_nothing
from profiles_pipeline.warehouse.sources import parse_table_name

_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}.*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WHOLE = re.compile(
    r"count|cnt|qty|quantity|num|^n_|_n$|age$|year|days|rank|^int_|_int$|points|visits|views|clicks|size|id$|position|index"
)
_COORDINATES: Mapping[float | None, Theme] = {90.0: "latitude", 180.0: "longitude"}
_PREFIX = re.compile(r"^(dim|stg|raw|d)_|_(dim|master)$")
_KEY = r"(id|key|code|no|nr|num|number|uuid|slug)"
_EVENT_COLUMNS = ("id", "received_at", "sent_at", "original_timestamp", "context_ip", "context_library_name")
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "tracks": (*_EVENT_COLUMNS, "event", "event_text", "anonymous_id", "user_id", "timestamp"),
    "identifies": (*_EVENT_COLUMNS, "anonymous_id", "user_id", "timestamp"),
    "pages": (*_EVENT_COLUMNS, "name", "path", "url", "referrer", "title", "anonymous_id", "user_id", "timestamp"),
    "screens": (*_EVENT_COLUMNS, "name", "anonymous_id", "user_id", "timestamp"),
    "users": ("id", "received_at", "email", "name", "country"),
}
_FALLBACK = ("name", "status", "amount")


@dataclass(frozen=True, slots=True)
class ColumnSchema:
    """A column, or a field inside JSON.

    Attributes:
        literals: values that SQL compares it with, texts that satisfy its patterns included.
        patterns: regular expressions that SQL matches it with.
        bounds: numbers that SQL compares its size with.
        around_numbers: what stands before and after numbers that SQL reads out of its texts.
        id_use: whose identifiers it holds, if any.
        pool: name of the pool of keys that it shares with other columns, if any.
        format: strftime format when it is a time written as text.
        epoch: how many microseconds make what it counts when it is a time written as a number; else 0.
        fields: what an object or a struct holds; for an array one field, its element.
        typed: it is a STRUCT, an ARRAY or a MAP of the warehouse, not JSON.
    """

    name: str
    kind: Kind
    theme: Theme = "word"
    literals: tuple[Scalar, ...] = ()
    patterns: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    around_numbers: tuple[tuple[str, str], ...] = ()
    id_use: IdUse | None = None
    pool: str | None = None
    format: str | None = None
    separator: str | None = None
    nullable: bool = False
    whole: bool = False
    digits: bool = False
    epoch: int = 0
    occurred_at: bool = False
    fields: tuple[ColumnSchema, ...] = ()
    typed: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table from outside.

    Attributes:
        name: as the project writes it.
        partial: it must not be about everybody.
        recipes: combinations of values that SQL looks for in one row.
        key: the column by which its rows are looked up, each of which has a value of its own.
    """

    name: str
    columns: tuple[ColumnSchema, ...]
    recipes: tuple[tuple[Wish, ...], ...] = ()
    partial: bool = False
    key: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the name, quotes removed."""
        return parse_table_name(self.name)

    def column(self, name: str) -> ColumnSchema:
        """Return the column of that name, whatever its case."""
        return next(column for column in self.columns if column.name.lower() == name.lower())


def infer(project: ProfilesProject) -> tuple[TableSchema, ...]:
    """Return every table from outside that a project reads, with the columns it needs there."""
    ledger = read_project(project)
    _complete(ledger, project)
    _settle(ledger, project)
    return tuple(_table(ledger, key) for key in ledger.written)


# --- completing the ledger ------------------------------------------------------------------------------------------


def _complete(ledger: Ledger, project: ProfilesProject) -> None:
    """Add the usual columns to tables that are read as a whole, and make united tables alike."""
    united = frozenset().union(*ledger.same_columns)
    mentioned = {name for columns in ledger.columns.values() for name in columns}
    mentioned |= {name for own in project.project.input_vars.values() for name in own}
    own_vars = project.project.entity_vars.values()
    mentioned |= {name for own in own_vars for name, var in own.items() if var.bare_names}
    for key, columns in ledger.columns.items():
        if key in united:
            continue
        extras = _EXTRAS.get(key.rpartition(".")[2], ())
        if not any(not ledger.clues.get(Slot(key, c), Clues()).ids for c in columns):
            extras = (*extras, *_FALLBACK)
        for name in extras:
            if name not in mentioned:
                ledger.column(key, name)
    for group in _merged(ledger.same_columns):
        names = {name: spelled for key in sorted(group) for name, spelled in ledger.columns[key].items()}
        for key in group:
            ledger.columns[key] = {name: ledger.columns[key].get(name, names[name]) for name in sorted(names)}
        for name in names:
            _share([Slot(key, name) for key in sorted(group)], ledger)


def _merged(groups: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    found: list[frozenset[str]] = []
    for group in groups:
        touching = [other for other in found if other & group]
        found = [other for other in found if not other & group]
        found.append(group.union(*touching))
    return found


def _settle(ledger: Ledger, project: ProfilesProject) -> None:
    """Let slots that are compared or united with each other know what is known of the others."""
    pools: dict[Slot, list[Slot]] = {}
    for slot in list(ledger.clues):
        pools.setdefault(ledger.pool(slot), []).append(slot)
    for members in pools.values():
        if len(members) > 1:
            _share(members, ledger)
            uses = {use: None for member in members for use in ledger.of(member).ids}
            for member in members:
                ledger.of(member).ids |= uses | ledger.of(member).ids
    for one, other in sorted(ledger.kin):
        for slot, kin in ((one, other), (other, one)):
            if not ledger.of(slot).votes:
                ledger.of(slot).votes.update(ledger.of(kin).votes)
    _name_ids(ledger, project)
    _number_ids(ledger)


def _name_ids(ledger: Ledger, project: ProfilesProject) -> None:
    """Take columns that are called like an id type for identifiers of that type."""
    owner = {t.lower(): (e, t) for e, entity in project.project.entities.items() for t in entity.id_types}
    for key, columns in ledger.columns.items():
        for name in columns:
            if name in owner:
                clues = ledger.of(Slot(key, name))
                clues.ids = clues.ids or {IdUse(*owner[name]): None}


def _number_ids(ledger: Ledger) -> None:
    """Let all columns with identifiers of a type be numbers when one of them has to be, so that they meet."""
    slots: dict[tuple[str, str], list[Slot]] = {}
    for slot, clues in ledger.clues.items():
        for use in clues.ids:
            slots.setdefault((use.entity, use.id_type.lower()), []).append(slot)
    for same in slots.values():
        if any("number" in ledger.of(slot).votes for slot in same):
            ledger.vote(same, "number", WEAK)


def _share(slots: list[Slot], ledger: Ledger) -> None:
    everything = Clues()
    for slot in slots:
        everything.absorb(ledger.of(slot))
    for slot in slots:
        ledger.of(slot).absorb(everything)


# --- deciding -------------------------------------------------------------------------------------------------------


def _table(ledger: Ledger, key: str) -> TableSchema:
    inner: dict[str, set[tuple[str, ...]]] = {}
    for slot in ledger.clues:
        if slot.table == key and slot.path:
            inner.setdefault(slot.column, set()).update(slot.path[: n + 1] for n in range(len(slot.path)))
    names = ledger.columns[key].items()
    columns = tuple(_column(ledger, Slot(key, name), spelled, inner.get(name, set())) for name, spelled in names)
    recipes = tuple(r for r in ledger.recipes.get(key, {}) if r)
    # A key that may be missing is the mark of rows that found no partner.
    keys = (c.name for c in columns if c.pool is not None and looks_like_key(c.name))
    lonely = any(ledger.of(Slot(key, name.lower())).nullable for name in keys)
    own = next((c.name for c in columns if _owns(key, c, timed=key in ledger.timed)), None)
    return TableSchema(ledger.written[key], columns, recipes, lonely or key in ledger.partial, own)


def _owns(table: str, column: ColumnSchema, *, timed: bool) -> bool:
    """Tell whether a column is the key of its table, going by the names. Of tables with times identifiers are not."""
    identifies = column.id_use is not None and column.id_use.share != "few" and not timed
    if column.pool is None and not identifies:
        return False
    stem = _PREFIX.sub("", table.rpartition(".")[2]).removesuffix("s")
    return re.fullmatch(rf"id|key|{re.escape(stem)}s?_?{_KEY}", column.name.lower()) is not None


def _column(ledger: Ledger, slot: Slot, name: str, paths: set[tuple[str, ...]]) -> ColumnSchema:
    clues = ledger.of(slot)
    below = {path for path in paths if path[: len(slot.path)] == slot.path and len(path) > len(slot.path)}
    if below:
        fields = _fields(ledger, slot, below)
        votes = ledger.of(slot.whole).votes
        typed = "map" in votes or ("struct" in votes and "json" not in votes)
        whole: Kind = "map" if "map" in votes else "struct" if typed else "json"
        return ColumnSchema(name, "array" if fields[0].name == ELEMENT else whole, fields=fields, typed=typed)
    if "map" in clues.votes:
        fields = tuple(ColumnSchema(word, "text") for word in WORDS["word"][:2])
        return ColumnSchema(name, "map", fields=fields, typed=True)
    kind = decide(name, clues)
    pool = ledger.pool(slot)
    shared = (pool != slot or slot in ledger.pools.values()) and kind in ("text", "number")
    use = min(clues.ids, key=lambda use: use.form != IdForm(), default=None)  # whole ones before pieces
    as_text = next(iter(clues.formats), None)
    if kind == "text" and as_text is None and clues.votes.get("timestamp", 0) >= USUAL and not use:
        as_text = "%Y-%m-%d" if suggested_kind(name) == "date" else "%Y-%m-%d %H:%M:%S"
    theme: Theme = "future" if clues.future and kind in ("timestamp", "date", "text") else theme_of(name)
    theme = _COORDINATES.get(clues.most, theme)
    numbers = [n for n in clues.literals if isinstance(n, float)]
    return ColumnSchema(
        name=name,
        kind=kind,
        theme=theme,
        literals=tuple(v for v in (*clues.literals, *_alike(clues, theme)) if fits(v, kind)),
        patterns=tuple(clues.regexes),
        bounds=tuple(sorted(clues.bounds)),
        around_numbers=tuple(clues.around_numbers),
        id_use=use if kind in ("text", "number") else None,
        pool=".".join((pool.table, pool.column, *pool.path)) if shared and not use else None,
        format=as_text if kind == "text" else None,
        separator=clues.separator,
        nullable=clues.nullable,
        whole=kind == "number" and (clues.whole or _WHOLE.search(name.lower()) is not None or _all_whole(numbers)),
        digits=kind == "text" and clues.votes.get("number", 0) > 0,
        epoch=clues.epoch,
        occurred_at=clues.occurred_at,
    )


def _fields(ledger: Ledger, slot: Slot, below: set[tuple[str, ...]]) -> tuple[ColumnSchema, ...]:
    """Return what lies one step below a slot: the element of an array, else the keys of an object."""
    depth = len(slot.path)
    steps = sorted({path[depth] for path in below})
    if ELEMENT in steps:
        steps = [ELEMENT]
    return tuple(_column(ledger, Slot(slot.table, slot.column, (*slot.path, step)), step, below) for step in steps)


def decide(name: str, clues: Clues) -> Kind:
    """Return the kind of a column from how it is used, and from its name where use says little."""
    votes = clues.votes
    if clues.formats:
        return "text"
    if votes.get("json"):
        return "json"
    if clues.epoch:
        return "number"
    return "text" if clues.ids else _by_use(suggested_kind(name), clues)


def _by_use(suggestion: Kind | None, clues: Clues) -> Kind:
    texts = [v for v in clues.literals if isinstance(v, str)]
    plain = [v for v in texts if not (_DATE.fullmatch(v) or _NUMBER.fullmatch(v) or says_nothing(v))]
    worded = bool(plain or clues.likes or clues.regexes)
    timely = max(clues.votes.get("timestamp", 0), clues.votes.get("date", 0))
    number, boolean, text = (clues.votes.get(kind, 0) for kind in ("number", "boolean", "text"))
    time: Kind = "date" if suggestion == "date" and not clues.occurred_at else "timestamp"
    called_time = suggestion in ("timestamp", "date")
    signs: tuple[tuple[bool, Kind], ...] = (
        (timely >= USUAL and clues.blank, "text"),
        (timely >= USUAL and called_time, time),
        (timely >= USUAL and not worded, time if text < USUAL else "text"),
        (worded and boolean >= USUAL and {v.lower() for v in plain} <= {"true", "false"}, "boolean"),
        (worded, "text"),
        (number >= USUAL or (number > text and number >= max(boolean, timely)), "number"),
        (boolean > 0 and boolean >= text, "boolean"),
        (timely > 0 and timely >= text and suggestion != "text", time),
        (text >= USUAL or bool(texts), "text"),
    )
    return next((kind for says_so, kind in signs if says_so), suggestion or "text")


def _alike(clues: Clues, theme: Theme) -> list[str]:
    """Return texts for the patterns that no ordinary text of the theme matches."""
    ordinary = WORDS.get(theme, ())
    missing = (like for like in clues.likes if not any(like_matches(like, text) for text in ordinary))
    return [text for like in missing for text in like_examples(like)]


def _all_whole(numbers: list[float]) -> bool:
    return bool(numbers) and all(number.is_integer() for number in numbers)


def fits(value: Scalar, kind: Kind) -> bool:
    """Tell whether a value of SQL can be one of that kind."""
    if kind == "number":
        return not isinstance(value, bool) and _NUMBER.fullmatch(str(value)) is not None
    if kind == "boolean":
        return isinstance(value, bool)
    return isinstance(value, str) and (kind not in ("timestamp", "date") or _DATE.fullmatch(value) is not None)
