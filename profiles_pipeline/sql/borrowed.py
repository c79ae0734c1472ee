"""Functions that an author borrows from another warehouse: where Snowflake has none of that name, it means what it
means there."""

from __future__ import annotations

from typing import TypeVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

Tree = TypeVar("Tree", bound=exp.Expr)

_OWNERS = {
    "databricks": (
        "COLLECT_LIST", "COLLECT_SET", "DATE_FORMAT", "FROM_JSON", "FROM_UNIXTIME", "GET_JSON_OBJECT", "NAMED_STRUCT",
        "PERCENTILE", "PERCENTILE_APPROX", "SIZE", "SLICE", "SORT_ARRAY", "UNIX_TIMESTAMP",
    ),
    "bigquery": (
        "FORMAT_DATE", "FORMAT_DATETIME", "FORMAT_TIMESTAMP", "JSON_EXTRACT_ARRAY", "JSON_EXTRACT_STRING_ARRAY",
        "JSON_QUERY", "JSON_QUERY_ARRAY", "JSON_VALUE", "JSON_VALUE_ARRAY", "PARSE_DATE", "PARSE_TIMESTAMP",
        "REGEXP_CONTAINS", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS", "TIMESTAMP_SECONDS", "TO_JSON_STRING",
        "UNIX_MILLIS", "UNIX_SECONDS",
    ),
    "redshift": ("IS_VALID_JSON", "JSON_EXTRACT_ARRAY_ELEMENT_TEXT", "JSON_EXTRACT_PATH_TEXT"),
}  # fmt: skip
_OWNER = {name: owner for owner, names in _OWNERS.items() for name in names}
_GAP = "\x00"


def with_borrowed_functions(tree: Tree, source: str) -> Tree:
    """Return `tree`, read as `source`, in which calls of functions of other warehouses are understood. Changes in
    place."""
    root = exp.Tuple(expressions=[tree])
    for call in reversed(list(root.find_all(exp.Anonymous, bfs=False))):
        owner = _owner(call)
        if owner not in (None, source):
            call.replace(_understood(call, owner))
    return root.expressions[0].pop()  # type: ignore[no-any-return]


def _owner(call: exp.Anonymous) -> str | None:
    name = call.name.upper()
    if name == "REGEXP_EXTRACT":  # the third argument is a group in Databricks and a position in BigQuery
        return "bigquery" if len(call.expressions) == 2 else "databricks"
    return _OWNER.get(name)


def _understood(call: exp.Anonymous, owner: str) -> exp.Expr:
    """Return the call as its owner reads it: literals are shown to it, for they may be formats and paths."""
    arguments = [
        argument if isinstance(argument, exp.Literal) else exp.column(f"{_GAP}{number}", quoted=True)
        for number, argument in enumerate(call.expressions)
    ]
    text = exp.Anonymous(this=call.name, expressions=[argument.copy() for argument in arguments]).sql(owner)
    read = exp.Tuple(expressions=[Dialect.get_or_raise(owner).parse(text)[0]])
    for gap in list(read.find_all(exp.Column)):
        if gap.name.startswith(_GAP):
            gap.replace(call.expressions[int(gap.name.removeprefix(_GAP))].copy())
    found: exp.Expr = read.expressions[0]
    return found.pop()
