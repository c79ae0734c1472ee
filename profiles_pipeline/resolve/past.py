"""What a text asks of earlier windows: an older material of a model, or what has changed since there was one.

Such a reference stands in SQL as ``ref:<address>``. The address holds the path and the options that choose among
windows; which window it is depends on what has been built when a plan is made, and is no part of the project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from profiles_pipeline.errors import fail
from profiles_pipeline.grains import floor
from profiles_pipeline.names import VAR_TABLE, normalise_path
from profiles_pipeline.template import Ref

Kind = Literal["material", "rows", "clusters"]

BASELINE = "baseline"
"""Name of a checkpoint for which no other is given."""

_ROWS = "incr_delta_tbl"
_CLUSTERS = ("id_clusters_delta", "id_cluster_delta")
_UNITS = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}
_SPEC = re.compile(r"-?\s*(?P<count>\d*)\s*(?P<unit>hour|day|week|month|year)s?", re.IGNORECASE)


@dataclass(frozen=True, order=True, slots=True)
class PastRef:
    """A reference to earlier windows.

    Attributes:
        address: what identifies it in the SQL of a model.
        path: the model it is about.
        kind: ``material`` an older material of the model; ``rows`` those rows of a source that came after the
            checkpoint; ``clusters`` the main ids that have become others since.
        checkpoint: name of the earlier time context. All references of a model to one name mean the same. Empty for
            the changes since the graph was built last, whatever the asking model has seen of it.
        units_back: how many units of `unit` the checkpoint must at least lie back; ``unit`` empty: any earlier one.
        is_needed: True when the model cannot be built without it.
    """

    address: str
    path: str
    kind: Kind
    checkpoint: str = BASELINE
    units_back: int = 0
    unit: str = ""
    is_needed: bool = False

    def latest(self, end: datetime) -> datetime:
        """Return the latest end that the checkpoint of a window that ends at `end` may have.

        Units are those of the calendar: one day back is any window that ended before or at this day's midnight.
        """
        if not self.unit:
            return end
        bound = floor(end, self.unit)
        for _ in range(self.units_back - 1):
            bound = floor(bound - timedelta(microseconds=1), self.unit)
        return bound


def past_refs(refs: Iterable[Ref]) -> frozenset[PastRef]:
    """Return the references to earlier windows among those of a text."""
    found = (past_ref(ref.address, _is_needed(ref)) for ref in refs if ref.kind == "ref")
    return frozenset(past for past in found if past is not None)


def past_ref(address: str, is_needed: bool = False) -> PastRef | None:
    """Return what an address asks of earlier windows; None when it means the time context at hand.

    Raises:
        ProjectError: its time_grain_spec cannot be read.
    """
    target, _, query = address.partition("?")
    options = dict(part.partition("=")[::2] for part in query.split("&") if part)
    path = normalise_path(target)
    head, _, last = path.rpartition("/")
    baseline = options.get("baseline_name", BASELINE)
    if last in _CLUSTERS:
        return PastRef(address, head, "clusters", baseline if query else "")
    if last == _ROWS:
        return PastRef(address, head, "rows", baseline)
    if last == VAR_TABLE and head.endswith(f"/{_ROWS}"):
        return PastRef(address, f"{head.removesuffix(_ROWS)}{VAR_TABLE}", "rows", baseline)
    if options.get("pre_existing") != "true":
        return None
    count, unit = _units(options.get("time_grain_spec", ""))
    return PastRef(address, path, "material", options.get("checkpoint_name", BASELINE), count, unit, is_needed)


def _is_needed(ref: Ref) -> bool:
    return ref.options.get("dependency", "normal") == "normal"


def _units(spec: str) -> tuple[int, str]:
    """Return how many units of what a time_grain_spec names; (0, "") for an empty one."""
    text = spec.strip().lower()
    if not text:
        return 0, ""
    if text in _UNITS:
        return 1, _UNITS[text]
    match = _SPEC.fullmatch(text)
    if match is None:
        fail("bad-time-grain-spec", f"time_grain_spec '{spec}' says no distance", hint="write -1Day, -2Weeks or daily")
    return int(match["count"] or 1), match["unit"].lower()
