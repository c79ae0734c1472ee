"""What a plan consists of: stages that lead to materials and views, with their SQL, and the state they follow from.

Values only. `plan` makes them; whoever prints, writes or executes a plan reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from sqlglot import exp

from profiles_pipeline.compile import Audit, Script, Statement
from profiles_pipeline.increments import Increment
from profiles_pipeline.resolve.hooks import Hook
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.windows import Held, Kept, Window


@dataclass(frozen=True)
class State:
    """What the registry remembers of a project.

    Attributes:
        kept: its complete materials.
        finished: windows whose runs were finished.
        rebase: no earlier state is to be used that a model can do without.
        held: tables that are kept from run to run.
        built: its complete materials, outdated ones included.
        forced: complete materials are to be built again.
        lost: materials that were complete and show nothing any more: what they read was dropped or altered.
    """

    kept: tuple[Kept, ...] = ()
    finished: tuple[Window, ...] = ()
    rebase: bool = False
    held: tuple[Held, ...] = ()
    built: tuple[Kept, ...] = ()
    forced: bool = False
    lost: frozenset[str] = frozenset()

    def without(self, names: frozenset[str]) -> State:
        """Return the state that it would be without materials of these names."""
        return replace(self, kept=tuple(kept for kept in self.kept if kept.name not in names)) if names else self

    @cached_property
    def complete(self) -> frozenset[str]:
        """Names of the complete materials."""
        return frozenset(kept.name for kept in self.kept)


@dataclass(frozen=True, slots=True)
class EnsureSchema:
    """Make sure that the output schema exists."""

    schema: str


@dataclass(frozen=True, slots=True)
class RunHook:
    """Run what the author wants run right before or after a material is built; none of it when one of them fails."""

    model: Model
    material: str
    hook: Hook
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class How:
    """How a material comes to be.

    Attributes:
        action: taken over, brought up to date from an earlier run, the same with something that no earlier run has
            kept, or built from rows.
        reason: why so, for people to read.
        strategies: var over rows -> how it is brought up to date, and why so; none while nothing is kept.
    """

    action: Literal["reuse", "increment", "extend", "build"]
    reason: str
    strategies: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BuildMaterial:
    """Build a model's material from its script, and record it.

    Attributes:
        extends: where it goes on from earlier runs, something is kept from now on for which all rows are read.
        replaces: names of what is kept that is made anew: where that cannot be taken back, it is not kept meanwhile.
    """

    model: Model
    material: str
    fingerprint: str
    script: Script
    reason: str
    window: Window
    increment: Increment | None = None
    extends: bool = False
    replaces: tuple[str, ...] = ()

    @property
    def how(self) -> How:
        """How it comes to be."""
        if self.increment is None:
            return How("build", self.reason)
        found = [(n, s.kind, s.reason) for n, s in self.increment.strategies.items() if s.kind != "derived"]
        if not self.increment.goes_on:
            return How("build", self.reason, tuple(found))
        return How("extend" if self.extends else "increment", self.reason, tuple(found))


@dataclass(frozen=True, slots=True)
class AuditMaterial:
    """Check a material and record it as complete. A broken rule stops the run before anything is promoted."""

    model: Model
    material: str
    fingerprint: str
    kind: Literal["table", "view"]
    audits: tuple[Audit, ...]
    count: exp.Expr
    """Query that counts the material's rows."""
    window: Window
    how: How
    version: int | None = None
    """The state of what is kept from run to run that the material may show."""


@dataclass(frozen=True, slots=True)
class ReuseMaterial:
    """Take the material that an earlier run built for the same window from the same definition."""

    model: Model
    material: str
    script: Script
    reason: str
    window: Window

    @property
    def how(self) -> How:
        """How it comes to be."""
        return How("reuse", self.reason)


@dataclass(frozen=True, slots=True)
class PromotedView:
    """A plain-named view and the material it will show."""

    name: str
    material: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Point the plain-named views at the new materials, all in one transaction.

    Where `stays_on` is a window, the views show that one, which ends later, and are left as they are.
    """

    views: tuple[PromotedView, ...]
    stays_on: Window | None = None


Stage = EnsureSchema | RunHook | BuildMaterial | AuditMaterial | ReuseMaterial | Promote


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages in the order of execution, and the state they follow from."""

    window: Window
    schema: str
    stages: tuple[Stage, ...]
    state: State = State()

    @property
    def materials(self) -> tuple[BuildMaterial | ReuseMaterial, ...]:
        """The stages that yield a material, in order."""
        return tuple(s for s in self.stages if isinstance(s, BuildMaterial | ReuseMaterial))

    @property
    def stays_on(self) -> Window | None:
        """The later window that the plain-named views stay on; None when this plan repoints them."""
        return next((s.stays_on for s in self.stages if isinstance(s, Promote)), None)
