"""Merges the packages of a project into it, so that everything after sees one project.

The project's own things win over those of a package of the same name. A path ``packages/<name>/models/x`` means
``models/x``. An input of a package that is mapped to one of ours becomes an alias; one mapped to nil is switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from profiles_pipeline.errors import Problems, ProjectError, did_you_mean, fail
from profiles_pipeline.names import normalise_path
from profiles_pipeline.namesakes import Namesakes
from profiles_pipeline.spec.model import (
    EntitySpec,
    FeatureViewsSpec,
    IdTypeSpec,
    ModelSpec,
    PackageSpec,
    ProjectSpec,
    Text,
    VarGroupSpec,
    VarItem,
)

Load = Callable[[Path], ProjectSpec]
Fetch = Callable[[PackageSpec, Path], Path]

Named = TypeVar("Named")


def with_packages(
    spec: ProjectSpec, load: Load, fetch: Fetch, problems: Problems, above: Sequence[Path] = ()
) -> ProjectSpec:
    """Return the project with all its packages, and theirs, merged into it.

    Args:
        spec: the project as written.
        load: reads the project in a folder.
        fetch: brings a package's folder.
        problems: packages that cannot be brought or read, or that use each other in a circle, are added here.
        above: folders of the projects that led here.
    """
    here = Path(spec.folder).resolve()
    for package in spec.packages:
        try:
            folder = fetch(package, here).resolve()
            if folder in (*above, here):
                chain = " -> ".join(p.name for p in (*above, here, folder))
                message = f"packages use each other in a circle: {chain}"
                fail("cycle", message, package.span, hint="take one of them out")
            library = with_packages(load(folder), load, fetch, problems, (*above, here))
            _check_mapped(package, library, problems)
        except ProjectError as error:
            problems.found += error.problems
            problems.broken.anything = True
            continue
        spec = _merged(spec, library, package)
    for package in spec.packages:
        _check_targets(package, spec, problems)
    return spec


def _check_mapped(package: PackageSpec, library: ProjectSpec, problems: Problems) -> None:
    """Warn of inputs that are mapped and that the package does not have."""
    known = {str(i.name).lower(): str(i.name) for i in library.inputs}
    for name in package.inputs_map:
        if name.lower() not in known and f"inputs/{name.lower()}" not in library.aliases:
            message = f"package '{package.name}' has no input '{name}' to map"
            problems.warn("unknown-input", message, package.span, hint=did_you_mean(name, list(known.values())))


def _check_targets(package: PackageSpec, spec: ProjectSpec, problems: Problems) -> None:
    """Report each input of a package that is mapped to something the project does not have."""
    known = {f"inputs/{i.name.lower()}": f"inputs/{i.name}" for i in spec.inputs}
    known |= {f"models/{m.name.lower()}": f"models/{m.name}" for m in spec.models}
    for name, target in package.inputs_map.items():
        path = normalise_path(target or "")
        if target is None or path in known or path in spec.aliases or path in problems.broken:
            continue
        message = f"package '{package.name}' maps its input '{name}' to '{target}', which there is not"
        hint = did_you_mean(path, list(known.values()))
        problems.error("unknown-input", message, target.span or package.span, hint=hint)
        problems.broken.add(path)


def _merged(app: ProjectSpec, library: ProjectSpec, package: PackageSpec) -> ProjectSpec:
    mapped = {f"inputs/{name.lower()}": target for name, target in package.inputs_map.items()}
    mapped |= {normalise_path(path): target for path, target in package.mappings.items()}
    aliases = {source: normalise_path(target) for source, target in mapped.items() if target is not None}
    off = dict.fromkeys((source for source, target in mapped.items() if target is None), "disabled")
    models = (m for m in library.models if _name(m) not in app.namesakes.names)
    forced = {normalise_path(path): o.requested_enable_status for o in package.overrides for path in o.models}
    return app.model_copy(
        update={
            "id_types": _id_types(app.id_types, library.id_types),
            "entities": tuple(_redirected(e, aliases) for e in _entities(app.entities, library.entities)),
            "inputs": _by_name(app.inputs, (i for i in library.inputs if f"inputs/{i.name.lower()}" not in aliases)),
            "models": tuple(m for m in _by_name(app.models, models) if not _is_replaced(m, aliases)),
            "macros": _by_name(app.macros, library.macros),
            "var_groups": (*_groups(library.var_groups, app.var_groups), *app.var_groups),
            "aliases": {**library.aliases, **app.aliases, **aliases},
            "namesakes": _namesakes(app, library),
            "statuses": {**library.statuses, **app.statuses, **off, **forced},
            "package_folders": (*app.package_folders, library.folder, *library.package_folders),
        }
    )


def _namesakes(app: ProjectSpec, library: ProjectSpec) -> Namesakes:
    """Return what is meant by names that cohorts share; by the name of a model of ours that is meant."""
    ours = {_name(model) for model in app.models}
    theirs = {name: own for name, own in library.namesakes.names.items() if name not in ours}
    return Namesakes({**theirs, **app.namesakes.names})


def _by_name(own: Sequence[Named], others: Iterable[Named]) -> tuple[Named, ...]:
    names = {_name(item) for item in own}
    return (*(item for item in others if _name(item) not in names), *own)


def _name(item: object) -> str:
    return str(item.name).lower()  # type: ignore[attr-defined]


def _id_types(own: Sequence[IdTypeSpec], others: Sequence[IdTypeSpec]) -> tuple[IdTypeSpec, ...]:
    """Return all id types; one of ours that extends a package's of the same name adds to its filters."""
    theirs = {_name(item): item for item in others}
    result = []
    for item in own:
        base = theirs.get(_name(item))
        if base is not None and item.extends is not None and item.extends.lower() == _name(item):
            item = item.model_copy(update={"filters": (*base.filters, *item.filters), "extends": base.extends})  # noqa: PLW2901
        result.append(item)
    return _by_name(result, others)


