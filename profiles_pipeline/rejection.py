"""What it means for the user when a warehouse rejects a statement: what is wrong, and where they wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from profiles_pipeline import blame
from profiles_pipeline.compile import Step
from profiles_pipeline.enable import Node
from profiles_pipeline.errors import Problem, Span, WarehouseError, did_you_mean, nearest
from profiles_pipeline.places import readable
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import FeatureTable, InputVarTable, Model, SqlModel, Stitcher, VarTable
from profiles_pipeline.spec.model import Text
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
_CULPRIT = re.compile(r"argument types '(\w+)\(|column \"(\w+)\" must appear|LINE \d+: [^\n]*\n *\^")
_NOUNS = {Stitcher: "id stitcher", SqlModel: "SQL model", InputVarTable: "the rows of", FeatureTable: "feature table"}


def blamed(
    project: ProfilesProject, model: Model, step: Step, error: WarehouseError, stage: Warehouse
) -> dict[Node, Problem]:
    """Return a problem for each var of the statement that fails by itself, or one for the model."""
    culprits = blame.culprits(step, stage, same=lambda _: True)
    found = {_node(model, name): _explained(project, model, name, str(own)) for name, own in culprits.items()}
    return found or {model.path: _explained(project, model, None, str(error))}


def place_of_refusal(project: ProfilesProject, model: Model, guilty: Sequence[str], message: str) -> Span | None:
    """Return where the text stands whose execution a warehouse broke off: the column it names, else the var or model.

    Args:
        guilty: the vars that fail by themselves.
        message: what the warehouse said.
    """
    column = _SOURCE_COLUMN.search(message)
    origin = blame.origin_of_name(project, model, guilty[0] if guilty else None, column[1]) if column else None
    return (origin.span if origin else None) or blame.places(project, model, guilty)


def _node(model: Model, var: str) -> Node:
    if isinstance(model, VarTable):
        return model.cohort, var.lower()
    return (model.source, var.lower()) if isinstance(model, InputVarTable) else model.path


def _explained(project: ProfilesProject, model: Model, var: str | None, message: str) -> Problem:
    said = _Said(project, model, var)
    if missing := _MISSING_COLUMN.search(message):
        name = next(group for group in missing.groups() if group)
        candidates = [c.rpartition(".")[2] for c in _QUOTED.findall(message[missing.end() :].partition("LINE ")[0])]
        return said.about(
            "unknown-column",
            "{what} uses column '" + name + "', which its source does not have",
            name,
            said.var_hint(name) or _nearest_or_examples(name, candidates),
        )
    if table := _MISSING_TABLE.search(message):
        candidates = _QUOTED.findall(message[table.end() :].partition("LINE ")[0])
        text = "{what} uses table '" + table[1] + "', which stands in no FROM or JOIN there"
        return said.about("unknown-table", text, table[1], did_you_mean(table[1], candidates))
    if function := _MISSING_FUNCTION.search(message):
        near = nearest(function[1], _QUOTED.findall(message[function.end() :].partition("LINE ")[0]))
        text = "{what} calls function '" + function[1] + "', which there is not"
        return said.about("unknown-function", text, function[1], f"did you mean '{near}'?" if near else None)
    if said.default and "COALESCE" in message and "coalesce" not in str(said.select).lower():
        text = f"default_value of var '{said.var}' is of another type than its values: {_first_line(message)}"
        return Problem("wrong-type", text, said.default.span, "cast one of them, or write a default of the same type")
    return _rejected(said, message)


def _nearest_or_examples(name: str, candidates: list[str]) -> str | None:
    """Return a hint about the columns that a warehouse proposes, which are not all that there are."""
    near = nearest(name, candidates)
    if near:
        return f"did you mean '{near}'?"
    return f"it has, for example, {', '.join(candidates)}" if candidates else None


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
    """What was rejected: a model, or a var of it."""

    project: ProfilesProject
    model: Model
    var: str | None

    def about(self, code: str, message: str, word: str | None, hint: str | None) -> Problem:
        """Return the problem, at the place where `word` is written; ``{what}`` in the message is who wrote it."""
        own = f"var '{self.var}'" if self.var else f"{self._noun} '{self.model.name}'"
        origin = blame.origin_of_name(self.project, self.model, self.var, word) if word else None
        source = blame.source_with_name(self.project, self.model, word) if word and not origin else None
        if source:
            own, origin = source
        if origin is not None and self.default is not None and origin.text == self.default:
            own, hint = f"default_value of {own}", "put quotes around a text: \"'...'\""
        if origin is None:
            place = blame.places(self.project, self.model, [self.var] if self.var else [])
            return Problem(code, message.format(what=own), place, hint, about=word)
        text = message.format(what=own) + origin.through
        return Problem(code, text, origin.span or self.model.span, hint, origin.excerpt, about=word)

    def var_hint(self, name: str) -> str | None:
        """Return how to write the var of that name, when a var takes one for a column."""
        if self.var is None:
            return None
        owned = (own.get(name.lower()) for own in self.project.project.entity_vars.values())
        found = next((var for var in owned if var is not None and name.lower() != str(self.var).lower()), None)
        return f"'{name}' is a var: write {{{{ {found.entity}.{found.name} }}}}" if found else None

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
