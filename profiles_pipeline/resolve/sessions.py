"""Resolves sessions: finds their sources and makes the family of relations that follows from each declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from profiles_pipeline import durations
from profiles_pipeline.errors import Problems, Span
from profiles_pipeline.resolve.declared import Declared, text_span
from profiles_pipeline.resolve.lookup import find_source
from profiles_pipeline.resolve.model import Entity, Input, Model, RowId, SqlModel
from profiles_pipeline.resolve.session_models import EventSource, Fact, SessionKind, Sessions, SessionTable, Stage
from profiles_pipeline.spec.model import ModelSpec, SessionSourceSpec, SessionsSpec, Text

EVENT_COLUMNS = ("event_id", "event", "timestamp", "source")
"""What facts and stages know of every event, whatever its source calls it."""

RESERVED = "profiles_"
"""How the names of the columns begin that events and sessions have while they are made."""

_OWN = (
    "session_id", "session_start_at", "session_sequence_number", "next_session_start_at", "ended_at",
    "number_of_events", "duration_seconds", "entry_event", "exit_event", "furthest_stage",
)  # fmt: skip
_OF_VISITOR = (
    "first_session_at", "last_session_at", "last_seen_at", "number_of_sessions", "mean_session_seconds",
)  # fmt: skip
_PUBLISHED = ("session_id", "ended_at", "num_pvs")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_FLOW_EVENTS = 100

_KINDS: tuple[SessionKind, ...] = (
    "sessions", "mapped_tracks", "session_tracks", "track_facts", "tracks_flow",
    "session_duration", "user_session_facts", "rejected",
)  # fmt: skip
_KINDS_AS_PUBLISHED: tuple[SessionKind, ...] = (
    "aliases_mapping", "mapped_tracks", "session_tracks", "track_facts", "tracks_flow",
    "session_track_facts", "session_duration", "user_session_facts", "rejected",
)  # fmt: skip

_VIEWS: tuple[SessionKind, ...] = ("session_tracks", "session_duration", "rejected", "quarantined")
"""What shows a part of another relation; as published, it is a table."""

_TIMES: Mapping[SessionKind, str] = {
    "mapped_tracks": "timestamp",
    "sessions": "session_start_at",
    "session_tracks": "session_start_at",
    "track_facts": "timestamp",
    "tracks_flow": "timestamp",
}
"""The column with the time of a row."""

_WORDS: Mapping[SessionKind, str] = {
    "aliases_mapping": "The visitor of each alias: every anonymous id and every user id.",
    "mapped_tracks": "Events with their visitor, and the minutes since the visitor's event before.",
    "sessions": "One row per session: visitor, begin, end, what it began and ended with, facts and stages.",
    "session_tracks": "Sessions: visitor, begin, number, and begin of the next one.",
    "track_facts": "Events with their session and their number in it.",
    "tracks_flow": "Each event with those that follow it in its session.",
    "session_track_facts": "End and facts of each session.",
    "session_duration": "Minutes from the first to the last event of each session.",
    "user_session_facts": "First and last session and number of sessions of each visitor.",
    "rejected": "How many rows of each source are no events of anybody, and why.",
    "quarantined": "Days of visitors with more events than count as somebody's, which are left out of sessions.",
    "funnel": "How many sessions and visitors reach each stage, and how soon.",
}


def with_sessions(declared: Declared, models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models and the relations of each family of sessions; what is wrong with one is told, and it is left
    out."""
    found = dict(models)
    for path, model, body in declared.specs_of(SessionsSpec):
        told = len(declared.problems.errors)
        sessions = _Reader(declared, found, path, model, body).sessions()
        if sessions is None or len(declared.problems.errors) > told:
            declared.broken.add(path)
            continue
        for table in _family(declared, model, body, sessions):
            if table.path != path and (table.path in found or table.path in declared.model_specs):
                message = f"'{table.path}' of sessions '{model.name}' is the path of another model"
                declared.problems.error("duplicate-name", message, model.span, hint="rename one of the two")
            else:
                found[table.path] = table
    return found


def statuses_of_sessions(models: Iterable[Model], found: Mapping[str, str]) -> dict[str, str]:
    """Return path -> enable status of relations whose declaration has one among `found`."""
    tables = [model for model in models if isinstance(model, SessionTable)]
    declared = {table.path: f"models/{table.sessions.name.lower()}" for table in tables}
    return {path: found[head] for path, head in declared.items() if head in found}


