"""Shows a run while it happens: moving on a terminal, one time-stamped line per model elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from profiles_pipeline.run import Built, Event, Failed, Observer, Planned, Rehearsing, Started, Waiting, Working
from profiles_pipeline.stages import AuditMaterial, ReuseMaterial

PATIENCE_S = 1.0
"""Seconds after which somebody at a terminal wants to know what is going on."""


@dataclass
class Seen:
    """What a run has said so far, for the messages after its end.

    Attributes:
        show: is told every event as well.
        planned: the plan, once it is made.
        built: the models that are done.
        building: paths of the models being built.
        began: when this record was begun, on the clock of `time.monotonic`.
    """

    show: Observer = lambda _: None
    planned: Planned | None = None
    built: list[Built] = field(default_factory=list)
    building: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def observe(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case Planned():
                self.planned = event
            case Started():
                self.building.append(event.model.path)
            case Built() | Failed():
                self.building = [path for path in self.building if path != event.model.path]
        if isinstance(event, Built):
            self.built.append(event)
        self.show(event)

    @property
    def seconds(self) -> float:
        """Seconds since this record was begun."""
        return time.monotonic() - self.began

    @property
    def seq_no(self) -> int | None:
        """Number of the time context; None before the plan is made."""
        return self.planned.plan.window.seq_no if self.planned else None


class Lines:
    """Prints a line for every event that people who read logs need."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def observe(self, event: Event) -> None:
        """Print a line, or nothing."""
        match event:
            case Waiting():
                self._line(f"waiting for {event.holder}")
            case Planned():
                self._line(headline(event))
                for text in remarks(event):
                    self._line(text)
            case Failed():
                self._line(failure(event))
            case Built():
                self._line(f"{'reused' if event.reused else 'built '} {event.model.path}  {measures(event)}")
                for text in warnings(event):
                    self._line(text)

    def _line(self, text: str) -> None:
        self._console.print(Text(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}"))


class Moving:
    """Prints a line per finished model above a bar that shows the current model, its step and the time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("reading the project and its sources", total=None)

    def observe(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Waiting():
                self._show(f"waiting for {event.holder}")
            case Rehearsing():
                self._show(checking(event))
            case Planned():
                self._above(Text(headline(event)))
                for text in remarks(event):
                    self._above(Text(text, style="yellow"))
                self._progress.update(self._task, total=len(event.plan.materials), description="starting")
            case Started():
                self._show(event.model.path)
            case Working():
                self._show(f"{event.model.path}: {event.title}")
            case Failed():
                self._above(Text.assemble(("✗ ", "red"), failure(event)))
                self._progress.advance(self._task)
            case Built():
                mark = ("= ", "dim") if event.reused else ("✓ ", "green")
                self._above(Text.assemble(mark, f"{event.model.path}  ", (measures(event), "dim")))
                for text in warnings(event):
                    self._above(Text(text, style="yellow"))
                self._progress.advance(self._task)

    def _show(self, text: str) -> None:
        self._progress.update(self._task, description=text)

    def _above(self, line: Text) -> None:
        self._progress.console.print(line, soft_wrap=True)


@contextmanager
def watching(console: Console, *, quiet: bool = False) -> Iterator[Seen]:
    """Yield a record of the run; what its `observe` is told is shown on the console in the way that fits it."""
    if quiet:
        yield Seen()
    elif console.is_terminal:
        with _bar(console) as progress:
            yield Seen(Moving(progress).observe)
    else:
        yield Seen(Lines(console).observe)


@contextmanager
def patience(console: Console, *, quiet: bool = False) -> Iterator[Observer]:
    """Yield what to tell events of a check; on a terminal, a line shows how far it is once it takes a while.

    The line is gone when the block ends. Whom the check waits for is said in any case.
    """
    lines = Lines(console)
    if quiet or not console.is_terminal:
        yield lines.observe
        return
    status = console.status(Text("reading the project"))

    def observe(event: Event) -> None:
        lines.observe(event)
        if isinstance(event, Rehearsing):
            status.update(Text(checking(event)))

    late = threading.Timer(PATIENCE_S, status.start)
    late.daemon = True
    late.start()
    try:
        yield observe
    finally:
        late.cancel()
        late.join()
        status.stop()


def _bar(console: Console) -> Progress:
    shortened = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    return Progress(
        SpinnerColumn(table_column=Column(min_width=1)),
        BarColumn(bar_width=20, table_column=Column(min_width=20)),
        MofNCompleteColumn(table_column=Column(min_width=5)),
        TimeElapsedColumn(table_column=Column(min_width=7)),
        TextColumn("{task.description}", markup=False, table_column=shortened),
        console=console,
        expand=True,
        transient=True,
    )


def remarks(event: Planned) -> list[str]:
    """Return what is doubtful about the plan and what is left out of it, one text each."""
    return [
        *(warning.render() for warning in event.warnings),
        *(f"disabled: {item.path}: {item.reason}" for item in event.project.disabled),
    ]


def headline(event: Planned) -> str:
    """Return the first thing to know of a run: the number to resume with, and what it will do."""
    planned = event.plan
    builds = sum(isinstance(stage, AuditMaterial) for stage in planned.stages)
    reuses = sum(isinstance(stage, ReuseMaterial) for stage in planned.stages)
    verb = "continues" if event.resumed else "is"
    begin = f"from {planned.window.begin:%Y-%m-%dT%H:%M:%SZ} " if planned.window.begin else ""
    counts = f"{builds} to build" + (f", {reuses} to reuse" if reuses else "")
    end = f"{planned.window.end:%Y-%m-%dT%H:%M:%SZ}"
    return f"this run {verb} seq_no {planned.window.seq_no}, {begin}as of {end}: {counts}"


def checking(event: Rehearsing) -> str:
    """Return how far the rehearsal is."""
    return f"checking {event.number} of {event.total} models"


def failure(event: Failed) -> str:
    """Return why a model could not be built, in one line."""
    reason = event.error.problem.message if event.error else "it needs a model that failed"
    return f"failed {event.model.path}  {reason}"


def warnings(built: Built) -> list[str]:
    """Return what is said of each check that a model has not passed, and that does not stop it."""
    return [
        f"warning: {built.model.path}: {c.description} Broken by {c.broken:,} ({c.name})"
        for c in built.checks
        if not c.passed
    ]


def measures(built: Built) -> str:
    """Return rows and seconds of a model, as far as they are known, and its time where it is not that of the run."""
    rows = "" if built.rows is None else f"{built.rows:,} {'row' if built.rows == 1 else 'rows'}"
    seconds = "" if built.reused else f"{built.seconds:.2f} s"
    as_of = f"as of {built.as_of:%Y-%m-%dT%H:%M:%SZ}" if built.as_of else ""
    return "  ".join(part for part in (rows, seconds, as_of) if part)
