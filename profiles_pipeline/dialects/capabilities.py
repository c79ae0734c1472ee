"""What each warehouse can do and how it spells it, as data.

Code asks these records; it never asks which warehouse it talks to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IdentifierCase = Literal["upper", "lower", "exact"]
Loops = Literal["block", "script", "compound", "none", "counted"]
Components = Literal["in_memory", "contraction"]
Grants = Literal["none", "copied", "granted_again", "lost"]
MergeForm = Literal["merge", "insert_on_conflict", "delete_insert"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A warehouse.

    Attributes:
        name: as in connections and ``warehouse.DatabaseType()``.
        runs: projects can be built there; else SQL is written for it, and nothing is run.
        sqlglot_dialect: the name sqlglot knows it by.
        quote: the character around quoted identifiers.
        identifier_case: what becomes of unquoted names.
        max_identifier_length: in bytes.
        transactional_ddl: CREATE and DROP can be rolled back.
        create_or_replace_table: knows CREATE OR REPLACE TABLE ... AS.
        create_or_replace_view: knows CREATE OR REPLACE VIEW, whatever the columns were.
        cascade_on_drop: DROP fails while views depend on the relation, unless it says CASCADE.
        merge_forms: ways to write rows over others, best first.
        temp_table: the keyword between CREATE and TABLE for a table of the session.
        regexp_full_match: call that is true when all of {text} matches {pattern}.
        sha1: call that gives the hexadecimal SHA-1 of {text}.
        text_type: the type of texts without a limit.
        timestamp_type: the type of times without a zone, microseconds or finer.
        float_type: the type of 64-bit floating point numbers.
        filter_clause: aggregates take FILTER (WHERE ...).
        arg_min: the function that returns the first argument where the second is least, None when there is none.
        arg_max: likewise for the greatest.
        ordered_aggregates: list aggregates take ORDER BY inside the call.
        default_frame: ordered aggregate windows work without a frame.
        concurrent_statements: several statements may write at once.
        qualify: knows QUALIFY.
        increments: later runs can go on from what earlier ones keep; else every run builds from the rows.
        repeated_columns: a relation can be made of columns of one name; they get numbers.
        star_except: stars can leave columns out.
        by_name: INSERT and UNION match columns by their names on request; else they are put in order.
        structs: a column can hold several values, each of its own type.
        local_files: inputs can be files of this machine.
        transient_tables: tables can be made without a past that is paid for.
        grants: what becomes of grants on a view that is replaced, on request.
        change_tracking: keeps the changes of a table on request, for others to read.
        counts_bytes: the history of a session says how many bytes each statement has read.
        loops: how a script repeats statements: in a block that is executed, by a statement of its own, in a compound
            statement, not at all; ``counted`` where a run does it, and no script is asked for.
        components: how connected components are found: edges are fetched and solved here, or contracted in SQL.
        of_hashes: what a column with hashes is declared with, so that no time is lost on looking for patterns in them.
    """

    name: str
    runs: bool
    sqlglot_dialect: str
    quote: str
    identifier_case: IdentifierCase
    max_identifier_length: int
    transactional_ddl: bool
    create_or_replace_table: bool
    create_or_replace_view: bool
    cascade_on_drop: bool
    merge_forms: tuple[MergeForm, ...]
    temp_table: str
    regexp_full_match: str
    sha1: str
    text_type: str
    timestamp_type: str
    float_type: str
    filter_clause: bool
    arg_min: str | None
    arg_max: str | None
    ordered_aggregates: bool
    default_frame: bool
    concurrent_statements: bool
    qualify: bool
    increments: bool
    repeated_columns: bool
    star_except: bool
    by_name: bool
    structs: bool
    local_files: bool
    transient_tables: bool
    grants: Grants
    change_tracking: bool
    counts_bytes: bool
    loops: Loops
    components: Components
    of_hashes: str = ""


DUCKDB = Capabilities(
    name="duckdb",
    runs=True,
    sqlglot_dialect="duckdb",
    quote='"',
    identifier_case="exact",
    max_identifier_length=255,
    transactional_ddl=True,
    create_or_replace_table=True,
    create_or_replace_view=True,
    cascade_on_drop=False,
    merge_forms=("merge", "delete_insert"),
    temp_table="TEMPORARY",
    regexp_full_match="REGEXP_FULL_MATCH({text}, {pattern})",
    sha1="SHA1({text})",
    text_type="VARCHAR",
    timestamp_type="TIMESTAMP",
    float_type="DOUBLE",
    filter_clause=True,
    arg_min="ARG_MIN",
    arg_max="ARG_MAX",
    ordered_aggregates=True,
    default_frame=True,
    concurrent_statements=False,
    qualify=True,
    increments=True,
    repeated_columns=True,
    star_except=True,
    by_name=True,
    structs=True,
    local_files=True,
    transient_tables=False,
    grants="none",
    change_tracking=False,
    counts_bytes=False,
    loops="counted",
    components="in_memory",
    of_hashes="USING COMPRESSION zstd",
)

SNOWFLAKE = Capabilities(
    name="snowflake",
    runs=True,
    sqlglot_dialect="snowflake",
    quote='"',
    identifier_case="upper",
    max_identifier_length=255,
    transactional_ddl=False,
    create_or_replace_table=True,
    create_or_replace_view=True,
    cascade_on_drop=False,
    merge_forms=("merge", "delete_insert"),
    temp_table="TEMPORARY",
    regexp_full_match="REGEXP_LIKE({text}, {pattern})",
    sha1="SHA1({text})",
    text_type="VARCHAR",
    timestamp_type="TIMESTAMP_NTZ",
    float_type="FLOAT",
    filter_clause=False,
    arg_min="MIN_BY",
    arg_max="MAX_BY",
    ordered_aggregates=True,
    default_frame=True,
    concurrent_statements=True,
    qualify=True,
    increments=True,
    repeated_columns=False,
    star_except=True,
    by_name=False,
    structs=False,
    local_files=False,
    transient_tables=True,
    grants="copied",
    change_tracking=True,
    counts_bytes=True,
    loops="block",
    components="contraction",
)

