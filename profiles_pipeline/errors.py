"""What can be wrong, as values: problems with a place, a reason and a way out.

Raises nothing by itself and knows nothing of YAML, SQL or warehouses. Every problem carries a stable code that the
documentation lists and a test provokes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn, TypeVar

MOST_LISTED = 12
"""Most names that a hint lists."""

_MADE_UP = re.compile(r" \((?:\d+|reserved)\)$")
"""What stands behind the name of a thing that cannot have its own, as that of an earlier one."""

TOO_DEEP = "the SQL is nested too deeply, or has too many terms in a row"

Severity = Literal["error", "warning"]
Raised = TypeVar("Raised", bound=BaseException)


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """A place in a file of the project: line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or doubtful), where it stands and what to do about it.

    Attributes:
        code: stable name such as ``unknown-key``; lower case, dashes.
        message: what is wrong, in one sentence without a final stop.
        span: where; None when no file is to blame.
        hint: what to do next, or the nearest valid name.
        excerpt: text lines that show the place, for example SQL with a caret under it.
        severity: ``error`` stops the work, ``warning`` does not.
        about: path of the model or ``owner/name`` of the var that is wrong, where it is not the one being read.
    """

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    excerpt: str | None = None
    severity: Severity = "error"
    about: str | None = field(default=None, compare=False)

    def render(self) -> str:
        """Return the problem as plain text: place, severity, code and message; then excerpt and hint, indented."""
        place = f"{self.span}: " if self.span else ""
        lines = [f"{place}{self.severity}[{self.code}]: {self.message}"]
        if self.excerpt:
            lines += [f"    {line}" for line in self.excerpt.rstrip().splitlines()]
        if self.hint:
            lines.append(f"    hint: {self.hint}")
        return "\n".join(lines)


class ProfilesError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 1


class ProjectError(ProfilesError):
    """The project (or the call) is wrong; nothing was run. Holds every problem found, in file order."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))


class BrokenReferenceError(ProjectError):
    """Something that is needed is itself wrong, which is told where it stands: there is nothing more to say."""

    def __init__(self) -> None:
        super().__init__(())


class WarehouseError(ProfilesError):
    """The warehouse refused a statement or could not be reached.

    Attributes:
        statement: the SQL text that failed, if there was one.
        hint: what to do about it, if that is known.
    """

    def __init__(self, message: str, statement: str | None = None, hint: str | None = None) -> None:
        self.statement = statement
        self.hint = hint
        super().__init__(message)


class LockTimeoutError(ProfilesError):
    """Another run kept the warehouse for longer than this one was willing to wait."""


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a check of a built model; `broken` rows break the rule, which is an error or only a warning."""

    name: str
    description: str
    broken: int
    severity: Severity = "error"

    @property
    def passed(self) -> bool:
        """True when no row breaks the rule."""
        return self.broken == 0

    @property
    def stops(self) -> bool:
        """True when what was checked must not be shown to anybody."""
        return not self.passed and self.severity == "error"


class RunError(ProfilesError):
    """A model or one of its checks failed. What was built before it is kept and reused when the run is resumed.

    Attributes:
        problem: what failed, with the YAML line of the model or var.
        model: path of the model that failed.
        seq_no: the number to resume with.
        sql_file: the compiled SQL that failed, if it was written.
        checks: the outcome of every check of the model, when it was a check that failed; else empty.
    """

    def __init__(
        self, problem: Problem, model: str, seq_no: int, sql_file: str | None = None, checks: Sequence[Check] = ()
    ) -> None:
        self.problem = problem
        self.model = model
        self.seq_no = seq_no
        self.sql_file = sql_file
        self.checks = tuple(checks)
        super().__init__(problem.render())


def as_value(error: Raised) -> Raised:
    """Return an error that will be kept, without the frames it came through and what these hold, such as connections.

    A frame that has been frozen (`gc.freeze`) and leads to the error would keep all of that to the end.
    """
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most like `name` (case-insensitively), or None when none is close."""
    return next(iter(most_alike(name, candidates, 1, cutoff=0.6)), None)


