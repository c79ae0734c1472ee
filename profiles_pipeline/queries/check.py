"""Checks a project as far as it can be checked without building anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from profiles_pipeline import rehearse, run, time_contexts
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import Problem, Problems, ProfilesError, ProjectError, WarehouseError, in_file_order
from profiles_pipeline.patterns import without_wrong_patterns
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.reading import missing_inputs, open_for_reading
from profiles_pipeline.rehearse_there import rehearse_there
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.windows import Window


@dataclass(frozen=True, slots=True)
class Checked:
    """A project in which nothing wrong was found.

    Attributes:
        rehearsed: every statement was accepted on empty tables with the columns of the sources.
        missing: when it was not rehearsed, why: a problem for each input whose table is not found.
        counts: noun -> how many of them the project has.
        warnings: what is doubtful about the project, and about how it fits its sources.
    """

    project: ProfilesProject
    rehearsed: bool
    missing: tuple[Problem, ...]
    counts: dict[str, int]
    warnings: tuple[Problem, ...]


def check(
    project: ProfilesProject,
    output: Output,
    observe: run.Observer = lambda _: None,
    lock_timeout: float | None = None,
    needs_inputs: bool = False,
) -> Checked:
    """Return what was checked; the project itself has been read and resolved already, as far as it is sound.

    When none of its inputs is found, the warehouse is taken to be out of reach and columns are not checked. When only
    some are missing, that is an error; so it is when none is there and `needs_inputs` says that they must be, as for a
    run.

    Raises:
        ProjectError: with everything that is wrong in the project and everything that would fail, in file order.
    """
    told = Problems(list(project.errors))
    sound = without_wrong_patterns(project, told)
    try:
        with open_for_reading(sound, output, "profiles validate", observe, lock_timeout) as session:
            missing = missing_inputs(session)
            tables = [m for m in session.project.graph.models.values() if isinstance(m, Input) and m.csv is None]
            within_reach = needs_inputs or len(missing) < len(tables) or not missing
            warnings = _rehearsed(session) if within_reach else ()
    except ProjectError as error:
        raise ProjectError(in_file_order((*told.errors, *error.problems))) from error
    except ProfilesError as error:
        raise (ProjectError(told.errors) if told.errors else error) from error
    told.raise_errors()
    return Checked(project, within_reach, missing, counts(project), (*project.warnings, *warnings))


def _rehearsed(session: run.Session) -> tuple[Problem, ...]:
    """Return the warnings of a rehearsal of everything."""
    seq_no, _ = time_contexts.choose_seq_no(session, run.Options(seq_no="new"))
    session = time_contexts.with_what_it_needs(session, seq_no)
    models = tuple(path for path, model in session.project.graph.models.items() if not isinstance(model, Input))
    window = Window(seq_no.number, seq_no.end)
    piece = rehearse.Piece(models, session.output.schema, window, time_contexts.remembered(session))
    tried = session.typed, piece, session.warehouse, session.sources, session.observe
    warnings = rehearse.rehearse(*tried)
    try:
        rehearse_there(*tried)
    except WarehouseError as error:
        message = f"the statements could not be tried on {session.output.settings.place}: {error}"
        warnings = (*warnings, Problem("not-tried", message, severity="warning"))
    return warnings


def counts(project: ProfilesProject) -> dict[str, int]:
    """Return how many inputs, models, entities and vars a project has."""
    kinds = Counter("inputs" if isinstance(model, Input) else "models" for model in project.graph.models.values())
    resolved = project.project
    return {
        "entities": len(resolved.entities),
        "id_types": len(resolved.id_types),
        "inputs": kinds["inputs"],
        "models": kinds["models"],
        "entity_vars": sum(map(len, resolved.entity_vars.values())),
        "input_vars": sum(map(len, resolved.input_vars.values())),
    }
