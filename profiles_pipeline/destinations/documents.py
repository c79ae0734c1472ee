"""Properties as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from profiles_pipeline.destinations.contract import Property
from profiles_pipeline.sql import build


def document(properties: Sequence[Property]) -> exp.Expr:
    """Return the expression of a JSON object, as text: name at the destination -> value.

    NULL is written as null, and so are NaN and infinity, for which JSON has no word.
    """
    pairs = [exp.JSONKeyValue(this=exp.Literal.string(item.name), expression=_value(item)) for item in properties]
    return build("CAST(:object AS VARCHAR)", object=exp.JSONObject(expressions=pairs))


def _value(item: Property) -> exp.Expr:
    column = exp.column(item.column, quoted=True)
    if item.kind != "float":
        return column
    return build("CASE WHEN :c - :c = 0 THEN :c END", c=column)  # neither NaN nor infinity less itself is zero


def changed_document(properties: Sequence[Property], changed: exp.Expr) -> exp.Expr:
    """Return the expression of a JSON object, as text, of those properties that a change is of.

    Args:
        properties: the properties, as columns.
        changed: the names of the columns that changed, with commas in between.
    """
    members: exp.Expr = exp.Literal.string("")
    for item in properties:
        member = build(
            """
            CASE WHEN STRPOS(',' || :changed || ',', :name) > 0
            THEN ',' || SUBSTRING(:alone, 2, LENGTH(:alone) - 2) ELSE '' END
            """,
            changed=changed.copy(),
            name=exp.Literal.string(f",{item.column},"),
            alone=document([item]),
        )
        members = exp.DPipe(this=members, expression=member, safe=True)
    return build("'{' || SUBSTRING(:members, 2) || '}'", members=members)


def has_changed(properties: Sequence[Property], changed: exp.Expr) -> exp.Expr:
    """Return the condition that a change is of one of some properties."""
    return exp.or_(
        exp.false(),
        *(
            build(
                "STRPOS(',' || :changed || ',', :name) > 0",
                changed=changed.copy(),
                name=exp.Literal.string(f",{p.column},"),
            )
            for p in properties
        ),
    )