def _is_replaced(model: ModelSpec, aliases: Mapping[str, str]) -> bool:
    path = f"models/{model.name.lower()}"
    return aliases.get(path, path) != path


def _redirected(entity: EntitySpec, aliases: Mapping[str, str]) -> EntitySpec:
    """Return an entity with the stitcher that takes the place of its own, if one does."""
    path = aliases.get(normalise_path(entity.id_stitcher or ""))
    return entity.model_copy(update={"id_stitcher": Text(path)}) if path else entity


def _entities(own: Sequence[EntitySpec], others: Sequence[EntitySpec]) -> tuple[EntitySpec, ...]:
    """Return all entities; where both describe one, ours is completed by the package's."""
    theirs = {_name(item): item for item in others}
    return _by_name([_entity(item, theirs.get(_name(item))) for item in own], others)


def _entity(own: EntitySpec, base: EntitySpec | None) -> EntitySpec:
    if base is None:
        return own
    known = {str(t).lower() for t in own.id_types}
    return own.model_copy(
        update={
            "id_types": (*own.id_types, *(t for t in base.id_types if t.lower() not in known)),
            "id_stitcher": own.id_stitcher or base.id_stitcher,
            "id_column_name": own.id_column_name or base.id_column_name,
            "feature_views": own.feature_views if own.feature_views != FeatureViewsSpec() else base.feature_views,
        }
    )


def _groups(others: Sequence[VarGroupSpec], own: Sequence[VarGroupSpec]) -> tuple[VarGroupSpec, ...]:
    """Return a package's var groups without the vars that ours define anew."""
    ours = {(_owner(group), _var_name(item)) for group in own for item in group.vars}
    return tuple(
        group.model_copy(update={"vars": tuple(i for i in group.vars if (_owner(group), _var_name(i)) not in ours)})
        for group in others
    )


def _owner(group: VarGroupSpec) -> str:
    return normalise_path(group.entity_cohort or f"{group.entity_key}/all")


def _var_name(item: VarItem) -> str:
    var = item.entity_var or item.input_var
    return str(var.name).lower() if var else ""
