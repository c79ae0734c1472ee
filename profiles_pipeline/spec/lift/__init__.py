"""Lifts a project of any dialect to the newest form, one small step after the other.

A step takes the whole project as a placed mapping and returns a changed copy; it can be tested alone. Each thing that
was read differently from how it was written leaves a note.
"""

from __future__ import annotations

from profiles_pipeline.spec.lift import general, inputs, models, oldest, project_keys, vars
from profiles_pipeline.spec.lift.rewrite import Log, Note, Rewrite
from profiles_pipeline.spec.placed import PlacedMap

__all__ = ["STEPS", "Note", "lift", "take_step"]

STEPS: tuple[Rewrite, ...] = (
    project_keys.blank_filter_values,
    general.drop_empty_keys,
    oldest.resources_to_models,
    oldest.inline_id_stitching_to_models,
    general.single_to_list,
    general.model_type_names,
    oldest.feature_objects_to_vars,
    oldest.oldest_project_keys,
    oldest.entity_id_types_to_project,
    oldest.link_id_stitching,
    project_keys.project_key_names,
    project_keys.ignored_project_keys,
    project_keys.tag_names,
    project_keys.package_inputs,
    project_keys.package_overrides,
    project_keys.id_type_names,
    project_keys.maximum_edges,
    project_keys.serve_traits,
    project_keys.using_ids,
    inputs.app_defaults,
    inputs.ignored_input_keys,
    oldest.oldest_input_keys,
    inputs.default_stitcher_opt_in,
    general.contract_columns,
    general.enable_status,
    general.model_hooks,
    models.edge_sources,
    oldest.stitcher_of_its_entity,
    models.filter_expression,
    models.cohort_sql_sources,
    models.sql_features,
    models.feature_view_keys,
    vars.var_kind_names,
    vars.feature_names,
    vars.local_macros,
    vars.inline_vars_to_groups,
    vars.linear_vars,
    vars.var_keys,
    project_keys.ids_of_one_entity,
)
"""All steps, oldest dialect first; later ones rely on the names that earlier ones introduce."""


_STILL_IN_USE = (
    project_keys.tag_names,
    project_keys.package_inputs,
    project_keys.maximum_edges,
    models.filter_expression,
    models.cohort_sql_sources,
)

MIGRATED: tuple[Rewrite, ...] = tuple(step for step in STEPS if step not in _STILL_IN_USE)
"""The steps that a migration takes: all but those that only bring forms still in use to a single one."""


def take_step(step: Rewrite, project: PlacedMap) -> tuple[PlacedMap, tuple[Note, ...]]:
    """Return the project after one step, and the notes it left; `project` itself is unchanged."""
    log = Log()
    return step(project, log), tuple(log.notes)


def lift(project: PlacedMap) -> tuple[PlacedMap, tuple[Note, ...]]:
    """Return the project in its newest form, and all notes in the order of the steps."""
    notes: list[Note] = []
    for step in STEPS:
        project, left = take_step(step, project)
        notes.extend(left)
    return project, tuple(notes)
