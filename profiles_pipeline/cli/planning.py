"""Does what ``profiles plan``, ``profiles compile`` and ``profiles validate`` say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from profiles_pipeline import queries
from profiles_pipeline.cli.faults import from_here, problem_document, say_problems
from profiles_pipeline.cli.partitioning import dated
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.progress import Lines, patience
from profiles_pipeline.cli.running import where, window_document
from profiles_pipeline.cli.terminal import err, note, out, plural, print_document, print_table, say
from profiles_pipeline.errors import Problem
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.queries.listing import type_name
from profiles_pipeline.resolve.validity import not_needed
from profiles_pipeline.run import Event, Options, Waiting
from profiles_pipeline.stages import BuildMaterial, How, ReuseMaterial
from profiles_pipeline.windows import Window


def tell_waiting(event: Event) -> None:
    """Say on standard error whom the command waits for."""
    if isinstance(event, Waiting):
        Lines(err()).observe(event)


def show_plan(place: Place, options: Options, as_json: bool) -> None:
    """Print what the next run would build and reuse, and why."""
    project, output = place.open()
    options = dated(project, options, datetime.now(UTC))
    found = queries.preview(project, output, options, tell_waiting)
    window = found.plan.window
    rows = [
        (
            stage.how.action,
            stage.model,
            stage.material,
            _why(stage, window),
        )
        for stage in found.plan.materials
    ]
    if as_json:
        print_document(
            {
                "seq_no": window.seq_no,
                "resumed": found.resumed,
                "begin_time": window.begin.isoformat() if window.begin else None,
                "end_time": window.end.isoformat(),
                "target": output.target,
                "schema": output.schema,
                "models": [
                    {
                        "path": m.path,
                        "type": type_name(m),
                        "action": action,
                        "material": material,
                        "reason": reason,
                        "rows_to_read": found.rows[material],
                    }
                    for action, m, material, reason in rows
                ],
                "vars": strategies_document((stage.model.path, stage.how) for stage in found.plan.materials),
                "views_stay_on": window_document(found.plan.stays_on),
                "missing": [problem_document(problem) for problem in found.missing],
            }
        )
        return
    _introduce(project.name, where(output), output.notice)
    verb = "would continue" if found.resumed else "would be"
    say(f"the next run {verb} seq_no {window.seq_no}, as of {window.end:%Y-%m-%dT%H:%M:%SZ}")
    head = ("", "model", "material", "rows to read", "why")
    shown = [(a, m.path, material, _rows(a, found.rows[material]), why) for a, m, material, why in rows]
    print_table(out(), head, shown, right=("rows to read",))
    print_strategies((stage.model.path, stage.how) for stage in found.plan.materials)
    builds = sum(action != "reuse" for action, *_ in rows)
    say(f"{builds} to build, {len(rows) - builds} to reuse; nothing was run or recorded")
    if found.plan.stays_on is not None:
        say(f"the plain views would stay on seq_no {found.plan.stays_on.seq_no}, which is later")
    if found.missing:
        say_problems(found.missing, project.folder)
        note("a run would stop at the missing inputs", style="yellow")


def _rows(action: str, rows: int | None) -> str:
    """Return how many rows are read; what goes on from an earlier run reads so many at most."""
    if rows is None:
        return "?"
    return f"≤ {rows:,}" if action in ("increment", "extend") else f"{rows:,}"


def print_strategies(made: Iterable[tuple[str, How | None]]) -> None:
    """Print how each var over rows of some models is brought up to date and why; nothing while nothing is kept."""
    if hows := _strategies(made):
        print_table(out(), ("var", "brought up to date by", "because"), hows)


def strategies_document(made: Iterable[tuple[str, How | None]]) -> list[dict[str, object]]:
    """Return the same for programs."""
    return [{"path": path, "strategy": kind, "reason": why} for path, kind, why in _strategies(made)]


def _strategies(made: Iterable[tuple[str, How | None]]) -> list[tuple[str, str, str]]:
    return [
        (f"{path.removesuffix(f'/{VAR_TABLE}')}/{name}", kind, why)
        for path, how in made
        if how is not None
        for name, kind, why in how.strategies
    ]


def _why(stage: BuildMaterial | ReuseMaterial, window: Window) -> str:
    """Return why a material is built or reused, with its time where a time grain has moved that back."""
    moved = "" if stage.window.end == window.end else f"; as of {stage.window.end:%Y-%m-%dT%H:%M:%SZ}"
    return stage.reason + moved


def compile_sql(place: Place, options: Options, as_json: bool, assume_inputs: bool = False) -> None:
    """Write the SQL of the project and say where it lies."""
    project, output = place.open()
    options = dated(project, options, datetime.now(UTC))
    done = queries.compile_project(project, output, options, tell_waiting, assume_inputs)
    files = {stage.model.path: done.files.by_material[stage.material] for stage in done.plan.materials}
    folder = done.files.folder / "compile"
    if as_json:
        print_document(
            {
                "seq_no": done.plan.window.seq_no,
                "end_time": done.plan.window.end.isoformat(),
                "folder": str(folder),
                "files": {path: str(file) for path, file in files.items()},
                "as_written": [problem_document(problem) for problem in done.as_written],
            }
        )
        return
    _introduce(project.name, where(output), output.notice)
    say_problems([_as_written(problem) for problem in done.as_written], project.folder)
    print_table(out(), ("model", "file"), [(path, from_here(file)) for path, file in files.items()])
    say(f"wrote {plural(len(files), 'file')} to {from_here(folder)}; nothing was run")


def validate(place: Place, lock_timeout: float | None, as_json: bool) -> None:
    """Check the project and say what was checked."""
    with patience(err(), quiet=as_json) as observe:
        project, output = place.read()
        done = queries.check(project, output, observe, lock_timeout)
    if as_json:
        print_document(
            {
                "valid": True,
                "project": project.name,
                "folder": str(project.folder),
                "counts": done.counts,
                "rehearsed": done.rehearsed,
                "warnings": [problem_document(warning) for warning in done.warnings],
                "notes": [*project.notes, *not_needed(project.project.spec)],
                "missing": [problem_document(problem) for problem in done.missing],
            }
        )
        return
    say_problems(done.warnings, project.folder)
    for item in project.disabled:
        say(f"disabled: {item.path}: {item.reason}", style="yellow")
    for line in (*project.notes, *not_needed(project.project.spec)):
        file, _, rest = line.partition(":")
        say(f"{from_here(project.folder / file)}:{rest}", style="dim")
    _introduce(project.name, where(output), output.notice)
    say(", ".join(f"{noun.replace('_', ' ')}: {count}" for noun, count in done.counts.items()))
    say("checked: the YAML, every reference, the order of building, and that the SQL of every model can be read")
    if done.rehearsed:
        say("checked: every statement on empty tables with the columns of the inputs, as they are now")
    else:
        say_problems([replace(problem, severity="warning") for problem in done.missing], project.folder)
        none = "none of the inputs was found" if done.missing else "the project has no inputs"
        note(f"not checked: columns and types, because {none}", style="yellow")
    warnings = f", {plural(len(done.warnings), 'warning')}" if done.warnings else ""
    verdict = "the project is valid" if done.rehearsed else "nothing wrong in what could be checked"
    say(f"{verdict}{warnings}", style="bold green")


def _as_written(missing: Problem) -> Problem:
    return replace(missing, severity="warning", hint="its name stands in the SQL as the project writes it")


def _introduce(name: str, built_in: str, notice: str | None) -> None:
    if notice:
        say(f"note: {notice}", style="yellow")
    say(f"{name}: {built_in}")
