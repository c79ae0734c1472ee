"""Partitions as Dagster knows them, and what a Dagster run says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from profiles_pipeline.errors import fail
from profiles_pipeline.partitions import Calendar, Partition

MONDAY = 1


@cache
def definition_of(calendar: Calendar) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a calendar as Dagster knows them: the same keys for the same windows.

    Equal calendars have one and the same definition, so that Dagster sees that a run may build models together.
    """
    start = calendar.first.begin.astimezone(calendar.zone).replace(tzinfo=None)
    zone, open_ones = str(calendar.zone) if calendar.zone is not UTC else "UTC", int(calendar.has_open)
    match calendar.cadence:
        case "hourly":
            return dg.HourlyPartitionsDefinition(start, timezone=zone, end_offset=open_ones)
        case "daily":
            return dg.DailyPartitionsDefinition(start, timezone=zone, end_offset=open_ones)
        case "weekly":
            return dg.WeeklyPartitionsDefinition(start, timezone=zone, end_offset=open_ones, day_offset=MONDAY)
        case "monthly":
            return dg.MonthlyPartitionsDefinition(start, timezone=zone, end_offset=open_ones)
        case "grain month" | "grain year":
            months = "*" if calendar.cadence == "grain month" else "1"
            return dg.TimeWindowPartitionsDefinition(
                start=start, fmt=calendar.key_format, timezone=zone, cron_schedule=f"0 0 * {months} 1#1"
            )


@dataclass(frozen=True)
class Covered:
    """The partitions that a Dagster run is for, from the first to the last."""

    partitions: tuple[Partition, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Their keys, the earliest first."""
        return tuple(partition.key for partition in self.partitions)

    @property
    def last(self) -> Partition:
        """The last one: what is as of its end stands for all of them."""
        return self.partitions[-1]

    def end(self, wanted: datetime | None, now: datetime) -> datetime | None:
        """Return as of which moment the run is; None for the moment at which it starts to work.

        Args:
            wanted: the moment that the configuration of the run asks for.
            now: the present.

        Raises:
            ProjectError: what is as of the moment asked for does not stand for the partitions.
        """
        last = self.last
        if wanted is not None and wanted != last.end and not (last.is_open(now) and last.begin < wanted <= now):
            message = f"end_time {wanted:%Y-%m-%dT%H:%M:%SZ} is not the end of partition {last.key}"
            fail(
                "partition-clash",
                message,
                hint=f"leave end_time out: the partition ends at {last.end:%Y-%m-%dT%H:%M:%SZ}",
            )
        return wanted if wanted is not None or last.is_open(now) else last.end


def covered_by(tags: Mapping[str, str], calendar: Calendar) -> Covered | None:
    """Return the partitions that the tags of a run name; None when they name none of this calendar."""
    single = tags.get(PARTITION_NAME_TAG)
    first = calendar.find(tags.get(ASSET_PARTITION_RANGE_START_TAG) or single or "")
    last = calendar.find(tags.get(ASSET_PARTITION_RANGE_END_TAG) or single or "")
    return Covered(calendar.between(first, last)) if first is not None and last is not None else None


def tags_of(keys: Sequence[str]) -> dict[str, str]:
    """Return the tags of a run that is for the partitions from the first of these keys to the last; none without."""
    if not keys:
        return {}
    if keys[0] == keys[-1]:
        return {PARTITION_NAME_TAG: keys[0]}
    return {ASSET_PARTITION_RANGE_START_TAG: keys[0], ASSET_PARTITION_RANGE_END_TAG: keys[-1]}