class _Reader:
    """Reads one declaration; what is wrong with it is told."""

    def __init__(
        self, declared: Declared, models: Mapping[str, Model], path: str, model: ModelSpec, body: SessionsSpec
    ) -> None:
        self.declared = declared
        self.problems: Problems = declared.problems
        self.models = models
        self.path = path
        self.model = model
        self.body = body

    def sessions(self) -> Sessions | None:
        entity = self._entity()
        sources = tuple(self._sources(entity))
        timeout = self._length("timeout", self.body.timeout)
        longest = self._length("max_duration", self.body.max_duration) if self.body.max_duration is not None else None
        repeats = self._length("repeats_within", self.body.repeats_within)
        facts = tuple(Fact(str(f.name), f.select, f.where) for f in self.body.facts)
        stages = tuple(Stage(name, condition) for name, condition in self.body.stages.items())
        self._check_names(entity)
        self._check_numbers()
        self._check_published()
        if (entity is None and not self.body.compat) or not sources or timeout is None or repeats is None:
            return None
        return Sessions(
            name=str(self.model.name),
            entity=None if entity is None else entity.name.lower(),
            visitor="dbt_visitor_id" if entity is None else entity.id_column,
            stitcher=None if entity is None else entity.stitcher,
            sources=sources,
            timeout=timeout,
            max_duration=longest,
            max_events_per_day=self.body.max_events_per_day,
            repeats_within=repeats,
            flow_events=self.body.flow_events,
            facts=facts,
            stages=stages,
            whole_minutes=self.body.rounding == "whole_minutes",
            paths=dict(self._paths()),
        )

    def _paths(self) -> Iterator[tuple[SessionKind, str]]:
        if self.body.compat:
            for kind in _KINDS_AS_PUBLISHED:
                yield kind, self.path if kind == "session_tracks" else f"models/{_published_name(self.model, kind)}"
            return
        asked: dict[SessionKind, object] = {"quarantined": self.body.max_events_per_day, "funnel": self.body.stages}
        for kind in (*_KINDS, *(kind for kind, wanted in asked.items() if wanted)):
            yield kind, self.path if kind == "sessions" else f"{self.path}_{kind}"

    def _error(self, code: str, message: str, span: Span | None = None, hint: str | None = None) -> None:
        self.problems.error(code, message, span or self.model.span, hint=hint)

    def _entity(self) -> Entity | None:
        if self.body.compat:
            if self.body.entity_key is not None:
                message = f"sessions '{self.model.name}' have both compat and an entity_key"
                hint = "with compat, aliases decide whose an event is; leave one of the two out"
                self._error("contradictory-keys", message, self.body.entity_key.span, hint)
            return None
        if self.body.entity_key is None:
            message = f"key 'entity_key' is missing in sessions '{self.model.name}'"
            self._error("missing-key", message, hint="add 'entity_key: <entity>'")
            return None
        return self.declared.entity_named(self.body.entity_key, self.model.span)

    def _sources(self, entity: Entity | None) -> Iterator[EventSource]:
        if not self.body.from_:
            self._error("missing-key", f"sessions '{self.model.name}' read no source", hint="name some under 'from'")
        for spec in self.body.from_:
            source = find_source(self.declared, self.models, spec.from_, self.model.span)
            if source is not None and (read := self._source(spec, source, entity)) is not None:
                yield read

    def _source(self, spec: SessionSourceSpec, source: Model, entity: Entity | None) -> EventSource | None:
        place = text_span(spec.from_, self.model.span)
        if not isinstance(source, Input | SqlModel):
            message = f"'{spec.from_}' holds no events: sessions '{self.model.name}' read inputs and SQL models"
            self._error("wrong-type", message, place)
            return None
        told = len(self.problems.errors)
        if source.occurred_at is None:
            message = f"'{spec.from_}' says no time, and sessions '{self.model.name}' are made of times"
            self._error("no-time", message, place, f"give '{source.name}' an occurred_at_col")
        if entity is not None and not any(row_id.entity == entity.name.lower() for row_id in source.ids):
            message = f"'{spec.from_}' carries no id of entity '{entity.name}', whose sessions '{self.model.name}' are"
            self._error("no-ids", message, place, f"give '{source.name}' 'ids' with 'entity: {entity.name}'")
        event_id = spec.event_id or self.body.event_id
        if event_id is None:
            message = f"sessions '{self.model.name}' do not say what tells the events of '{spec.from_}' apart"
            self._error(
                "missing-key", message, place, "add 'event_id: <column>'; an event that comes twice counts once"
            )
        if event_id is None or len(self.problems.errors) > told:
            return None
        return EventSource(
            path=source.path,
            event_id=event_id,
            event=spec.event or self.body.event,
            columns=tuple((name.lower(), text) for name, text in spec.columns.items()),
            anonymous_id=spec.anonymous_id or self.body.anonymous_id,
            user_id=spec.user_id or self.body.user_id,
        )

    def _length(self, key: str, text: Text) -> timedelta | None:
        length = durations.duration(str(text))
        if length:
            return length
        what = "is no length of time" if length is None else "is no time at all"
        hint = "write it like 30m, 24h or 7d"
        self._error("bad-duration", f"{key} '{text}' of sessions '{self.model.name}' {what}", text_span(text), hint)
        return None

    def _check_numbers(self) -> None:
        most = self.body.max_events_per_day
        if most is not None and most < 1:
            message = f"max_events_per_day of sessions '{self.model.name}' must be 1 or more, not {most}"
            self._error("wrong-value", message, hint="leave it out where every day counts")
        if not 1 <= self.body.flow_events <= _MOST_FLOW_EVENTS:
            message = f"flow_events of sessions '{self.model.name}' must be from 1 to {_MOST_FLOW_EVENTS}"
            self._error("wrong-value", f"{message}, not {self.body.flow_events}")

    def _check_published(self) -> None:
        """Tell what goes beyond the published project where that is asked for, and what only it knows elsewhere."""
        if not self.body.compat:
            if self.body.rounding != "none":
                message = f"sessions '{self.model.name}' round minutes, which only the published ones do"
                self._error("contradictory-keys", message, hint="leave 'rounding' out, or add 'compat: true'")
            return
        for key in ("stages", "max_duration", "max_events_per_day", "repeats_within"):
            if key in self.body.model_fields_set:
                message = (
                    f"sessions '{self.model.name}' have both compat and {key}, which the published ones do not know"
                )
                self._error("contradictory-keys", message, hint="leave one of the two out")
        for spec in self.body.from_:
            if spec.columns:
                message = (
                    f"sessions '{self.model.name}' with compat look at no columns but those of the published tables"
                )
                self._error("contradictory-keys", message, text_span(spec.from_), "leave 'columns' out")

    def _check_names(self, entity: Entity | None) -> None:
        """Tell names of facts and stages that cannot be columns, or are columns already."""
        taken = {name: "a column that every session has" for name in _PUBLISHED if self.body.compat}
        if entity is not None:
            taken = {name: "a column that every session has" for name in (*_OWN, entity.id_column.lower())}
        of_visitors: tuple[str, ...] = _OF_VISITOR if self.body.stages else ()
        named: list[tuple[Text, str, str, tuple[str, ...]]] = []
        named += [(f.name, str(f.name), "fact", ()) for f in self.body.facts]
        named += [(text, Stage(name, text).column, "stage", of_visitors) for name, text in self.body.stages.items()]
        for text, column, noun, more in named:
            place = text_span(text, self.model.span)
            of = f"{noun} '{column.removesuffix('_at') if more else column}' of sessions '{self.model.name}'"
            if not _NAME.fullmatch(column):
                hint = "letters, digits and underscores, no digit first"
                self._error("wrong-value", f"{of} has a name that is no name of a column", place, hint)
            elif column.lower() in taken or column.lower() in more:
                why = taken.get(column.lower(), "a column that every visitor has")
                self._error("reserved-name", f"{of}: '{column}' is {why}", place, "give it another name")
            elif column.lower().startswith(RESERVED):
                message = f"{of}: columns of sessions in the making begin with {RESERVED}"
                self._error("reserved-name", message, place, "give it another name")
            taken[column.lower()] = "the name of another fact or stage"


