"""What a run would do, and the SQL it would send, without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlglot import exp

from profiles_pipeline import compiled, estimates, freshness, plan, run, time_contexts, untranslated
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import Texts
from profiles_pipeline.errors import Problem, ProjectError, fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.reading import missing_inputs, open_for_reading
from profiles_pipeline.registry import SeqNo
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.session import as_able
from profiles_pipeline.stages import Plan
from profiles_pipeline.warehouse.settings import MEMORY, CompiledSettings, DuckDBSettings

NOT_RUN = 0
"""The number under which SQL is written that belongs to no recorded time context."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan of the next run.

    Attributes:
        resumed: the run would continue or repeat a recorded time context.
        missing: a problem for each input whose table is not found; the run would stop there.
        rows: material -> how many rows it is made from, as far as these were counted.
    """

    plan: Plan
    resumed: bool
    missing: tuple[Problem, ...]
    rows: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL that was written and not run.

    Attributes:
        as_written: a problem for each input that was not found; its name stands in the SQL as the project writes it.
    """

    plan: Plan
    files: compiled.Files
    as_written: tuple[Problem, ...]


def preview(
    project: ProfilesProject, output: Output, options: run.Options, observe: run.Observer = lambda _: None
) -> Preview:
    """Return the plan that a run with these options would execute now; records and allocates nothing.

    Raises:
        ProjectError: the options do not fit the project or the registry.
    """
    with open_for_reading(project, output, "profiles plan", observe, options.lock_timeout) as opened:
        seq_no, resumed = time_contexts.choose_seq_no(opened, options)
        session = time_contexts.with_what_it_needs(opened, seq_no)
        lenient = replace(session, sources=_where_found(session.sources))
        planned = run.make_plan(lenient, seq_no, options.request, freshness.outdated(session, seq_no))
        counted = opened.registry.input_rows(project.name)
        rows = estimates.rows_to_read(session.project, planned, counted)
        return Preview(planned, resumed, missing_inputs(session), rows)


def compile_project(
    project: ProfilesProject,
    output: Output,
    options: run.Options,
    observe: run.Observer = lambda _: None,
    assume_inputs: bool = False,
) -> Compiled:
    """Write the SQL of the requested models and run none of it.

    Afterwards ``output/<target>/seq_no/<n>/compile`` holds one file per model, and for a new window nothing else:
    n is the number of the recorded time context that was asked for, else `NOT_RUN`. Where inputs are assumed to exist,
    as they are where SQL is compiled and not run, no warehouse is connected to, and every name of a table stands as the
    project writes it.

    Raises:
        ProjectError: the options do not fit the project or the registry, or a dialect has nothing that stands for a
            part of the project; nothing is written then.
    """
    only_compiled = isinstance(output.settings, CompiledSettings)
    assume_inputs = assume_inputs or only_compiled
    if assume_inputs and options.seq_no not in (None, "new"):
        fail("options-clash", "what a seq_no stands for is known to the warehouse alone", hint="leave out --seq-no")
    place = replace(output, settings=DuckDBSettings(path=MEMORY, base=project.folder)) if assume_inputs else output
    with open_for_reading(project, place, "profiles compile", observe, options.lock_timeout) as opened:
        seq_no = _context(opened, options)
        if assume_inputs:
            written = as_able(plan.as_written(), output.settings.dialect)
            lenient = replace(opened, project=project, sources=written, output=output)
        else:
            lenient = replace(opened, sources=_where_found(opened.sources))
        session = time_contexts.with_what_it_needs(lenient, seq_no)
        planned = run.make_plan(session, seq_no, options.request)
        if output.settings.dialect != "duckdb":
            untranslated.refuse(session.typed, planned, output.settings.dialect)
        if seq_no.number == NOT_RUN:
            _clear(project, output)
        files = compiled.write(planned, project, output, Texts(output.settings.dialect), "compile")
        return Compiled(planned, files, () if assume_inputs else missing_inputs(opened))


def _context(session: run.Session, options: run.Options) -> SeqNo:
    if options.seq_no in (None, "new"):
        now = datetime.now(UTC)
        return SeqNo(NOT_RUN, options.begin, options.end or now, now, False, "")
    return time_contexts.choose_seq_no(session, options)[0]


def _clear(project: ProfilesProject, output: Output) -> None:
    """Remove the SQL that an earlier compilation left, so that what lies there is the project as it is now."""
    folder = project.folder / "output" / output.target / "seq_no" / str(NOT_RUN) / "compile"
    for file in folder.glob("Material_*.sql"):
        file.unlink()


def _where_found(sources: plan.Sources) -> plan.Sources:
    """Return the sources with names kept as the project writes them wherever the warehouse finds nothing."""
    written = plan.as_written()

    def of_input(model: Input) -> exp.Expr:
        try:
            return sources.of_input(model)
        except ProjectError:
            return written.of_input(model)

    def of_table(table: exp.Table) -> exp.Expr:
        try:
            return sources.of_table(table)
        except ProjectError:
            return written.of_table(table)

    return replace(sources, of_input=of_input, of_table=of_table, files=lambda _: None)
