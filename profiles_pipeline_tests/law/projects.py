"""Generated projects: which features of the catalogue they have, as YAML files and as the oracle's declaration."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline_tests.law import catalogue, sessions
from profiles_pipeline_tests.law.oracle import Cohort, Person, RowVar, Source, Spec, Var

BLOCKED = "none@x.com"
"""An email that some projects filter out."""

GROUPS = {name: tuple(f.name for f in features) for name, features in catalogue.of_persons(0).items()}
"""Kind of feature -> names of those that a project may have."""


_OF_COHORTS = ((), ("n_buys",), ("n_buys", "last_seen"))
"""What each number of cohorts needs."""


@dataclass(frozen=True)
class Shape:
    """What a generated project is like.

    Attributes:
        names: features of the catalogue.
        level: the number that some features and filters compare with.
        blocks: whether one email is filtered out.
        orders_stitched: whether orders join ids.
        cohorts: how many cohorts there are: none, the buyers, and those of them who were seen of late.
        edition: a number in descriptions, which mean nothing.
        sessions: the sessions there are, by name; none if empty.
    """

    names: tuple[str, ...]
    level: int = 3
    blocks: bool = False
    orders_stitched: bool = True
    cohorts: int = 0
    edition: int = 0
    sessions: str = ""


def _features(shape: Shape) -> tuple[list[catalogue.Feature], list[catalogue.Feature]]:
    """Return the entity vars and the input vars of a project, with all that they need, in the catalogue's order."""
    persons = {f.name: f for features in catalogue.of_persons(shape.level).values() for f in features}
    rows = {feature.name: feature for feature in catalogue.of_rows()}
    wanted: set[str] = set()
    waiting = [*shape.names, *_OF_COHORTS[shape.cohorts]]
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += (persons | rows)[name].needs
    return [f for n, f in persons.items() if n in wanted], [f for n, f in rows.items() if n in wanted]


def _cohort_features(shape: Shape) -> tuple[catalogue.Feature, ...]:
    return catalogue.of_buyers(shape.level) if shape.cohorts else ()


def tables_of(shape: Shape) -> tuple[str, ...]:
    """Return the names of the sources of a project: those that join ids, and those that features read."""
    features = [*_features(shape)[0], *_cohort_features(shape)]
    read = {f.var.source for f in features if f.var.source}
    read |= {"identifies", "tracks", "plans", *(["orders"] if shape.orders_stitched or shape.sessions else [])}
    return tuple(
        name for name in ("identifies", "tracks", "orders", "plans", "daily", "owned", "purchases") if name in read
    )


# --- for the oracle ----------------------------------------------------------------------------------------------

BUYERS = Cohort("buyers", lambda person: person["n_buys"] > 0, ("buyers",))


def _is_recent(person: Person) -> bool:
    seen = person["last_seen"]
    return bool(BUYERS.holds(person)) and seen is not None and (person.now.date() - seen.date()).days <= 2


RECENT = Cohort("recent_buyers", _is_recent, ("buyers",))


@functools.lru_cache(maxsize=256)
def spec_of(shape: Shape) -> Spec:
    """Return a project as the oracle knows it."""
    persons, rows = _features(shape)
    user, anonymous, email = ("user_id", "user_id"), ("anonymous_id", "anonymous_id"), ("email", "email")
    sources = (
        Source("identifies", (user, anonymous, email), "ts", stitched=True),
        Source("tracks", (user, anonymous), "ts", stitched=True),
        Source("orders", (email, user), "ts", stitched=shape.orders_stitched),
        Source("plans", (user,), stitched=True),
        Source("daily", (user, anonymous), query=catalogue.daily),
        Source("owned", (user, anonymous), "ts", query=catalogue.owned),
        Source("purchases", (user,), "ts", query=catalogue.purchases),
    )
    return Spec(
        sources=tuple(source for source in sources if source.name in tables_of(shape)),
        vars=tuple(f.var for f in (*persons, *_cohort_features(shape)) if isinstance(f.var, Var)),
        row_vars=tuple(f.var for f in rows if isinstance(f.var, RowVar)),
        cohorts=(BUYERS, RECENT)[: shape.cohorts],
        keeps={"email": lambda value: value != BLOCKED} if shape.blocks else {},
    )


# --- as YAML -----------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def meaning(shape: Shape) -> str:
    """Return what a project says, without what changes no value."""
    return yaml.safe_dump([_head(shape), _models(replace(shape, edition=0))], sort_keys=False)


@functools.lru_cache(maxsize=64)
def load(shape: Shape, folder: Path) -> ProfilesProject:
    """Write a project into a folder of its own below `folder`, once, and return it loaded."""
    place = folder / f"project_{abs(hash(shape)):x}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "pb_project.yaml").write_text(yaml.safe_dump(_head(shape), sort_keys=False))
    (place / "pipeline.yaml").write_text("retention: {runs: 100}")  # what earlier runs have built is looked at again
    (place / "models.yaml").write_text(yaml.safe_dump(_models(shape), sort_keys=False))
    return ProfilesProject.load(place)


