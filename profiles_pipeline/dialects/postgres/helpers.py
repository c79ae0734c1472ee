"""Functions that the output schema gets, for what no expression of PostgreSQL says.

Their names are those of the canonical dialect, behind a prefix that keeps them out of the way of others.
"""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.postgres import casting, parsing

PREFIX = "profiles_"

_INLINED = "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS"

_BY_TYPE_OF_VALUE: tuple[tuple[str, str, str], ...] = (
    *(
        ("is_text", f"value {kind}", f"BOOLEAN {_INLINED} $$ SELECT {answer} $$")
        for kind, answer in {"TEXT": True, "VARCHAR": True, '"char"': False, "ANYELEMENT": False}.items()
    ),
    *(
        ("hash", f"value {kind}, seed BIGINT", f"BIGINT {_INLINED} $$ SELECT {hashed}, seed) $$")
        for kind, hashed in {
            "TEXT": "HASHTEXTEXTENDED(value",
            "VARCHAR": "HASHTEXTEXTENDED(value",
            "SMALLINT": "HASHINT8EXTENDED(value",
            "INTEGER": "HASHINT8EXTENDED(value",
            "BIGINT": "HASHINT8EXTENDED(value",
            "TIMESTAMP": "TIMESTAMP_HASH_EXTENDED(value",
            "TIMESTAMPTZ": "TIMESTAMP_HASH_EXTENDED(value AT TIME ZONE 'UTC'",
            '"char"': "HASHTEXTEXTENDED(value::TEXT",
            "ANYELEMENT": "HASHTEXTEXTENDED(value::TEXT",
        }.items()
    ),
)
"""Functions of which the server takes the one for the type of a column. It puts their texts in the place of the calls:
no row is asked for its type, and no number or time is written out to be hashed."""

