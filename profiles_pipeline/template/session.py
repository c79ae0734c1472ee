"""One rendering: what it referred to and how much work it has done, so that no template can run away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from profiles_pipeline.namesakes import AmbiguousCohortError
from profiles_pipeline.template.faults import RenderError
from profiles_pipeline.template.origins import Marks
from profiles_pipeline.template.paths import resolve_path
from profiles_pipeline.template.scope import Ref, Scope

OUTPUT_LIMIT = 5_000_000
"""Most characters a text may render to."""
WORK_LIMIT = 50_000_000
"""Most characters that may be written in all on the way there."""
STEP_LIMIT = 20_000
"""Most calls and loop turns of one rendering."""
DEPTH_LIMIT = 50
"""Deepest nesting of macros and re-rendered texts."""

_BACKTICK_DIALECTS = frozenset({"bigquery", "databricks", "spark", "mysql"})


class Session:
    """Collects references in first-seen order and refuses work beyond the limits."""

    def __init__(self, scope: Scope, marks: Marks | None = None) -> None:
        self.scope = scope
        self.marks = marks
        self._refs: dict[str, Ref] = {}
        self._written = 0
        self._steps = 0
        self._depth = 0

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Every distinct reference so far."""
        return tuple(self._refs.values())

    def path(self, path: object, base: str) -> str:
        """Return `path` as a lower-case path from the root of the project. Raises RenderError."""
        resolved = resolve_path(path, base)
        with _placed_at(str(path)):
            return self.scope.namesakes.path(resolved, self.scope.entity)

    def owner(self, name: str, entity: str | None = None) -> str:
        """Return the lower-case name of the cohort or else that is called `name` within an entity, or here.

        Raises RenderError when it can be several cohorts.
        """
        if self.scope.names.get(name) != "cohort":
            return name
        with _placed_at(name):
            return self.scope.namesakes.name(name, entity or self.scope.entity)

    def symbol(self, ref: Ref) -> str:
        """Record `ref` and return its quoted identifier."""
        self.record(ref)
        mark = "`" if self.scope.dialect in _BACKTICK_DIALECTS else '"'
        return mark + ref.symbol.replace(mark, mark * 2) + mark

    def record(self, ref: Ref) -> None:
        """Remember `ref`, unless the same was recorded before."""
        self._refs.setdefault(f"{ref.symbol} {ref.options!r}", ref)

    def spend(self, characters: int) -> None:
        """Count characters written; raise when a template writes without end."""
        self._written += characters
        if self._written > WORK_LIMIT:
            raise RenderError("template-runtime", f"the template writes more than {WORK_LIMIT:,} characters")

    def step(self) -> None:
        """Count one call or loop turn; raise when a template turns without end."""
        self._steps += 1
        if self._steps > STEP_LIMIT:
            raise RenderError("template-runtime", f"the template takes more than {STEP_LIMIT:,} steps")

    @contextmanager
    def nested(self, what: str) -> Iterator[None]:
        """Count one level of nesting while inside; raise when it is too deep."""
        if self._depth >= DEPTH_LIMIT:
            raise too_deep(what)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def joined(self, pieces: Iterable[str]) -> str:
        """Return the concatenated pieces; raise when they are larger than a text may be."""
        written: list[str] = []
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > OUTPUT_LIMIT:
                raise RenderError("template-runtime", f"the text renders to more than {OUTPUT_LIMIT:,} characters")
            written.append(piece)
        return "".join(written)


@contextmanager
def _placed_at(needle: str) -> Iterator[None]:
    """Turn the fault of a name that can mean several cohorts into one of the template."""
    try:
        yield
    except AmbiguousCohortError as error:
        raise RenderError(error.code, str(error), hint=error.hint, needle=needle) from None


def too_deep(what: str) -> RenderError:
    """Return the fault of endless nesting in `what`."""
    return RenderError(
        "template-recursion",
        f"{what} is nested more than {DEPTH_LIMIT} levels deep",
        hint="a macro that uses itself never ends",
    )