def _head(shape: Shape) -> dict[str, object]:
    filters = [{"type": "exclude", "value": BLOCKED}] if shape.blocks else []
    views = {"using_ids": [{"id": "email", "name": "user_by_email"}]}
    return {
        "name": "law",
        "schema_version": 98,
        "connection": "none",
        "model_folders": ["models.yaml"],
        "entities": [
            {
                "name": "user",
                "id_stitcher": catalogue.STITCHER,
                "id_types": ["user_id", "anonymous_id", "email"],
                "feature_views": views,
            }
        ],
        "id_types": [{"name": "user_id"}, {"name": "anonymous_id"}, {"name": "email", "filters": filters}],
    }


def _ids(*types: str) -> list[dict[str, str]]:
    return [{"select": kind, "type": kind, "entity": "user"} for kind in types]


def _input(name: str, ids: tuple[str, ...], *, timed: bool = True) -> dict[str, object]:
    time = {"occurred_at_col": "ts"} if timed else {}
    return {"name": name, "app_defaults": {"table": name, **time, "ids": _ids(*ids)}}


_INPUTS = {
    "identifies": _input("identifies", ("user_id", "anonymous_id", "email")),
    "tracks": _input("tracks", ("user_id", "anonymous_id")),
    "orders": _input("orders", ("email", "user_id")),
    "plans": _input("plans", ("user_id",), timed=False),
}


def _models(shape: Shape) -> dict[str, object]:
    persons, rows = _features(shape)
    note = {"description": f"edition {shape.edition}"}
    variables = [{"input_var": dict(f.yaml)} for f in rows]
    variables += [{"entity_var": {**f.yaml, **note}} for f in persons]
    if shape.sessions:
        variables += [{"entity_var": var} for var in sessions.vars_of(shape.sessions)]
    groups: list[dict[str, object]] = [{"name": "of_users", "entity_key": "user", "vars": variables}]
    if shape.cohorts:
        buyers = [{"entity_var": dict(f.yaml)} for f in _cohort_features(shape)]
        groups.append({"name": "of_buyers", "entity_cohort": "models/buyers", "vars": buyers})
    tables = tables_of(shape)
    return {
        "inputs": [model for name, model in _INPUTS.items() if name in tables],
        "macros": [{"name": "days_ago", "inputs": ["column"], "value": DAYS_AGO}],
        "models": [
            _stitcher([name for name in tables if name in _INPUTS and (name != "orders" or shape.orders_stitched)]),
            *(model for name, model in _SQL_MODELS.items() if name in tables),
            *_COHORTS[: shape.cohorts],
            *([sessions.model_of(shape.sessions)] if shape.sessions else []),
        ],
        "var_groups": groups,
    }


def _stitcher(tables: list[str]) -> dict[str, object]:
    spec = {"entity_key": "user", "edge_sources": [{"from": f"inputs/{name}"} for name in tables]}
    return {"name": "user_id_stitcher", "model_type": "id_stitcher", "model_spec": spec}


DAYS_AGO = "datediff(day, date({{column}}), date('{{end_time.Format(\"2006-01-02 15:04:05\")}}'))"
DAILY = """
select user_id, anonymous_id, ts::date as day, count(*) as n_rows
from {{this.DeRef('inputs/tracks')}} group by 1, 2, 3
"""
PURCHASES = """
select user_id, ts, amount * 2 as twice from {{this.DeRef('inputs/tracks')}} where event = 'buy'
"""
OWNED = "select user_main_id as owner, event, amount, ts from {{this.DeRef('inputs/tracks/var_table')}}"


def _sql_model(name: str, text: str, **spec: object) -> dict[str, object]:
    return {"name": name, "model_type": "sql_template", "model_spec": {"single_sql": text, **spec}}


def _cohort(name: str, parent: str, condition: str) -> dict[str, object]:
    spec = {"extends": parent, "filter_expression": condition}
    return {"name": name, "model_type": "entity_cohort", "model_spec": spec}


_MAIN_ID = [{"select": "owner", "type": "rudder_id", "entity": "user"}]
_SQL_MODELS = {
    "daily": _sql_model("daily", DAILY, ids=_ids("user_id", "anonymous_id"), materialization={"output_type": "table"}),
    "owned": _sql_model("owned", OWNED, ids=_MAIN_ID, occurred_at_col="ts"),
    "purchases": _sql_model("purchases", PURCHASES, ids=_ids("user_id"), occurred_at_col="ts"),
}
_COHORTS = (
    _cohort("buyers", "user/all", "{{user.n_buys}} > 0"),
    _cohort("recent_buyers", "models/buyers", "datediff(day, {{user.last_seen}}, current_date()) <= 2"),
)
