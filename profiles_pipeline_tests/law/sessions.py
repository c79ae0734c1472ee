"""What sessions over generated tables hold, event by event in plain Python. Knows nothing of the engine."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from statistics import fmean, median

from profiles_pipeline_tests.law.oracle import Cell, Row, World

Rows = list[dict[str, object]]

MICROSECOND = timedelta(microseconds=1)
FLOW = 3
RECENT = 3
"""Days that count in one of the vars over sessions."""


@dataclass(frozen=True)
class Rule:
    """What is one session, no longer pause and no longer in all, and what is one event.

    Attributes:
        timeout: the longest pause.
        longest: the longest session.
        repeats: how long an event of the same id is the same.
        event_id: what tells the rows of tracks apart, in SQL; and the same of a row.
        most: with more events of a visitor in a day, none of these count; None for no limit.
    """

    timeout: timedelta
    longest: timedelta | None
    repeats: timedelta
    event_id: str
    id_of: Callable[[Row], str | None]
    most: int | None = None


def _what_it_says(row: Row) -> str | None:
    return None if row["event"] is None or row["amount"] is None else f"{row['event']}{row['amount']}"


RULES: Mapping[str, Rule] = {
    "visits": Rule(timedelta(minutes=10), None, timedelta(days=30), "n", lambda row: str(row["n"])),
    # Many events have the id of another one, at some other time.
    "stays": Rule(timedelta(hours=10), timedelta(hours=24), timedelta(hours=26), "event || amount", _what_it_says),
    "calm": Rule(timedelta(hours=10), None, timedelta(hours=26), "event || amount", _what_it_says, most=2),
}
"""Name of the sessions of a generated project -> their rule. Many pauses of histories are just as long as these."""


def _written(length: timedelta) -> str:
    return f"{length // timedelta(seconds=1)}s"


def model_of(name: str) -> dict[str, object]:
    """Return the declaration of sessions, as in pipeline.yaml."""
    rule = RULES[name]
    limits: dict[str, object] = {} if rule.longest is None else {"max_duration": _written(rule.longest)}
    limits |= {} if rule.most is None else {"max_events_per_day": rule.most}
    orders = {
        "from": "inputs/orders",
        "event_id": "'o' || n",
        "event": "status",
        "columns": {"amount": "cast(null as bigint)"},
    }
    spec: dict[str, object] = {
        "entity_key": "user",
        "from": ["inputs/tracks", orders],
        "event_id": rule.event_id,
        "repeats_within": _written(rule.repeats),
        "timeout": _written(rule.timeout),
        **limits,
        "flow_events": FLOW,
        "facts": [
            {"name": "n_buys", "where": "event = 'buy'"},
            {"name": "spent", "select": "sum(amount)"},
            {"name": "last_event", "select": "last_value(event)"},
        ],
        "stages": {"looked": "event = 'view'", "bought": "event in ('buy', 'paid')"},
    }
    return {"name": name, "model_type": "sessions", "model_spec": spec}


def vars_of(name: str) -> list[dict[str, object]]:
    """Return entity vars over sessions: of a window in time, kept in parts, by going over them, and by visitor."""
    path, recent = f"models/{name}", f"datediff(day, date(session_start_at), current_date()) <= {RECENT}"
    return [
        {"name": "mean_session", "select": "avg(duration_seconds)", "from": path, "where": recent},
        {"name": "spent_in_sessions", "select": "sum(spent)", "from": path},
        {"name": "median_session", "select": "median(duration_seconds)", "from": path},
        {"name": "n_sessions_in_all", "select": "max(number_of_sessions)", "from": f"{path}_user_session_facts"},
    ]


@dataclass(frozen=True)
class Event:
    """An event of a visitor, and, once that is known, its session and its number in it."""

    time: datetime
    id: str
    event: str | None
    source: str
    amount: int | None
    session: str = ""
    number: int = 0


class Visits:
    """The sessions of all visitors of a world."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.rule = RULES[name]
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.noisy: dict[tuple[str, date], list[Event]] = {}
        self.events = {main: self._calm(main, self._once(found)) for main, found in self._given().items()}
        self.sessions = {main: self._cut(main, found) for main, found in sorted(self.events.items())}

    def _given(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = defaultdict(list)
        for source, prefix, column in (("tracks", "", "event"), ("orders", "o", "status")):
            path = f"inputs/{source}"
            declared = next(s for s in self.world.spec.sources if s.name == source)
            for row in self.world.rows_with_vars(source):
                main, time = row["main id"], row["ts"]
                event_id = f"{prefix}{row['n']}" if prefix else self.rule.id_of(row)
                if time is None:
                    self.rejected[path, "no time"] += 1
                elif event_id is None:
                    self.rejected[path, "no event id"] += 1
                elif not self.world._nodes(declared, row):
                    self.rejected[path, "no id"] += 1
                elif main is None:
                    self.rejected[path, "id is not in the id graph"] += 1
                else:
                    found[main].append(Event(time, event_id, row[column], path, row.get("amount")))
        return found

    def _once(self, found: Sequence[Event]) -> list[Event]:
        kept: list[Event] = []
        seen: dict[str, datetime] = {}
        for event in sorted(found, key=lambda e: (e.time, e.source)):
            before = seen.get(event.id)
            if before is None or event.time - before > self.rule.repeats:
                kept.append(event)
            seen[event.id] = event.time
        self.rejected["inputs/tracks, inputs/orders", "repeated event"] += len(found) - len(kept)
        return sorted(kept, key=lambda e: (e.time, e.id))

    def _calm(self, main: str, events: Sequence[Event]) -> list[Event]:
        """Return the events of days on which they are not too many; the others are noted."""
        days: dict[date, list[Event]] = defaultdict(list)
        for event in events:
            days[event.time.date()].append(event)
        noisy = {day for day, found in days.items() if self.rule.most is not None and len(found) > self.rule.most}
        self.noisy |= {(main, day): days[day] for day in noisy}
        self.rejected["inputs/tracks, inputs/orders", "too many events in a day"] += sum(len(days[d]) for d in noisy)
        return [event for event in events if event.time.date() not in noisy]

    def _cut(self, main: str, events: Sequence[Event]) -> list[list[Event]]:
        sessions: list[list[Event]] = []
        began = None
        for event in events:
            last = sessions[-1][-1] if sessions else None
            if last is None or began is None or event.time - last.time > self.rule.timeout:
                began = event.time
                sessions.append([])
            elif self._piece(event.time - began) != self._piece(last.time - began):
                sessions.append([])
            session = sessions[-1]
            digits = (event.time - datetime(1970, 1, 1)) // MICROSECOND
            own = hashlib.md5(f"{main}|{event.id}|{digits}".encode()).hexdigest()
            name = session[0].session if session else own
            session.append(replace(event, session=name, number=len(session) + 1))
        return sessions

    def _piece(self, since: timedelta) -> int:
        if self.rule.longest is None or not since:
            return 0
        return (since - MICROSECOND) // self.rule.longest

    # --- relations ------------------------------------------------------------------------------------------

    def relations(self) -> dict[str, Rows]:
        """Return model path -> rows of every relation."""
        path = f"models/{self.name}"
        tracks = ("event_id", "user_main_id", "timestamp", "event", "source", "idle_time_minutes")
        rows = self._session_rows()
        starts = ("session_id", "user_main_id", "session_start_at", "session_sequence_number", "next_session_start_at")
        return {
            path: rows,
            f"{path}_mapped_tracks": [dict(zip(tracks, row, strict=True)) for row in self._mapped()],
            f"{path}_session_tracks": [{name: row[name] for name in starts} for row in rows],
            f"{path}_track_facts": [self._track(main, e) for main, session in self._each() for e in session],
            f"{path}_tracks_flow": [row for main, session in self._each() for row in self._flow(main, session)],
            f"{path}_session_duration": [
                {
                    "user_main_id": main,
                    "session_id": session[0].session,
                    "session_duration": _length(session) / timedelta(minutes=1),
                }
                for main, session in self._each()
            ],
            f"{path}_user_session_facts": [
                self._visitor(main, found) for main, found in self.sessions.items() if found
            ],
            f"{path}_rejected": [
                {"source": source, "reason": reason, "row_count": count}
                for (source, reason), count in self.rejected.items()
                if count
            ],
            f"{path}_funnel": self._funnel(),
            **({} if self.rule.most is None else {f"{path}_quarantined": self._quarantined()}),
        }

    def _quarantined(self) -> Rows:
        return [
            {
                "user_main_id": main,
                "day": day,
                "number_of_events": len(events),
                "first_event_at": events[0].time,
                "last_event_at": events[-1].time,
            }
            for (main, day), events in self.noisy.items()
        ]

    def _each(self) -> Iterable[tuple[str, list[Event]]]:
        return ((main, session) for main, found in self.sessions.items() for session in found)

    def _mapped(self) -> Iterable[tuple[object, ...]]:
        for main, events in self.events.items():
            for before, event in zip([None, *events], events, strict=False):
                idle = None if before is None else (event.time - before.time) / timedelta(minutes=1)
                yield event.id, main, event.time, event.event, event.source, idle

    def _session_rows(self) -> Rows:
        rows = []
        for main, found in self.sessions.items():
            for number, session in enumerate(found):
                known = [e.amount for e in session if e.amount is not None]
                following = found[number + 1][0].time if number + 1 < len(found) else None
                rows.append(
                    {
                        "session_id": session[0].session,
                        "user_main_id": main,
                        "session_start_at": session[0].time,
                        "session_sequence_number": number + 1,
                        "next_session_start_at": following,
                        "ended_at": session[-1].time,
                        "number_of_events": len(session),
                        "duration_seconds": _length(session).total_seconds(),
                        "entry_event": session[0].event,
                        "exit_event": session[-1].event,
                        "n_buys": sum(e.event == "buy" for e in session),
                        "spent": sum(known) if known else None,
                        "last_event": session[-1].event,
                        **_stages([session]),
                    }
                )
        return rows

    def _track(self, main: str, event: Event) -> dict[str, object]:
        return {
            "timestamp": event.time,
            "event_id": event.id,
            "event": event.event,
            "session_id": event.session,
            "user_main_id": main,
            "track_sequence_number": event.number,
        }

    def _flow(self, main: str, session: Sequence[Event]) -> Iterable[dict[str, object]]:
        for place, event in enumerate(session):
            names = [e.event for e in session[place + 1 : place + FLOW]]
            names += [None] * (FLOW - 1 - len(names))
            yield {**self._track(main, event), **{f"event_{n}": name for n, name in enumerate(names, start=2)}}

    def _visitor(self, main: str, found: Sequence[Sequence[Event]]) -> dict[str, object]:
        return {
            "user_main_id": main,
            "first_session_at": found[0][0].time,
            "last_session_at": found[-1][0].time,
            "last_seen_at": max(session[-1].time for session in found),
            "number_of_sessions": len(found),
            "number_of_events": sum(map(len, found)),
            "mean_session_seconds": fmean(_length(session).total_seconds() for session in found),
            **_stages(found),
        }

    def _funnel(self) -> Rows:
        rows: Rows = []
        every = [(main, session, _stages([session])) for main, session in self._each()]
        for number, name in enumerate(STAGES):
            later = [f"{stage}_at" for stage in list(STAGES)[number:]]
            there = [(main, s) for main, s, stages in every if any(stages[stage] for stage in later)]
            soon = [stages[f"{name}_at"] - s[0].time for _, s, stages in every if stages[f"{name}_at"]]
            counts = [*(row["sessions"] for row in rows), len(there)]
            before = counts[max(number - 1, 0)]
            rows.append(
                {
                    "stage_number": number + 1,
                    "stage": name,
                    "sessions": len(there),
                    "visitors": len({main for main, _ in there}),
                    "share_of_first": len(there) / counts[0] if counts[0] else None,
                    "share_of_previous": len(there) / before if before else None,
                    "mean_seconds": fmean(s.total_seconds() for s in soon) if soon else None,
                }
            )
        return rows

    def vars_of(self, main: str) -> dict[str, object]:
        """Return what the vars over sessions say of a person."""
        found = self.sessions.get(main, ())
        lengths = [(session[0].time.date(), _length(session).total_seconds()) for session in found]
        recent = [seconds for day, seconds in lengths if (self.world.end.date() - day).days <= RECENT]
        spent = [event.amount for session in found for event in session if event.amount is not None]
        return {
            "mean_session": fmean(recent) if recent else None,
            "spent_in_sessions": sum(spent) if spent else None,
            "median_session": median(seconds for _, seconds in lengths) if lengths else None,
            "n_sessions_in_all": len(found) or None,
        }


STAGES: Mapping[str, tuple[str, ...]] = {"looked": ("view",), "bought": ("buy", "paid")}
"""Stage -> the events that reach it."""


def _stages(sessions: Sequence[Sequence[Event]]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    furthest = None
    for name, names in STAGES.items():
        times = [e.time for session in sessions for e in session if e.event in names]
        found[f"{name}_at"] = min(times, default=None)
        furthest = name if times else furthest
    return {**found, "furthest_stage": furthest}


def _length(session: Sequence[Event]) -> timedelta:
    return session[-1].time - session[0].time
