"""Resolves a ProjectSpec: finds what every reference points at and adds the models that nobody writes down.

Collects all problems before it gives up. Reads no file, renders no template, parses no SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from profiles_pipeline.errors import Problems, Span, did_you_mean
from profiles_pipeline.grains import GRAINS
from profiles_pipeline.names import FEATURE_VIEW, VAR_TABLE, normalise_path
from profiles_pipeline.resolve import views
from profiles_pipeline.resolve.grains import TimeGrains
from profiles_pipeline.resolve.hooks import hooks_of
from profiles_pipeline.resolve.model import (
    RULES,
    Cohort,
    ColumnUnion,
    EdgeSource,
    Entity,
    EntityVar,
    FeatureModel,
    FeatureTable,
    IdType,
    Input,
    InputVar,
    InputVarTable,
    Model,
    NameKind,
    Project,
    RowId,
    Rules,
    SqlModel,
    Stitcher,
    Unsupported,
    VarTable,
    united_text,
)
from profiles_pipeline.resolve.reserved import reserved_names
from profiles_pipeline.spec.model import (
    CohortSpec,
    ColumnUnionSpec,
    EntitySpec,
    EntityVarSpec,
    FeatureTableSpec,
    FeatureViewModelSpec,
    IdFilter,
    IdSpec,
    IdStitcherSpec,
    InputSpec,
    InputVarSpec,
    Materialization,
    ModelSpec,
    ProjectSpec,
    SqlTemplateSpec,
    Text,
    UnsupportedModelSpec,
    VarGroupSpec,
)

MAIN_ID_TYPES = frozenset({"rudder_id", "main_id"})

S = TypeVar("S")


def resolve(spec: ProjectSpec, problems: Problems, source_dialect: str = "snowflake") -> Project:
    """Return the resolved project.

    Problems found are added to `problems`; the project returned is only fit for use when there are no errors.
    """
    project = _Resolution(spec, problems).project(source_dialect)
    problems.found += reserved_names(project)
    return project


def text_span(text: str | None, fallback: Span | None = None) -> Span | None:
    """Return the place of a text, or the fallback when it has none."""
    return getattr(text, "span", None) or fallback


def column_union(
    path: str,
    model: ModelSpec,
    sources: Sequence[Input | SqlModel],
    ids: tuple[RowId, ...],
    occurred_at: Text | None,
) -> ColumnUnion:
    """Return the model that has the rows of `sources`, with the columns that all of them have."""
    output = model.body.materialization.output_type
    return ColumnUnion(
        path=path,
        name=str(model.name),
        span=model.span,
        spec=united_text([source.path for source in sources]),
        output=output if output in ("table", "ephemeral") else "view",
        ids=ids,
        occurred_at=occurred_at,
        united=tuple(source.path for source in sources),
    )


def _shared_ids(sources: Sequence[Input | SqlModel]) -> tuple[RowId, ...]:
    """Return the ids that every source carries, written alike."""
    written = [{(i.select.lower(), i.id_type, i.entity) for i in source.ids} for source in sources]
    shared = set.intersection(*written)
    return tuple(i for i in sources[0].ids if (i.select.lower(), i.id_type, i.entity) in shared)


def _shared_time(sources: Sequence[Input | SqlModel]) -> Text | None:
    """Return the time column of the sources when it is the same for all of them."""
    first = sources[0].occurred_at
    same = first is not None and all((s.occurred_at or "").lower() == first.lower() for s in sources)
    return first if same else None


def _by_grain(table: VarTable, variables: Iterable[EntityVar], grain: str) -> VarTable:
    """Return the table of those vars of a cohort that have a time grain coarser than its var table."""
    return replace(
        table,
        path=f"{table.path}/{grain}",
        name=f"{table.name}_{grain}",
        description=f"The entity vars of {table.cohort} with time grain {grain}, as of its last boundary.",
        time_grain=grain,
        vars=tuple(v for v in variables if v.time_grain == grain),
        inherited=None,
        coarser=(),
    )


def _enable_status(model: ModelSpec) -> str | None:
    return getattr(model.body, "materialization", Materialization()).enable_status


def _promised_columns(body: UnsupportedModelSpec) -> tuple[str, ...]:
    """Return the names of the features that a model of an unsupported type would add to its entity."""
    extra = body.model_extra or {}
    named = [f.get("name") if isinstance(f, Mapping) else f for f in extra.get("features") or ()]
    outputs = _inside(extra, "prediction", "output_columns")
    named += [column.get("name") for column in outputs.values() if isinstance(column, Mapping)]
    for way in (("ml_config",), ("predict", "config")):
        named += _inside(extra, *way, "outputs", "column_names").values()
    return tuple(dict.fromkeys(str(name) for name in named if name))


def _inside(mapping: Mapping[str, object], *keys: str) -> Mapping[str, object]:
    """Return the mapping that `keys` lead to; an empty one when they lead to none."""
    for key in keys:
        inner = mapping.get(key)
        mapping = inner if isinstance(inner, Mapping) else {}
    return mapping


class _Resolution:
    """The state of one resolution: what has been found so far, by path."""

    def __init__(self, spec: ProjectSpec, problems: Problems) -> None:
        self.spec = spec
        self.problems = problems
        self.broken = problems.broken
        self.assumed: dict[str, IdType] = {}
        """The types of all ids on rows; those that are not declared count as plain ones."""
        self.ids_are_lost = False
        """True when some source has ids that could not be read, so that nothing can be said about ids it lacks."""
        self.models: dict[str, Model] = {}
        self.entity_vars: dict[str, dict[str, EntityVar]] = {}
        self.input_vars: dict[str, dict[str, InputVar]] = {}
        self.feature_models: dict[str, list[FeatureModel]] = {}
        self.model_specs = {f"models/{m.name.lower()}": m for m in spec.models}
        self.grains = TimeGrains(spec, problems)
        self.id_types = self._id_types()
        self.entities = {e.name.lower(): self._entity(e) for e in spec.entities}

    def project(self, source_dialect: str) -> Project:
        self._inputs()
        self._sql_models()
        self._column_unions()
        self._unsupported_models()
        self._stitchers()
        self._cohorts()
        self._var_groups()
        self._input_var_tables()
        self._var_tables()
        self._check_feature_names()
        self._feature_tables()
        self._feature_views()
        return Project(
            spec=self.spec,
            entities=self.entities,
            id_types=self.assumed | self.id_types,
            models=self.grains.applied(self.models, self._stitcher_grains()),
            entity_vars=self.entity_vars,
            input_vars=self.input_vars,
            feature_models={path: tuple(models) for path, models in self.feature_models.items()},
            names=self._names(),
            macros=self.spec.macros,
            source_dialect=source_dialect,
            statuses=self._statuses(),
            broken=self.broken,
            hooks=hooks_of(self.spec, self.models),
            aliases=self.spec.aliases | self._other_paths(),
        )

    def _other_paths(self) -> dict[str, str]:
        """Return other spelling of a path -> path: of var tables by their entity, of feature views by their names."""
        tables = {f"entity/{e}/{VAR_TABLE}": f"{e}/all/{VAR_TABLE}" for e in self.entities}
        shown = [model for model in self.models.values() if isinstance(model, views.FeatureView)]
        named = {f"{view.path.partition('/using_')[0]}/{view.name.lower()}": view.path for view in shown}
        return tables | {other: path for other, path in named.items() if other not in self.models}

    def _stitcher_grains(self) -> dict[str, Text]:
        """Return path -> time grain of the default stitchers for which one is stated."""
        stated = {spec.name.lower(): spec.default_id_stitcher.time_grain for spec in self.spec.entities}
        return {
            entity.stitcher: grain
            for key, entity in self.entities.items()
            if (grain := stated.get(key)) is not None and entity.stitcher not in self.model_specs
        }

    def _statuses(self) -> dict[str, str]:
        """Return path -> enable status, where there is one; a stitcher that no entity names runs if it is needed."""
        linked = {e.stitcher for e in self.entities.values()}
        unlinked = {p for p, m in self.models.items() if isinstance(m, Stitcher) and p not in linked}
        found: dict[str, str] = dict.fromkeys(unlinked, "only_if_necessary")
        for spec in self.spec.entities:
            wanted = spec.default_id_stitcher.materialization.enable_status
            if wanted is not None and spec.name.lower() in self.entities:
                found[f"models/{spec.name.lower()}_default_id_stitcher"] = wanted
        found |= {p: status for p, m in self.model_specs.items() if (status := _enable_status(m)) is not None}
        return found | self.spec.statuses

    def _path(self, reference: str) -> str:
        """Return the path that a reference means."""
        path = normalise_path(reference)
        entity = path.removeprefix("entity/").removesuffix(f"/{VAR_TABLE}")
        if path == f"entity/{entity}/{VAR_TABLE}" and entity in self.entities:
            return f"{entity}/all/{VAR_TABLE}"
        return self.spec.aliases.get(path, path)

    # --- identity -------------------------------------------------------------------------------------------

    def _id_types(self) -> dict[str, IdType]:
        """Return the id types by name, each with the filters of those it extends before its own."""
        written = {str(t.name): t for t in self.spec.id_types}
        found = {}
        for name, spec in written.items():
            chain, base = [spec], written.get(str(spec.extends or ""))
            while base is not None and base not in chain:
                chain.insert(0, base)
                base = written.get(str(base.extends or ""))
            if spec.extends and str(spec.extends) not in written and f"id_type/{spec.extends}" not in self.broken:
                hint = did_you_mean(spec.extends, list(written))
                self.problems.error(
                    "unknown-id-type", f"id type '{spec.extends}' not in project id types", spec.extends.span, hint=hint
                )
            caps = {other: most for item in chain for other, most in item.maximum_edges.items()}
            filters = tuple(rule for item in chain for rule in item.filters)
            self._check_includes(name, filters)
            found[name] = IdType(name, filters, tuple(sorted(caps.items())))
        return found

    def _check_includes(self, name: str, filters: Iterable[IdFilter]) -> None:
        """Warn of an id type that asks its ids to have several values at once: every include has to hold."""
        included = {str(rule.value): rule for rule in filters if rule.type == "include" and rule.value is not None}
        if len(included) < 2:
            return
        values = ", ".join(f"'{value}'" for value in included)
        message = f"no id of type '{name}' passes its filters: it would have to be {values} at once"
        hint = f"write one include with a regex: {'|'.join(map(re.escape, included))}"
        self.problems.warn("contradictory-filters", message, list(included.values())[-1].span, hint=hint)

    def _entity(self, spec: EntitySpec) -> Entity:
        default = f"models/{spec.name.lower()}_default_id_stitcher"
        stitcher = normalise_path(spec.id_stitcher) if spec.id_stitcher else default
        body = self.model_specs.get(stitcher)
        column = f"{spec.name.lower()}_main_id"
        if body is not None and isinstance(body.body, IdStitcherSpec) and body.body.main_id_type == "main_id":
            column = "main_id"
        for id_type in spec.id_types:
            self._check_id_type(id_type, spec.span)
        return Entity(
            name=str(spec.name),
            id_column=spec.id_column_name or column,
            id_types=tuple(str(t) for t in spec.id_types),
            stitcher=stitcher,
            span=spec.span,
            description=spec.description,
        )

    def _check_id_type(self, name: Text, span: Span | None) -> None:
        if name in self.id_types or name in MAIN_ID_TYPES or f"id_type/{name}" in self.broken:
            return
        hint = did_you_mean(name, list(self.id_types))
        place = text_span(name, span)
        self.problems.error("unknown-id-type", f"id type '{name}' not in project id types", place, hint=hint)

    def _row_ids(self, ids: Iterable[IdSpec]) -> tuple[RowId, ...]:
        return tuple(row_id for spec in ids if (row_id := self._row_id(spec)) is not None)

    def _row_id(self, spec: IdSpec) -> RowId | None:
        entity = self._entity_named(spec.entity, spec.span) if spec.entity else self._entity_with_type(spec)
        if entity is None:
            self.ids_are_lost = True
            return None
        if spec.type in MAIN_ID_TYPES or spec.type.lower() == entity.id_column.lower():
            return RowId(spec.select, None, entity.name.lower(), spec.to_default_stitcher)
        self._check_id_type(spec.type, spec.span)
        self.assumed.setdefault(str(spec.type), IdType(str(spec.type)))
        if entity.id_types and spec.type in self.id_types and spec.type not in entity.id_types:
            message = f"id type '{spec.type}' is not among the id types of entity '{entity.name}', but rows carry it"
            hint = f"add it to the entity's id_types, or take the id out; it joins {entity.name}s as it is"
            self.problems.warn("unlisted-id-type", message, text_span(spec.type, spec.span), hint=hint)
        return RowId(spec.select, str(spec.type), entity.name.lower(), spec.to_default_stitcher)

    def _entity_with_type(self, spec: IdSpec) -> Entity | None:
        owners = [e for e in self.entities.values() if spec.type in e.id_types] or list(self.entities.values())
        if len(owners) == 1:
            return owners[0]
        if self.broken.anything or any(name.startswith("entity/") for name in self.broken.names):
            return None
        message = f"id '{spec.select}' does not say its entity"
        self.problems.error("missing-key", message, spec.span, hint="add 'entity:'")
        return None

    def _entity_named(self, name: Text | str, span: Span | None) -> Entity | None:
        entity = self.entities.get(name.lower())
        if entity is None and f"entity/{name}" not in self.broken:
            known = [e.name for e in self.entities.values()]
            place = text_span(name, span)
            self.problems.error("unknown-entity", f"there is no entity '{name}'", place, hint=did_you_mean(name, known))
        return entity

    def _stitchers(self) -> None:
        for path, model in self._specs_of(IdStitcherSpec):
            body = model.body
            assert isinstance(body, IdStitcherSpec)
            entity = self._entity_named(body.entity_key, model.span)
            if entity is None:
                self.broken.add(path)
                continue
            owners = [e for e in self.entities.values() if e.stitcher == path]
            if not owners:
                self.problems.warn(
                    "unlinked-stitcher",
                    f"id stitcher '{model.name}' is not used: entity '{entity.name}' does not name it",
                    model.span,
                    hint=f"add 'id_stitcher: models/{model.name}' to the entity in the project file",
                )
            owner = entity if entity in owners or not owners else owners[0]
            sources = [
                EdgeSource(source.path, self._row_ids(edge.ids) or getattr(source, "ids", ()))
                for edge in body.edge_sources
                if (source := self._source(edge.from_, edge.span)) is not None
            ]
            self.ids_are_lost |= len(sources) < len(body.edge_sources)
            if model.model_type == "id_collator" and not body.edge_sources:
                sources = self._carriers(owner)
            self._add_stitcher(path, str(model.name), owner, sources, model)
        for entity in self.entities.values():
            if entity.stitcher in self.models or entity.stitcher in self.model_specs:
                continue
            if entity.stitcher != f"models/{entity.name.lower()}_default_id_stitcher":
                spec = next(e for e in self.spec.entities if e.name.lower() == entity.name.lower())
                self._unknown_model(spec.id_stitcher or Text(entity.stitcher), entity.span, "id_stitcher of an entity")
            found = self._carriers(entity)
            self._add_stitcher(entity.stitcher, f"{entity.name}_default_id_stitcher", entity, found, None)

    def _carriers(self, entity: Entity) -> list[EdgeSource]:
        """Return everything that carries ids of an entity, as far as they are for the default stitcher."""
        return [
            EdgeSource(m.path, tuple(i for i in m.ids if i.to_default_stitcher))
            for m in self.models.values()
            if isinstance(m, Input | SqlModel) and any(i.entity == entity.name.lower() for i in m.ids)
        ]

    def _add_stitcher(
        self, path: str, name: str, entity: Entity, sources: Iterable[EdgeSource], model: ModelSpec | None
    ) -> None:
        key = entity.name.lower()
        sharing = tuple(k for k, e in self.entities.items() if e.stitcher == path) or (key,)
        mine = tuple(
            EdgeSource(s.path, ids)
            for s in sorted(
                sources, key=lambda s: s.path
            )  # an order of our own, so that moving an input changes nothing
            if (ids := tuple(i for i in s.ids if i.entity in sharing and i.id_type))
        )
        used = sorted({i.id_type for s in mine for i in s.ids if i.id_type})
        if not mine:
            self._no_edges(path, entity, model)
            return
        body = model.body if model else None
        self.models[path] = Stitcher(
            path=path,
            name=name,
            span=model.span if model else entity.span,
            description=f"Identity graph of entity {entity.name}: which ids are one and the same {entity.name}.",
            entity=key,
            id_column=entity.id_column,
            sources=mine,
            id_types=tuple(self.id_types.get(t, IdType(t)) for t in used),
            rules=self._rules(sharing, used),
            as_table=isinstance(body, IdStitcherSpec) and body.materialization.output_type == "table",
            log_direct_edge_info=isinstance(body, IdStitcherSpec) and body.log_direct_edge_info,
            log_node_metadata=isinstance(body, IdStitcherSpec) and body.log_node_metadata,
        )

    def _no_edges(self, path: str, entity: Entity, model: ModelSpec | None) -> None:
        """Report that a stitcher has nothing to stitch, unless that follows from what could not be read."""
        gone = self.broken.anything or any(name.startswith(("inputs/", "models/")) for name in self.broken.names)
        self.broken.add(path)
        if gone or self.ids_are_lost:
            return
        if missing := [p for p in self.problems.warnings if p.code == "missing-model-folder"]:
            self.problems.found += [replace(problem, severity="error") for problem in missing]
            return
        message = f"nothing carries ids of entity '{entity.name}'"
        hint = f"give an input 'ids' with 'entity: {entity.name}'"
        if not self.spec.inputs:
            folders = ", ".join(f"'{name}'" for name in self.spec.model_folders) or "empty"
            message += ": the project has no inputs at all"
            hint = f"they belong into YAML files in the model_folders, which are {folders}"
        place = model.span if model else entity.span
        self.problems.error("no-edge-source", message, place, hint=hint)

    def _rules(self, entities: tuple[str, ...], used: Iterable[str]) -> Rules | None:
        """Return the rules of a stitcher, and add the table that holds them; None when the project has none."""
        spec = self.spec.id_stitcher_rules
        if not spec.enabled:
            return None
        self.models[RULES] = Input(
            path=RULES,
            name=str(spec.table_name).rpartition(".")[2].strip('"'),
            span=text_span(spec.table_name, spec.span),
            description="Manual rules: ids and edges to leave out of the identity graphs, or to add.",
            table=spec.table_name,
        )
        known = {t for e in entities for t in self.entities[e].id_types if t in self.id_types}
        return Rules(RULES, spec.priority, entities, tuple(sorted({*used, *known})))

    # --- sources --------------------------------------------------------------------------------------------

    def _inputs(self) -> None:
        for spec in self.spec.inputs:
            path = f"inputs/{spec.name.lower()}"
            self.models[path] = Input(
                path=path,
                name=str(spec.name),
                span=spec.span,
                description=spec.description,
                table=self._table(spec),
                ids=self._row_ids(spec.ids),
                occurred_at=spec.occurred_at_col,
                where=spec.where,
                is_optional=spec.contract.is_optional,
                csv=spec.csv,
                column_types=tuple(
                    (column.name.lower(), column.datatype) for column in spec.contract.with_columns if column.datatype
                ),
                required_columns=tuple(c.name for c in spec.contract.with_columns if not c.is_optional),
                optional_columns=frozenset(
                    c.name.strip('"').lower() for c in spec.contract.with_columns if c.is_optional
                ),
            )

    def _table(self, spec: InputSpec) -> Text:
        """Return the table or address an input is read from; the file's name when it is written down in the project."""
        return spec.table or spec.view or spec.s3 or spec.csv or spec.name

    def _sql_models(self) -> None:
        for path, model in self._specs_of(SqlTemplateSpec):
            body = model.body
            assert isinstance(body, SqlTemplateSpec)
            cohort = self._cohort_key(body.entity_key, body.entity_cohort, model) if body.features else None
            if cohort is None:
                self.broken.add(*(f"var/{f.name}" for f in body.features))
            else:
                columns = tuple(str(f.name) for f in body.features)
                self.feature_models.setdefault(cohort, []).append(FeatureModel(path, columns))
            output = body.materialization.output_type
            self.models[path] = SqlModel(
                path=path,
                name=str(model.name),
                span=model.span,
                spec=body,
                output=output if output in ("table", "view") else ("table" if body.multi_sql else "ephemeral"),
                ids=self._row_ids(body.ids),
                occurred_at=body.occurred_at_col,
                cohort=cohort,
            )

    def _column_unions(self) -> None:
        """Add the unions of common columns, each after those that it unites."""
        pending = dict(self._specs_of(ColumnUnionSpec))
        while pending:
            ready = [path for path, m in pending.items() if not pending.keys() & self._united(m)]
            if not ready:
                path, model = next(iter(pending.items()))
                chain = " -> ".join([*pending, path])
                self.problems.error("cycle", f"unions are made of each other in a circle: {chain}", model.span)
                self.broken.add(*pending)
                return
            for path in ready:
                self._column_union(path, pending.pop(path))

    def _united(self, model: ModelSpec) -> set[str]:
        assert isinstance(model.body, ColumnUnionSpec)
        return {self._path(reference) for reference in model.body.inputs}

    def _column_union(self, path: str, model: ModelSpec) -> None:
        body = model.body
        assert isinstance(body, ColumnUnionSpec)
        found = [self._source(reference, model.span) for reference in body.inputs]
        sources = [source for source in found if isinstance(source, Input | SqlModel)]
        for source in found:
            if source is not None and source not in sources:
                message = f"'{model.name}' cannot unite '{source.path}', which is neither an input nor a SQL model"
                hint = "give it inputs, SQL models and other unions"
                self.problems.error("wrong-value", message, model.span, hint=hint)
        if len(sources) < max(len(found), 1):
            self.broken.add(path)
            return
        self.models[path] = column_union(
            path,
            model,
            sources,
            ids=self._row_ids(body.ids) or _shared_ids(sources),
            occurred_at=body.occurred_at_col or _shared_time(sources),
        )

    def _unsupported_models(self) -> None:
        for path, model in self._specs_of(UnsupportedModelSpec):
            body = model.body
            assert isinstance(body, UnsupportedModelSpec)
            self.models[path] = Unsupported(
                path=path, name=str(model.name), span=model.span, model_type=model.model_type
            )
            cohort = self._cohort_key(body.entity_key, None, model) if body.entity_key else None
            if cohort is not None:
                self.feature_models.setdefault(cohort, []).append(FeatureModel(path, _promised_columns(body)))

    def _source(self, reference: Text, span: Span | None) -> Model | None:
        path = self._path(reference)
        model = self.models.get(path)
        if model is None:
            self._unknown_model(reference, span, "source")
        return model

    def _unknown_model(self, reference: Text, span: Span | None, what: str) -> None:
        path = normalise_path(reference)
        if self.broken.bears(self._path(reference)):
            return
        kind = "unknown-input" if path.startswith("inputs/") else "unknown-model"
        known = [*self.models, *self.model_specs]
        hint = did_you_mean(path, [self._as_written(k) for k in known])
        self.problems.error(kind, f"no model found for '{reference}' ({what})", text_span(reference, span), hint=hint)

    def _as_written(self, path: str) -> str:
        head, _, _ = path.rpartition("/")
        spec = self.model_specs.get(path)
        model = self.models.get(path)
        name = str(spec.name) if spec else (model.name if model else "")
        return f"{head}/{name}" if path == f"{head}/{name.lower()}" else path

    # --- cohorts and vars -----------------------------------------------------------------------------------

    def _cohorts(self) -> None:
        for entity in self.entities.values():
            self.models[entity.all_cohort] = Cohort(
                path=entity.all_cohort,
                name=f"{entity.name}_all",
                span=entity.span,
                description=f"Every {entity.name}: the distinct main ids of the identity graph.",
                entity=entity.name.lower(),
            )
        pending = dict(self._specs_of(CohortSpec))
        while pending:
            ready = [p for p, m in pending.items() if self._parent(m) not in pending]
            if not ready:
                circle = self._circle(pending)
                message = f"cohorts extend each other in a circle: {' -> '.join([*circle, circle[0]])}"
                self.problems.error("cycle", message, pending[circle[0]].span)
                self.broken.add(*circle)
                pending = {path: model for path, model in pending.items() if path not in circle}
            for path in ready:
                self._cohort(path, pending.pop(path))

    def _parent(self, model: ModelSpec) -> str | None:
        body = model.body
        assert isinstance(body, CohortSpec)
        if body.extends:
            return normalise_path(body.extends)
        key = body.entity_key or (next(iter(self.entities)) if len(self.entities) == 1 else None)
        return f"{key.lower()}/all" if key else None

    def _circle(self, pending: Mapping[str, ModelSpec]) -> list[str]:
        """Return the first cohorts among these that extend each other in a circle."""
        walked = [next(iter(pending))]
        while (parent := self._parent(pending[walked[-1]])) not in walked:
            assert parent is not None
            walked.append(parent)
        return walked[walked.index(parent) :]

    def _cohort(self, path: str, model: ModelSpec) -> None:
        body = model.body
        assert isinstance(body, CohortSpec)
        parent = self.models.get(self._parent(model) or "")
        if not isinstance(parent, Cohort):
            self._no_parent(model, body)
            self.broken.add(path)
            return
        self.models[path] = Cohort(
            path=path,
            name=str(model.name),
            span=model.span,
            entity=parent.entity,
            parent=parent.path,
            pipeline=body.filter_pipeline,
            expression=body.filter_expression,
            as_table=body.materialization.output_type != "view",
        )

    def _no_parent(self, model: ModelSpec, body: CohortSpec) -> None:
        if body.extends:
            self._unknown_model(body.extends, model.span, "cohort to extend")
        elif body.entity_key:
            self._entity_named(body.entity_key, model.span)
        elif not self.broken.anything:
            message = f"entity_cohort '{model.name}' says neither extends nor entity_key"
            self.problems.error("missing-key", message, model.span, hint="add 'extends: <entity>/all'")

    def _cohort_key(self, entity_key: Text | None, cohort: Text | None, owner: ModelSpec | VarGroupSpec) -> str | None:
        if entity_key is not None:
            entity = self._entity_named(entity_key, owner.span)
            return entity.all_cohort if entity else None
        if cohort is None:
            message = f"'{owner.name}' says neither entity_key nor entity_cohort"
            self.problems.error("missing-key", message, owner.span, hint="add 'entity_key: <entity>'")
            return None
        path = normalise_path(cohort)
        named = self.model_specs.get(path)
        known = path in {e.all_cohort for e in self.entities.values()} or (
            named is not None and isinstance(named.body, CohortSpec)
        )
        if not known:
            self._unknown_model(cohort, owner.span, "entity_cohort")
        return path if known else None

    def _var_groups(self) -> None:
        for group in self.spec.var_groups:
            cohort_path = self._cohort_key(group.entity_key, group.entity_cohort, group)
            cohort = self.models.get(cohort_path or "")
            vars_ = [var for item in group.vars for var in (item.entity_var, item.input_var) if var is not None]
            if not isinstance(cohort, Cohort):
                self.broken.add(*(f"var/{var.name}" for var in vars_))
                continue
            for var in vars_:
                added = (
                    self._entity_var(var, cohort, group)
                    if isinstance(var, EntityVarSpec)
                    else self._input_var(var, cohort, group)
                )
                if not added:
                    self.broken.add(f"var/{var.name}")

    def _entity_var(self, spec: EntityVarSpec, cohort: Cohort, group: VarGroupSpec) -> bool:
        """Add an entity var; return whether it can be used."""
        source = self._var_source(spec) if spec.from_ else None
        if spec.from_ and source is None:
            return False
        if spec.select is None and spec.default_value is None:
            message = f"entity_var '{spec.name}' has neither select nor default_value"
            self.problems.error("missing-key", message, spec.span, hint="add 'select:'")
            return False
        if spec.name.lower() in ("valid_at", self.entities[cohort.entity].id_column.lower()):
            message = f"entity_var '{spec.name}' has the name of a column that every output has anyway"
            self.problems.error("reserved-name", message, text_span(spec.name, spec.span), hint="give it another name")
            return False
        own = self.entity_vars.setdefault(cohort.path, {})
        own[spec.name.lower()] = EntityVar(
            name=str(spec.name),
            cohort=cohort.path,
            entity=cohort.entity,
            source=source,
            spec=spec,
            bare_names=group.bare_names,
            time_grain=self.grains.of_var(spec, group),
        )
        return True

    def _var_source(self, spec: EntityVarSpec) -> str | None:
        """Return the path of what a var reads: a source, or a model keyed by main id that is added later on."""
        assert spec.from_ is not None
        path = self._path(spec.from_)
        path = path.removeprefix("entity/") if path.endswith((VAR_TABLE, FEATURE_VIEW)) else path
        made = isinstance(getattr(self.model_specs.get(path), "body", None), FeatureTableSpec | FeatureViewModelSpec)
        owner = path.removesuffix(f"/{VAR_TABLE}").removesuffix(f"/{FEATURE_VIEW}")
        if made or path in self.models or isinstance(self.models.get(owner), Cohort | Input | SqlModel):
            return path
        self._unknown_model(spec.from_, spec.span, "source")
        return None

    def _input_var(self, spec: InputVarSpec, cohort: Cohort, group: VarGroupSpec) -> bool:
        """Add an input var; return whether it can be used."""
        if spec.from_ is None or spec.select is None:
            missing = "from" if spec.from_ is None else "select"
            self.problems.error("missing-key", f"input_var '{spec.name}' has no '{missing}'", spec.span)
            return False
        source = self._source(spec.from_, spec.span)
        if source is None:
            return False
        own = self.input_vars.setdefault(source.path, {})
        own[spec.name.lower()] = InputVar(str(spec.name), source.path, cohort.entity, spec, group.bare_names)
        return True

    def _input_var_tables(self) -> None:
        """Add the var table of every source; the graph leaves out those that nobody reads."""
        for source in [m for m in self.models.values() if isinstance(m, Input | SqlModel)]:
            path = f"{source.path}/{VAR_TABLE}"
            self.models[path] = InputVarTable(
                path=path,
                name=f"{source.name}_{VAR_TABLE}",
                span=source.span,
                description=f"Rows of {source.name} with a row id, main ids and input vars.",
                source=source.path,
                entities=tuple(dict.fromkeys(i.entity for i in source.ids)),
                vars=tuple(self.input_vars.get(source.path, {}).values()),
            )
        self._check_vars_attach()

    def _check_vars_attach(self) -> None:
        for own in self.entity_vars.values():
            for var in list(own.values()):
                source = self.models.get(var.source or "")
                ids = getattr(source, "ids", None)
                if ids is None or any(i.entity == var.entity for i in ids):
                    continue
                self.broken.add(f"var/{var.name}")
                del own[var.name.lower()]
                if self.ids_are_lost:
                    continue
                message = f"entity_var '{var.name}' reads '{var.source}', which carries no id of entity '{var.entity}'"
                place = text_span(var.spec.from_, var.spec.span)
                self.problems.error("no-ids", message, place, hint="add 'ids' with that entity to the source")

    def _var_tables(self) -> None:
        for cohort in [m for m in self.models.values() if isinstance(m, Cohort)]:
            path = f"{cohort.path}/{VAR_TABLE}"
            entity = self.entities[cohort.entity]
            is_all = cohort.parent is None
            own = tuple(self.entity_vars.get(cohort.path, {}).values())
            coarser = [g for g in GRAINS if g != self.grains.default and any(v.time_grain == g for v in own)]
            table = VarTable(
                path=path,
                name=f"{entity.name}_{VAR_TABLE}" if is_all else f"{cohort.name}_{VAR_TABLE}",
                span=cohort.span,
                description=f"One row per member of {cohort.name}, one column per entity var.",
                cohort=cohort.path,
                vars=tuple(v for v in own if v.time_grain == self.grains.default),
                inherited=None if is_all else f"{cohort.parent}/{VAR_TABLE}",
                coarser=tuple(f"{path}/{grain}" for grain in coarser),
            )
            self.models[path] = table
            for grain in coarser:
                self.models[f"{path}/{grain}"] = _by_grain(table, own, grain)

    def _check_feature_names(self) -> None:
        """Report every feature of a SQL model whose name another feature of the same cohort has."""
        for cohort, models in self.feature_models.items():
            seen = {name: f"entity_var '{var.name}'" for name, var in self.entity_vars.get(cohort, {}).items()}
            for model in models:
                for column in model.columns:
                    other = seen.setdefault(column.lower(), f"a feature of '{model.path}'")
                    if other != f"a feature of '{model.path}'":
                        message = f"feature '{column}' of '{model.path}' has the name of {other}"
                        self.problems.error(
                            "duplicate-name", message, self.models[model.path].span, hint="rename one of them"
                        )

    # --- outputs --------------------------------------------------------------------------------------------

    def features_of(self, cohort: str) -> dict[str, str]:
        """Return lower-case name -> name of every feature of a cohort, inherited ones first."""
        model = self.models[cohort]
        assert isinstance(model, Cohort)
        features = self.features_of(model.parent) if model.parent else {}
        for var in self.entity_vars.get(cohort, {}).values():
            features.pop(var.name.lower(), None)
            if var.spec.is_feature:
                features[var.name.lower()] = var.name
        for extra in self.feature_models.get(cohort, ()):
            features |= {c.lower(): c for c in extra.columns}
        return features

    def _feature_tables(self) -> None:
        for path, model in self._specs_of(FeatureTableSpec):
            body = model.body
            assert isinstance(body, FeatureTableSpec)
            cohort = self._cohort_key(body.entity_key, body.entity_cohort, model)
            if cohort is None or cohort not in self.models:
                self.broken.add(path)
                continue
            known = self.features_of(cohort) | self._all_vars(cohort)
            chosen = [] if body.features is not None else list(self.features_of(cohort).values())
            for feature in body.features or ():
                name = normalise_path(feature).rpartition("/")[2]  # a name, or a path that ends in one
                if name in known:
                    chosen.append(known[name])
                    continue
                if f"var/{feature}" in self.broken:
                    continue
                message = f"feature '{feature}' of '{model.name}' is not a var of {cohort}"
                hint = did_you_mean(feature, list(known.values()))
                self.problems.error("unknown-var", message, text_span(feature, model.span), hint=hint)
            self.models[path] = FeatureTable(
                path=path, name=str(model.name), span=model.span, cohort=cohort, features=tuple(chosen)
            )

    def _all_vars(self, cohort: str) -> dict[str, str]:
        model = self.models[cohort]
        assert isinstance(model, Cohort)
        inherited = self._all_vars(model.parent) if model.parent else {}
        return inherited | {v.name.lower(): v.name for v in self.entity_vars.get(cohort, {}).values()}

    def _feature_views(self) -> None:
        for entity_spec in self.spec.entities:
            entity = self.entities[entity_spec.name.lower()]
            self._views_of(self.models[entity.all_cohort], entity_spec.feature_views)
        for path, model in self._specs_of(CohortSpec):
            cohort = self.models.get(path)
            if cohort is not None:
                assert isinstance(model.body, CohortSpec)
                self._views_of(cohort, model.body.feature_views)
        for path, model in self._specs_of(FeatureViewModelSpec):
            body = model.body
            assert isinstance(body, FeatureViewModelSpec)
            key = self._cohort_key(body.entity_key, body.entity_cohort, model)
            if key in self.models:
                self._add_views(views.of_model(path, model, self.models[key], self.entities))
            else:
                self.broken.add(path)
        self._unique_relations()

    def _views_of(self, cohort: Model, spec: views.FeatureViewsSpec) -> None:
        assert isinstance(cohort, Cohort)
        self._add_views(views.of_cohort(cohort, spec, self.entities[cohort.entity]))

    def _add_views(self, found: Iterable[Model]) -> None:
        for view in found:
            if isinstance(view, views.FeatureView) and view.id_type is not None:
                self._check_id_type(Text(view.id_type, view.span), view.span)
            self.models[view.path] = view

    def _unique_relations(self) -> None:
        seen: dict[str, Model] = {}
        for model in self.models.values():
            if isinstance(model, Input | InputVarTable):
                continue  # the var table of a source is only made where something needs it: the graph looks at these
            other = seen.setdefault(model.name.lower(), model)
            if other is not model:
                message = f"'{model.path}' and '{other.path}' would both be named '{model.name}'"
                self.problems.error("duplicate-name", message, model.span, hint="give one of them another name")

    def _names(self) -> Mapping[str, NameKind]:
        names: dict[str, NameKind] = {}
        for model in self.models.values():
            if isinstance(model, Input | SqlModel | Stitcher | Unsupported):
                names.setdefault(model.name.lower(), "rows")
            elif isinstance(model, Cohort) and model.parent is not None:
                names[model.name.lower()] = "cohort"
        return names | dict.fromkeys(self.entities, "entity")

    def _specs_of(self, body: type[S]) -> list[tuple[str, ModelSpec]]:
        return [(path, model) for path, model in self.model_specs.items() if isinstance(model.body, body)]
