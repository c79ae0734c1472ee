"""The types in which values are published: one for each kind of value, so that a column stays what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from profiles_pipeline.compile.rows import col
from profiles_pipeline.destinations import Kind
from profiles_pipeline.errors import Problem, ProjectError
from profiles_pipeline.resolve.publishing import DECIMALS, Publisher
from profiles_pipeline.sql import build

_INTEGERS = frozenset(
    "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT".split()  # noqa: SIM905
)
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(_INTEGERS, "integer"),
    "VARCHAR": "text",
    "UUID": "text",
    "ENUM": "text",
    "FLOAT": "float",
    "DOUBLE": "float",
    "DECIMAL": "decimal",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "JSON": "nested",
    "STRUCT": "nested",
    "MAP": "nested",
    "UNION": "nested",
}
_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "nested": "VARCHAR",
}


_UNKNOWN = '"NULL"'
"""The type of a column in which nothing has ever stood, so that nobody knows what could."""


def kind_of(type_name: str) -> Kind:
    """Return what values of a type are, given in the canonical spelling."""
    if type_name.endswith("]"):
        return "nested"
    return _KINDS.get(type_name.partition("(")[0].strip(), "other")


def published_type(type_name: str) -> str:
    """Return the type in which values of a type are published: one for each kind, so that it stays the same."""
    return _TYPES.get(kind_of(type_name), type_name)


def check_types(publisher: Publisher, key_type: str, sources: Mapping[str, str], types: Mapping[str, str]) -> None:
    """Check that a destination takes what it is given, and that it is still what was published.

    Args:
        publisher: the publisher.
        key_type: type of the key in the source.
        sources: column -> type of the values that it gets, as the source has them.
        types: column -> type that it is published as.

    Raises:
        ProjectError: it does not take the type of the key or of a property, or a type is not the one it was.
    """
    problems = []
    if kind_of(key_type) not in ("text", "integer") and key_type != _UNKNOWN:
        message = f"key '{publisher.key}' of '{publisher.name}' is {key_type}, and keys are texts or whole numbers"
        problems.append(Problem("key-type", message, publisher.span, hint="make a feature of it that is a text"))
    for column, given in sources.items():
        problems += _problems_of(publisher, column, given, types[column])
    if problems:
        raise ProjectError(problems)


def _problems_of(publisher: Publisher, column: str, given: str, published: str) -> Iterator[Problem]:
    named = f"'{column}' of '{publisher.name}'"
    if given == _UNKNOWN:
        if published == _UNKNOWN:
            message = f"{named} has had no value yet, so that nobody knows its type"
            hint = "publish once there are rows, or say in the feature what it is: cast(... as varchar)"
            yield Problem("property-type", message, publisher.span, hint=hint)
    elif kind_of(given) not in publisher.destination.contract.kinds:
        message = f"{named} is {given}, which {publisher.destination.name} does not take"
        hint = "leave it out under 'properties', or make a feature of it that is a text or a number"
        yield Problem("property-type", message, publisher.span, hint=hint)
    elif kind_of(published) != kind_of(published_type(given)):
        message = f"{named} was published as {published} and is {given} now"
        hint = "a published column keeps its type: publish it as a feature of another name"
        yield Problem("published-type", message, publisher.span, hint=hint)
    elif _scale(given, publisher.decimals.get(column)) > _scale(published):
        message = f"{named} was published as {published} and is {given} now, with more decimals"
        hint = (
            f"publish it as a feature of another name, or round it: {{column: {column}, decimals: {_scale(published)}}}"
        )
        yield Problem("published-type", message, publisher.span, hint=hint)


def _digits(type_name: str) -> tuple[int, int] | None:
    """Return how many digits a decimal type has, and how many of these stand behind the point; None for others."""
    name, _, rest = type_name.partition("(")
    if name.strip() != "DECIMAL" or not rest:
        return None
    precision, _, scale = rest.rstrip(")").partition(",")
    return int(precision), int(scale or 0)


def _scale(type_name: str, decimals: int | None = None) -> int:
    """Return how many decimals values of a type can have, where no more than so many count; 0 if it does not say."""
    digits = _digits(type_name)
    scale = digits[1] if digits else 0
    return scale if decimals is None else min(scale, decimals)


def published_value(publisher: Publisher, name: str, given: str, published: str) -> exp.Expr:
    """Return the value of a column of the source ``s`` as it is published and compared."""
    contract, kind = publisher.destination.contract, kind_of(given)
    column: exp.Expr = col(name, "s")
    cut, decimals = contract.longest_text, publisher.decimals.get(name)
    if kind == "nested":
        column = build("CAST(TO_JSON(:c) AS VARCHAR)", c=column)
    elif kind == "float":  # adding zero makes one of the two zeros
        column = build("ROUND(:c, :n) + 0.0", c=column, n=exp.convert(DECIMALS if decimals is None else decimals))
    elif kind == "decimal" and decimals is not None:
        column = build(
            "ROUND(:c, :n)", c=column, n=exp.convert(_scale(given, decimals) if _digits(given) else decimals)
        )
    elif given.endswith("WITH TIME ZONE"):
        column = build("(:c AT TIME ZONE 'UTC')", c=column)
    elif kind == "text" and cut is not None:
        column = build("LEFT(CAST(:c AS VARCHAR), :n)", c=column, n=exp.convert(cut))
    return exp.cast(column, exp.DataType.build(published, dialect="duckdb"))


def too_large(sources: Mapping[str, str], types: Mapping[str, str]) -> dict[str, exp.Expr]:
    """Return for each column whose values may not fit into its published type the condition that one does not."""
    found = {}
    for name, given in sources.items():
        digits = _digits(types[name])
        limit = 2.0**63 if types[name] == "BIGINT" else 10.0 ** (digits[0] - digits[1]) if digits else None
        if limit is not None and given != types[name]:
            bound = exp.cast(exp.Literal.number(f"{limit:e}"), "DOUBLE")
            found[name] = build("ABS(CAST(:c AS DOUBLE)) >= :bound", c=col(name, "s"), bound=bound)
    return found
