"""What it means for the user when a warehouse rejects a statement: what is wrong, and where they wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from profiles_pipeline import blame
from profiles_pipeline.compile import Step
from profiles_pipeline.enable import Node
from profiles_pipeline.errors import MOST_LISTED, Problem, Span, WarehouseError, did_you_mean, most_alike, nearest
from profiles_pipeline.places import Origin, readable
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import (
    Cohort,
    FeatureTable,
    Input,
    InputVarTable,
    Model,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.spec.model import EntityVarSpec, Text
from profiles_pipeline.sql import ROWS, function_names
from profiles_pipeline.warehouse.base import Warehouse

_MISSING_COLUMN = re.compile(
    r'Referenced column "(?P<a>[^"]+)" not found'
    r'|column "(?P<b>[^"]+)" that does not exist'
    r'|does not have a column named "(?P<c>[^"]+)"'
    r'|Column "(?P<d>[^"]+)" referenced that exists in the SELECT clause',
    re.IGNORECASE,
)
_MISSING_TABLE = re.compile(r'Referenced table "([^"]+)" not found')
_MISSING_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist", re.IGNORECASE)
_SOURCE_COLUMN = re.compile(r"source column (\w+)")
_QUOTED = re.compile(r'"([^"]+)"')
_CULPRIT = re.compile(r"argument types '(\w+)\(|^function (\w+)\(|column \"(\w+)\" must appear|LINE \d+: [^\n]*\n *\^")
_LIKE_A_FUNCTION = 0.75
"""How much like a function one of the hundreds that a dialect has must be to be meant: some are by chance."""
_NOUNS = {
    Input: "input",
    Cohort: "cohort",
    Stitcher: "id stitcher",
    SqlModel: "SQL model",
    InputVarTable: "the rows of",
    FeatureTable: "feature table",
    SessionTable: "sessions",
}


def blamed(
    project: ProfilesProject,
    model: Model,
    step: Step,
    error: WarehouseError,
    stage: Warehouse,
    columns_of: Callable[[str], tuple[str, ...]],
) -> dict[Node, tuple[Problem, ...]]:
    """Return the problems of each var of the statement that fails by itself, or those of the model.

    Args:
        project: the project.
        model: the model.
        step: the step of its script that fails.
        error: what the warehouse says.
        stage: where it was tried.
        columns_of: path of a source -> the columns of its table, nothing where they are not known.
    """
    culprits = blame.culprits(step, stage, same=lambda _: True)

    def problems(var: str | None, refusal: WarehouseError) -> tuple[Problem, ...]:
        source = blame.source_of_var(project, model, var) if var else None
        about = _Said(project, model, var, columns=columns_of(source) if source else ())
        return tuple(_explained(about, said) for said in _all_said(refusal, stage))

    return {node_of(model, var): problems(var, own) for var, own in culprits.items()} or {
        model.path: problems(None, error)
    }


def _all_said(error: WarehouseError, stage: Warehouse) -> Iterator[str]:
    """Yield what is said against a statement, and what is when columns and functions not found are taken for NULL."""
    told: set[str] = set()
    while True:
        yield str(error)
        missing = _missing(str(error))
        if missing is None or missing in told or error.statement is None:
            return
        told.add(missing)
        tree = sqlglot.parse_one(error.statement, read=stage.dialect).transform(_without, missing)
        try:
            stage.execute(tree.sql(stage.dialect))
            return
        except WarehouseError as other:
            if _missing(str(other)) is None:  # it may follow from what is taken for NULL
                return
            error = other


def _missing(message: str) -> str | None:
    """Return the name of the column or function that a message says is missing."""
    if found := _MISSING_COLUMN.search(message):
        return next(group for group in found.groups() if group).lower()
    return found[1].lower() if (found := _MISSING_FUNCTION.search(message)) else None


def _without(node: exp.Expr, name: str) -> exp.Expr:
    """Return NULL for a column or the call of a function of this name, anything else as it is."""
    if not isinstance(node, exp.Column | exp.Anonymous) or node.name.lower() != name:
        return node
    return exp.alias_(exp.Null(), name, quoted=True) if isinstance(node.parent, exp.Select) else exp.Null()


def refused_text(project: ProfilesProject, model: Model, text: Text, message: str, owner: str | None = None) -> Problem:
    """Return what is wrong with one text, such as an id, that a warehouse refuses with this message.

    Args:
        project: the project.
        model: the source for whose rows it is written.
        text: the text.
        message: what the warehouse says.
        owner: whose text it is, in words; None for that of the source.
    """
    return _explained(_Said(project, model, text=text, owner=owner), message)


def refused_while_running(
    project: ProfilesProject, model: Model, guilty: Sequence[str], message: str, reads: Callable[[Model], bool]
) -> tuple[str, Span | None]:
    """Return whose text it is whose execution a warehouse broke off, in words, and where it stands.

    That is the text with the column that the warehouse names: of a var, of the model, or of a source of it; else the
    var or model.

    Args:
        project: the project.
        model: the model that was being made.
        guilty: the vars that fail by themselves.
        message: what the warehouse said.
        reads: tells whether the statement reads a source; of several with such a column, the first that it reads.
    """
    words = f"{model.path} (var {', '.join(guilty)})" if guilty else model.path
    if column := _SOURCE_COLUMN.search(message):
        origin = blame.origin_of_name(project, model, guilty[0] if guilty else None, column[1])
        if origin and origin.span:
            return words + origin.through, origin.span
        sources = list(blame.sources_with_name(project, model, column[1]))
        if sources:
            source, origin = next((found for found in sources if reads(found[0])), sources[0])
            key = "occurred_at_col of " if origin.text == source.occurred_at else ""
            return f"{model.path} ({key}{blame.words_of(source)}){origin.through}", origin.span or source.span
    return words, blame.places(project, model, guilty)


def node_of(model: Model, var: str | None) -> Node:
    """Return what the checks know a var of a model by, or the model itself."""
    if var is None:
        return model.path
    if isinstance(model, VarTable):
        return model.cohort, var.lower()
    return (model.source, var.lower()) if isinstance(model, InputVarTable) else model.path


def _explained(said: _Said, message: str) -> Problem:
    if missing := _MISSING_COLUMN.search(message):
        name = next(group for group in missing.groups() if group)
        candidates = [c.rpartition(".")[2] for c in _QUOTED.findall(message[missing.end() :].partition("LINE ")[0])]
        lack = "which is no var, and it has no 'from' that could have such a column"
        return said.about(
            "unknown-column",
            "{what} uses '" + name + "', " + lack
            if said.source_hint
            else "{what} uses column '" + name + "', which its source does not have",
            name,
            said.var_hint(name)
            or said.nearest_var(name)
            or said.source_hint
            or _nearest_or_examples(name, candidates, said.columns),
        )
    if table := _MISSING_TABLE.search(message):
        candidates = [c for c in _QUOTED.findall(message[table.end() :].partition("LINE ")[0]) if c != ROWS]
        text = "{what} uses table '" + table[1] + "', which stands in no FROM or JOIN there"
        return said.about("unknown-table", text, table[1], did_you_mean(table[1], candidates))
    if function := _MISSING_FUNCTION.search(message):
        proposed = _QUOTED.findall(message[function.end() :].partition("LINE ")[0])  # none that are syntax to it
        known = function_names(said.project.project.source_dialect)
        if function[1].lower() in known:
            text = "{what} calls function '" + function[1] + "', which is not translated"
            return said.about("sql-untranslatable", text, function[1], "write the expression without it")
        alike = most_alike(function[1], (*proposed, *known), 1, cutoff=_LIKE_A_FUNCTION)
        near = alike[0] if alike else nearest(function[1], proposed)
        text = "{what} calls function '" + function[1] + "', which there is not"
        return said.about("unknown-function", text, function[1], f"did you mean '{near}'?" if near else None)
    if said.default and "COALESCE" in message and "coalesce" not in str(said.select).lower():
        text = f"default_value of var '{said.var}' is of another type than its values: {_first_line(message)}"
        return Problem("wrong-type", text, said.default.span, "cast one of them, or write a default of the same type")
    return _rejected(said, message)


def _nearest_or_examples(name: str, proposed: list[str], own: tuple[str, ...]) -> str | None:
    """Return a hint about the columns that there are.

    Args:
        name: the column that there is not.
        proposed: columns of the statement that a warehouse finds alike; not all that there are, and some are ours.
        own: all columns of the source; nothing when they are not known.
    """
    if near := nearest(name, [*proposed, *own]):
        return f"did you mean '{near}'?"
    if own and len(own) <= MOST_LISTED:
        return f"it has {', '.join(own)}"
    examples = most_alike(name, own, MOST_LISTED) or proposed
    return f"it has, for example, {', '.join(examples)}" if examples else None


def _rejected(said: _Said, message: str) -> Problem:
    culprit = _CULPRIT.search(message)
    word = next((group for group in culprit.groups() if group), None) if culprit else None
    text = "{what} is not accepted: " + _first_line(message).replace("{", "{{").replace("}", "}}")
    return said.about("sql-rejected", text, word, None)


def _first_line(message: str) -> str:
    """Return what a warehouse says without the list of everything it would accept and without its own SQL."""
    short = message.partition("Candidate functions:")[0].partition("\nLINE ")[0]
    return readable(" ".join(line.strip() for line in short.splitlines() if line.strip()))


@dataclass(frozen=True)
class _Said:
    """What was rejected: a model, a var of it, or one text of it."""

    project: ProfilesProject
    model: Model
    var: str | None = None
    text: Text | None = None
    owner: str | None = None
    columns: tuple[str, ...] = ()

    def about(self, code: str, message: str, word: str | None, hint: str | None) -> Problem:
        """Return the problem, at the place where `word` is written; ``{what}`` in the message is who wrote it."""
        own = self.owner or (f"var '{self.var}'" if self.var else f"{self._noun} '{self.model.name}'")
        origin = self._origin(word) if word else None
        source = blame.source_with_name(self.project, self.model, word) if word and not origin else None
        if source:
            own, origin = source
        if origin is not None and self.default is not None and origin.text == self.default:
            own, hint = f"default_value of {own}", "put quotes around a text: \"'...'\""
        if origin is None:
            place = blame.places(self.project, self.model, [self.var] if self.var else [])
            place = getattr(self.text, "span", None) or place
            return Problem(code, message.format(what=own), place, hint, about=word)
        text = message.format(what=own) + origin.through
        return Problem(code, text, origin.span or self.model.span, hint, origin.excerpt, about=word)

    def _origin(self, word: str) -> Origin | None:
        if self.text is not None:
            return blame.origin_in(self.project, self.model, [self.text], word)
        return blame.origin_of_name(self.project, self.model, self.var, word)

    def var_hint(self, name: str) -> str | None:
        """Return how to write the var of that name, when a var takes one for a column."""
        if self.var is None:
            return None
        owned = (own.get(name.lower()) for own in self.project.project.entity_vars.values())
        found = next((var for var in owned if var is not None and name.lower() != str(self.var).lower()), None)
        return f"'{name}' is a var: write {{{{ {found.entity}.{found.name} }}}}" if found else None

    def nearest_var(self, name: str) -> str | None:
        """Return how to mend the name of another var, when a var without a source has none like this beside it."""
        if self.source_hint is None:
            return None
        owned = [var.name for own in self.project.project.entity_vars.values() for var in own.values()]
        near = nearest(name, [other for other in owned if other.lower() != str(self.var).lower()])
        return f"did you mean the var '{near}'? For a column, {self.source_hint}" if near else None

    @property
    def source_hint(self) -> str | None:
        """Return how to give a source to an entity var that has none; None for anything else."""
        spec = blame.spec_of_var(self.project, self.model, self.var or "")
        return "add 'from: inputs/...'" if isinstance(spec, EntityVarSpec) and spec.from_ is None else None

    @property
    def default(self) -> Text | None:
        """The default of the var."""
        spec = blame.spec_of_var(self.project, self.model, self.var or "")
        return spec.default_value if spec else None

    @property
    def select(self) -> Text | None:
        """The expression of the var."""
        spec = blame.spec_of_var(self.project, self.model, self.var or "")
        return spec.select if spec else None

    @property
    def _noun(self) -> str:
        return next((noun for kind, noun in _NOUNS.items() if isinstance(self.model, kind)), "model")
