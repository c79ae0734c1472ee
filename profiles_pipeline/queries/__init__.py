"""Questions about a project that change nothing: its models, the plan of the next run, its SQL, and rows by SQL."""

from profiles_pipeline.queries.answer import Answer, run_arrow_query, run_query
from profiles_pipeline.queries.check import Checked, check
from profiles_pipeline.queries.listing import ModelRow, list_disabled, list_models
from profiles_pipeline.queries.preview import Compiled, Preview, compile_project, preview

__all__ = [
    "Answer",
    "Checked",
    "Compiled",
    "ModelRow",
    "Preview",
    "check",
    "compile_project",
    "list_disabled",
    "list_models",
    "preview",
    "run_arrow_query",
    "run_query",
]
