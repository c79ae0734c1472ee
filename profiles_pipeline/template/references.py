"""Models, entities, cohorts and rows as templates see them: they print as symbols, never as relations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiles_pipeline.errors import ProjectError, did_you_mean
from profiles_pipeline.template.faults import RenderError
from profiles_pipeline.template.gotime import in_utc
from profiles_pipeline.template.paths import var_ref
from profiles_pipeline.template.scope import ModelFacts, Ref
from profiles_pipeline.template.session import Session
from profiles_pipeline.template.values import (
    Contract,
    Symbol,
    TimeWindow,
    Value,
    WhtContext,
    Word,
    field,
    method,
    plain,
)

_DEPENDENCIES = {
    "normal": "normal",
    "optional": "optional",
    "coercive": "coercive",
    "preferred": "coercive",
}
_FLAGS = ("pre_existing", "skip_dependency", "allow_incomplete_materials")
_TEXTS = ("dependency", "checkpoint_name", "baseline_name", "time_grain_spec", "remember_context_as")
_OPTIONS = (*_FLAGS, *_TEXTS, "prereqs", "contract")


@dataclass(frozen=True, eq=False)
class Condition(Value):
    """Whether a material is (or is not) there; made by ``Except()``, used in ``prereqs``."""

    noun = "a condition"

    symbol: str
    enabled: bool

    def __bool__(self) -> bool:
        return self.enabled

    @method("IsEnabled")
    def _is_enabled(self) -> object:
        return self.enabled

    @method("Except")
    def _except(self) -> object:
        return Condition(
            self.symbol.removeprefix("!") if self.symbol[0] == "!" else f"!{self.symbol}", not self.enabled
        )


@dataclass(frozen=True, eq=False)
class Material(Value):
    """A model that was dereferenced. Prints as ``ref:path``."""

    noun = "a material"

    session: Session
    ref: Ref
    path: str
    prereqs: tuple[Material | Condition, ...] = ()

    def __str__(self) -> str:
        return self.session.symbol(self.ref)

    def __bool__(self) -> bool:
        return self.enabled

    @property
    def enabled(self) -> bool:
        """Whether it is there and all its prerequisites hold."""
        facts = self.session.scope.model(self.ref.address)
        needed = self.ref.options.get("dependency", "normal") == "normal" and not self.ref.options.get("pre_existing")
        return (facts.enabled if facts else needed) and all(prereq.enabled for prereq in self.prereqs)

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model. Raises RenderError when nothing is."""
        facts = self.session.scope.model(self.path)
        if facts is None:
            raise RenderError("template-runtime", f"nothing is known of the model '{self.path}'")
        return facts

    def missing_member(self, name: str) -> object:
        """Raise, with the way to write a column of the relation."""
        hint = did_you_mean(name, list(self.exposed)) or "write a column after the braces: {{ t }}.column"
        raise RenderError("template-runtime", f"a material has no '{name}'", hint=hint, needle=name)

    @method("DeRef")
    def _deref(self, path: object = None, contract: object = None, **options: object) -> object:
        target = self.path if path is None else self.session.path(path, self.path)
        if contract is not None:
            options["contract"] = contract
        return dereference(self.session, target, options)

    @method("DeRefOptional")
    def _deref_optional(self, path: object, **options: object) -> object:
        return dereference(self.session, self.session.path(path, self.path), {**options, "dependency": "optional"})

    @method("MultiDeRef")
    def _multi_deref(self, *_args: object, **_options: object) -> object:
        raise RenderError(
            "template-runtime",
            "MultiDeRef is not supported",
            hint="read the model once with DeRef and choose the rows in a where clause",
            needle="MultiDeRef",
        )

    @method("IsEnabled")
    def _is_enabled(self) -> object:
        return self.enabled

    @method("IsNil")
    def _is_nil(self) -> object:
        return not self.enabled

    @method("Except")
    def _except(self) -> object:
        return Condition(f"!{self.ref.symbol}", not self.enabled)

    @field("Name")
    def _name(self) -> object:
        return Word(self.path.rsplit("/", 1)[-1])

    @field("Model")
    def _model(self) -> object:
        return Model(self)

    @method("GetSelectTarget", "GetSelectTargetSQL")
    def _select_target(self) -> object:
        return self

    @method("GetTimeFilteringColSQL")
    def _time_filtering_col(self) -> object:
        return Word(self.facts.occurred_at_col or "")

    @method("GetMaterialization")
    def _materialization(self) -> object:
        facts = self.session.scope.model(self.path)
        return Materialization((facts.output_type if facts else None) or "table")

    @field("WhtCtx")
    def _wht_ctx(self) -> object:
        return self._wht_context()

    @method("GetWhtContext")
    def _get_wht_context(self) -> object:
        return self._wht_context()

    def _wht_context(self) -> WhtContext:
        scope = self.session.scope
        return WhtContext(TimeWindow(in_utc(scope.end_time), in_utc(scope.begin_time) if scope.begin_time else None))


