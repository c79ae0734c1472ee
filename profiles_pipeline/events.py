"""What a run is asked for, what it tells on its way and what came of it. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from profiles_pipeline.errors import Check, Problem, RunError
from profiles_pipeline.plan import Request
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.stages import How, Plan
from profiles_pipeline.warehouse.lock import Holder
from profiles_pipeline.windows import Window


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a run.

    Attributes:
        seq_no: a time context to repeat or resume, ``latest``, ``new``, or None to let the run decide.
        invocation: name of the run for the registry; runs of the same invocation share a time context.
        ignore_model_errors: after an error go on with whatever does not depend on the model that failed.
        partitions: keys of the first and the last partition that the run brings up to date; `end` is what they say.
        concurrency: how many models that do not need each other are built at once, where the warehouse can.
    """

    request: Request = field(default_factory=Request)
    begin: datetime | None = None
    end: datetime | None = None
    seq_no: int | Literal["latest", "new"] | None = None
    invocation: str | None = None
    lock_timeout: float | None = None
    ignore_model_errors: bool = False
    partitions: tuple[str, str] | None = None
    concurrency: int = 1


@dataclass(frozen=True, slots=True)
class Built:
    """A model that was built or reused.

    Attributes:
        rows: how many rows it has; None when nobody counted.
        seconds: wall time of building and checking it.
        sql_file: the SQL that was run, relative to the project folder.
        own: True when it is what the model stands for in this run; False for an earlier state of it, from which a
            model with a coarser time grain is made.
        as_of: the end of its window, where a time grain has moved that back; None when it is the end of the run's.
        versions: input that it is made from -> version of its rows, for those at which anybody has looked.
        how: how it came to be.
        bytes_scanned: what building it has read; None where the warehouse does not tell.
    """

    model: Model
    material: str
    relation: str
    fingerprint: str
    kind: str
    rows: int | None
    seconds: float
    reused: bool
    sql_file: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    checks: tuple[Check, ...] = ()
    own: bool = True
    as_of: datetime | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    how: How | None = None
    funnel: tuple[tuple[str, int, int, float | None], ...] = ()
    bytes_scanned: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run waits for another one to finish."""

    holder: Holder


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """The models are tried on empty tables; this one, the `number`-th of `total`, comes next."""

    model: Model
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan is made; nothing has been built yet.

    Attributes:
        project: what the plan is for: the project as its sources allow it and as their columns are understood.
    """

    plan: Plan
    project: ProfilesProject
    resumed: bool
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """A model is being built."""

    model: Model


@dataclass(frozen=True, slots=True)
class Working:
    """A model has reached this step."""

    model: Model
    title: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A model could not be built and the run goes on; without an error, something that it needs has failed."""

    model: Model
    error: RunError | None = None


@dataclass(frozen=True, slots=True)
class Retired:
    """What was dropped after a run because it was built too long ago, or a later run of its day says enough.

    Attributes:
        materials: names of materials, and of tables that were kept from run to run.
        problem: what could not be dropped, and why.
    """

    materials: tuple[str, ...] = ()
    problem: str | None = None


Event = Waiting | Rehearsing | Planned | Started | Working | Built | Failed
Observer = Callable[[Event], None]


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        window: its time context.
        built: every model built or reused, in order.
        promoted: plain names that now show the materials of this run.
        seconds: wall time, waiting for the lock not included.
        sql_folder: where the SQL of the run lies.
        stays_on: the later window that the plain names go on showing; None when they show this one.
        failed: models that could not be built, and those that need them, where errors of models are ignored.
        retired: what of earlier runs was dropped afterwards.
    """

    window: Window
    built: tuple[Built, ...]
    promoted: tuple[str, ...]
    seconds: float
    sql_folder: Path
    stays_on: Window | None = None
    failed: tuple[Failed, ...] = ()
    retired: Retired = Retired()
