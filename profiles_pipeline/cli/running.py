"""Does what ``profiles run`` says."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from profiles_pipeline import compiled, plan, queries, report, run
from profiles_pipeline.cli import values
from profiles_pipeline.cli.entry import INTERRUPTED
from profiles_pipeline.cli.faults import failure, from_here, problem_document, say_error, say_problems
from profiles_pipeline.cli.options import Asked, Style
from profiles_pipeline.cli.partitioning import dated, partitions_asked
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.progress import Seen, patience, watching
from profiles_pipeline.cli.recording import Outcome, Recorder
from profiles_pipeline.cli.terminal import err, note, out, plural, print_document, print_table, say
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import capabilities, identifier
from profiles_pipeline.errors import ProfilesError, RunError, as_value, fail
from profiles_pipeline.events import Retired
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.listing import type_name
from profiles_pipeline.resolve.model import FeatureTable, FeatureView, VarTable
from profiles_pipeline.windows import Window

if TYPE_CHECKING:
    from profiles_pipeline.cli import publishing
    from profiles_pipeline.cli.dumping import Results


def run_options(
    asked: Asked, force: bool = False, ignore_model_errors: bool = False, concurrency: int = 1
) -> run.Options:
    """Return what a run is asked for as values. Raises ProjectError for what makes no sense."""
    seq_no = values.seq_no(asked.seq_no)
    return run.Options(
        request=plan.Request(values.model_refs(asked.model_refs), force, rebase=asked.rebase_incremental),
        begin=values.moment(asked.begin_time, "--begin-time") if asked.begin_time else None,
        end=_end(asked, seq_no),
        seq_no=seq_no,
        lock_timeout=asked.lock_timeout,
        ignore_model_errors=ignore_model_errors,
        partitions=partitions_asked(asked),
        concurrency=concurrency,
    )


def remark_on_concurrency(reason: str) -> None:
    """Say why --concurrency has no effect."""
    note(f"--concurrency has no effect: {reason}", style="dim")


def refuse_to_assume() -> NoReturn:
    """Raise ProjectError: a run needs its inputs."""
    hint = "add --mock-material-run, or use profiles compile"
    fail("options-clash", "--assume-all-inputs-exist is for SQL that is not run", hint=hint)


def _end(asked: Asked, seq_no: int | str | None) -> datetime | None:
    if asked.end_time_offset is None:
        return values.moment(asked.end_time, "--end-time") if asked.end_time else None
    if asked.end_time or seq_no not in (None, "new"):
        other = "--end-time" if asked.end_time else "--seq-no"
        fail("options-clash", f"--end-time-offset and {other} both say when to end", hint="leave one of them out")
    return datetime.now(UTC) - values.duration(asked.end_time_offset, "--end-time-offset")


def run_project(
    place: Place, options: run.Options, style: Style, csv_folder: Path | None = None, *, publish: bool = False
) -> None:
    """Build the project and say what was built.

    Where a folder is given, the results are in CSV files there afterwards; where it is asked for, they are published.

    Raises:
        Exit: the run failed or was interrupted, which has been said.
        ProfilesError: nothing was started.
    """
    started = datetime.now(UTC)
    options = replace(options, invocation=uuid.uuid4().hex)
    with patience(err(), quiet=style.quiet or style.as_json) as tell:
        project, output = place.read()
        refusal = _refusal(project, output, options, tell)
    if refusal is not None:
        _say_failure(refusal, place, style.as_json, _Told(project, output, Seen()))
    options = dated(project, options, started)
    console = err() if style.as_json else out()
    if not style.quiet:
        _introduce(project, output, options, style.as_json)
    results = _results(csv_folder) if csv_folder is not None else None
    with watching(console, quiet=style.quiet) as seen:
        recorder = Recorder(project, output, options.invocation or "", started, options.partitions)
        outcome = _attempt(options, seen, results, recorder)
    reporter = None
    if seen.planned:
        recorder.ended(outcome, seen.planned.plan.window)
        reporter = report.spawn_reporter(project.folder) if style.tell_dagster else None
    if not isinstance(outcome, run.Report):
        _say_failure(outcome, place, style.as_json, _Told(project, output, seen))
    handed_on = _published(project, output, outcome, options.lock_timeout) if publish else None
    files = results.files if results is not None else ()
    if style.as_json:
        told = {"reported_to_dagster": reporter is not None, "csv_files": list(map(str, files))}
        told |= {"published": handed_on.documents} if handed_on else {}
        print_document(_document(project, output, outcome) | told | {"odd_times": list(map(_odd, recorder.odd))})
    elif not style.quiet:
        _conclude(place, output, outcome, recorder.odd)
        _say_besides(files, lacks_dagster=style.tell_dagster and reporter is None and bool(outcome.built))
        if handed_on:
            handed_on.show()
    if outcome.failed:
        _say_what_failed(outcome, place)
        raise typer.Exit(1)
    if handed_on:
        handed_on.leave_if_failed(place)


def _published(
    project: ProfilesProject, output: Output, done: run.Report, lock_timeout: float | None
) -> publishing.HandedOn:
    from profiles_pipeline.cli import publishing  # noqa: PLC0415 - it needs what stands above this module

    return publishing.after_run(project, output, done, lock_timeout)


def _say_besides(files: Sequence[Path], *, lacks_dagster: bool) -> None:
    if files:
        say(f"CSV: {plural(len(files), 'file')} in {from_here(files[0].parent)}")
    if lacks_dagster:
        note("Dagster is not installed: this run is shown there once it is", style="dim")


def _refusal(
    project: ProfilesProject, output: Output, options: run.Options, observe: run.Observer
) -> ProfilesError | None:
    """Return why a run need not be started: what is wrong with the project, or with the paths that are asked for."""
    try:
        if project.errors:
            # raises, with what its data says as well
            queries.check(project, output, observe, options.lock_timeout, needs_inputs=True)
        dated(project, options, datetime.now(UTC))
        plan.selected(project, options.request)  # so that a misspelled path neither waits for a lock nor takes a seq_no
    except ProfilesError as error:
        return as_value(error)
    return None


def _results(folder: Path) -> Results:
    from profiles_pipeline.cli.dumping import Results  # noqa: PLC0415 - it needs what stands above this module

    return Results(folder)


def _attempt(options: run.Options, seen: Seen, results: Results | None, recorder: Recorder) -> Outcome:
    """Run and return what came of it."""

    def observe(event: run.Event) -> None:
        seen.observe(event)
        if isinstance(event, run.Built) and seen.planned:
            recorder.built(event, seen.planned)

    def at_end(session: run.Session, built: tuple[run.Built, ...]) -> None:
        if results is not None:
            results.write(session, built)
        recorder.inputs(session, built)

    try:
        return run.run(recorder.project, recorder.output, options, observe, at_end)
    except (ProfilesError, KeyboardInterrupt) as error:
        return as_value(error)


# --- text -----------------------------------------------------------------------------------------------------------


def _introduce(project: ProfilesProject, output: Output, options: run.Options, as_json: bool) -> None:
    line = say if not as_json else note
    if options.concurrency > 1 and not capabilities(output.settings.dialect).concurrent_statements:
        one_by_one = "builds models one by one, and each of their statements uses every core"
        remark_on_concurrency(f"{output.settings.dialect} {one_by_one}")
    if output.notice:
        line(f"note: {output.notice}", style="yellow")
    line(f"{project.name}: building in {where(output)}, target {output.target}, schema {output.schema}")
    if project.warnings:
        line(f"{plural(len(project.warnings), 'warning')}: `profiles validate` shows them", style="yellow")


def where(output: Output) -> str:
    """Return the place an output builds in, for people."""
    file = output.settings.file
    return output.settings.place if file is None else from_here(file)


def _conclude(place: Place, output: Output, done: run.Report, odd: Iterable[report.InputSeen]) -> None:
    console = out()
    console.print()
    rows = [
        (
            _queryable(item, output.schema, done.stays_on is None),
            type_name(item.model),
            item.kind,
            "" if item.rows is None else f"{item.rows:,}",
            "reused" if item.reused else f"{item.seconds:.2f}",
            f"{item.as_of or done.window.end:%Y-%m-%dT%H:%M:%SZ}",
        )
        for item in done.built
    ]
    head = ("relation", "model type", "kind", "rows", "seconds", "as of")
    shown = len(head) if any(item.as_of for item in done.built) else len(head) - 1
    print_table(console, head[:shown], [row[:shown] for row in rows], right=("rows", "seconds"))
    console.print()
    end = f"{done.window.end:%Y-%m-%dT%H:%M:%SZ}"
    verb, style = ("not complete", "bold yellow") if done.failed else ("done", "bold green")
    say(f"{verb}: seq_no {done.window.seq_no}, as of {end}, in {done.seconds:.1f} s", style=style)
    if done.stays_on is not None:
        later = f"seq_no {done.stays_on.seq_no}, as of {done.stays_on.end:%Y-%m-%dT%H:%M:%SZ}"
        say(f"the plain views stay on {later}, which is later; --seq-no reads this one", style="yellow")
    if done.built and not any(item.rows for item in done.built):
        say(f"every model is empty: no row of the inputs counts as of {end}", style="yellow")
    _say_odd_times(odd)
    _say_retired(done.retired)
    say(f"SQL: {from_here(done.sql_folder)}")
    best = _most_telling(done.built)
    if best is not None:
        context = f" --seq-no {done.window.seq_no}" if done.stays_on is not None else ""
        say(f"next: profiles query{place.options}{context} {_first_rows(best.model.name)}")
    say(f"      profiles dev{place.options}   opens the project in the Dagster UI")


def _say_odd_times(odd: Iterable[report.InputSeen]) -> None:
    """Say which rows are not counted yet, and which are counted at a time that can hardly be theirs."""
    for seen in odd:
        path = "/".join(seen.key)
        if seen.ahead:
            say(f"{path}: {plural(seen.ahead, 'row')} of the future, counted once that has come", style="yellow")
        if seen.early:
            say(f"{path}: {plural(seen.early, 'row')} from before 1971, counted as such", style="yellow")


def _odd(seen: report.InputSeen) -> dict[str, object]:
    return {"input": "/".join(seen.key), "rows_of_the_future": seen.ahead, "rows_before_1971": seen.early}


def _say_retired(retired: Retired) -> None:
    if retired.problem is not None:
        note(retired.problem, style="yellow")
    if retired.materials:
        count = plural(len(retired.materials), "relation")
        say(f"dropped {count} of earlier runs; `retention` in pipeline.yaml says what stays")


def _first_rows(view: str) -> str:
    """Return the query of a view's first rows as it is typed into a shell."""
    if view.isidentifier():
        return f'"select * from {view} limit 10"'
    return shlex.quote(f"select * from {identifier(view, 'duckdb')} limit 10")


