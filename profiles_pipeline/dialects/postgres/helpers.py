"""Functions that the output schema gets, for what no expression of PostgreSQL says.

Their names are those of the canonical dialect, behind a prefix that keeps them out of the way of others.
"""

from __future__ import annotations

from sqlglot import exp

PREFIX = "profiles_"

_FUNCTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "try_cast",
        "value TEXT, sample ANYELEMENT",
        "ANYELEMENT LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS "
        "$$ DECLARE result sample%TYPE; BEGIN result := value; RETURN result; "
        "EXCEPTION WHEN data_exception THEN RETURN NULL; END $$",
    ),
    (
        "json",
        "value TEXT",
        "JSONB LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS "
        "$$ BEGIN RETURN value::JSONB; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$",
    ),
    (
        "try_strptime",
        "value TEXT, format TEXT",
        "TIMESTAMP LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS "
        "$$ BEGIN RETURN TO_TIMESTAMP(value, format); EXCEPTION WHEN data_exception THEN RETURN NULL; END $$",
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
        "json_type",
        "value JSONB",
        "TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE JSONB_TYPEOF(value) WHEN 'string' THEN 'VARCHAR' "
        "WHEN 'number' THEN CASE WHEN value::TEXT ~ '[.eE]' THEN 'DOUBLE' WHEN value::TEXT LIKE '-%' THEN 'BIGINT' "
        "ELSE 'UBIGINT' END ELSE UPPER(JSONB_TYPEOF(value)) END $$",
    ),
)
_UNITED = (
    "CREATE OR REPLACE AGGREGATE {place}.profiles_united(ANYCOMPATIBLEARRAY) "
    "(SFUNC = ARRAY_CAT, STYPE = ANYCOMPATIBLEARRAY, COMBINEFUNC = ARRAY_CAT, PARALLEL = SAFE)"
)
"""Makes the aggregate that joins lists: those of ARRAY_AGG would all have to be of one length."""

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
    assert name in ("sha1", "united") or any(name == known for known, *_ in _FUNCTIONS), name
    return exp.Anonymous(this=f"{PREFIX}{name}", expressions=list(args))


def helper_statements(schema: str) -> tuple[str, ...]:
    """Return the statements that make the functions in `schema`; whoever runs them may do so again."""
    place = exp.to_identifier(schema, quoted=True).sql(dialect="postgres")
    functions = (
        f"CREATE OR REPLACE FUNCTION {place}.{PREFIX}{name}({arguments}) RETURNS {body}"
        for name, arguments, body in _FUNCTIONS
    )
    sha1 = _SHA1.format(schema=exp.Literal.string(schema).sql(dialect="postgres"))
    return (sha1, *functions, _UNITED.format(place=place))
