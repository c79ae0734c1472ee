"""What a template may see, and what comes out of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from profiles_pipeline.namesakes import Namesakes

NameKind = Literal["entity", "cohort", "rows"]
RefKind = Literal["ref", "var", "row", "rows", "rowset", "this", "member"]

SELECTING_OPTIONS = ("pre_existing", "checkpoint_name", "baseline_name", "time_grain_spec")
"""Options of DeRef that choose another material of the same model, in the order in which a symbol spells them."""


@dataclass(frozen=True)
class Macro:
    """A project macro: template text with named inputs. A `value` with a ``span`` lets problems point into it."""

    name: str
    inputs: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class ModelFacts:
    """What templates may ask about a model or one of its past materials."""

    path: str
    model_type: str
    enabled: bool = True
    entity: str | None = None
    id_column: str | None = None
    output_type: str | None = None
    occurred_at_col: str | None = None


def _no_facts(_path: str) -> ModelFacts | None:
    return None


@dataclass(frozen=True)
class Scope:
    """Everything a template can reach.

    Attributes:
        this: path of the model or var being rendered, such as ``models/purchases``.
        names: lower-case global name -> what it names.
        macros: macro name -> macro, all of the project.
        end_time: end of the window; a naive value is UTC.
        begin_time: begin of the window, if it has one.
        dialect: the SQL dialect the project is written in.
        model: facts of a model by its lower-case path; a past material is asked for as
            ``path?pre_existing=true&checkpoint_name=...``. None when nothing is known.
        read_file: text of a file of the project by its relative path; None forbids reading.
        is_broken: tells whether a name belongs to something that is declared but cannot be used.
        namesakes: what is meant by names that cohorts of several entities have.
        entity: lower-case name of the entity that `this` is about, if it is about one.
    """

    this: str
    names: Mapping[str, NameKind]
    macros: Mapping[str, Macro]
    end_time: datetime
    begin_time: datetime | None = None
    dialect: str = "snowflake"
    model: Callable[[str], ModelFacts | None] = _no_facts
    read_file: Callable[[str], str] | None = None
    is_broken: Callable[[str], bool] = lambda _name: False
    namesakes: Namesakes = field(default_factory=Namesakes)
    entity: str | None = None


@dataclass(frozen=True)
class Ref:
    """One thing a template refers to.

    Attributes:
        kind: ``ref`` a relation, ``var`` a var of an entity or cohort, ``row`` a column or input var of named rows,
            ``rows`` named rows as a whole, ``rowset`` a column of the partial results in a merge, ``this`` a column of
            the model itself, ``member`` membership of a cohort (a boolean).
        target: lower-case: a path for ``ref`` and ``member`` (``this`` for the model itself), ``owner/name`` for
            ``var`` and ``row``, a name otherwise.
        options: what was said in the call, for ``ref`` only; ``prereqs`` holds symbols, negated ones begin with ``!``.
    """

    kind: RefKind
    target: str
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def symbol(self) -> str:
        """The identifier that stands for this in rendered SQL, unquoted."""
        return f"{self.kind}:{self.address}"

    @property
    def address(self) -> str:
        """The target, with the options that choose another material of it."""
        chosen = [(name, self.options[name]) for name in SELECTING_OPTIONS if self.options.get(name)]
        if not chosen:
            return self.target
        query = "&".join(f"{name}={'true' if value is True else value}" for name, value in chosen)
        return f"{self.target}?{query}"


@dataclass(frozen=True)
class Rendered:
    """SQL text in which references are quoted symbols, and those references in the order they were first made."""

    text: str
    refs: tuple[Ref, ...] = ()