def most_alike(name: str, candidates: Iterable[str], count: int, cutoff: float = 0) -> list[str]:
    """Return the candidates most like `name` (case-insensitively), the most like it first.

    Args:
        name: the name.
        candidates: what to choose from.
        count: how many at most.
        cutoff: how much like it they must be, from 0 to 1.
    """
    by_lower = {candidate.lower(): candidate for candidate in as_written(candidates)}
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=cutoff)]


def as_written(names: Iterable[str]) -> list[str]:
    """Return the names without those that things have only so that they can be checked beside others of their name."""
    return [name for name in names if not _MADE_UP.search(name)]


def did_you_mean(name: str, candidates: Sequence[str]) -> str | None:
    """Return a hint that names the nearest candidate, or lists them when there are few and none is near."""
    match = nearest(name, candidates)
    if match is not None:
        return f"did you mean '{match}'?"
    known = dict.fromkeys(as_written(candidates))
    if known and len(known) <= MOST_LISTED:
        return "known: " + ", ".join(sorted(known, key=str.lower))
    return None


@dataclass
class Broken:
    """What a project declares but cannot use, because of problems that are told already.

    Nothing is said about what refers to such things.

    Attributes:
        names: lower-case ``inputs/x``, ``models/x``, ``entity/x``, ``id_type/x``, ``macro/x``, ``package/x``;
            ``var/x`` for a var or feature of whatever owner.
        anything: a file or section could not be read, so whatever is not found may be declared there.
    """

    names: set[str] = field(default_factory=set)
    anything: bool = False

    def __contains__(self, name: str) -> bool:
        return self.anything or name.lower() in self.names

    def add(self, *names: str) -> None:
        """Remember that these cannot be used."""
        self.names.update(name.lower() for name in names)

    def bears(self, path: str) -> bool:
        """Return whether the thing at a path, or what it belongs to, is broken."""
        parts = path.lower().removeprefix("entity/").split("/")
        heads = {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
        return self.anything or bool(self.names & {*heads, f"entity/{parts[0]}", f"models/{parts[0]}"})


@dataclass
class Problems:
    """A growing list of problems, so that all of them can be shown at once; `broken` is what they make unusable."""

    found: list[Problem] = field(default_factory=list)
    broken: Broken = field(default_factory=Broken)

    def error(
        self, code: str, message: str, span: Span | None = None, *, hint: str | None = None, excerpt: str | None = None
    ) -> None:
        """Add an error."""
        self.found.append(Problem(code, message, span, hint, excerpt))

    @contextmanager
    def breaking(self, *names: str) -> Iterator[None]:
        """Mark these as broken when an error is added inside."""
        before = sum(problem.severity == "error" for problem in self.found)
        yield
        if sum(problem.severity == "error" for problem in self.found) > before:
            self.broken.add(*names)

    def warn(self, code: str, message: str, span: Span | None = None, *, hint: str | None = None) -> None:
        """Add a warning."""
        self.found.append(Problem(code, message, span, hint, severity="warning"))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The errors among them, in file order, each once."""
        return in_file_order(p for p in self.found if p.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings among them, in file order, each once."""
        return in_file_order(p for p in self.found if p.severity == "warning")

    def raise_errors(self) -> None:
        """Raise ProjectError with every error found, if there is one."""
        if self.errors:
            raise ProjectError(self.errors)


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems by file and line, each once; those without a place come last.

    What is wrong in a macro is told once, however often the macro is called.
    """
    each: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        said = problem.message.partition(", called at ")[0]
        each.setdefault((problem.code, problem.span, said, problem.severity), problem)
    return tuple(sorted(each.values(), key=_file_order))


def _file_order(problem: Problem) -> tuple[bool, str, int, int]:
    span = problem.span
    return (span is None, span.file if span else "", span.line if span else 0, span.column if span else 0)


def fail(code: str, message: str, span: Span | None = None, *, hint: str | None = None) -> NoReturn:
    """Raise ProjectError with a single problem."""
    raise ProjectError([Problem(code, message, span, hint)])


def at(problem: Problem, span: Span | None) -> Problem:
    """Return `problem` placed at `span`, unless it already has a place."""
    return problem if problem.span else replace(problem, span=span)
