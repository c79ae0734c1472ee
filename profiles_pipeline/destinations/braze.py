"""Cloud Data Ingestion of Braze, which reads rows whose UPDATED_AT is later than the last one it saw.

Every attribute that it is given counts, so it is given a row with all attributes once, and one with those that changed
for each change since. All have the values of now: it does not matter which of several is read first, or how many of
them are read at once. What has been sent does not come again: the time of the row with everything is that of the
insertion.
"""

from sqlglot import exp

from profiles_pipeline.destinations.contract import Contract, Destination, KeyRule, Option, Published, View
from profiles_pipeline.destinations.documents import changed_document, document, has_changed
from profiles_pipeline.sql import build


def views(published: Published) -> tuple[View, ...]:
    """Return the users to update, and in a view of their own those to delete, who have no payload."""
    identifier = str(published.options["identifier"]).upper()
    changed = exp.column("change.names", quoted=True)
    users = build(
        """
        WITH numbered AS (
            SELECT c.key, c.op, c.published_at, c.changed_columns, c.seq,
                MAX(CASE WHEN c.op = 'I' THEN c.seq END) OVER (PARTITION BY c.key) AS inserted
            FROM :changes AS c
        ), since AS (
            SELECT key AS :of, op AS :op, published_at AS :at, changed_columns AS :names
            FROM numbered WHERE seq >= COALESCE(inserted, 0) AND op <> 'D'
        ), firsts AS (
            SELECT :of AS :first_of, MAX(CASE WHEN :op = 'I' THEN :at END) AS :first_at,
                COUNT(CASE WHEN :op = 'U' THEN 1 END) AS :updates
            FROM since GROUP BY :of
        )
        SELECT :key AS :identifier,
            COALESCE(:first_at, CASE WHEN :updates > 0 THEN :long_ago ELSE published_at END) AS UPDATED_AT,
            :everything AS PAYLOAD
        FROM :table AS t LEFT JOIN firsts ON :first_of = :key WHERE row_hash IS NOT NULL
        UNION ALL
        SELECT :key, :at, :payload FROM :table AS t JOIN since ON :of = :key
        WHERE row_hash IS NOT NULL AND :op = 'U' AND :has_changed
        """,
        **{name: f"change.{name}" for name in ("of", "op", "at", "names", "first_of", "first_at", "updates")},
        key=exp.column(published.key, quoted=True),
        identifier=identifier,
        long_ago=exp.cast(exp.Literal.string("1970-01-01 00:00:00"), "TIMESTAMP"),
        everything=document(published.properties),
        payload=changed_document(published.properties, changed),
        has_changed=exp.paren(has_changed(published.properties, changed)),
        table=published.table,
        changes=published.changes,
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
    address=("identifier",),
    by_changes=True,
    next_step="make a sync of users on the view __users, and one of deletions on the view __deleted_users",
    erasure="the sync on the view __deleted_users deletes the user",
)
