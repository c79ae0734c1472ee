"""Does what ``profiles run`` says."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import typer

from profiles_pipeline import plan, report, run
from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import INTERRUPTED, failure, from_here, problem_document, say_error
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.progress import Seen, watching
from profiles_pipeline.cli.terminal import err, note, out, plural, print_document, print_table, say
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import ProfilesError, RunError, fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.listing import type_name
from profiles_pipeline.resolve.model import FeatureTable, FeatureView, VarTable


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a run as they are typed."""

    begin_time: str | None = None
    end_time: str | None = None
    end_time_offset: str | None = None
    model_refs: Sequence[str] | None = None
    seq_no: str | None = None
    force: bool = False
    lock_timeout: float | None = None

    def options(self) -> run.Options:
        """Return the options as values. Raises ProjectError for those that make no sense."""
        seq_no = values.seq_no(self.seq_no)
        return run.Options(
            request=plan.Request(values.model_refs(self.model_refs), self.force),
            begin=values.moment(self.begin_time, "--begin-time") if self.begin_time else None,
            end=self._end(seq_no),
            seq_no=seq_no,
            lock_timeout=self.lock_timeout,
        )

    def _end(self, seq_no: int | str | None) -> datetime | None:
        if self.end_time_offset is None:
            return values.moment(self.end_time, "--end-time") if self.end_time else None
        if self.end_time or seq_no not in (None, "new"):
            other = "--end-time" if self.end_time else "--seq-no"
            fail("options-clash", f"--end-time-offset and {other} both say when to end", hint="leave one of them out")
        return datetime.now(UTC) - values.duration(self.end_time_offset, "--end-time-offset")


@dataclass(frozen=True, slots=True)
class Style:
    """How to speak of a run, and whether to tell Dagster of it."""

    as_json: bool = False
    quiet: bool = False
    tell_dagster: bool = True


def run_project(place: Place, asked: Asked, style: Style) -> None:
    """Build the project and say what was built.

    Raises:
        Exit: the run failed or was interrupted, which has been said.
        ProfilesError: nothing was started.
    """
    options = replace(asked.options(), invocation=uuid.uuid4().hex)
    project, output = place.open()
    plan.selected(project, options.request)  # so that a misspelled path neither waits for a lock nor takes a seq_no
    console = err() if style.as_json else out()
    if not style.quiet:
        _introduce(project, output, style.as_json)
    with watching(console, quiet=style.quiet) as seen:
        outcome = _attempt(project, output, options, seen)
    reporter = report.spawn_reporter(project.folder) if style.tell_dagster and seen.built else None
    if not isinstance(outcome, run.Report):
        _say_failure(outcome, place, seen, style.as_json)
    elif style.as_json:
        print_document(_document(project, output, outcome) | {"reported_to_dagster": reporter is not None})
    elif not style.quiet:
        _conclude(place, output, outcome)
        if style.tell_dagster and reporter is None and outcome.built:
            note("Dagster is not installed: this run is shown there once it is", style="dim")


def _attempt(
    project: ProfilesProject, output: Output, options: run.Options, seen: Seen
) -> run.Report | ProfilesError | KeyboardInterrupt:
    """Run, and leave a record for Dagster of each model as soon as it is built, so that no crash can lose it."""

    def observe(event: run.Event) -> None:
        seen.observe(event)
        if isinstance(event, run.Built) and seen.planned:
            window = seen.planned.plan.window
            report.append(project.folder, report.record(project, event, window, options.invocation or ""))

    try:
        return run.run(project, output, options, observe)
    except (ProfilesError, KeyboardInterrupt) as error:
        return error


# --- text -----------------------------------------------------------------------------------------------------------


def _introduce(project: ProfilesProject, output: Output, as_json: bool) -> None:
    line = say if not as_json else note
    if output.notice:
        line(f"note: {output.notice}", style="yellow")
    line(f"{project.name}: building in {where(output)}, target {output.target}, schema {output.schema}")
    if project.warnings:
        line(f"{plural(len(project.warnings), 'warning')}: `profiles validate` shows them", style="yellow")


def where(output: Output) -> str:
    """Return the place an output builds in, for people."""
    file = output.settings.file
    return "memory" if file is None else from_here(file)


