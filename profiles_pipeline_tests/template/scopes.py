"""The scope that the template tests share."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from profiles_pipeline.template import Macro, ModelFacts, Scope

MACROS = (
    Macro("add", ("x", "y"), "{{ x }} + {{ y }}"),
    Macro("doubled", ("z",), "{{ add('{{z}}', z) }}"),
    Macro("frame_clause", (), "rows between unbounded preceding and unbounded following"),
    Macro("array_agg", ("column_name",), "array_agg(distinct {{column_name}})"),
    Macro("hidden", (), "{{ column|isnil }}"),
    Macro(
        "macro_listagg", ("column", "timestamp"), "listagg({{column}}, ',') within group (order by {{timestamp}} asc)"
    ),
    Macro(
        "macro_datediff",
        ("column",),
        "{% if !(end_time|isnil) %}"
        "datediff(day, date({{column}}), date('{{end_time.Format(\"2006-01-02 15:04:05\")}}'))"
        "{% else %}datediff(day, date({{column}}), GETDATE()){% endif %}",
    ),
    Macro(
        "hour_of",
        ("mat",),
        "{% if !(mat.WhtCtx|isnil) %}date_trunc('hour', {{ warehouse.Timestamp(mat.WhtCtx.TimeInfo.EndTime) }})"
        "{% else %}NULL{% endif %}",
    ),
)
FACTS = (
    ModelFacts("models/x", "sql_template", True, "user", "user_main_id", "table", "ts"),
    ModelFacts("models/off", "sql_template", False),
    ModelFacts("models/purchases", "sql_template", True, "user", "user_main_id", "view"),
)
PAST_FACTS = (
    ModelFacts("models/purchases?pre_existing=true&checkpoint_name=baseline", "sql_template"),
    ModelFacts("inputs/events/incr_delta_tbl?baseline_name=baseline", "input"),
)
FILES = {
    "models/x.sql": "select * from {{ this.DeRef('inputs/a') }}",
    "models/local.sql": "select * from {{ t }}",
    "models/endless.sql": "{{ this.ReadFile('models/endless.sql') }}",
}


def scope(*macros: Macro, dialect: str = "snowflake", past: bool = False) -> Scope:
    """Return the scope of models/purchases; `past` says that it was run before."""
    facts = {known.path: known for known in (*FACTS, *(PAST_FACTS if past else ()))}
    return Scope(
        this="models/purchases",
        names={"user": "entity", "vip": "cohort", "orders": "rows", "tbl_c": "rows"},
        macros={macro.name: macro for macro in (*MACROS, *macros)},
        end_time=datetime(2024, 3, 5, 7, 8, 9, 250_000),
        begin_time=datetime(2024, 3, 1),
        dialect=dialect,
        model=facts.get,
        read_file=_read,
    )


def without_begin(whole: Scope) -> Scope:
    """Return `whole` for a run that has no begin."""
    return replace(whole, begin_time=None)


def _read(path: str) -> str:
    if path not in FILES:
        raise FileNotFoundError("no such file")
    return FILES[path]