def _published_name(model: ModelSpec, kind: SessionKind) -> str:
    return f"{model.name.lower()}_rejected" if kind == "rejected" else f"dbt_{kind}"


def _family(declared: Declared, model: ModelSpec, body: SessionsSpec, sessions: Sessions) -> Iterator[SessionTable]:
    """Yield the relations of a family, each after those that it is made from."""
    event_tables = sessions.is_as_published or body.materialization.output_type == "table"
    for kind, path in sessions.paths.items():
        is_view = kind in _VIEWS and not sessions.is_as_published
        of_events = kind in ("mapped_tracks", "track_facts", "tracks_flow")
        yield SessionTable(
            path=path,
            name=_relation_name(model, kind, sessions),
            span=model.span,
            description=_WORDS[kind],
            ids=_ids(declared, sessions, kind),
            occurred_at=Text(_TIMES[kind]) if kind in _TIMES else None,
            kind=kind,
            sessions=sessions,
            as_table=event_tables if of_events else not is_view,
        )


def _relation_name(model: ModelSpec, kind: SessionKind, sessions: Sessions) -> str:
    if sessions.is_as_published:
        return f"{model.name}_rejected" if kind == "rejected" else f"dbt_{kind}"
    return str(model.name) if kind == "sessions" else f"{model.name}_{kind}"


def _ids(declared: Declared, sessions: Sessions, kind: SessionKind) -> tuple[RowId, ...]:
    """Return the main id on the rows of a relation; published visitors are none of ours."""
    if sessions.entity is None or kind in ("rejected", "funnel"):
        return ()
    column = declared.entities[sessions.entity].id_column
    return (RowId(Text(column), None, sessions.entity, to_default_stitcher=False),)
