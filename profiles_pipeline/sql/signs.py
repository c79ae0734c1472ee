"""Signs of a dialect: what only some of the warehouses of the format understand.

Told from the words of a text, which need not be rendered, let alone parsed: sqlglot reads much in one dialect that only
another one has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DIALECTS = frozenset({"snowflake", "databricks", "bigquery", "redshift"})

_TEMPLATE = re.compile(r"\{\{(?:\{\{.*?\}\}|(?!\{\{).)*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_QUOTED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|\"[^\"]*\"", re.DOTALL)

_CALLS = {
    "snowflake": (
        "array_construct", "booland_agg", "boolor_agg", "dayofweekiso", "div0", "div0null", "editdistance",
        "generator", "is_null_value", "jarowinkler_similarity", "md5_hex", "object_agg", "object_construct", "seq4",
        "sha1_hex", "sha2_hex", "strtok_to_array", "to_timestamp_tz", "try_to_boolean", "try_to_double", "weekiso",
    ),
    "databricks": (
        "array_join", "collect_list", "collect_set", "date_format", "element_at", "explode",
        "explode_outer", "from_json", "from_unixtime", "from_utc_timestamp", "get_json_object", "map_from_entries",
        "named_struct", "percentile_approx", "posexplode", "sort_array", "substring_index", "to_utc_timestamp",
        "try_divide", "unix_timestamp", "xxhash64",
    ),
    "bigquery": (
        "approx_quantiles", "approx_top_count", "countif", "farm_fingerprint", "format_date", "format_datetime",
        "format_timestamp", "generate_date_array", "json_extract_scalar", "json_extract_string_array", "json_query",
        "json_query_array", "json_value", "json_value_array", "logical_and", "logical_or", "parse_date",
        "parse_timestamp", "regexp_contains", "safe_cast", "safe_divide", "timestamp_diff", "timestamp_sub",
        "timestamp_trunc", "to_json_string", "unnest",
    ),
    "redshift": (
        "can_json_parse", "func_sha1", "is_valid_json", "is_valid_json_array", "json_extract_array_element_text",
        "json_parse", "strtol",
    ),
    "bigquery databricks": (
        "date_diff", "struct", "timestamp_millis", "timestamp_seconds", "unix_millis", "unix_seconds",
    ),
    "databricks redshift": ("bool_and", "bool_or", "btrim", "json_array_length"),
    "bigquery redshift": ("to_hex",),
    "databricks snowflake": ("array_size", "count_if", "flatten", "iff", "timestampdiff", "to_varchar"),
    "redshift snowflake": ("json_extract_path_text",),
    "bigquery databricks snowflake": ("array_agg", "parse_json"),
    "databricks redshift snowflake": (
        "convert_timezone", "dateadd", "datediff", "getdate", "listagg", "nvl", "nvl2", "to_char", "to_date",
    ),
}  # fmt: skip
"""Dialects -> functions that they have and the others have not."""

_SYNTAX = (
    ("snowflake", r"\bflatten\s*\(\s*input\s*=>|\b(?:lateral|table\s*\()\s*flatten\s*\("),
    ("snowflake", r"::\s*number\b"),
    ("databricks", r"\blateral\s+view\b"),
    ("bigquery", r"\[\s*(?:safe_)?(?:offset|ordinal)\s*\("),
    ("bigquery", r"\bignore\s+nulls\s+(?:order\s+by|limit)\b"),
    ("bigquery", r"\bas\s+(?:int|float)64\b"),
    ("bigquery", r"\bweek\s*\(\s*(?:mon|tues|wednes|thurs|fri|satur|sun)day\s*\)"),
    ("bigquery", r"`[\w-]+(?:\.[\w-]+)+`"),
    ("redshift", r"\bapproximate\s+count\s*\("),
    ("redshift", r"\b(?:distkey|sortkey|diststyle)\b"),
    ("redshift", r"\bjson_extract_path_text\s*\([^()]*,[^()]*,\s*''"),
    ("redshift", r"\bsysdate\s*[-+]\s*(?:interval\b|\d)"),
    ("redshift", r"\bsimilar\s+to\s*''"),
    ("redshift", r"[\w)]\s*!?~\*?\s*''"),
    ("bigquery databricks", r"`"),
    ("bigquery databricks", r"\br''"),
    ("bigquery databricks", r"\bstruct\s*<"),
    ("bigquery databricks", r"\binterval\s+\d+\s+[a-z]"),
    ("bigquery databricks", r"\*\s*except\s*\("),
    ("redshift snowflake", r'\.""|\bas\s+""'),
    ("databricks redshift snowflake", r"::"),
    ("databricks redshift snowflake", r"\bilike\b"),
)
"""Dialects, and syntax that they have and the others have not; the insides of quotes are left out."""

_TABLES = (
    ("snowflake", r"[A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+){2}"),
    ("bigquery", r"`?[a-z][a-z0-9]*(?:-[a-z0-9]+)+(?:\.\w+){2}`?"),
    ("bigquery", r"`[\w-]+(?:\.[\w-]+)+`"),
)

_WORDS = {
    "snowflake": ("snowflake", "snow", "sf"),
    "databricks": ("databricks", "dbx"),
    "bigquery": ("bigquery", "bq"),
    "redshift": ("redshift",),
}
"""Words in the name of a connection. `rs` is none, for it is RudderStack as often."""


@dataclass(frozen=True, slots=True)
class Sign:
    """What a text has, as it is written, and the dialects that have it."""

    written: str
    dialects: frozenset[str]


def _call(name: str) -> str:
    return rf"(?<![.\w]){name}\s*\("


_KINDS = [
    *(
        (frozenset(dialects.split()), re.compile("|".join(map(_call, names)), re.IGNORECASE))
        for dialects, names in _CALLS.items()
    ),
    *((frozenset(dialects.split()), re.compile(pattern, re.IGNORECASE)) for dialects, pattern in _SYNTAX),
]


def signs_in(text: str) -> Iterator[Sign]:
    """Yield the signs in a text as the author writes it, templates and all; at most one of a kind."""
    bare = _QUOTED.sub(_emptied, _TEMPLATE.sub(_blank, text))
    for dialects, pattern in _KINDS:
        if found := pattern.search(bare):
            yield Sign(" ".join(found[0].partition("(")[0].split()), dialects)


def signs_of_table(name: str) -> Iterator[Sign]:
    """Yield what the name of a table says."""
    for dialect, pattern in _TABLES:
        if re.fullmatch(pattern, name.strip()):
            yield Sign(name.strip(), frozenset({dialect}))


def named(connection: str) -> str | None:
    """Return the dialect that the name of a connection has among its words, if it has one."""
    words = set(re.split(r"[^a-z]+", connection.lower()))
    found = [dialect for dialect, own in _WORDS.items() if words.intersection(own)]
    return found[0] if len(found) == 1 else None


def agreed(signs: Iterable[Sign]) -> frozenset[str]:
    """Return the dialects that have all of the signs."""
    return DIALECTS.intersection(*(sign.dialects for sign in signs))


def _blank(found: re.Match[str]) -> str:
    return "_" if found[0].startswith("{{") else " "


def _emptied(found: re.Match[str]) -> str:
    quote = found[0][0]
    return quote * 2 if quote in "'\"" else " "
