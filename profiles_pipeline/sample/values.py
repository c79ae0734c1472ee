"""Draws the values of a column for some rows. Pure: the same rows and the same generator give the same values."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from profiles_pipeline.sample.calendar import HOUR, hours_in
from profiles_pipeline.sample.evidence import ELEMENT, IdUse, Scalar, Slot, Wish
from profiles_pipeline.sample.naming import theme_of
from profiles_pipeline.sample.patterns import regex_examples
from profiles_pipeline.sample.people import Ints, Population, identifier
from profiles_pipeline.sample.pieces import MAILBOX, SITE, on_site
from profiles_pipeline.sample.schema import ColumnSchema, TableSchema, fits
from profiles_pipeline.sample.structs import arrow_type, leaves, typed_value
from profiles_pipeline.sample.words import PERSONAL, WORDS

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
SECOND = 1_000_000
DAY = 86_400 * SECOND
SPAN_DAYS = 400
DOCUMENTS = 400
RECIPE_SHARE = 0.6
_MIX = np.uint64(0x9E3779B97F4A7C15)
_NOWHERE = Slot("", "")
_NUMBERS = ("1", "2", "5", "10", "42", "99.5")
_USUAL = {
    "age": (18.0, 80.0), "year": (2015.0, 2026.0), "deduction": (0.0, 10.0),
    "latitude": (-60.0, 70.0), "longitude": (-170.0, 170.0),
}  # fmt: skip
_LIST_TYPES = {"text": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}


@dataclass(frozen=True)
class Rows:
    """Some rows of a table, as drawn so far.

    Attributes:
        number: the rows' numbers in the table.
        person: whose rows they are.
        time: when they happened, in microseconds since 1970.
        recipe: which recipe of the table each row follows; -1 none.
        keys: pool of keys -> the number of the key each row has.
        luck: a random number per row from which several columns may follow.
        owner: number of the instance whose habits show in each row. Three of four have things that they never do.
    """

    table: TableSchema
    number: Ints
    person: Ints
    time: Ints
    recipe: Ints
    keys: dict[str, Ints]
    luck: Ints
    end: int
    owner: Ints

    @property
    def size(self) -> int:
        """Return how many rows there are."""
        return self.number.size

    def pick(self, count: int, salt: str, rng: np.random.Generator) -> Ints:
        """Return for each row one of `count` things: any of them, but for some owners only one of half of them."""
        drawn = rng.integers(0, count, self.size)
        if count < 3:
            return drawn
        first = self.owner * 7919 + zlib.crc32(salt.encode())
        return np.where(self.owner % 2 == 1, (first + drawn % (count // 2 + 1)) % count, drawn)

    def never(self, salt: str) -> Bools:
        """Return which rows are of owners for whom something is never true."""
        salted = self.owner.astype(np.uint64) * np.uint64(1 << 32) + np.uint64(zlib.crc32(salt.encode()))
        mixed = (salted * _MIX ^ salted >> np.uint64(29)) * _MIX >> np.uint64(40)
        picked: Bools = (self.owner % 4 > 0) & (mixed % np.uint64(3) == 0)
        return picked

    def wishes(self, column: ColumnSchema) -> list[tuple[Bools, Wish]]:
        """Return for each wish about a column the rows that have it."""
        found = []
        able = ~self.never(column.name)
        for number, recipe in enumerate(self.table.recipes):
            for wish in recipe:
                if wish.slot.column == column.name.lower():
                    kept = replace(wish, values=()) if wish.part else wish  # see `moments`
                    found.append(((self.recipe == number) & able, kept))
        return found


@dataclass(frozen=True)
class Draw:
    """Draws columns of one table for one population."""

    population: Population
    seed: int

    def settled(self, rows: Rows) -> Rows:
        """Return the rows with their owners, which are of the first entity that the table identifies. Some owners
        follow only half of the recipes."""
        uses = (column.id_use for column in rows.table.columns if column.id_use is not None)
        entity = next((use.entity for use in uses), self.population.base)
        owner = self.population.instances(entity, rows.person, rows.luck)
        follows = (owner % 2 == 0) | ((owner // 2 + rows.recipe) % 2 == 0)
        return replace(rows, owner=owner, recipe=np.where(follows, rows.recipe, -1))

    def column(self, column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """Return the values of a column."""
        if column.id_use is not None:
            return self._ids(column, rows, rng)
        match column.kind:
            case "number":
                return self._numbers(column, rows, rng)
            case "timestamp" | "date":
                times = pa.array(moments(column, rows, rng)).cast(pa.timestamp("us"))
                times = _with_nulls(times, self._absent(column, rows, rng, 0.0 if column.occurred_at else 0.04))
                return times.cast(pa.date32(), safe=False) if column.kind == "date" else times
            case "boolean":
                values = (rng.random(rows.size) < 0.5) & ~rows.never(column.name)
                for mask, wish in rows.wishes(column):
                    values = np.where(mask & bool(wish.values), bool(wish.values and wish.values[0]), values)
                return _with_nulls(pa.array(values), self._absent(column, rows, rng, 0.04))
            case "json" | "array" | "struct" | "map":
                return self._documents(column, rows, rng)
        return self._texts(column, rows, rng)

    def _absent(self, column: ColumnSchema, rows: Rows, rng: np.random.Generator, share: float) -> Bools:
        """Return which rows have no value; those that a wish is about have one."""
        absent = rng.random(rows.size) < (0.4 if column.nullable and share else share)
        for mask, wish in rows.wishes(column):
            absent = np.where(mask, wish.missing and share > 0 and not wish.slot.path, absent)
        return absent

    # --- identifiers --------------------------------------------------------------------------------------------

    def _ids(self, column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> pa.Array:
        use = column.id_use
        assert use is not None
        pool = self.population.pool(use, column.digits and not use.form.made)
        instance = self.population.instances(use.entity, rows.person, rows.luck)
        if use.share == "few":
            instance = rng.integers(0, max(1, self.population.count(use.entity) // 25), rows.size)
        kind = (use.entity, use.id_type)
        same_type = [c.name for c in rows.table.columns if c.id_use and (c.id_use.entity, c.id_use.id_type) == kind]
        place = same_type.index(column.name) if column.name in same_type else 0
        variant = np.where(rng.random(rows.size) < 0.75, 0, rng.integers(0, pool.per, rows.size))
        variant = (variant + place) % pool.per
        values = _written(pool.values, instance * pool.per + variant, use, rows.person, column.theme == "url")
        if column.name == rows.table.key:
            return values
        others = [c for c in rows.table.columns if c.id_use is not None and c.id_use.entity == use.entity]
        share = 0.02 if len(others) < 2 else 0.05 if pool.per > 1 else 0.15
        if pool.junk and use.share == "all":
            junk = pa.array(pool.junk, pa.string()).take(pa.array(rng.integers(0, len(pool.junk), rows.size)))
            values = pc.if_else(pa.array(rng.random(rows.size) < 0.02), junk, values)
        return _with_nulls(values, self._absent(column, rows, rng, share))

    # --- texts --------------------------------------------------------------------------------------------------

    def _texts(self, column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> pa.Array:
        if column.format is not None:
            moment = moments(column, rows, rng)
            texts = [datetime.fromtimestamp(m / SECOND, UTC).strftime(column.format) for m in moment.tolist()]
            return _with_nulls(pa.array(texts, pa.string()), self._absent(column, rows, rng, 0.04))
        pool, index = self._choice(column, rows, rng)
        for mask, wish in rows.wishes(column):
            wanted = [v for v in map(_text, wish.values) if v]
            if wanted:
                index = np.where(mask, len(pool) + rng.integers(0, len(wanted), rows.size), index)
                pool += wanted
        absent = self._absent(column, rows, rng, 0.0 if column.pool in rows.keys else 0.04)
        return _with_nulls(pa.array(pool, pa.string()).take(pa.array(index)), absent)

    def _choice(self, column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> tuple[list[str], Ints]:
        """Return texts, and which of them each row has."""
        if column.pool in rows.keys:
            key = rows.keys[column.pool or ""]
            stem = (column.pool or "").rpartition(".")[2].removesuffix("_id").removesuffix("id") or "key"
            return _keys(stem, key, column.digits)
        if column.theme == "id" and not column.literals and not column.patterns:
            unique = column.name.lower() in ("id", "uuid", "message_id", "event_id", "row_id")
            number = rows.number if unique else rng.integers(0, max(2, self.population.people), rows.size)
            stem = column.name.lower().removesuffix("_id")
            return _keys(stem, number, column.digits)
        sought, others = _texts(column, self.seed)
        pool = [*sought, *others]
        if column.theme in PERSONAL and not column.literals:
            return pool, rows.person % len(pool)
        index = rows.pick(len(pool), column.name, rng)
        return pool, np.where(rows.never(column.name), len(sought) + index % len(others), index) if others else index

    # --- numbers ------------------------------------------------------------------------------------------------

    def _numbers(self, column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> pa.Array:
        if column.epoch:
            values = (moments(column, rows, rng) // column.epoch).astype(float)
        elif column.pool in rows.keys:
            values = rows.keys[column.pool or ""].astype(float) + 1
        else:
            values = numbers(column, rows, rng)
        for mask, wish in rows.wishes(column):
            wanted = [float(v) for v in wish.values if isinstance(v, float) or (isinstance(v, str) and _is_number(v))]
            if wanted:
                values = np.where(mask, np.array(wanted)[rng.integers(0, len(wanted), rows.size)], values)
        absent = self._absent(column, rows, rng, 0.0 if column.pool in rows.keys else 0.03)
        whole = bool(column.epoch) or column.pool in rows.keys or column.whole
        return _with_nulls(pa.array(values.astype(np.int64) if whole else np.round(values, 2)), absent)

    # --- JSON ---------------------------------------------------------------------------------------------------

    def _documents(self, column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> pa.Array:
        pool = [document(column, (), {}, self.seed, rng) for _ in range(min(DOCUMENTS, rows.size))]
        index = rng.integers(0, len(pool), rows.size)
        for number, recipe in enumerate(rows.table.recipes):
            wishes = {
                w.slot.path: w for w in recipe if w.slot.column == column.name.lower() and w.slot.path and not w.part
            }
            if wishes:
                more = [document(column, (), wishes, self.seed, rng) for _ in range(12)]
                index = np.where(rows.recipe == number, len(pool) + rng.integers(0, len(more), rows.size), index)
                pool += more
        absent = self._absent(column, rows, rng, 0.03)
        if _is_list(column):
            lists = pa.array(pool, pa.list_(_LIST_TYPES[column.fields[0].kind]))
            return _with_nulls(lists.take(pa.array(index)), absent)
        texts = pa.array([json.dumps(item, separators=(",", ":")) for item in pool], pa.string())
        texts = self._personal(column, texts.take(pa.array(index)), rows, rng)
        if column.typed:
            texts = pa.array([typed_value(column, json.loads(text)) for text in texts.to_pylist()], arrow_type(column))
        return _with_nulls(texts, absent)

    def _personal(self, column: ColumnSchema, texts: pa.Array, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """Return JSON texts with what depends on the row in its places: identifiers and keys."""
        for path, leaf in leaves(column):
            if not _of_row(leaf):
                continue
            drawn = self.column(leaf, rows, rng).to_pylist()
            mark = json.dumps(_mark(path))
            written = [json.dumps(value) for value in drawn]
            replaced = [text.replace(mark, value) for text, value in zip(texts.to_pylist(), written, strict=True)]
            texts = pa.array(replaced, pa.string())
        return texts


def _written(identifiers: tuple[str, ...], index: Ints, use: IdUse, person: Ints, in_url: bool) -> pa.Array:
    """Return the identifiers at `index` as a column of the use writes them, in mailboxes of the people if need be."""
    form = on_site(use.form) if in_url else use.form
    if form.before != MAILBOX:
        return pa.array([form.written(value) for value in identifiers], pa.string()).take(pa.array(index))
    boxes = {number: identifier("email", use, number).partition("@")[0] for number in np.unique(person).tolist()}
    pairs = zip(person.tolist(), index.tolist(), strict=True)
    return pa.array([f"{boxes[owner]}@{identifiers[n]}" for owner, n in pairs], pa.string())


# --- parts ----------------------------------------------------------------------------------------------------------


def texts_of(column: ColumnSchema, seed: int) -> list[str]:
    """Return the texts that a column draws from: what SQL looks for, and others."""
    sought, others = _texts(column, seed)
    return [*sought, *others]


def _texts(column: ColumnSchema, seed: int) -> tuple[list[str], list[str]]:
    found = [v for v in map(_text, column.literals) if v]
    for pattern in column.patterns:
        examples = regex_examples(pattern, 12, seed)
        found += [f"{SITE}{text}" if column.theme == "url" and text.startswith("/") else text for text in examples]
    others = WORDS.get(column.theme, WORDS["word"])
    if column.digits:
        others = _NUMBERS
    if column.around_numbers and column.theme != "version":
        others = tuple(f"{before}{n}{after}" for before, after in column.around_numbers for n in _NUMBERS)
    few = others[: max(2, len(found) // 3)] if found else others
    if column.separator is not None and not column.around_numbers:
        triples = ((k, k + 1, k + 3) for k in range(len(others)))
        few = tuple(column.separator.join(others[n % len(others)] for n in three) for three in triples)
        found += [column.separator.join(two) for two in pairwise(t for t in found if column.separator not in t)]
    return list(dict.fromkeys(found)), [text for text in dict.fromkeys(few) if text not in found]


def numbers(column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> Floats:
    """Return numbers around those that SQL compares the column with; some owners have small ones only."""
    share = rng.random(rows.size)
    return _numbers(column, np.where(rows.never(column.name), share * 0.1, share), rng)


def _numbers(column: ColumnSchema, share: Floats, rng: np.random.Generator) -> Floats:
    count = share.size
    exact = [float(v) for v in column.literals if not isinstance(v, bool)]
    low, high = _USUAL.get(column.theme, (1.0, 10.0) if column.whole else (5.0, 250.0))
    if column.bounds:
        low = min(low, column.bounds[0] / 2 if column.bounds[0] >= 0 else column.bounds[0] - 1)
        high = max(column.bounds[-1] * 2 + 1, high if column.bounds[-1] <= 0 else 0.0)
    values = low + (high - low) * share**1.5
    if exact:
        wanted = np.array(exact)[rng.integers(0, len(exact), count)]
        values = np.where(rng.random(count) < 0.7, wanted, np.floor(values))
    return np.floor(values) if column.whole else values


def moments(column: ColumnSchema, rows: Rows, rng: np.random.Generator) -> Ints:
    """Return times for a column, in microseconds since 1970, that go with the time of each row."""
    day = rng.random(rows.size) * DAY
    spread = rng.random(rows.size)
    match column.theme:
        case "birth":
            age = 18 + rows.person * 37 % 60 + rows.person * 101 % 365 / 365.25  # in years, and on any day of one
            found = rows.end - (age * 365.25 * DAY).astype(np.int64)
        case "future" if not column.occurred_at:
            found = rows.time + (spread * 60 * DAY).astype(np.int64)
        case "created" if not column.occurred_at:
            found = rows.time - (spread**2 * 90 * DAY).astype(np.int64)
        case "received":
            found = np.minimum(rows.time + (spread * 5 * SECOND).astype(np.int64), rows.end - SECOND)
        case _ if column.occurred_at or column.name == _first_time(rows.table):
            found = rows.time
        case _:
            found = np.minimum(rows.time + (spread * 2 * DAY).astype(np.int64), rows.end - SECOND)
    near = [m for m in (_moment(str(v)) for v in column.literals) if m is not None]
    if near:
        shift = (rng.integers(-20, 21, rows.size) * DAY + day).astype(np.int64)
        shift = np.where(rng.random(rows.size) < 0.3, (day * 0.9).astype(np.int64), shift)
        around = np.array(near)[rng.integers(0, len(near), rows.size)] + shift
        found = np.where(rng.random(rows.size) < 0.4, np.minimum(around, rows.end - SECOND), found)
    for number, recipe in enumerate(rows.table.recipes):
        wanted = [w for w in recipe if w.part and w.slot == Slot(w.slot.table, column.name.lower())]
        hours = hours_in(wanted, rows.end - SECOND)
        if hours.size:
            meant = hours[rng.integers(0, hours.size, rows.size)] + rng.integers(0, HOUR, rows.size)
            found = np.where(rows.recipe == number, np.minimum(meant, rows.end - SECOND), found)
    return found.astype(np.int64)


def document(
    column: ColumnSchema,
    path: tuple[str, ...],
    wishes: dict[tuple[str, ...], Wish],
    seed: int,
    rng: np.random.Generator,
) -> object:
    """Return a JSON value of a column's shape in which the wishes hold."""
    if column.kind == "array" and column.fields:
        return _elements(column, path, wishes, seed, rng)
    if column.fields:
        return {f.name: document(f, (*path, f.name), wishes, seed, rng) for f in column.fields}
    if _of_row(column):
        return _mark(path)
    wish = wishes.get(path)
    if wish is not None and wish.missing:
        return None
    measured = column.kind in ("number", "timestamp", "date")
    wanted = [v for v in wish.values if not measured or fits(v, column.kind)] if wish is not None else []
    if wanted:
        return _json_value(column, wanted[int(rng.integers(0, len(wanted)))])
    return _leaf(column, seed, rng)


