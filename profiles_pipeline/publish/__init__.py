"""Publishing: brings what is published of profiles up to date at a destination, and writes nothing else.

A publisher compares what is to be there with what is there, stops where that looks wrong, writes the difference in one
transaction and then hands it on.
"""

from profiles_pipeline.publish.difference import Difference, find_difference
from profiles_pipeline.publish.guards import Guard
from profiles_pipeline.publish.ledger import Counts, Publication
from profiles_pipeline.publish.publishing import Outcome, find_publisher, preview, publish, publish_in

__all__ = [
    "Counts",
    "Difference",
    "Guard",
    "Outcome",
    "Publication",
    "find_difference",
    "find_publisher",
    "preview",
    "publish",
    "publish_in",
]
