"""Looks at the inputs of a project and remembers what was there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from profiles_pipeline.connections import Output
from profiles_pipeline.errors import ProjectError, WarehouseError
from profiles_pipeline.observations.buckets import (
    EMPTY,
    LATER,
    TIMELESS,
    Kind,
    added_up,
    comparable,
    compare,
    remembered,
    version_of,
)
from profiles_pipeline.observations.memory import Change, Finding, Memory, Part, Sight
from profiles_pipeline.observations.reading import NO_FILE, reading
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import Registry
from profiles_pipeline.resolve.model import RULES, Input
from profiles_pipeline.spec.pipeline import BLIND, LEVELS, Level
from profiles_pipeline.warehouse.base import Source
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.lock import OnWait

BUDGET_S = 3.0
"""What hashing an input may take, in seconds, before only its rows are counted; unless the user says otherwise."""

FROM_PROJECT = "as pipeline.yaml says"

EARLY = datetime(1971, 1, 1)
"""Rows before it have most likely a time of zero, or one in another unit."""

CLOCKS_DIFFER_BY = timedelta(days=1)
"""A clock that was set back by less does not make rows invisible that were seen before."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a look has found of an input.

    Attributes:
        path: of the input.
        level: how closely it was looked at.
        why: why at this level.
        sight: what was seen, now or earlier where nothing can have changed; None where nothing was ever seen.
        was_read: False when its files are those of the last look, or it cannot be read.
        problem: why it cannot be read, which is no change; None when it can.
        changes: the buckets that differ from what was seen last.
    """

    path: str
    level: Level
    why: str
    sight: Sight | None
    was_read: bool = False
    problem: str | None = None
    changes: Mapping[datetime, Kind] = field(default_factory=dict)

    @property
    def blind(self) -> str | None:
        """What cannot be seen at this level; None for nothing."""
        return BLIND[self.level]


@dataclass(frozen=True, slots=True)
class Look:
    """A look at all inputs of a project. `number` is that of the last look that has found a change."""

    number: int
    inputs: tuple[Observed, ...]


@contextmanager
def observing(
    project: ProfilesProject, output: Output, *, lock_timeout: float | None = None, on_wait: OnWait | None = None
) -> Iterator[Registry]:
    """Yield the registry of a project's warehouse, alone on it; the sources of the project can be read there.

    Raises:
        LockTimeoutError: others kept the warehouse for too long.
    """
    settings = output.settings_for(project)
    purpose = f"looking for changes in the inputs of {project.name}"
    with connect(settings, purpose=purpose, confined=True, lock_timeout=lock_timeout, on_wait=on_wait) as warehouse:
        registry = Registry(warehouse, output.schema, target=output.target, folder=str(project.folder))
        registry.ensure()
        yield registry


def look(
    project: ProfilesProject,
    registry: Registry,
    levels: Mapping[str, Level] | None = None,
    now: datetime | None = None,
) -> Look:
    """Look at every input whose rows are kept outside the project, and remember what was seen.

    An input that is missing or cannot be read has not changed: what was seen last stays remembered. All of a look is
    remembered, or nothing; one that is cut short is simply repeated by the next one.

    Args:
        project: the project.
        registry: where its memory is; its tables exist.
        levels: path of an input -> how closely to look at it, where the user has said so.
        now: rows at or after it are not seen yet; the present when not given.
    """
    memory = Memory(registry, project.name)
    known = memory.sights()
    until = _horizon(now or datetime.now(UTC), known.values())
    found = [
        _look_at(_Glance(project, memory, model, until, known.get(path), (levels or {}).get(path)))
        for path, model in project.graph.models.items()
        if isinstance(model, Input) and model.csv is None and path != RULES
    ]
    memory.keep({observed.path: finding for observed, finding in found if finding is not None})
    return Look(memory.last_look(), tuple(observed for observed, _ in found))


def changes_since(project: ProfilesProject, registry: Registry, number: int) -> tuple[Change, ...]:
    """Return the buckets that have changed after a look, whoever has found them, each with its latest change."""
    return Memory(registry, project.name).changes_since(number)


def odd_times(project: ProfilesProject, registry: Registry, model: Input, until: datetime) -> tuple[int, int]:
    """Return how many rows of an input have a time at or after `until`, and how many one before 1971.

    Raises:
        ProjectError: its table is not there.
        WarehouseError: its rows cannot be read.
    """
    source = registry.warehouse.source(str(model.table))
    return reading(project, registry, model, source, until).odd_times(EARLY)


def versions_of(project: ProfilesProject, registry: Registry) -> dict[str, str]:
    """Return path of an input -> version of its rows as they were seen last, for those that anybody has looked at."""
    return {path: sight.version for path, sight in Memory(registry, project.name).sights().items()}


def _horizon(now: datetime, known: Iterable[Sight]) -> datetime:
    last = max((sight.until for sight in known), default=now)
    return last if now < last <= now + CLOCKS_DIFFER_BY else now


def _look_at(glance: _Glance) -> tuple[Observed, Finding | None]:
    """Return what has come of looking at an input, and what to remember of it; None for nothing new."""
    observed = Observed(glance.model.path, glance.wanted or "content", FROM_PROJECT, glance.before)
    try:
        level, why = glance.level
        observed = replace(observed, level=level, why=why)
        if glance.before is not None and glance.is_as_before:
            return replace(observed, level=glance.before.level), None
        finding = _read(glance, level)
    except (ProjectError, WarehouseError) as error:
        return replace(observed, problem=str(error).splitlines()[0]), None
    changes = {day: kind for day, (_, kind) in finding.buckets.items() if kind is not None}
    return replace(observed, sight=finding.sight, was_read=True, changes=changes), finding


@dataclass(frozen=True)
class _Glance:
    """An input from outside: what can be told without reading it.

    Attributes:
        until: the end of the time that is looked at.
        before: what was seen last.
        wanted: how closely to look at it, where the user has said so.
    """

    project: ProfilesProject
    memory: Memory
    model: Input
    until: datetime
    before: Sight | None
    wanted: Level | None

    @cached_property
    def source(self) -> Source:
        """Where its rows are. Raises ProjectError when they are not there."""
        return self.memory.warehouse.source(str(self.model.table))

    @property
    def state(self) -> str | None:
        """Another text when its rows may be others; None when that cannot be told without reading them."""
        if self.source.kind == "relation" or self.source.state in ("", self.source.origin):
            return None
        return f"{self.source.state} {self.model.occurred_at} {self.model.where}"

    @property
    def files(self) -> dict[str, str]:
        """Each file and its state; NO_FILE for an input that is no local file."""
        return dict(self.source.files or ((NO_FILE, ""),))

    @cached_property
    def known_files(self) -> dict[str, Part]:
        """What was seen of the files that are as they were then."""
        has_waited = self.before is not None and self.before.next_at is not None and self.before.next_at < self.until
        if has_waited:  # rows whose time has come since
            return {}
        return {f: p for f, p in self.memory.files(self.model.path).items() if self.files.get(f) == p.state}

    @property
    def is_as_before(self) -> bool:
        """True when there is nothing that the last look has not seen."""
        if self.before is None or self.state is None or self.state != self.before.state:
            return False
        closely = LEVELS.index(self.before.level) >= LEVELS.index(self.level[0])
        return closely and (self.before.next_at is None or self.before.next_at >= self.until)

    @cached_property
    def level(self) -> tuple[Level, str]:
        """How closely to look at it, and why."""
        if self.model.occurred_at is None and self.wanted == "append":
            return "late", "its rows have no time by which new ones could be told"
        if self.wanted is not None:
            return self.wanted, FROM_PROJECT
        whole = self.before.seconds if self.before and self.before.seconds else 0.0
        seconds = whole * (1.0 - len(self.known_files) / len(self.files))
        if seconds > BUDGET_S:
            return "late", f"hashing its rows takes about {seconds:.0f} s"
        return "content", f"hashing its rows takes less than {BUDGET_S:.0f} s"


def _read(glance: _Glance, level: Level) -> Finding:
    before, memory, model = glance.before, glance.memory, glance.model
    how = reading(glance.project, memory.registry, model, glance.source, glance.until)
    columns = how.columns(glance.project) if level == "content" else ()
    hashed = how.hashing(columns) if level == "content" else before.hashed if before else ""
    is_alike = before is not None and before.hashed == hashed
    staying = glance.known_files if is_alike and before and before.level == level else {}
    kept = memory.buckets(model.path)
    newest = max((b.newest for b in kept.values() if b.newest), default=None)
    began = time.monotonic()
    read = how.parts(level, columns, glance.files.keys() - staying.keys(), newest)
    seconds = time.monotonic() - began if level == "content" and not staying else None
    parts = read.values() if level == "append" else [*read.values(), *(part.buckets for part in staying.values())]
    now = added_up(parts)
    ahead = now.pop(LATER, EMPTY)
    known = comparable(kept, contents=is_alike)
    changes: Mapping[datetime, Kind] = compare(known, now, level)
    whole = remembered(known, now, level)
    sight = Sight(
        level=level,
        state=glance.state or "",
        hashed=hashed,
        until=glance.until,
        version=version_of(whole) if changes or before is None else before.version,
        rows=sum(bucket.rows or 0 for bucket in whole.values()),
        ahead=ahead.rows or 0,
        next_at=ahead.newest.replace(tzinfo=UTC) if ahead.newest else None,
        early=sum(bucket.rows or 0 for day, bucket in whole.items() if TIMELESS < day < EARLY),
        seconds=seconds if seconds is not None or before is None else before.seconds,
    )
    kinds: Mapping[datetime, Kind] = dict.fromkeys(changes, "first") if before is None else changes
    better = {day: (bucket, kinds.get(day)) for day, bucket in whole.items() if bucket != kept.get(day)}
    files = {file: Part(glance.files[file], buckets) for file, buckets in read.items() if glance.source.files}
    return Finding(sight, better, files, tuple(staying))
