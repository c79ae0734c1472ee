"""Names of things: model paths, relations and materials. Pure text in, text out."""

from __future__ import annotations

import re

VAR_TABLE = "var_table"
FEATURE_VIEW = "feature_view"
REGISTRY_TABLES = ("material_registry", "wht_seq_no", "pb_ct_version")

HELD_TABLE = "held_tables"
"""The table of the registry that lists what is kept from run to run; older registries have none."""

OBSERVED_INPUTS = "observed_inputs"
OBSERVED_BUCKETS = "observed_buckets"
OBSERVED_FILES = "observed_files"
"""The tables of the registry with what was last seen of each input, each day of it, and each of its files."""

INPUT_ROWS = "profiles_input_rows"
"""The table of the registry with how many rows each input had when a run read it last; older registries have none."""

TURN_TABLE = "profiles_turn"
"""The table that says whose turn it is to write to the schema, in warehouses that keep no such locks."""

PUBLICATIONS = "publications"
"""The table of the registry with what was published: the ledger of publishers."""

PUBLISHED_FROM = "published_from"
"""The table of the registry with what the newest publication of each publisher was made from."""

PUBLISHED_AS = "published_as"
"""The table of the registry with how the newest publication of each publisher was declared."""

FORGET_REQUESTS = "forget_requests"
FORGOTTEN_IDS = "forgotten_ids"
"""The tables of the registry with who was forgotten: what was asked and done, and hashes of the ids."""

OWN_TABLES = (
    *REGISTRY_TABLES,
    HELD_TABLE,
    OBSERVED_INPUTS,
    OBSERVED_BUCKETS,
    OBSERVED_FILES,
    INPUT_ROWS,
    TURN_TABLE,
    PUBLICATIONS,
    PUBLISHED_FROM,
    PUBLISHED_AS,
    FORGET_REQUESTS,
    FORGOTTEN_IDS,
)
"""All tables of the registry."""

MATERIAL = "Material_"
"""How the names of materials begin."""

ACCUMULATOR = "State_"
"""How the names of tables begin that keep what the rows of a source add up to, from run to run."""

PARTIAL = "p_"
"""How the names of columns begin that hold what the rows of one id and day add up to; behind it stand 12 hex digits."""

KEPT_PARTS = ("", "_days", "_seen", "_days_seen")
"""What is added to the name of a table that is kept from run to run in those of the tables that it consists of."""

STATES = ("_graph", "_people", "_rows")
"""How the names of those of them end that have a row for as long as it holds, and so all states of an id graph or a var
table."""

_SAFE = re.compile(r"[^A-Za-z0-9_]+")


def normalise_path(path: str) -> str:
    """Return the canonical form of a model path: lower case, no blanks, no outer slashes.

    Packages are merged into the project that uses them, so ``packages/<name>/models/x`` is ``models/x``.
    """
    parts = [part for part in path.strip().lower().split("/") if part]
    while len(parts) > 2 and parts[0] == "packages":
        parts = parts[2:]
    return "/".join(parts)


def material_name(model: str, fingerprint: str, seq_no: int) -> str:
    """Return the name of a material: ``Material_<model>_<first 8 of the fingerprint>_<seq_no>``."""
    return f"{MATERIAL}{model}_{fingerprint[:8]}_{seq_no}"


def tables_of_held(name: str) -> tuple[str, ...]:
    """Return the names that tables may have which belong to one that is kept from run to run, its own among them."""
    return tuple(name + suffix for suffix in KEPT_PARTS)


def safe_identifier(text: str) -> str:
    """Return `text` with every run of characters other than letters, digits and ``_`` replaced by one ``_``."""
    return _SAFE.sub("_", text).strip("_")