def _conclude(place: Place, output: Output, done: run.Report) -> None:
    console = out()
    console.print()
    rows = [
        (
            _queryable(item, output.schema),
            type_name(item.model),
            item.kind,
            "" if item.rows is None else f"{item.rows:,}",
            "reused" if item.reused else f"{item.seconds:.2f}",
        )
        for item in done.built
    ]
    print_table(console, ("relation", "model type", "kind", "rows", "seconds"), rows, right=("rows", "seconds"))
    console.print()
    end = f"{done.window.end:%Y-%m-%dT%H:%M:%SZ}"
    say(f"done: seq_no {done.window.seq_no}, as of {end}, in {done.seconds:.1f} s", style="bold green")
    say(f"SQL: {from_here(done.sql_folder)}")
    best = _most_telling(done.built)
    if best is not None:
        say(f'next: profiles query{place.options} "select * from {best.model.name} limit 10"')
    say(f"      profiles dev{place.options}   opens the project in the Dagster UI")


def _queryable(item: run.Built, schema: str) -> str:
    return f"{schema}.{item.model.name if plan.has_plain_name(item.model) else item.material}"


def _most_telling(built: Sequence[run.Built]) -> run.Built | None:
    """Return the model whose rows say most about the entities, the last of its kind."""
    named = [item for item in built if plan.has_plain_name(item.model)]
    for kind in (FeatureTable, FeatureView, VarTable):
        found = [item for item in named if isinstance(item.model, kind)]
        if found:
            return found[-1] if kind is not FeatureView else found[0]
    return named[-1] if named else None


def _say_failure(outcome: ProfilesError | KeyboardInterrupt, place: Place, seen: Seen, as_json: bool) -> None:
    """Say what went wrong and how to go on; leave with the exit code."""
    if isinstance(outcome, KeyboardInterrupt):
        note(f"interrupted{f' while building {seen.current}' if seen.current else ''}", style="bold yellow")
        document: dict[str, object] = {"status": "interrupted", "exit_code": INTERRUPTED, "seq_no": seen.seq_no}
        code = INTERRUPTED
    else:
        say_error(outcome, place.folder.expanduser().absolute())
        document, code = failure(outcome), outcome.exit_code
    if isinstance(outcome, RunError):
        _say_where_it_stopped(outcome, place)
    if seen.seq_no is not None:
        _say_how_to_go_on(seen, place)
    if as_json:
        document["built"] = [item.model.path for item in seen.built]
        print_document(document)
    raise typer.Exit(code)


def _say_where_it_stopped(error: RunError, place: Place) -> None:
    note(f"the run stopped at {error.model}, seq_no {error.seq_no}", style="bold red")
    if error.sql_file:
        note(f"its SQL: {from_here(place.folder / error.sql_file)}:1:1")


def _say_how_to_go_on(seen: Seen, place: Place) -> None:
    kept = (
        f"{plural(len(seen.built), 'model')} built so far {'is' if len(seen.built) == 1 else 'are'} kept; "
        if seen.built
        else ""
    )
    note(f"{kept}views still show the run before")
    note(f"to continue with seq_no {seen.seq_no}: profiles run{place.options} --seq-no {seen.seq_no}")


# --- data -----------------------------------------------------------------------------------------------------------


def _document(project: ProfilesProject, output: Output, done: run.Report) -> dict[str, object]:
    window = done.window
    return {
        "status": "done",
        "exit_code": 0,
        "project": project.name,
        "folder": str(project.folder),
        "target": output.target,
        "schema": output.schema,
        "warehouse": where(output),
        "notice": output.notice,
        "seq_no": window.seq_no,
        "begin_time": window.begin.isoformat() if window.begin else None,
        "end_time": window.end.isoformat(),
        "seconds": round(done.seconds, 3),
        "sql_folder": str(done.sql_folder),
        "views": list(done.promoted),
        "models": [_model_document(item, output.schema) for item in done.built],
        "warnings": [problem_document(warning) for warning in project.warnings],
    }


def _model_document(item: run.Built, schema: str) -> dict[str, object]:
    return {
        "path": item.model.path,
        "name": item.model.name,
        "type": type_name(item.model),
        "relation": _queryable(item, schema),
        "material": item.material,
        "kind": item.kind,
        "rows": item.rows,
        "seconds": round(item.seconds, 3),
        "reused": item.reused,
        "sql_file": item.sql_file,
        "checks": [{"name": c.name, "description": c.description, "broken": c.broken} for c in item.checks],
    }