class This(Material):
    """The model being rendered. Prints as ``ref:this``; an unknown member is one of its columns."""

    noun = "this"

    def missing_member(self, name: str) -> object:
        """Return the column `name`."""
        return Symbol(self.session, Ref("this", name.lower()))

    @property
    def enabled(self) -> bool:
        """Always: it is being rendered."""
        return True

    @method("ReadFile")
    def _read_file(self, path: str) -> object:
        read = self.session.scope.read_file
        if read is None:
            raise RenderError("template-runtime", "files cannot be read here", needle="ReadFile")
        try:
            return read(str(path))
        except ProjectError as error:
            problem = error.problems[0]
            raise RenderError(problem.code, problem.message, hint=problem.hint, needle=str(path)) from None
        except (OSError, ValueError) as error:
            raise RenderError("bad-path", f"cannot read '{path}': {error}", needle=str(path)) from None


def dereference(session: Session, path: str, options: Mapping[str, object]) -> Material:
    """Record and return the model at `path` (absolute) as asked for. Raises RenderError for wrong options."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _OPTIONS:
            raise RenderError(
                "macro-arguments", f"DeRef has no option '{name}'", hint=did_you_mean(name, _OPTIONS), needle=name
            )
    if "dependency" in given:
        dependency = str(given["dependency"]).lower()
        if dependency not in _DEPENDENCIES:
            raise RenderError(
                "macro-arguments",
                f"'{dependency}' is not a kind of dependency",
                hint="normal, optional or coercive",
                needle=dependency,
            )
        given["dependency"] = _DEPENDENCIES[dependency]
    if not isinstance(given.get("contract", Contract({})), Contract):
        raise RenderError("macro-arguments", "a contract is made with BuildContract('{...}')", needle="contract")
    prereqs = _prereqs(given.get("prereqs", ()))
    if prereqs:
        given["prereqs"] = tuple(p.symbol if isinstance(p, Condition) else p.ref.symbol for p in prereqs)
    given |= {name: _truth(given[name]) for name in _FLAGS if name in given}
    ref = Ref("ref", path, {name: plain(value) for name, value in given.items()})
    session.record(ref)
    return Material(session, ref, path, prereqs)


def _prereqs(value: object) -> tuple[Material | Condition, ...]:
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(item, Material | Condition) for item in items):
        raise RenderError("macro-arguments", "prereqs is a list of dereferenced models", needle="prereqs")
    return items


def _truth(value: object) -> bool:
    return value is True or str(value).lower() == "true"


@dataclass(frozen=True)
class Materialization(Value):
    """How this model is kept."""

    noun = "a materialization"

    output_type: str

    @field("OutputType")
    def _output_type(self) -> object:
        return Word("view" if self.output_type == "view" else "table")

    @field("RunType")
    def _run_type(self) -> object:
        return Word("discrete")


@dataclass(frozen=True, eq=False)
class Model(Value):
    """The definition behind a material."""

    noun = "a model"

    material: Material

    @field("Name")
    def _name(self) -> object:
        return Word(self.material.path.rsplit("/", 1)[-1])

    @field("DbObjectNamePrefix")
    def _prefix(self) -> object:
        return Word(self.material.path.rsplit("/", 1)[-1])

    @method("ModelType")
    def _model_type(self) -> object:
        return Word(self.material.facts.model_type)

    @method("GetEntity")
    def _entity(self) -> object:
        facts = self.material.facts
        return Entity(facts.entity, facts.id_column) if facts.entity else None

    @method("GetVarTableRef")
    def _var_table(self) -> object:
        facts = self.material.facts
        if facts.model_type == "entity_cohort" or facts.entity is None:
            return Word(f"{facts.path}/var_table")
        return Word(f"entity/{facts.entity}/var_table")


@dataclass(frozen=True)
class Entity(Value):
    """The entity of a model."""

    noun = "an entity"

    name: str
    id_column: str | None

    @field("Name")
    def _name(self) -> object:
        return Word(self.name)

    @field("IdColumnName")
    def _id_column(self) -> object:
        return Word(self.id_column or f"{self.name}_main_id")


@dataclass(frozen=True, eq=False)
class Owner(Value):
    """An entity, a cohort or named rows: its members are vars or columns. `name` is lower-case."""

    session: Session
    name: str
    kind: str

    def __str__(self) -> str:
        if self.kind == "rows":
            return self.session.symbol(Ref("rows", self.name))
        raise RenderError(
            "template-runtime",
            f"the {self.kind} '{self.name}' is not a relation",
            hint=f"""write {self.name}.Var("name") for a var""",
            needle=self.name,
        )

    @method("Var")
    def _var(self, path: str) -> object:
        return Symbol(self.session, var_ref(path, self.name, self.kind, self.session.owner))

    def missing_member(self, name: str) -> object:
        """Return the var or column `name`."""
        return Symbol(self.session, var_ref(name, self.name, self.kind))


@dataclass(frozen=True, eq=False)
class Rowset(Value):
    """The partial results that a merge expression combines: its members are their columns."""

    noun = "rowset"

    session: Session

    def missing_member(self, name: str) -> object:
        """Return the column `name`."""
        return Symbol(self.session, Ref("rowset", name.lower()))
