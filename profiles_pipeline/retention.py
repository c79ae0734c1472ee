"""Drops what earlier runs built at the end of a run, as pipeline.yaml says: by age, and but for one run a day.

Views, what they read, and all that a later run goes on from stay; `cleanup` decides that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from profiles_pipeline import cleanup, compiled, history
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.events import Retired
from profiles_pipeline.registry import SeqNo
from profiles_pipeline.session import Session
from profiles_pipeline.windows import Kept

_TICK = timedelta(microseconds=1)


def retire(session: Session) -> Retired:
    """Drop what the project does not want to keep, and return what that was.

    The run before it is done, whatever happens here: what the warehouse refuses is told, and nothing is dropped then.
    """
    project, stated = session.project, session.project.pipeline.retention
    if stated.enabled is False:
        return Retired()
    seq_nos = {each.number: each for each in session.registry.seq_nos(project.name)}
    whole = history.read_later(project)
    rules = cleanup.Rules(
        only_expired=True,
        thinned=thinned(
            (kept for kept in session.registry.kept(project.name) if kept.path not in whole),
            seq_nos,
            latest(seq_nos.values(), stated.runs),
            ZoneInfo(project.pipeline.partitions.timezone),
        ),
    )
    try:
        fates = cleanup.fates(session, rules) if cleanup.may_drop(session, rules) else ()
        condemned = tuple(fate for fate in fates if fate.dropped)
        if condemned:
            cleanup.drop(session, condemned)
    except WarehouseError as error:
        return Retired(problem=f"what earlier runs built could not be dropped: {error}")
    names = tuple(fate.material.name for fate in condemned)
    try:
        compiled.remove(project, session.output, names)
    except OSError as error:
        return Retired(names, f"the SQL of earlier runs could not be removed: {error}")
    return Retired(names)


def latest(seq_nos: Iterable[SeqNo], count: int) -> frozenset[int]:
    """Return the numbers of the latest finished runs."""
    finished = sorted((each.number for each in seq_nos if each.complete), reverse=True)
    return frozenset(finished[:count])


def thinned(
    kept: Iterable[Kept], seq_nos: Mapping[int, SeqNo], untouched: Collection[int], zone: ZoneInfo
) -> frozenset[str]:
    """Return the names of materials of which there is another one that is as of a later moment of the same day.

    The day of a window is the one in which it ends; one that ends at midnight is that of the day before.

    Args:
        kept: the complete materials.
        seq_nos: the time contexts by number; only those of finished runs count.
        untouched: numbers of time contexts of which everything stays.
        zone: where days begin.
    """
    last: dict[tuple[str, datetime | None, object], Kept] = {}
    finished = [each for each in kept if each.seq_no in seq_nos and seq_nos[each.seq_no].complete]
    for each in sorted(finished, key=lambda material: (material.end, material.seq_no)):
        last[_place(each, zone)] = each
    return frozenset(
        each.name for each in finished if each.seq_no not in untouched and last[_place(each, zone)] is not each
    )


def _place(material: Kept, zone: ZoneInfo) -> tuple[str, datetime | None, object]:
    return material.path, material.begin, (material.end - _TICK).astimezone(zone).date()
