"""The destinations that profiles can be published to: what each demands and how it wants it. No effects happen here.

To add one, write a file beside these and list it below; docs/publishing.md shows how.
"""

from profiles_pipeline.destinations.amplitude import AMPLITUDE
from profiles_pipeline.destinations.braze import BRAZE
from profiles_pipeline.destinations.contract import (
    Contract,
    Destination,
    KeyRule,
    Kind,
    Option,
    Property,
    Published,
    View,
)
from profiles_pipeline.destinations.files import FILES
from profiles_pipeline.destinations.iterable import ITERABLE
from profiles_pipeline.destinations.rudderstack import RUDDERSTACK
from profiles_pipeline.destinations.table import TABLE
from profiles_pipeline.destinations.webhook import WEBHOOK

__all__ = [
    "DESTINATIONS",
    "Contract",
    "Destination",
    "KeyRule",
    "Kind",
    "Option",
    "Property",
    "Published",
    "View",
]

DESTINATIONS = {d.name: d for d in (TABLE, FILES, AMPLITUDE, WEBHOOK, BRAZE, ITERABLE, RUDDERSTACK)}
"""Name -> destination."""
