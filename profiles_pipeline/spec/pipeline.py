"""Reads `pipeline.yaml`, which says how a project is run: partitions, schedules, sensors, checks.

The file stands beside pb_project.yaml and need not be there. What it holds says nothing about what is computed.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, model_validator

from profiles_pipeline import durations
from profiles_pipeline.errors import Problems, Span, did_you_mean, nearest
from profiles_pipeline.spec.convert import validated
from profiles_pipeline.spec.model import Spec, Text
from profiles_pipeline.spec.placed import PlacedMap
from profiles_pipeline.spec.publishing import PublisherSpec
from profiles_pipeline.spec.publishing import refuse as _refuse
from profiles_pipeline.spec.yaml_nodes import read_yaml

PIPELINE_FILES = ("pipeline.yaml", "pipeline.yml")

OWN_SECTIONS = ("models", "var_groups")
"""What stands in the file and is part of the project: what other tools would stumble over in its own files."""

Cadence = Literal["hourly", "daily", "weekly", "monthly"]

_YEARS = (1900, 2999)
"""Years in which partitions may begin. Keys need four digits, and calendars some room on either side."""

_MACROS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_LEAP_YEAR = 2024
_CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_NAMES = (
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    *("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
)
_CRON_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?(?:#[1-5])?")


def _read_duration(value: object) -> timedelta:
    found = value if isinstance(value, timedelta) else durations.duration(str(Text._validate(value)))
    if not found:
        raise _refuse(durations.EXPECTED)
    return found


def _read_moment(value: object) -> datetime:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise _refuse("a day such as 2024-01-31") from None
    if not _YEARS[0] <= found.year <= _YEARS[1]:
        raise _refuse("a day such as 2024-01-31", f"a year from {_YEARS[0]} to {_YEARS[1]}")
    return found


def _read_time_zone(value: object) -> str:
    name = str(value)
    if name in available_timezones():
        return name
    near = nearest(name, available_timezones())
    raise _refuse("a time zone such as UTC or Europe/Berlin", f"did you mean '{near}'?" if near else None)


def _read_cron(value: object) -> str:
    text = str(value).strip()
    fields = text.lower().split()
    fits = len(fields) == len(_CRON_FIELDS) and all(map(_is_cron_field, fields, _CRON_FIELDS))
    if fits and _never_comes(*fields[2:]):
        raise _refuse("a cron expression that comes up", f"no such month has a day {fields[2]}")
    if text.lower() in _MACROS or fits:
        return text
    hint = "five fields: minute, hour, day of the month, month, day of the week"
    raise _refuse("a cron expression such as '0 6 * * *'", hint)


def _is_cron_field(field: str, bounds: tuple[int, int]) -> bool:
    lowest, highest = bounds
    for part in field.split(","):
        found = _CRON_PART.fullmatch(part)
        if found is None or found[3] == "0":
            return False
        for name in filter(None, (found[1], found[2])):
            if name not in _CRON_NAMES and not (name.isdecimal() and lowest <= int(name) <= highest):
                return False
    return True


def _never_comes(days: str, months: str, weekdays: str) -> bool:
    """True when none of the months has any of the days; a day of the week besides is enough for it to come up."""
    first = [part.partition("-")[0].partition("/")[0] for part in days.split(",")]
    if weekdays != "*" or not months.replace(",", "").isdecimal() or not all(map(str.isdecimal, first)):
        return False
    longest = max(monthrange(_LEAP_YEAR, int(month))[1] for month in months.split(","))
    return min(map(int, first)) > longest


def _positive(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value < 1:
        raise _refuse("a whole number from 1 on")
    return value


def _share(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        raise _refuse("a share such as 0.05, which is 5 %")
    return value


Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
Moment = Annotated[datetime, BeforeValidator(_read_moment)]
TimeZone = Annotated[str, BeforeValidator(_read_time_zone)]
Cron = Annotated[str, BeforeValidator(_read_cron)]
Count = Annotated[int, BeforeValidator(_positive)]
Share = Annotated[float, BeforeValidator(_share)]


class Switched(Spec):
    """A section that may also be written as true or false.

    Attributes:
        enabled: what the file says; None when it says nothing.
    """

    enabled: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_switch(cls, value: object) -> object:
        return {"enabled": value} if isinstance(value, bool) else value


class PartitionsSpec(Switched):
    """Which windows of time the project is built in.

    Attributes:
        cadence: how long a partition is; None for the one that follows from the models.
        start: a moment of the first partition; None for the usual one. Without a zone it is one of `timezone`.
        timezone: where days, weeks and months begin; also the one of schedules.
    """

    cadence: Cadence | None = None
    start: Moment | None = None
    timezone: TimeZone = "UTC"

    @property
    def begin(self) -> datetime | None:
        """The moment in `start`, UTC."""
        if self.start is None:
            return None
        start = self.start if self.start.tzinfo else self.start.replace(tzinfo=ZoneInfo(self.timezone))
        return start.astimezone(UTC)


Level = Literal["append", "late", "content"]
"""What of the days of an input is compared: the newest time; also the number of rows; also a hash of what is used."""

LEVELS: tuple[Level, ...] = ("append", "late", "content")

BLIND: Mapping[Level, str | None] = {
    "append": "rows that are late, corrected or removed are not seen",
    "late": "rows that are corrected in place are not seen",
    "content": None,
}
"""What a level cannot see."""


class InputChanges(Spec):
    """How it is found out that rows of an input have changed; None leaves the choice to who looks."""

    changes: Level | None = None


class SchedulesSpec(Switched):
    """When the project is run. `cron` takes the place of the schedules that follow from the models."""

    cron: Cron | None = None


class SensorSpec(Switched):
    """How often inputs are looked at, and how many runs are asked for at once."""

    interval: Duration = timedelta(seconds=60)
    at_most: Count = 30


class RetentionSpec(Switched):
    """What of earlier runs stays after a run; false keeps everything.

    Attributes:
        period: how long materials stay; None for the `retention_period` of the project, or else 30 days.
        runs: of how many of the latest runs they all stay; of others, those of the last run of a day do.
    """

    period: Duration | None = None
    runs: Count = 10


class ChecksSpec(Spec):
    """What may not happen to a result; None and missing keys check nothing.

    Attributes:
        largest_cluster: ids of one entity.
        ids_per_type: id type -> ids of that type of one entity.
        changed_main_ids: share of ids whose main id differs from that of the last run.
        row_count_change: share by which the number of rows may differ from that of the last run.
        severity: whether a broken check is told, or keeps the old views as well.
        freshness: age of the newest row of an input.
    """

    largest_cluster: Count | None = None
    ids_per_type: dict[str, Count] = Field(default_factory=dict)
    changed_main_ids: Share | None = None
    row_count_change: Share | None = None
    severity: Literal["warn", "error"] = "warn"
    freshness: Duration | None = None


class PipelineSpec(Spec):
    """How a project is run.

    Attributes:
        incremental: whether what was read is kept for later runs: from the second run on, from the first on, or never.
        transient: which tables a warehouse that asks need not be able to bring back as they were before.
        inputs: name of an input -> how its changes are found.
        publish: what is published, and where to.
    """

    incremental: Literal["auto", "always", "never"] = "auto"
    transient: Literal["nothing", "materials", "everything"] = "materials"
    partitions: PartitionsSpec = PartitionsSpec()
    inputs: dict[str, InputChanges] = Field(default_factory=dict)
    schedules: SchedulesSpec = SchedulesSpec()
    sensor: SensorSpec = SensorSpec()
    checks: ChecksSpec = ChecksSpec()
    retention: RetentionSpec = RetentionSpec()
    publish: tuple[PublisherSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedPipeline:
    """What a file says, and where it stands."""

    spec: PipelineSpec = field(default_factory=PipelineSpec)
    source: PlacedMap | None = None

    def check_names(
        self,
        inputs: Collection[str],
        id_types: Collection[str],
        problems: Problems,
        is_broken: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Add a problem for each input and id type that the project does not have.

        Args:
            inputs: names of the inputs of the project.
            id_types: names of its id types.
            problems: where problems are added.
            is_broken: whether ``inputs/x`` or ``id_type/x`` is declared, but wrong.
        """
        named = (
            ("inputs", "inputs/", "unknown-input", "input", inputs, self.spec.inputs),
            ("ids_per_type", "id_type/", "unknown-id-type", "id type", id_types, self.spec.checks.ids_per_type),
        )
        for section, prefix, code, noun, known, given in named:
            lower = {name.lower() for name in known}
            for name in given:
                if name.lower() not in lower and not is_broken(f"{prefix}{name.lower()}"):
                    hint = did_you_mean(name, sorted(known))
                    problems.error(code, f"there is no {noun} '{name}'", self._place(section, name), hint=hint)

    def _place(self, section: str, name: str) -> Span | None:
        holder = self.source.get("checks") if self.source and section == "ids_per_type" else self.source
        names = holder.get(section) if isinstance(holder, Mapping) else None
        return names.key_span(name) if isinstance(names, PlacedMap) else None