POSTGRES = Capabilities(
    name="postgres",
    runs=True,
    sqlglot_dialect="postgres",
    quote='"',
    identifier_case="lower",
    max_identifier_length=63,
    transactional_ddl=True,
    create_or_replace_table=False,
    create_or_replace_view=False,
    cascade_on_drop=True,
    merge_forms=("insert_on_conflict", "merge", "delete_insert"),
    temp_table="TEMPORARY",
    regexp_full_match="({text} ~ ('^(?:' || {pattern} || ')$'))",
    sha1="ENCODE(DIGEST({text}, 'sha1'), 'hex')",
    text_type="TEXT",
    timestamp_type="TIMESTAMP",
    float_type="DOUBLE PRECISION",
    filter_clause=True,
    arg_min=None,
    arg_max=None,
    ordered_aggregates=True,
    default_frame=True,
    concurrent_statements=True,
    qualify=False,
    increments=True,
    repeated_columns=False,
    star_except=False,
    by_name=False,
    structs=False,
    local_files=False,
    transient_tables=False,
    grants="granted_again",
    change_tracking=False,
    counts_bytes=False,
    loops="counted",
    components="contraction",
)

REDSHIFT = Capabilities(
    name="redshift",
    runs=False,
    sqlglot_dialect="redshift",
    quote='"',
    identifier_case="lower",
    max_identifier_length=127,
    transactional_ddl=True,
    create_or_replace_table=False,
    create_or_replace_view=False,
    cascade_on_drop=True,
    merge_forms=("merge", "delete_insert"),
    temp_table="TEMPORARY",
    regexp_full_match="(REGEXP_INSTR({text}, '^(?:' || {pattern} || ')$', 1, 1, 0, 'p') > 0)",
    sha1="SHA1({text})",
    text_type="VARCHAR(65535)",
    timestamp_type="TIMESTAMP",
    float_type="DOUBLE PRECISION",
    filter_clause=False,
    arg_min=None,
    arg_max=None,
    ordered_aggregates=False,
    default_frame=False,
    concurrent_statements=False,
    qualify=True,
    increments=False,
    repeated_columns=False,
    star_except=True,
    by_name=False,
    structs=False,
    local_files=False,
    transient_tables=False,
    grants="lost",
    change_tracking=False,
    counts_bytes=False,
    loops="none",
    components="contraction",
)

BIGQUERY = Capabilities(
    name="bigquery",
    runs=False,
    sqlglot_dialect="bigquery",
    quote="`",
    identifier_case="exact",
    max_identifier_length=300,
    transactional_ddl=False,
    create_or_replace_table=True,
    create_or_replace_view=True,
    cascade_on_drop=False,
    merge_forms=("merge", "delete_insert"),
    temp_table="TEMP",
    regexp_full_match="REGEXP_CONTAINS({text}, CONCAT('^(?:', {pattern}, ')$'))",
    sha1="TO_HEX(SHA1({text}))",
    text_type="STRING",
    timestamp_type="DATETIME",
    float_type="FLOAT64",
    filter_clause=False,
    arg_min="MIN_BY",
    arg_max="MAX_BY",
    ordered_aggregates=True,
    default_frame=True,
    concurrent_statements=False,
    qualify=True,
    increments=False,
    repeated_columns=False,
    star_except=True,
    by_name=False,
    structs=True,
    local_files=False,
    transient_tables=False,
    grants="lost",
    change_tracking=False,
    counts_bytes=False,
    loops="script",
    components="contraction",
)

DATABRICKS = Capabilities(
    name="databricks",
    runs=False,
    sqlglot_dialect="databricks",
    quote="`",
    identifier_case="lower",
    max_identifier_length=255,
    transactional_ddl=False,
    create_or_replace_table=True,
    create_or_replace_view=True,
    cascade_on_drop=False,
    merge_forms=("merge",),
    temp_table="TEMPORARY",
    regexp_full_match="({text} RLIKE CONCAT('^(?:', {pattern}, ')$'))",
    sha1="SHA1({text})",
    text_type="STRING",
    timestamp_type="TIMESTAMP_NTZ",
    float_type="DOUBLE",
    filter_clause=True,
    arg_min="MIN_BY",
    arg_max="MAX_BY",
    ordered_aggregates=False,
    default_frame=True,
    concurrent_statements=False,
    qualify=True,
    increments=False,
    repeated_columns=False,
    star_except=True,
    by_name=False,
    structs=True,
    local_files=False,
    transient_tables=False,
    grants="lost",
    change_tracking=True,
    counts_bytes=False,
    loops="compound",
    components="contraction",
)

KNOWN: dict[str, Capabilities] = {
    record.name: record for record in (DUCKDB, SNOWFLAKE, POSTGRES, REDSHIFT, BIGQUERY, DATABRICKS)
}


def capabilities(dialect: str) -> Capabilities:
    """Return the record of a dialect by its name. Raises KeyError, naming the known ones, for any other name."""
    try:
        return KNOWN[dialect]
    except KeyError:
        raise KeyError(f"unknown dialect '{dialect}'; known: {', '.join(KNOWN)}") from None
