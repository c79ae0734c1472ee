"""What of a project can do without the columns that a contract calls optional, and that its table does not have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from profiles_pipeline import sql
from profiles_pipeline.enable import Disabled, Node
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import Input, InputVarTable, Model, Project, RowId, SqlModel, Stitcher
from profiles_pipeline.resolve.reader import Reader


@dataclass(frozen=True, slots=True)
class Remainder:
    """A project without some columns of its inputs.

    Attributes:
        project: without the ids and input vars that need the columns.
        unavailable: model or var that needs them -> reason.
        dropped: the ids and input vars that are gone, and why.
    """

    project: Project
    unavailable: Mapping[Node, str]
    dropped: tuple[Disabled, ...]


def without_columns(project: Project, reader: Reader, missing: Mapping[str, Collection[str]]) -> Remainder:
    """Return what is left of a project when columns of its inputs are not there.

    Args:
        project: a resolved project.
        reader: reads its texts.
        missing: path of an input -> lower-case names of columns its table does not have.
    """
    unavailable: dict[Node, str] = {}
    dropped: list[Disabled] = []
    for path, columns in missing.items():
        model = project.models[path]
        assert isinstance(model, Input)
        loss = _Loss(project, reader, model, columns)
        unavailable |= dict(loss.readers())
        dropped += [Disabled(f"{path}/{VAR_TABLE}/{name}", loss.reasons[name]) for name in loss.input_vars()]
        dropped += [
            Disabled(f"{path}: id '{row_id.select}'", reason) for row_id in model.ids if (reason := loss.of_id(row_id))
        ]
        project = loss.rest()
    return Remainder(project, unavailable, tuple(dropped))


class _Loss:
    """What an input loses with some of its columns: `reasons` has every column and input var that is gone, and why."""

    def __init__(self, project: Project, reader: Reader, model: Input, columns: Collection[str]) -> None:
        self.project, self.reader, self.model = project, reader, model
        why = f"which table '{model.table}' does not have and which is optional by contract"
        self.reasons = {name: f"it needs column '{name}', {why}" for name in sorted(columns)}
        left = dict(project.input_vars.get(model.path, {}))
        while fallen := {
            name: said for name, var in left.items() if (said := self._why(reader.input_var(var).columns))
        }:
            self.reasons |= fallen
            left = {name: var for name, var in left.items() if name not in fallen}

    def input_vars(self) -> Iterator[str]:
        return (name for name in self.reasons if name in self.project.input_vars.get(self.model.path, {}))

    def of_id(self, row_id: RowId) -> str | None:
        return self._why(self._columns(row_id.select))

    def readers(self) -> Iterator[tuple[Node, str]]:
        """Yield the models and vars that cannot do without what is gone, and why."""
        for text in filter(None, (self.model.occurred_at, self.model.where)):
            if why := self._why(self._columns(text)):
                yield self.model.path, why
        sources = {self.model.path, f"{self.model.path}/{VAR_TABLE}"}
        yield from self._vars(sources)
        yield from self._sql_models(sources)

    def _vars(self, sources: set[str]) -> Iterator[tuple[Node, str]]:
        entities = self._entities()
        for own in self.project.entity_vars.values():
            for var in own.values():
                if var.source not in sources:
                    continue
                if why := self._why(self.reader.entity_var(var).columns):
                    yield (var.cohort, var.name.lower()), why
                elif var.entity not in entities:
                    yield (var.cohort, var.name.lower()), f"no id of '{var.entity}' is left on '{self.model.path}'"

    def _sql_models(self, sources: set[str]) -> Iterator[tuple[Node, str]]:
        for other in self.project.models.values():
            if isinstance(other, SqlModel) and other.spec.single_sql is not None:
                read = self.reader.query(other.spec.single_sql, other.path)
                if read.models & sources and (why := self._why(map(str.lower, sql.column_names(read.tree)))):
                    yield other.path, why

    def rest(self) -> Project:
        """Return the project without the ids and input vars that are gone."""
        input_vars = dict(self.project.input_vars)
        own = input_vars.pop(self.model.path, {})
        if left := {name: var for name, var in own.items() if name not in self.reasons}:
            input_vars[self.model.path] = left
        models = {path: self._kept(model) for path, model in self.project.models.items()}
        return replace(self.project, models=models, input_vars=input_vars)

    def _kept(self, model: Model) -> Model:
        path = self.model.path
        match model:
            case Input(path=own) if own == path:
                return replace(model, ids=self._left(model.ids))
            case Stitcher():
                sources = (replace(s, ids=self._left(s.ids)) if s.path == path else s for s in model.sources)
                return replace(model, sources=tuple(s for s in sources if s.ids))
            case InputVarTable(source=own) if own == path:
                entities = tuple(e for e in model.entities if e in self._entities())
                kept = tuple(var for var in model.vars if var.name.lower() not in self.reasons)
                return replace(model, entities=entities, vars=kept)
        return model

    def _left(self, ids: tuple[RowId, ...]) -> tuple[RowId, ...]:
        return tuple(row_id for row_id in ids if self.of_id(row_id) is None)

    def _entities(self) -> set[str]:
        return {row_id.entity for row_id in self._left(self.model.ids)}

    def _columns(self, text: str) -> set[str]:
        return {name.lower() for name in sql.columns_of_rows(self.reader.expression(text, self.model.path).tree)}

    def _why(self, columns: Collection[str] | Iterator[str]) -> str | None:
        return next((self.reasons[name] for name in sorted(columns) if name in self.reasons), None)
