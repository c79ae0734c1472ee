"""Writes sample rows for the tables of a project as Parquet files, named so that a run finds them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from profiles_pipeline.compile.rules import RULE_COLUMNS
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES, Input
from profiles_pipeline.sample.people import Ints, Population
from profiles_pipeline.sample.schema import ColumnSchema, TableSchema, infer
from profiles_pipeline.sample.structs import leaves
from profiles_pipeline.sample.values import DAY, RECIPE_SHARE, SECOND, SPAN_DAYS, Draw, Rows

DEFAULT_ROWS = 3000
DEFAULT_PEOPLE = 300
DEFAULT_SEED = 7
CHUNK_ROWS = 100_000
_NO_RULES = pa.schema(
    [(name, pa.timestamp("us") if name == "created_at" else pa.string()) for name in RULE_COLUMNS]
).empty_table()
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make, and as of when."""

    end: datetime
    rows: int = DEFAULT_ROWS
    people: int = DEFAULT_PEOPLE
    seed: int = DEFAULT_SEED


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A file with sample rows. `rows` None means that it was there before and was left alone."""

    schema: TableSchema
    path: Path
    rows: int | None


def write(project: ProfilesProject, folder: Path, size: Size, *, force: bool = False) -> tuple[WrittenTable, ...]:
    """Write a Parquet file for every table that the project reads from outside.

    A table has `size.rows` rows, but one for each instance where its key is an identifier and its rows have no time.
    Afterwards all times of events lie in the 400 days before `size.end`, two of five of them in the last 30, but for
    those that SQL looks for by their year or by another part. The same project and size give the same rows. A file
    that is there already stays as it is, unless `force`.
    """
    tables = infer(project)
    uses = (column.id_use for table in tables for column in _leaves(table) if column.id_use is not None)
    population = Population(project, size.people, size.seed, tuple(dict.fromkeys(uses)))
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for table in tables:
        path = folder / (".".join(table.parts).replace("/", "_") + ".parquet")
        if path.exists() and not force:
            found.append(WrittenTable(table, path, None))
            continue
        if _is_rules(project, table):
            pq.write_table(_NO_RULES, path)
            columns = tuple(ColumnSchema(name, "text") for name in RULE_COLUMNS)
            found.append(WrittenTable(replace(table, columns=columns), path, 0))
            continue
        own = replace(size, rows=_row_count(table, population, size.rows))
        _write_table(table, tables, population, own, path)
        found.append(WrittenTable(table, path, own.rows))
    return tuple(found)


def _is_rules(project: ProfilesProject, table: TableSchema) -> bool:
    """True for the table of manual rules. It is written without rows: who is who is for people to say."""
    rules = project.project.models.get(RULES)
    return isinstance(rules, Input) and str(rules.table) == table.name


def _write_table(
    table: TableSchema, tables: Sequence[TableSchema], population: Population, size: Size, path: Path
) -> None:
    draw = Draw(population, size.seed)
    sizes = _pool_sizes(tables, size.rows)
    partial = path.with_name(path.name + ".part")
    writer: pq.ParquetWriter | None = None
    try:
        for first in range(0, size.rows, CHUNK_ROWS):
            rng = np.random.default_rng([size.seed, zlib.crc32(".".join(table.parts).lower().encode()), first])
            rows = _rows(table, sizes, first, min(first + CHUNK_ROWS, size.rows), size, rng)
            rows = draw.settled(_each_once(table, population, rows))
            chunk = _with_copies(pa.table({c.name: draw.column(c, rows, rng) for c in table.columns}), table, rng)
            writer = writer or pq.ParquetWriter(partial, chunk.schema, compression="zstd")
            writer.write_table(chunk)
    finally:
        if writer is not None:
            writer.close()
    partial.replace(path)


def _with_copies(rows: pa.Table, table: TableSchema, rng: np.random.Generator) -> pa.Table:
    """Return the rows, one in a hundred of which repeats another; none where rows are looked up by their key."""
    if table.key is not None:
        return rows
    index = np.arange(rows.num_rows)
    again = rng.random(index.size) < 0.01
    return rows.take(pa.array(np.where(again, rng.integers(0, index.size, index.size), index)))


def _pool_sizes(tables: Sequence[TableSchema], rows: int) -> dict[str, int]:
    """Return how many keys each pool has: one for each row where a table is keyed by it, else four rows share one."""
    sizes: dict[str, int] = {}
    for table in tables:
        for column in _leaves(table):
            if column.pool is not None:
                owned = rows if column.name == table.key else max(1, rows // 4)
                sizes[column.pool] = max(owned, sizes.get(column.pool, 0))
    return sizes


def _leaves(table: TableSchema) -> list[ColumnSchema]:
    return [leaf for column in table.columns for _, leaf in leaves(column)]


def _identified(table: TableSchema) -> str | None:
    """Return the entity each of whose instances has one row in a table, if its key is an identifier."""
    use = table.column(table.key).id_use if table.key is not None else None
    return use.entity if use is not None else None


def _row_count(table: TableSchema, population: Population, rows: int) -> int:
    entity = _identified(table)
    return min(rows, population.count(entity)) if entity is not None else rows


def _each_once(table: TableSchema, population: Population, rows: Rows) -> Rows:
    """Return the rows, in a table whose key is an identifier one for each instance."""
    entity = _identified(table)
    if entity is None:
        return rows
    person, luck = population.rows_of(entity)
    return replace(rows, person=person[rows.number], luck=luck[rows.number])


def _rows(
    table: TableSchema, sizes: dict[str, int], first: int, last: int, size: Size, rng: np.random.Generator
) -> Rows:
    number = np.arange(first, last)
    keys: dict[str, Ints] = {}
    owner = number
    for column in _leaves(table):
        if column.pool is None or column.pool in keys:
            continue
        own = column.name == table.key
        keys[column.pool] = number if own else rng.integers(0, sizes[column.pool], number.size)
        owner = owner if own or owner is not number else keys[column.pool]
    recipes = len(table.recipes)
    recipe = rng.integers(0, max(recipes, 1), number.size)
    recipe = np.where((rng.random(number.size) < RECIPE_SHARE) & (recipes > 0), recipe, -1)
    return Rows(
        table=table,
        number=number,
        person=_person(owner, size.people) % (max(1, size.people * 3 // 5) if table.partial else size.people),
        time=_times(number.size, size.end, rng),
        recipe=recipe,
        keys=keys,
        luck=rng.integers(0, 1 << 30, number.size),
        end=_micros(size.end),
        owner=number,
    )


def _person(owner: Ints, people: int) -> Ints:
    """Return whose row each is. It follows from the row's key, so that tables agree on it; some people have many."""
    mixed = (owner.astype(np.uint64) + np.uint64(1)) * _MIX >> np.uint64(33)
    share = (mixed.astype(np.int64) % 1_000_003) / 1_000_003
    return np.where(owner < people, owner, (share**1.4 * people).astype(np.int64)).astype(np.int64)


def _times(count: int, end: datetime, rng: np.random.Generator) -> Ints:
    spread = rng.random(count)
    recent = rng.random(count) ** 2 * 30
    days = np.where(rng.random(count) < 0.4, recent, spread * SPAN_DAYS)
    return _micros(end) - SECOND - (days * DAY).astype(np.int64)


def _micros(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * SECOND)
