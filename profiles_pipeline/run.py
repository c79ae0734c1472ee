"""Runs a project: plans, rehearses, executes the plan, records what was built, promotes it.

`profiles run` and the Dagster assets both call it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from profiles_pipeline import compiled, freshness, plan, rehearse, retention, time_contexts
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import capabilities
from profiles_pipeline.errors import Problem
from profiles_pipeline.events import (
    Built,
    Event,
    Failed,
    Observer,
    Options,
    Planned,
    Rehearsing,
    Report,
    Retired,
    Started,
    Waiting,
    Working,
)
from profiles_pipeline.execution import execute, promote
from profiles_pipeline.garbage import rare_collection
from profiles_pipeline.plan import Request
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import SeqNo
from profiles_pipeline.rehearse_there import rehearse_there
from profiles_pipeline.session import Session, found_sources, open_session
from profiles_pipeline.stages import Plan
from profiles_pipeline.taken_names import taken_names
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings

__all__ = [
    "AtEnd",
    "Built",
    "Event",
    "Failed",
    "Observer",
    "Options",
    "Planned",
    "Rehearsing",
    "Report",
    "Session",
    "Started",
    "Waiting",
    "Working",
    "execute",
    "found_sources",
    "make_plan",
    "open_session",
    "promote",
    "rehearsed",
    "run",
]

NO_OPTIONS = Options()
"""A run of everything, as of now."""

AtEnd = Callable[[Session, tuple[Built, ...]], None]
"""What to do with the models of a run before the warehouse is let go."""


@rare_collection()
def run(
    project: ProfilesProject,
    output: Output,
    options: Options = NO_OPTIONS,
    observe: Observer = lambda _: None,
    at_end: AtEnd = lambda *_: None,
) -> Report:
    """Build what is asked for and return what was done.

    When errors of models are ignored, they are part of what is returned: whatever needs a model that failed is left
    out, the views of the others are repointed, and the time context stays unfinished so that it can be continued.

    Raises:
        ProjectError: the project does not fit its data, or the options make no sense; nothing was built or made.
        RunError: a model or a check failed; what was built before is kept for resuming, views stand as they were.
        LockTimeoutError: another run kept the warehouse for too long.
    """
    concurrency = options.concurrency if capabilities(output.settings.dialect).concurrent_statements else 1
    observe = observe if concurrency == 1 else _by_one_at_a_time(observe)
    began = time.monotonic()
    warnings = _rehearsed_in_memory(project, output, options, observe)
    tried = time.monotonic() - began
    with open_session(project, output, "profiles run", observe, options.lock_timeout) as opened:
        seq_no, resumed = time_contexts.choose_seq_no(opened, options)
        session = time_contexts.with_what_it_needs(opened, seq_no)
        outdated = freshness.outdated(session, seq_no)
        planned = make_plan(session, seq_no, options.request, outdated)
        if warnings is None:
            warnings = () if options.ignore_model_errors else rehearsed(session, planned)
        session.registry.ensure()
        session.registry.forget(outdated)
        if not resumed:
            session.registry.record_seq_no(project.name, seq_no)
        time_contexts.record_coarser(session, planned.window)
        observe(Planned(planned, session.project, resumed, warnings))
        files = compiled.write(planned, session.project, output, session.texts, "run")
        done = execute(session, planned, files, ignore_errors=options.ignore_model_errors, concurrency=concurrency)
        if not done.failed:
            session.registry.complete(seq_no.number)
        at_end(session, done.built)
        retired = Retired() if done.failed else retention.retire(session)
        seconds = tried + time.monotonic() - session.started
        return Report(
            planned.window, done.built, done.promoted, seconds, files.folder, planned.stays_on, done.failed, retired
        )


def _by_one_at_a_time(observe: Observer) -> Observer:
    """Return an observer that several threads may tell what happens."""
    turn = threading.Lock()

    def observe_alone(event: Event) -> None:
        with turn:
            observe(event)

    return observe_alone


def _rehearsed_in_memory(
    project: ProfilesProject, output: Output, options: Options, observe: Observer
) -> tuple[Problem, ...] | None:
    """Return the warnings of a rehearsal, for a warehouse file that is yet to be made; None when there is one.

    A project that is wrong then leaves no empty file behind.
    """
    settings = output.settings
    if not isinstance(settings, DuckDBSettings) or settings.file is None or settings.file.exists():
        return None
    if options.ignore_model_errors:
        return None
    in_memory = replace(output, settings=replace(settings, path=MEMORY))
    with open_session(project, in_memory, "rehearsal", observe) as opened:
        seq_no, _ = time_contexts.choose_seq_no(opened, options)
        session = time_contexts.with_what_it_needs(opened, seq_no)
        window = replace(time_contexts.window_of(session, seq_no), coarser=())
        piece = rehearse.Piece(plan.needed(session.typed, window, options.request), output.schema, window)
        return rehearse.rehearse(session.typed, piece, session.warehouse, session.sources, observe)


def rehearsed(session: Session, planned: Plan) -> tuple[Problem, ...]:
    """Rehearse a plan with all that is above it on empty tables; return warnings.

    Raises:
        ProjectError: with every model and var that would fail, or with the names that it may not have.
    """
    piece = rehearse.piece_of(planned)
    warnings = rehearse.rehearse(session.typed, piece, session.warehouse, session.sources, session.observe)
    rehearse_there(session.typed, piece, session.warehouse, session.sources, session.observe)
    return *warnings, *taken_names(session, planned)


def make_plan(session: Session, seq_no: SeqNo, request: Request, outdated: frozenset[str] = frozenset()) -> Plan:
    """Return the plan for a time context; materials that are outdated are built anew.

    What is kept for later runs follows from the project's pipeline.yaml unless the request says it.
    """
    incremental = session.project.pipeline.incremental
    keep, whole = request.keep or incremental == "always", request.whole or incremental == "never"
    warehouse = session.output.settings.dialect
    if not capabilities(warehouse).increments:
        request = replace(request, why_whole=f"on {warehouse} every run builds from the rows")
        keep, whole = False, True
    return plan.build(
        session.typed,
        time_contexts.remembered(session).without(outdated),
        time_contexts.window_of(session, seq_no),
        session.sources,
        schema=session.output.schema,
        request=replace(request, keep=keep, whole=whole),
    )
