"""From models to SQL trees. Pure: no warehouse, no clock, no Dagster."""

from __future__ import annotations

from profiles_pipeline.compile.entity_vars import compile_var_table
from profiles_pipeline.compile.input_vars import compile_input_var_table
from profiles_pipeline.compile.outputs import (
    compile_cohort,
    compile_feature_table,
    compile_feature_view,
    compile_sql_model,
)
from profiles_pipeline.compile.session_relations import compile_session_table
from profiles_pipeline.compile.statement import (
    Audit,
    Bind,
    Compilation,
    Past,
    Script,
    SolveComponents,
    Statement,
    Step,
    UniteRows,
)
from profiles_pipeline.compile.stitch import compile_stitcher
from profiles_pipeline.resolve.model import (
    Cohort,
    FeatureTable,
    FeatureView,
    Input,
    InputVarTable,
    Model,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.session_models import SessionTable

__all__ = [
    "Audit",
    "Bind",
    "Compilation",
    "Past",
    "Script",
    "SolveComponents",
    "Statement",
    "Step",
    "UniteRows",
    "compile_model",
]


def compile_model(c: Compilation, model: Model) -> Script | None:
    """Return the script that builds a model; None for an input, which is only read.

    Raises:
        ProjectError: a text of the model cannot be read or does not fit where it stands.
    """
    match model:
        case Input():
            script = None
        case SqlModel():
            script = compile_sql_model(c, model)
        case Stitcher():
            script = compile_stitcher(c, model)
        case SessionTable():
            script = compile_session_table(c, model)
        case InputVarTable():
            script = compile_input_var_table(c, model)
        case Cohort():
            script = compile_cohort(c, model)
        case VarTable():
            script = compile_var_table(c, model)
        case FeatureTable():
            script = compile_feature_table(c, model)
        case FeatureView():
            script = compile_feature_view(c, model)
        case _:
            raise TypeError(f"no compiler for {type(model).__name__}")
    return script
