"""How many histories are drawn, and how long they are.

``HYPOTHESIS_PROFILE=deep`` draws thousands of longer ones; ``LAW_EXAMPLES`` is how many for each of four ways.
"""

import os

from hypothesis import HealthCheck, settings

_DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"

EVERY_RUN = _DEEP
"""Whether every run is compared with a full rebuild, or the last one of a history only."""

MOST_STEPS = 8 if _DEEP else 4
"""Runs of the longest history."""

PROFILE = settings(
    max_examples=int(os.environ.get("LAW_EXAMPLES") or (1000 if _DEEP else 8)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
"""For each of the four ways in which they are replayed."""
