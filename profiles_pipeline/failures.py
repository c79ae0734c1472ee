"""What went wrong while a model was made, told as a RunError: which model or var, where in the YAML, in which SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from profiles_pipeline import blame, compiled, rejection
from profiles_pipeline.dialects import identifier, render
from profiles_pipeline.errors import Check, Problem, RunError, WarehouseError
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import Input, Model
from profiles_pipeline.session import Session
from profiles_pipeline.stages import AuditMaterial, BuildMaterial, Plan, RunHook


@contextmanager
def blaming(
    session: Session, planned: Plan, stage: BuildMaterial | AuditMaterial, files: compiled.Files
) -> Iterator[None]:
    """Turn what the warehouse says about a statement into a RunError that names the model, its place and its SQL."""
    try:
        yield
    except WarehouseError as error:
        sql_file = files.relative(stage.material)
        guilty: list[str] = []
        if isinstance(error, blame.StepError):
            kind = str(error).partition(":")[0]
            guilty = list(blame.culprits(error.step, session.warehouse, same=lambda own: str(own).startswith(kind)))
        words, place = rejection.refused_while_running(
            session.project, stage.model, guilty, str(error), partial(_reads, session, planned, error.statement or "")
        )
        notes = "\n".join(getattr(error, "__notes__", ()))
        problem = Problem(
            "warehouse-error",
            f"{words}: {error}",
            place,
            f"the SQL is in {files.place(stage.material, error.statement, notes)}; "
            f"{error.hint or 'mend the cause'} and run again, it continues with seq_no {planned.window.seq_no}",
            notes or None,
        )
        raise RunError(problem, stage.model.path, planned.window.seq_no, sql_file) from error


def _reads(session: Session, planned: Plan, statement: str, source: Model) -> bool:
    """Return whether a statement reads the rows of a source, or its var table, which may be a view."""
    paths = (source.path, f"{source.path}/{VAR_TABLE}")
    names = [identifier(made.material, "duckdb") for made in planned.materials if made.model.path in paths]
    if isinstance(source, Input) and source.csv is None:
        names.append(render(session.sources.of_input(source), session.warehouse.dialect))
    return any(_without_spaces(name) in _without_spaces(statement) for name in names)


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def hook_failed(error: WarehouseError, planned: Plan, stage: RunHook, files: compiled.Files) -> RunError:
    """Return what to tell of a hook that the warehouse refuses, which is blamed on the hook's place in the YAML."""
    hook, sql_file, seq_no = stage.hook, files.relative(stage.material), planned.window.seq_no
    problem = Problem(
        "hook-failed",
        f"{hook.when} of {hook.owner}: {error}",
        hook.text.span or stage.model.span,
        f"the SQL is in {sql_file}; mend the hook and run again, it continues with seq_no {seq_no}",
        "\n".join(getattr(error, "__notes__", ())) or None,
    )
    return RunError(problem, stage.model.path, seq_no, sql_file)


def check_failed(
    checks: tuple[Check, ...], planned: Plan, stage: AuditMaterial, relation: str, files: compiled.Files
) -> RunError:
    """Return what to tell of a material that breaks a rule."""
    broken = [check for check in checks if check.stops]
    message = "; ".join(f"{c.description} Broken by {c.broken} rows ({c.name})" for c in broken)
    hint = f"look into {relation}; the plain views are as they were"
    problem = Problem("check-failed", f"{stage.model.path}: {message}", stage.model.span, hint)
    return RunError(problem, stage.model.path, planned.window.seq_no, files.relative(stage.material), checks)
