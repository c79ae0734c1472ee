"""Reads which partitions a run is for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from profiles_pipeline import partitions
from profiles_pipeline.cli.options import Asked
from profiles_pipeline.errors import fail
from profiles_pipeline.events import Options
from profiles_pipeline.project import ProfilesProject

RANGE = "..."


def partitions_asked(asked: Asked) -> tuple[str, str] | None:
    """Return the first and the last partition that are asked for, as typed; None when none are.

    Raises:
        ProjectError: other options say as of when to build as well, or a range is no range.
    """
    if asked.partition is None and asked.partition_range is None:
        return None
    if asked.partition is not None and asked.partition_range is not None:
        fail("options-clash", "--partition and --partition-range both say what to build", hint="leave one of them out")
    mine = "--partition" if asked.partition is not None else "--partition-range"
    others = {
        "--begin-time": asked.begin_time,
        "--end-time": asked.end_time,
        "--end-time-offset": asked.end_time_offset,
        "--seq-no": asked.seq_no,
    }
    given = next((name for name, value in others.items() if value is not None), None)
    if given is not None:
        fail("options-clash", f"{mine} and {given} both say as of when to build", hint="leave one of them out")
    if asked.partition is not None:
        return asked.partition, asked.partition
    first, dots, last = (asked.partition_range or "").partition(RANGE)
    if not (dots and first.strip() and last.strip()):
        hint = f"write the first and the last one: 2024-01-01{RANGE}2024-01-31"
        fail("bad-partition-range", f"--partition-range: '{asked.partition_range}' is no range", hint=hint)
    return first.strip(), last.strip()


def dated(project: ProfilesProject, options: Options, now: datetime) -> Options:
    """Return the options of a run with the end time that its partitions have; all others as they are.

    Raises:
        ProjectError: a partition does not exist, or the project has none.
    """
    if options.partitions is None:
        return options
    found = partitions.partitions_of(project, now)
    if found is None:
        fail("no-partitions", "the project has no partitions", hint="pipeline.yaml turns them off; use --end-time")
    last = partitions.asked_for(found.main, *options.partitions, now)[-1]
    return replace(options, end=partitions.end_of(last, now))
