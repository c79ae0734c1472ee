"""A table of the warehouse that anybody may read: one row per key, and the changes beside it."""

from profiles_pipeline.destinations.contract import Destination

TABLE = Destination("table", next_step="read the table, or its changes from the last number that was read")
