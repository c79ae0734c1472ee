"""Properties as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from profiles_pipeline.destinations.contract import Property
from profiles_pipeline.sql import build


def document(properties: Sequence[Property]) -> exp.Expr:
    """Return the expression of a JSON object, as text: name at the destination -> value; NULL is written as null."""
    pairs = [
        exp.JSONKeyValue(this=exp.Literal.string(item.name), expression=exp.column(item.column, quoted=True))
        for item in properties
    ]
    return build("CAST(:object AS VARCHAR)", object=exp.JSONObject(expressions=pairs))