# What catches errors is PARALLEL UNSAFE: a process that has others beside it cannot take back a part of its work.
_FUNCTIONS: tuple[tuple[str, str, str], ...] = (
    *_BY_TYPE_OF_VALUE,
    *parsing.FUNCTIONS,
    *casting.FUNCTIONS,
    (
        "try_cast",
        "value TEXT, sample ANYELEMENT",
        "ANYELEMENT LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE AS "
        "$$ DECLARE result sample%TYPE; BEGIN result := value; RETURN result; "
        "EXCEPTION WHEN data_exception THEN RETURN NULL; END $$",
    ),
    (
        "json",
        "value TEXT",
        "JSONB LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE AS "
        "$$ BEGIN RETURN value::JSONB; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$",
    ),
    (
        "list_distinct",
        "list ANYARRAY",
        "ANYARRAY LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN list IS NOT NULL THEN ARRAY("
        "SELECT DISTINCT item FROM UNNEST(list) AS t(item) WHERE item IS NOT NULL) END $$",
    ),
    (
        "list_sort",
        "list ANYARRAY",
        "ANYARRAY LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN list IS NOT NULL THEN ARRAY("
        "SELECT item FROM UNNEST(list) AS t(item) ORDER BY item NULLS FIRST) END $$",
    ),
    (
        "list_slice",
        "list ANYARRAY, low INTEGER, high INTEGER",
        "ANYARRAY LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "list[CASE WHEN low < 0 THEN CARDINALITY(list) + low + 1 ELSE low END"
        ":CASE WHEN high < 0 THEN CARDINALITY(list) + high + 1 ELSE high END] $$",
    ),
    (
        "regexp_extract",
        "value TEXT, pattern TEXT, number INTEGER DEFAULT 0",
        "TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN value IS NOT NULL THEN COALESCE("
        "(REGEXP_MATCH(value, '(' || pattern || ')'))[number + 1], '') END $$",
    ),
    (
        "regexp_extract_all",
        "value TEXT, pattern TEXT, number INTEGER DEFAULT 0",
        "TEXT[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN value IS NOT NULL THEN ARRAY("
        "SELECT found[number + 1] FROM REGEXP_MATCHES(value, '(' || pattern || ')', 'g') AS t(found)) END $$",
    ),
    (
        "substring",
        "value TEXT, start BIGINT",
        "TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "SUBSTRING(value, (start + CASE WHEN start < 0 THEN LENGTH(value) + 1 ELSE 0 END)::INTEGER) $$",
    ),
    (
        "substring",
        "value TEXT, start BIGINT, length BIGINT",
        "TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT SUBSTRING("
        "value, (start + CASE WHEN start < 0 THEN LENGTH(value) + 1 ELSE 0 END + LEAST(length, 0))::INTEGER, "
        "LEAST(ABS(length), 2147483647)::INTEGER) $$",
    ),
    (
        "quantile",
        "sorted DOUBLE PRECISION[], part DOUBLE PRECISION",
        "DOUBLE PRECISION LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE "
        "WHEN at = FLOOR(at) THEN sorted[at + 1] "
        "ELSE sorted[FLOOR(at) + 1] * (1 - (at - FLOOR(at))) + sorted[FLOOR(at) + 2] * (at - FLOOR(at)) END "
        "FROM (SELECT (CARDINALITY(sorted) - 1) * part AS at) AS place $$",
    ),
    (
        "round",
        "value DOUBLE PRECISION, places INTEGER",
        "DOUBLE PRECISION LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "SIGN(value) * FLOOR(ABS(value * 10.0::DOUBLE PRECISION ^ places) + 0.5) / 10.0::DOUBLE PRECISION ^ places $$",
    ),
    (
        "round",
        "value NUMERIC, places INTEGER",
        "NUMERIC LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ROUND(value, places) $$",
    ),
    (
        "trunc",
        "value DOUBLE PRECISION, places INTEGER",
        "DOUBLE PRECISION LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "TRUNC(value * 10.0::DOUBLE PRECISION ^ places) / 10.0::DOUBLE PRECISION ^ places $$",
    ),
    (
        "trunc",
        "value NUMERIC, places INTEGER",
        "NUMERIC LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT TRUNC(value, places) $$",
    ),
    (
        "str_split",
        "value TEXT, separator TEXT",
        "TEXT[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "CASE value WHEN '' THEN ARRAY[''] ELSE STRING_TO_ARRAY(value, separator) END $$",
    ),
    (
        "base64_text",
        "value TEXT",
        "TEXT LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE AS $$ BEGIN "
        "RETURN CONVERT_FROM(DECODE(CASE WHEN value !~ '\\s' THEN value END, 'base64'), 'UTF8'); "
        "EXCEPTION WHEN data_exception THEN RETURN NULL; END $$",
    ),
    (
        "json_keys",
        "document JSONB",
        "TEXT[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN document IS NOT NULL THEN ARRAY("
        "SELECT key FROM JSONB_OBJECT_KEYS(CASE JSONB_TYPEOF(document) WHEN 'object' THEN document ELSE '{}' END) "
        "AS t(key)) END $$",
    ),
    (
        "to_json",
        "value ANYELEMENT",
        "JSONB LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN PG_TYPEOF(value) IN "
        "('timestamp'::REGTYPE, 'timestamptz'::REGTYPE) THEN TO_JSONB(value::TEXT) ELSE TO_JSONB(value) END $$",
    ),
    (
        "map",
        "keys ANYARRAY, items ANYCOMPATIBLEARRAY",
        "JSONB LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN keys IS NOT NULL THEN COALESCE("
        "(SELECT JSONB_OBJECT_AGG(key, TO_JSONB(item)) FROM UNNEST(keys, items) AS t(key, item)), '{}') END $$",
    ),
    (
        "map_from_entries",
        "entries ANYARRAY",
        "JSONB LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN entries IS NOT NULL THEN COALESCE("
        "(SELECT JSONB_OBJECT_AGG(e ->> 'f1', e -> 'f2') FROM JSONB_ARRAY_ELEMENTS(TO_JSONB(entries)) AS t(e)), '{}') "
        "END $$",
    ),
    (
        "url_decode",
        "value TEXT",
        "TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN value IS NOT NULL THEN COALESCE((SELECT "
        "CONVERT_FROM(STRING_AGG(CASE WHEN LENGTH(m[1]) = 3 THEN DECODE(SUBSTRING(m[1], 2), 'hex') "
        "ELSE CONVERT_TO(m[1], 'UTF8') END, ''::BYTEA ORDER BY n), 'UTF8') "
        "FROM REGEXP_MATCHES(value, '(%[0-9A-Fa-f]{2}|.)', 'g') WITH ORDINALITY AS t(m, n)), '') END $$",
    ),
    (
        "json_each",
        "document JSONB",
        "TABLE (key TEXT, fullkey TEXT, value JSONB) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ "
        "SELECT o.key, '$.' || CASE WHEN o.key ~ '^[A-Za-z_][A-Za-z0-9_]*$' THEN o.key ELSE TO_JSON(o.key)::TEXT END, "
        "o.value FROM JSONB_EACH(CASE WHEN JSONB_TYPEOF(document) = 'object' THEN document ELSE '{}' END) AS o "
        "UNION ALL SELECT (a.n - 1)::TEXT, '$[' || (a.n - 1) || ']', a.value FROM JSONB_ARRAY_ELEMENTS("
        "CASE WHEN JSONB_TYPEOF(document) = 'array' THEN document ELSE '[]' END) WITH ORDINALITY AS a(value, n) "
        "UNION ALL SELECT NULL, '$', document WHERE JSONB_TYPEOF(document) NOT IN ('array', 'object') $$",
    ),
    (
        "json_tree",
        "document JSONB",
        "TABLE (key TEXT, fullkey TEXT, value JSONB, path TEXT, parent BIGINT) "
        "LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ "
        "WITH RECURSIVE tree AS (SELECT NULL::TEXT AS key, '$' AS fullkey, document AS value, NULL::TEXT AS path, "
        "NULL::BIGINT AS parent, ARRAY[]::BIGINT[] AS place UNION ALL "
        "SELECT e.key, t.fullkey || e.step, e.value, t.fullkey, 0, t.place || e.n FROM tree AS t, LATERAL ("
        "SELECT o.key, '.' || CASE WHEN o.key ~ '^[A-Za-z_][A-Za-z0-9_]*$' THEN o.key ELSE TO_JSON(o.key)::TEXT END, "
        "o.value, o.n FROM JSONB_EACH(CASE WHEN JSONB_TYPEOF(t.value) = 'object' THEN t.value ELSE '{}' END) "
        "WITH ORDINALITY AS o(key, value, n) UNION ALL "
        "SELECT (a.n - 1)::TEXT, '[' || (a.n - 1) || ']', a.value, a.n FROM JSONB_ARRAY_ELEMENTS("
        "CASE WHEN JSONB_TYPEOF(t.value) = 'array' THEN t.value ELSE '[]' END) WITH ORDINALITY AS a(value, n)"
        ") AS e(key, step, value, n)) SELECT key, fullkey, value, path, parent FROM tree ORDER BY place $$",
    ),
    (
        "from_hex",
        "value TEXT",
        "BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "CASE WHEN value ~ '^[0-9A-Fa-f]{1,16}$' THEN ('x' || LPAD(value, 16, '0'))::BIT(64)::BIGINT END $$",
    ),
    (
        "from_hex_unsigned",
        "value TEXT",
        "NUMERIC LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "n + CASE WHEN n < 0 THEN 18446744073709551616 ELSE 0 END "
        "FROM (SELECT ('x' || LPAD(value, 16, '0'))::BIT(64)::BIGINT AS n) AS number $$",
    ),
    (
        "error",
        "message TEXT",
        # volatile, or it would be called of what is constant before a row is seen
        "BOOLEAN LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$ BEGIN RAISE EXCEPTION '%', message; END $$",
    ),
    (
        "json_type",
        "value JSONB",
        "TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE JSONB_TYPEOF(value) WHEN 'string' THEN 'VARCHAR' "
        "WHEN 'number' THEN CASE WHEN value::TEXT ~ '[.eE]' THEN 'DOUBLE' WHEN value::TEXT LIKE '-%' THEN 'BIGINT' "
        "ELSE 'UBIGINT' END ELSE UPPER(JSONB_TYPEOF(value)) END $$",
    ),
)
_SUMS = {
    "BIGINT": "INT8PL",
    "NUMERIC": "NUMERIC_ADD",
    "DOUBLE PRECISION": "FLOAT8PL",
    "REAL": "FLOAT4PL",
    "INTERVAL": "INTERVAL_PL",
}
"""Type of a sum -> the function that adds up two of them."""

_AGGREGATES = (
    "CREATE OR REPLACE AGGREGATE {place}.max(BOOLEAN) "
    "(SFUNC = BOOLOR_STATEFUNC, STYPE = BOOLEAN, COMBINEFUNC = BOOLOR_STATEFUNC, PARALLEL = SAFE)",
    "CREATE OR REPLACE AGGREGATE {place}.min(BOOLEAN) "
    "(SFUNC = BOOLAND_STATEFUNC, STYPE = BOOLEAN, COMBINEFUNC = BOOLAND_STATEFUNC, PARALLEL = SAFE)",
    "CREATE OR REPLACE AGGREGATE {place}.profiles_united(ANYCOMPATIBLEARRAY) "
    "(SFUNC = ARRAY_CAT, STYPE = ANYCOMPATIBLEARRAY, COMBINEFUNC = ARRAY_CAT, PARALLEL = SAFE)",
    *(
        f"CREATE OR REPLACE AGGREGATE {{place}}.profiles_sum({kind}) "
        f"(SFUNC = {added}, STYPE = {kind}, COMBINEFUNC = {added}, PARALLEL = SAFE)"
        for kind, added in _SUMS.items()
    ),
)
"""Aggregates: MAX and MIN of what only here cannot be put in order, what joins lists, which ARRAY_AGG does only
where all are of one length, and what adds up sums to one of their own type, where SUM makes a wider one of it."""

_SHA1 = """
DO $block$
DECLARE
    target TEXT := {schema};
    found TEXT;
BEGIN
    BEGIN
        EXECUTE FORMAT(
            'CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA %I',
            CASE WHEN HAS_SCHEMA_PRIVILEGE('public', 'CREATE') THEN 'public' ELSE target END
        );
    EXCEPTION WHEN unique_violation OR duplicate_object THEN  -- those of another schema make it at the same time
        found := NULL;
    END;
    SELECT n.nspname INTO found FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'pgcrypto';
    EXECUTE FORMAT(
        'CREATE OR REPLACE FUNCTION %I.profiles_sha1(value TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS '
        '$f$ SELECT ENCODE(%I.DIGEST(value, ''sha1''), ''hex'') $f$', target, found
    );
END
$block$
"""
"""Makes the function for SHA-1 over the extension pgcrypto, whichever schema that is in."""


def called(name: str, *args: exp.Expr) -> exp.Expr:
    """Return a call of one of the functions."""
    assert name in ("sha1", "sum", "united") or any(name == known for known, *_ in _FUNCTIONS), name
    return exp.Anonymous(this=f"{PREFIX}{name}", expressions=list(args))


def helper_statements(schema: str) -> tuple[str, ...]:
    """Return the statements that make the functions in `schema`; whoever runs them may do so again."""
    place = exp.to_identifier(schema, quoted=True).sql(dialect="postgres")
    functions = (
        f"CREATE OR REPLACE FUNCTION {place}.{PREFIX}{name}({arguments}) RETURNS {body}"
        for name, arguments, body in _FUNCTIONS
    )
    sha1 = _SHA1.format(schema=exp.Literal.string(schema).sql(dialect="postgres"))
    return (sha1, *functions, *(aggregate.format(place=place) for aggregate in _AGGREGATES))