def read_pipeline(folder: Path, problems: Problems) -> PlacedPipeline:
    """Return what the pipeline.yaml in `folder` says; what is said where there is none, or where it is wrong.

    Everything wrong with it is added to `problems`.
    """
    path = next((folder / name for name in PIPELINE_FILES if (folder / name).is_file()), None)
    if path is None:
        return PlacedPipeline()
    own = Problems()  # what cannot be read here hides nothing that the project declares
    value = read_yaml(path, path.name, own)
    found = None
    if isinstance(value, PlacedMap):
        value = value.without(OWN_SECTIONS)  # they are part of the project
        found = validated(PipelineSpec, value, path.name, own)
    elif value is not None:
        own.error("wrong-type", f"the file must be a mapping of {', '.join(_KEYS)}", Span(path.name, 1, 1))
    problems.found += own.found
    return PlacedPipeline(found, value) if found is not None and isinstance(value, PlacedMap) else PlacedPipeline()


def read_stated(stated: Mapping[str, object], file: Path, problems: Problems) -> PlacedPipeline:
    """Return what sections say that stand under ``attributes`` of another file, which has been read already.

    Everything wrong with it is added to `problems`, at its place as far as the file shows it.
    """
    written = read_yaml(file, file.name, Problems()) if file.is_file() else None
    found = written.get("attributes") if isinstance(written, PlacedMap) else None
    places = found if isinstance(found, PlacedMap) else PlacedMap(Span(file.name, 1, 1))
    value = PlacedMap(places.span)
    for key, section in stated.items():
        as_written = places.get(key) == section
        given = places[key] if as_written else _placed_at(section, places.key_span(key))
        value.put(key, given, places.key_span(key), places.value_span(key))
    spec = validated(PipelineSpec, value, file.name, problems)
    return PlacedPipeline(spec, value) if spec is not None else PlacedPipeline()


def _placed_at(value: object, span: Span) -> object:
    """Return a value whose mappings all stand at one place."""
    if not isinstance(value, Mapping):
        return value
    placed = PlacedMap(span)
    for key, inner in value.items():
        placed.put(str(key), _placed_at(inner, span))
    return placed


_KEYS = (*(name for name in PipelineSpec.model_fields if name != "span"), *OWN_SECTIONS)