def _elements(
    column: ColumnSchema,
    path: tuple[str, ...],
    wishes: dict[tuple[str, ...], Wish],
    seed: int,
    rng: np.random.Generator,
) -> list[object]:
    """Return elements in which the wishes hold. Structs differ in the field by which SQL looks for one of them, and the
    wishes hold in the first."""
    element, path = column.fields[0], (*path, ELEMENT)
    key = next((f for f in element.fields if f.kind == "text" and f.literals and not _of_row(f)), None)
    if key is None or not column.typed:
        return [document(element, path, wishes, seed, rng) for _ in range(int(rng.integers(1, 4)))]
    wish = wishes.get((*path, key.name))
    pool = texts_of(key, seed)
    first = [v for v in map(_text, wish.values) if v] if wish is not None else []
    names = first[:1] or [pool[int(rng.integers(0, len(pool)))]]
    others = [name for name in pool if name not in names]
    names += [others[n] for n in rng.permutation(len(others))[: int(rng.integers(len(pool) // 2, len(pool) + 1))]]
    found = []
    for number, name in enumerate(names):
        held = wishes if number == 0 else {}
        found.append(
            document(_about(element, name), path, held | {(*path, key.name): Wish(_NOWHERE, (name,))}, seed, rng)
        )
    return found


def _about(element: ColumnSchema, name: str) -> ColumnSchema:
    """Return an element whose texts are about what it is called: the URL of ``page_location``."""
    theme = theme_of(name)
    if theme == "word" or theme not in WORDS:
        return element
    if element.fields:
        return replace(element, fields=tuple(_about(field, name) for field in element.fields))
    plain = element.kind == "text" and element.theme == "word" and not _of_row(element)
    return replace(element, theme=theme, literals=(), patterns=()) if plain else element


def _is_list(column: ColumnSchema) -> bool:
    """Tell whether a column can be a list of the warehouse: SQL that takes arrays apart reads it like JSON."""
    if column.kind != "array" or len(column.fields) != 1 or column.literals:
        return False
    element = column.fields[0]
    return element.kind in _LIST_TYPES and not element.fields and not _of_row(element)


def _of_row(leaf: ColumnSchema) -> bool:
    return leaf.id_use is not None or leaf.pool is not None


def _mark(path: tuple[str, ...]) -> str:
    return "\x00" + "/".join(path)


def _leaf(column: ColumnSchema, seed: int, rng: np.random.Generator) -> object:
    match column.kind:
        case "number":
            value = float(_numbers(column, rng.random(1), rng)[0])
            return int(value) if column.whole or value.is_integer() else round(value, 2)
        case "boolean":
            return bool(rng.random() < 0.5)
        case "timestamp" | "date":
            text = datetime.fromtimestamp(1_735_689_600 + int(rng.integers(0, 300 * 86_400)), UTC)
            return text.strftime("%Y-%m-%d" if column.kind == "date" else "%Y-%m-%d %H:%M:%S")
        case "json":
            return {}
    if column.theme == "id" and not column.literals:
        return _key(column.name.lower().removesuffix("_id"), int(rng.integers(0, 60)), column.digits)
    pool = texts_of(column, seed)
    return pool[int(rng.integers(0, len(pool)))]


def _json_value(column: ColumnSchema, value: Scalar) -> Scalar:
    if isinstance(value, float):
        return str(int(value)) if column.kind == "text" else value
    return value


def _first_time(table: TableSchema) -> str | None:
    times = [c.name for c in table.columns if c.kind in ("timestamp", "date") and c.theme == "word"]
    return next((c.name for c in table.columns if c.occurred_at), times[0] if times else None)


def _keys(stem: str, numbers: Ints, digits: bool) -> tuple[list[str], Ints]:
    """Return the texts of keys, and which of them each row has."""
    different, index = np.unique(numbers, return_inverse=True)
    return [_key(stem, number, digits) for number in different.tolist()], index


def _key(stem: str, number: int, digits: bool) -> str:
    return str(number + 1) if digits else f"{stem}_{number + 1:05d}"


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()


def _moment(text: str) -> int | None:
    try:
        return int(datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).timestamp()) * SECOND
    except ValueError:
        return None


def _with_nulls(values: pa.Array, absent: Bools) -> pa.Array:
    return pc.if_else(pa.array(absent), pa.scalar(None, values.type), values)
