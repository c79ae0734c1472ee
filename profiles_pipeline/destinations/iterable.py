"""Iterable, which takes users by e-mail or by id, as the kind of its project says, and their fields as an object."""

from sqlglot import exp

from profiles_pipeline.destinations.contract import Contract, Destination, KeyRule, Option, Published, View
from profiles_pipeline.destinations.documents import document
from profiles_pipeline.sql import build

_KEYS = {"email": "email", "user_id": "userId"}


def views(published: Published) -> tuple[View, ...]:
    """Return the users with their fields, and the changes as they are to be sent, in order."""
    key = _KEYS[str(published.options["project_type"])]
    users = build(
        "SELECT :key AS :named, :fields AS :data, published_at FROM :table WHERE row_hash IS NOT NULL",
        key=exp.column(published.key, quoted=True),
        named=key,
        fields=document(published.properties),
        data="dataFields",
        table=published.table,
    )
    lists = build(
        """
        SELECT seq, key AS :named, published_at,
            CASE op WHEN 'I' THEN 'subscribe' WHEN 'D' THEN 'unsubscribe' END AS list_action
        FROM :changes WHERE op <> 'U'
        """,
        named=key,
        changes=published.changes,
    )
    return View("__users", users), View("__list_changes", lists)


ITERABLE = Destination(
    "iterable",
    Contract(key=KeyRule(longest=255), kinds=Contract().kinds),
    options={"project_type": Option("text", "user_id", among=("email", "user_id"))},
    views=views,
    address=("project_type",),
    by_changes=True,
    next_step="map the view __users in Smart Ingest, and __list_changes for lists",
    erasure="__list_changes takes the user off lists; the user has to be deleted there, by its API or by hand",
)
