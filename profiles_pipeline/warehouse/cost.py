"""What the statements for a model have cost, where a server keeps count."""

from __future__ import annotations

import json
from collections.abc import Mapping

from profiles_pipeline.dialects import capabilities
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.base import Warehouse

_SCANNED = "SELECT SUM(bytes_scanned) FROM TABLE(information_schema.query_history_by_session(RESULT_LIMIT => 10000))"


def bytes_scanned(warehouse: Warehouse, labels: Mapping[str, object]) -> int | None:
    """Return how many bytes the statements of this session with some labels have read.

    None where nobody keeps count, or the server does not tell: what was built is no worse for that.
    """
    if not capabilities(warehouse.dialect).counts_bytes:
        return None
    said = [f"{json.dumps(name)}: {json.dumps(value, default=str)}" for name, value in labels.items()]
    conditions = " AND ".join("CONTAINS(query_tag, ?)" for _ in said)
    try:
        found = warehouse.scalar(f"{_SCANNED} WHERE {conditions}", said)
    except WarehouseError:
        return None
    return None if found is None else int(str(found))
