"""Does what ``profiles validate access`` says."""

from __future__ import annotations

import typer
from rich.text import Text

from profiles_pipeline.access import Trial, try_access
from profiles_pipeline.cli.faults import problem_document, shown
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.terminal import err, note, out, plural, print_document, say
from profiles_pipeline.errors import fail

ACCESS = "access"


def validate_access(place: Place, what: str, lock_timeout: float | None, as_json: bool) -> None:
    """Try every right that a run needs and say how each went.

    Raises:
        Exit: one of them is missing.
        ProjectError: something other than the access is to be validated.
    """
    if what != ACCESS:
        fail("bad-check", f"'{what}' cannot be validated", hint="profiles validate, or profiles validate access")
    project, output = place.open()
    if output.notice and not as_json:
        note(f"note: {output.notice}", style="yellow")
    trials = []
    for trial in try_access(project, output, tell_waiting, lock_timeout):
        trials.append(trial)
        if not as_json:
            _say(trial, place)
    failed = sum(not trial.passed for trial in trials)
    if as_json:
        print_document({"passed": failed == 0, "trials": [_document(trial) for trial in trials]})
    elif failed:
        note(f"{failed} of {plural(len(trials), 'trial')} failed", style="bold red")
    else:
        say("a run may do all it needs to", style="bold green")
    if failed:
        raise typer.Exit(1)


def _say(trial: Trial, place: Place) -> None:
    mark = ("ok      ", "green") if trial.passed else ("failed  ", "bold red")
    out().print(Text.assemble(mark, trial.name, (f"  {trial.note}" if trial.note else "", "dim")))
    if trial.problem is not None:
        err().print(Text(shown(trial.problem, place.folder).render(), style="red"))


def _document(trial: Trial) -> dict[str, object]:
    problem = problem_document(trial.problem) if trial.problem else None
    return {"name": trial.name, "passed": trial.passed, "note": trial.note, "problem": problem}
