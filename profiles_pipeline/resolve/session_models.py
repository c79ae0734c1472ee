"""Sessions, and the relations that follow from them. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from profiles_pipeline.resolve.model import Source
from profiles_pipeline.spec.model import Text

SessionKind = Literal[
    "aliases_mapping",
    "mapped_tracks",
    "sessions",
    "session_tracks",
    "track_facts",
    "tracks_flow",
    "session_track_facts",
    "session_duration",
    "user_session_facts",
    "rejected",
    "quarantined",
    "funnel",
]
"""What a relation of a family of sessions holds; `sessions` has one row per session and everything known of it."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """Rows that are events, and what their columns are called on them.

    Attributes:
        path: the input or SQL model.
        event_id: what tells an event from others of the same visitor.
        event: its name.
        columns: lower-case name -> what stands for this column of a fact or stage; others stand for themselves.
        anonymous_id: the alias of somebody unknown; as `user_id`, only for the published rules.
        user_id: the alias of somebody known.
    """

    path: str
    event_id: Text
    event: Text
    columns: tuple[tuple[str, Text], ...]
    anonymous_id: Text
    user_id: Text


@dataclass(frozen=True, slots=True)
class Fact:
    """What is computed from the events of each session: an aggregate of those for which `where` holds."""

    name: str
    select: Text
    where: Text | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a funnel, reached by the first event of a session for which the condition holds."""

    name: str
    condition: Text

    @property
    def column(self) -> str:
        """Name of the column with the time at which it was reached."""
        return f"{self.name}_at"


@dataclass(frozen=True, slots=True)
class Sessions:
    """How events become sessions.

    Attributes:
        name: what the author calls them.
        entity: key of the entity whose main id is the visitor; None where aliases decide, as published.
        visitor: name of the column with the visitor.
        stitcher: path of the id graph that says who the visitors are; None where aliases do.
        sources: where events come from.
        timeout: the longest pause within a session.
        max_duration: a session that goes on for longer is cut; None for none.
        max_events_per_day: a day on which a visitor has more events is left out; None for no limit.
        repeats_within: how long after an event one of the same id is the same once more.
        flow_events: how many events stand on a row of the flow.
        facts: what is computed for each session.
        stages: the funnel, in order.
        whole_minutes: minutes are counted without the fraction; only as published.
        paths: kind -> path of each relation of the family.
    """

    name: str
    entity: str | None
    visitor: str
    stitcher: str | None
    sources: tuple[EventSource, ...]
    timeout: timedelta
    max_duration: timedelta | None
    max_events_per_day: int | None
    repeats_within: timedelta
    flow_events: int
    facts: tuple[Fact, ...]
    stages: tuple[Stage, ...]
    whole_minutes: bool
    paths: Mapping[SessionKind, str]

    @property
    def is_as_published(self) -> bool:
        """Whether relations and rules are those of the published project."""
        return self.entity is None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionTable(Source):
    """A relation of a family of sessions."""

    kind: SessionKind
    sessions: Sessions
    as_table: bool = True

    @property
    def reads_events(self) -> bool:
        """Whether it is made from the rows of the sources, and not only from other relations of the family."""
        return _EVENTS in _made_from(self)

    @property
    def parents(self) -> tuple[str, ...]:
        """Paths of what it is made from."""
        own = tuple(self.sessions.paths[kind] for kind in _made_from(self) if kind != _EVENTS)
        if not self.reads_events:
            return own
        sources = tuple(dict.fromkeys(source.path for source in self.sessions.sources))
        return (*sources, *((self.sessions.stitcher,) if self.sessions.stitcher else ()), *own)


_EVENTS: Literal["events"] = "events"

_MADE_FROM: Mapping[SessionKind, tuple[SessionKind | Literal["events"], ...]] = {
    "sessions": (_EVENTS,),
    "mapped_tracks": (_EVENTS, "sessions"),
    "session_tracks": ("sessions",),
    "track_facts": ("mapped_tracks", "sessions"),
    "tracks_flow": ("track_facts",),
    "session_duration": ("sessions",),
    "user_session_facts": ("sessions",),
    "rejected": ("sessions",),
    "quarantined": ("sessions",),
    "funnel": ("sessions",),
}

_MADE_FROM_AS_PUBLISHED: Mapping[SessionKind, tuple[SessionKind | Literal["events"], ...]] = {
    "aliases_mapping": (_EVENTS,),
    "mapped_tracks": (_EVENTS, "aliases_mapping"),
    "session_tracks": ("mapped_tracks",),
    "track_facts": ("mapped_tracks", "session_tracks"),
    "tracks_flow": ("track_facts",),
    "session_track_facts": ("track_facts",),
    "session_duration": ("session_tracks", "session_track_facts"),
    "user_session_facts": ("session_tracks",),
    "rejected": (_EVENTS,),
}


def _made_from(table: SessionTable) -> tuple[SessionKind | Literal["events"], ...]:
    return (_MADE_FROM_AS_PUBLISHED if table.sessions.is_as_published else _MADE_FROM)[table.kind]


def event_texts(table: SessionTable) -> Iterator[tuple[Text, str]]:
    """Yield the SQL texts of a family of sessions with the path of what each is about, for the first of its relations
    that needs them."""
    sessions = table.sessions
    if table.kind == ("aliases_mapping" if sessions.is_as_published else "sessions"):
        for source in sessions.sources:
            yield from ((text, source.path) for text in (source.event_id, source.event))
            yield from ((text, source.path) for _, text in source.columns)
            if sessions.is_as_published:
                yield from ((text, source.path) for text in (source.anonymous_id, source.user_id))
        for fact in sessions.facts:
            yield from ((text, table.path) for text in (fact.select, fact.where) if text is not None)
        yield from ((stage.condition, table.path) for stage in sessions.stages)
