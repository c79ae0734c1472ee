"""Turns what went wrong into text people can act on, and into the exit code of the program.

0 done; 1 the run or a check failed; 2 the project or the call is wrong; 130 interrupted; 141 nobody reads the output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import typer

from profiles_pipeline.cli.entry import INTERRUPTED
from profiles_pipeline.cli.terminal import note, plural, print_document
from profiles_pipeline.errors import Problem, ProfilesError, ProjectError, RunError, WarehouseError

NOBODY_READS = 141


@contextmanager
def reported(folder: Path, as_json: bool = False) -> Iterator[None]:
    """Run the body; when it fails as can be expected, say why on standard error and leave with the right exit code.

    Args:
        folder: the project folder, from which the places of problems start.
        as_json: print a document about the failure to standard output as well.

    Raises:
        Exit: with the exit code of what went wrong.
    """
    try:
        yield
    except ProfilesError as error:
        say_error(error, folder)
        if as_json:
            print_document(failure(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        note("interrupted; nothing was changed", style="yellow")
        if as_json:
            print_document({"status": "interrupted", "exit_code": INTERRUPTED})
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read the output has left; Python must not complain when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(NOBODY_READS) from None


def say_error(error: ProfilesError, folder: Path) -> None:
    """Print an error to standard error: every problem it holds, and how many there are."""
    match error:
        case ProjectError():
            say_problems(error.problems, folder)
            note(plural(len(error.problems), "problem") + " found; nothing was run", style="bold red")
        case RunError():
            say_problems([error.problem], folder)
        case _:
            say_problems([plain_problem(error)], folder)


def say_problems(problems: Sequence[Problem], folder: Path) -> None:
    """Print problems to standard error, places written so that editors and terminals link them."""
    for problem in problems:
        note(shown(problem, folder).render(), style="red" if problem.severity == "error" else "yellow")


def shown(problem: Problem, folder: Path) -> Problem:
    """Return the problem with its file named from the current folder."""
    if problem.span is None or not problem.span.file:
        return problem
    return replace(problem, span=replace(problem.span, file=from_here(folder / problem.span.file)))


def from_here(path: Path) -> str:
    """Return a path as seen from the current folder, or in full where that would lead through many parents."""
    relative = os.path.relpath(path)
    return str(path.absolute()) if relative.startswith(os.path.join("..", "..", "..")) else relative


def plain_problem(error: ProfilesError) -> Problem:
    """Return an error without problems of its own as one."""
    code = "warehouse-error" if isinstance(error, WarehouseError) else "lock-timeout"
    excerpt = "\n".join(getattr(error, "__notes__", ())) or None
    return Problem(code, str(error), None, getattr(error, "hint", None), excerpt)


def failure(error: ProfilesError) -> dict[str, object]:
    """Return the document about an error."""
    document: dict[str, object] = {"status": "failed", "exit_code": error.exit_code}
    if isinstance(error, ProjectError):
        return document | {"problems": [problem_document(p) for p in error.problems]}
    if isinstance(error, RunError):
        found = {"model": error.model, "seq_no": error.seq_no, "sql_file": error.sql_file}
        found |= {"checks": [{"name": c.name, "description": c.description, "broken": c.broken} for c in error.checks]}
        return document | found | {"problems": [problem_document(error.problem)]}
    return document | {"problems": [problem_document(plain_problem(error))]}


def problem_document(problem: Problem) -> dict[str, object]:
    """Return a problem as plain values; its file is relative to the project folder."""
    span = problem.span
    return {
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
        "file": span.file if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "hint": problem.hint,
        "excerpt": problem.excerpt,
    }
