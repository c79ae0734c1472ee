"""What has changed in the inputs of a project since somebody looked at them last, day by day.

`look` observes, `changes_since` tells what has changed since an earlier look. Both are kept in the warehouse, so
neither a restart nor a second reader loses anything.
"""

from profiles_pipeline.observations.buckets import Bucket, Kind
from profiles_pipeline.observations.looking import (
    Look,
    Observed,
    changes_since,
    look,
    observing,
    odd_times,
    versions_of,
)
from profiles_pipeline.observations.memory import Change, Sight
from profiles_pipeline.spec.pipeline import Level

__all__ = [
    "Bucket",
    "Change",
    "Kind",
    "Level",
    "Look",
    "Observed",
    "Sight",
    "changes_since",
    "look",
    "observing",
    "odd_times",
    "versions_of",
]
