"""Cloud Data Ingestion of Braze, which reads rows whose UPDATED_AT is later than the last one it saw."""

from sqlglot import exp

from profiles_pipeline.destinations.contract import Contract, Destination, KeyRule, Option, Published, View
from profiles_pipeline.destinations.documents import document
from profiles_pipeline.sql import build


def views(published: Published) -> tuple[View, ...]:
    """Return the users to update, and in a view of their own those to delete, who have no payload."""
    identifier = str(published.options["identifier"]).upper()
    users = build(
        """
        SELECT :key AS :identifier, published_at AS UPDATED_AT, :payload AS PAYLOAD
        FROM :table WHERE row_hash IS NOT NULL
        """,
        key=exp.column(published.key, quoted=True),
        identifier=identifier,
        payload=document(published.properties),
        table=published.table,
    )
    gone = build(
        """
        SELECT c.key AS :identifier, MAX(c.published_at) AS UPDATED_AT
        FROM :changes AS c LEFT JOIN :table AS p ON p.:key = c.key AND p.row_hash IS NOT NULL
        WHERE c.op = 'D' AND p.:key IS NULL GROUP BY c.key
        """,
        identifier=identifier,
        changes=published.changes,
        table=published.table,
        key=published.key,
    )
    return View("__users", users), View("__deleted_users", gone)


BRAZE = Destination(
    "braze",
    Contract(key=KeyRule(longest=997)),
    options={"identifier": Option("text", "external_id", among=("external_id", "braze_id", "email", "phone"))},
    views=views,
    next_step="make a sync of users on the view __users, and one of deletions on the view __deleted_users",
    erasure="the sync on the view __deleted_users deletes the user",
)