def _queryable(item: run.Built, schema: str, promoted: bool) -> str:
    """Return the relation that shows what was built: the plain view, unless it shows another window."""
    plain = plan.has_plain_name(item.model) and promoted and item.own
    return f"{schema}.{item.model.name if plain else item.material}"


def _most_telling(built: Sequence[run.Built]) -> run.Built | None:
    """Return the model whose rows say most about the entities, the last of its kind."""
    named = [item for item in built if plan.has_plain_name(item.model) and item.own]
    for kind in (FeatureTable, FeatureView, VarTable):
        found = [item for item in named if isinstance(item.model, kind)]
        if found:
            return found[-1] if kind is not FeatureView else found[0]
    return named[-1] if named else None


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of a run that did not come to its end."""

    project: ProfilesProject
    output: Output
    seen: Seen


def _say_failure(outcome: ProfilesError | KeyboardInterrupt, place: Place, as_json: bool, told: _Told) -> NoReturn:
    """Say what went wrong and how to go on; leave with the exit code."""
    seen = told.seen
    if isinstance(outcome, KeyboardInterrupt):
        building = " and ".join(seen.building)
        note(f"interrupted{f' while building {building}' if building else ''}", style="bold yellow")
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
        print_document(_unfinished_document(outcome, told) | document)
    raise typer.Exit(code)


def _say_what_failed(done: run.Report, place: Place) -> None:
    """Say what could not be built and how to go on; errors first, then what fell with them."""
    for item in done.failed:
        if item.error is not None:
            say_problems([item.error.problem], place.folder.expanduser().absolute())
    for item in done.failed:
        if item.error is None:
            note(f"left out: {item.model.path}, which needs a model that failed", style="yellow")
    count = plural(len(done.failed), "model")
    note(f"{count} could not be built; their views are as they were", style="bold red")
    number = done.window.seq_no
    note(f"to continue with seq_no {number}: profiles run{place.options} --seq-no {number}")


def _say_where_it_stopped(error: RunError, place: Place) -> None:
    note(f"the run stopped at {error.model}, seq_no {error.seq_no}", style="bold red")
    if error.sql_file:
        note(f"its SQL: {from_here(place.folder / error.sql_file)}")


def _say_how_to_go_on(seen: Seen, place: Place) -> None:
    kept = (
        f"{plural(len(seen.built), 'model')} built so far {'is' if len(seen.built) == 1 else 'are'} kept; "
        if seen.built
        else ""
    )
    note(f"{kept}the plain views are as they were")
    note(f"to continue with seq_no {seen.seq_no}: profiles run{place.options} --seq-no {seen.seq_no}")


# --- data -----------------------------------------------------------------------------------------------------------


def _document(project: ProfilesProject, output: Output, done: run.Report) -> dict[str, object]:
    promoted = done.stays_on is None
    return {
        "status": "failed" if done.failed else "done",
        "exit_code": 1 if done.failed else 0,
        **_where_and_when(project, output, done.window),
        "seconds": round(done.seconds, 3),
        "sql_folder": str(done.sql_folder),
        "views": list(done.promoted),
        "views_stay_on": window_document(done.stays_on),
        "models": [_model_document(item, output.schema, done.window, promoted) for item in done.built],
        "failed": [_failure_document(item.model.path, item.error) for item in done.failed],
        "warnings": [problem_document(warning) for warning in project.warnings],
        "retired": list(done.retired.materials),
        "not_retired": done.retired.problem,
    }


def _unfinished_document(outcome: ProfilesError | KeyboardInterrupt, told: _Told) -> dict[str, object]:
    """Return what is known of a run that did not come to its end, under the keys that one that did has."""
    seen, schema = told.seen, told.output.schema
    window = seen.planned.plan.window if seen.planned else None
    folder = compiled.folder_of(told.project, told.output, window.seq_no) if window else None
    return {
        **_where_and_when(told.project, told.output, window),
        "seconds": round(seen.seconds, 3),
        "sql_folder": str(folder) if folder and folder.is_dir() else None,
        "views": [],
        "views_stay_on": None,
        "models": [_model_document(item, schema, window, promoted=False) for item in seen.built if window],
        "failed": [_failure_document(outcome.model, outcome)] if isinstance(outcome, RunError) else [],
        "warnings": [problem_document(warning) for warning in told.project.warnings],
        "built": [item.model.path for item in seen.built],
        "retired": [],
        "not_retired": None,
        "odd_times": [],
    }


def _where_and_when(project: ProfilesProject, output: Output, window: Window | None) -> dict[str, object]:
    return {
        "project": project.name,
        "folder": str(project.folder),
        "target": output.target,
        "schema": output.schema,
        "warehouse": where(output),
        "notice": output.notice,
        "seq_no": window.seq_no if window else None,
        "begin_time": window.begin.isoformat() if window and window.begin else None,
        "end_time": window.end.isoformat() if window else None,
    }


def _failure_document(path: str, error: RunError | None) -> dict[str, object]:
    return {"path": path, "problem": problem_document(error.problem) if error else None}


def window_document(window: Window | None) -> dict[str, object] | None:
    """Return the number and the end of a window as plain values."""
    return {"seq_no": window.seq_no, "end_time": window.end.isoformat()} if window else None


def _model_document(item: run.Built, schema: str, window: Window, promoted: bool) -> dict[str, object]:
    return {
        "path": item.model.path,
        "name": item.model.name,
        "type": type_name(item.model),
        "relation": _queryable(item, schema, promoted),
        "material": item.material,
        "end_time": (item.as_of or window.end).isoformat(),
        "kind": item.kind,
        "rows": item.rows,
        "seconds": round(item.seconds, 3),
        "reused": item.reused,
        "action": item.how.action if item.how else None,
        "reason": item.how.reason if item.how else None,
        "sql_file": item.sql_file,
        "checks": [
            {"name": c.name, "description": c.description, "broken": c.broken, "severity": c.severity}
            for c in item.checks
        ],
    }
