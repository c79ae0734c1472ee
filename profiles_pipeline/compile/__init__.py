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
from profiles_pipeline.compile.statement import (
    Audit,
    Compilation,
    Script,
    SolveComponents,
    Statement,
    Step,
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

__all__ = ["Audit", "Compilation", "Script", "SolveComponents", "Statement", "Step", "compile_model"]


def compile_model(c: Compilation, model: Model) -> Script | None:
    """Return the script that builds a model; None for an input, which is only read.

    Raises:
        ProjectError: a text of the model cannot be read or does not fit where it stands.
    """
    match model:
        case Input():
            return None
        case SqlModel():
            return compile_sql_model(c, model)
        case Stitcher():
            return compile_stitcher(c, model)
        case InputVarTable():
            return compile_input_var_table(c, model)
        case Cohort():
            return compile_cohort(c, model)
        case VarTable():
            return compile_var_table(c, model)
        case FeatureTable():
            return compile_feature_table(c, model)
        case FeatureView():
            return compile_feature_view(c, model)
    raise TypeError(f"no compiler for {type(model).__name__}")
