"""Texts that are read as numbers, truth and times: what is one elsewhere is one here, and nothing else is.

What PostgreSQL itself takes is more (``'today'``, ``'01/02/2024'``) or less (``'12.6'`` where an integer is wanted).
"""

from __future__ import annotations

import re

_DIGITS = "[0-9]+(?:_[0-9]+)*"
_NUMBER = rf"^\s*[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?[0-9]{{1,3}})?\s*$"
_PLAIN_NUMBER = r"^-?[0-9]{1,15}(?:\.[0-9]{0,15})?$"
_PLAIN = "REPLACE(BTRIM(value, E' \\t\\n\\v\\f\\r'), '_', '')"

_ISO = (
    r"^\s*([0-9]{1,6})([-/ ])([0-9]{1,2})\2([0-9]{1,2})( \(BC\))?"
    r"(?:<ending>|(?:\s+|T\s*)([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{0,2})(?:\.([0-9]*))?)?"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2}){0,2}|\s+[A-Za-z0-9_/+-][A-Za-z0-9_/:+-]*)?\s*)$"
)
_TIMESTAMP = _ISO.replace("<ending>", "")
_DATE = _ISO.replace("<ending>", r"\s*")
_USUAL = (
    "^[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"(?:[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?Z?)?$"
)
"""Times as they are nearly always written, of days that every year has: the server reads them much faster."""

_ISO_PARTS = "Y-mdEhMSf"
"""What the groups of a time as ISO 8601 writes it hold, as letters of strptime; `h` may be 24, `E` is an era."""

# Nothing is caught in here: what catches errors cannot be run by several processes at once.
_READS_TIME = """TIMESTAMP LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    found TEXT[]; {declared}
    y INT := 1900; m INT := 1; d INT := 1; h INT := 0; mi INT := 0; s INT := 0; us INT := 0;
    day_of_year INT; half TEXT; made TIMESTAMP; good BOOLEAN;
BEGIN
    IF value IS NULL THEN RETURN NULL; END IF;
    {first}
    good := found IS NOT NULL;
    FOR n IN 1..LENGTH(parts) LOOP
        CONTINUE WHEN NOT good OR found[n] IS NULL OR found[n] = '';
        CASE SUBSTR(parts, n, 1)
            WHEN 'Y' THEN y := found[n];
            WHEN 'y' THEN y := found[n]::INT + CASE WHEN found[n]::INT < 69 THEN 2000 ELSE 1900 END;
            WHEN 'm' THEN m := found[n];
            WHEN 'b' THEN m := (STRPOS('janfebmaraprmayjunjulaugsepoctnovdec', LOWER(LEFT(found[n], 3))) + 2) / 3;
            WHEN 'd' THEN d := found[n];
            WHEN 'j' THEN day_of_year := found[n];
            WHEN 'H' THEN h := found[n]; good := h < 24;
            WHEN 'h' THEN h := found[n];
            WHEN 'I' THEN h := found[n]; good := h BETWEEN 1 AND 12;
            WHEN 'p' THEN half := LOWER(found[n]);
            WHEN 'M' THEN mi := found[n];
            WHEN 'S' THEN s := found[n];
            WHEN 'f' THEN us := RPAD(LEFT(found[n], 6), 6, '0');
            WHEN 'E' THEN y := CASE y WHEN 0 THEN -1 ELSE -y END;
            ELSE NULL;
        END CASE;
    END LOOP;
    IF good AND half IS NOT NULL THEN h := h % 12 + CASE half WHEN 'pm' THEN 12 ELSE 0 END; END IF;
    y := CASE y WHEN 0 THEN -1 ELSE y END;
    good := good AND m BETWEEN 1 AND 12 AND y <= 294246 AND mi < 60 AND s < 60
        AND (h < 24 OR (h = 24 AND mi + s + us = 0)) AND COALESCE(day_of_year BETWEEN 1 AND 366, TRUE);
    IF good AND d BETWEEN 1 AND EXTRACT(DAY FROM MAKE_DATE(y, m, 1) + INTERVAL '1 month -1 day') THEN
        made := MAKE_TIMESTAMP(y, m, d, h, mi, s) + us * INTERVAL '1 microsecond';
        IF day_of_year IS NOT NULL AND parts !~ '[mbd]' THEN
            made := made + (day_of_year - 1) * INTERVAL '1 day';
        END IF;
    ELSIF found IS NULL AND parts ~ 'h' THEN
        made := CASE LOWER(BTRIM(value)) WHEN 'epoch' THEN '1970-01-01' WHEN 'infinity' THEN 'infinity'
            WHEN 'inf' THEN 'infinity' WHEN '-infinity' THEN '-infinity' WHEN '-inf' THEN '-infinity' END;
    END IF;
    IF made IS NULL AND strict THEN
        RAISE EXCEPTION 'the text ''%'' is not a time of the form that is wanted', value USING ERRCODE = '22007';
    END IF;
    RETURN made;
END $$"""

FUNCTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "try_integer",
        "value TEXT, lowest NUMERIC, highest NUMERIC",
        f"""NUMERIC LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE plain TEXT; n NUMERIC;
BEGIN
    IF value ~ '{_PLAIN_NUMBER}' THEN
        n := ROUND(value::NUMERIC);
    ELSE
        plain := {_PLAIN};
        n := CASE
            WHEN value ~ '{_NUMBER}' THEN ROUND(plain::NUMERIC)
            WHEN plain ~ '^0[xX]0*[0-7]?[0-9a-fA-F]{{1,15}}$'
                THEN ('x' || LPAD(RIGHT(SUBSTRING(plain, 3), 16), 16, '0'))::BIT(64)::BIGINT
            WHEN plain ~ '^0[bB]0*[01]{{1,63}}$' THEN LPAD(RIGHT(SUBSTRING(plain, 3), 63), 64, '0')::BIT(64)::BIGINT
        END;
    END IF;
    RETURN CASE WHEN n BETWEEN lowest AND highest THEN n END;
END $$""",
    ),
    (
        "try_decimal",
        "value TEXT, width INTEGER, scale INTEGER",
        f"""NUMERIC LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE n NUMERIC;
BEGIN
    IF value ~ '{_PLAIN_NUMBER}' THEN
        n := ROUND(value::NUMERIC, scale);
    ELSIF value ~ '{_NUMBER}' THEN
        n := ROUND({_PLAIN}::NUMERIC, scale);
    END IF;
    RETURN CASE WHEN ABS(n) < 10::NUMERIC ^ (width - scale) THEN n END;
END $$""",
    ),
    (
        "try_double",
        "value TEXT, lowest NUMERIC, highest NUMERIC",
        f"""DOUBLE PRECISION LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE n NUMERIC;
BEGIN
    IF value ~ '{_PLAIN_NUMBER}' THEN
        RETURN value::DOUBLE PRECISION;
    ELSIF value ~ '{_NUMBER}' THEN
        n := {_PLAIN}::NUMERIC;
        RETURN CASE
            WHEN n > highest THEN 'Infinity'
            WHEN n < -highest THEN '-Infinity'
            WHEN ABS(n) < lowest THEN 0
            ELSE {_PLAIN}::DOUBLE PRECISION
        END;
    ELSIF value ~* '^\\s*[+-]?(?:inf|infinity|nan)\\s*$' THEN
        RETURN CASE WHEN value ~* 'nan' THEN 'NaN' WHEN value ~ '-' THEN '-Infinity' ELSE 'Infinity' END;
    END IF;
    RETURN NULL;
END $$""",
    ),
    (
        "try_boolean",
        "value TEXT",
        "BOOLEAN LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT "
        "CASE WHEN value ~* '^(?:true|t|yes|y|1)$' THEN TRUE WHEN value ~* '^(?:false|f|no|n|0)$' THEN FALSE END $$",
    ),
    (
        "strptime",
        "value TEXT, pattern TEXT, parts TEXT, strict BOOLEAN",
        _READS_TIME.format(declared="", first="found := REGEXP_MATCH(value, pattern);"),
    ),
    *(
        (
            f"to_{wanted}",
            "value TEXT, strict BOOLEAN",
            _READS_TIME.format(
                declared=f"parts TEXT := '{_ISO_PARTS}';",
                first=f"IF value ~ '{_USUAL}' THEN RETURN value::TIMESTAMP; END IF;\n"
                f"    found := REGEXP_MATCH(value, '{pattern}');",
            ),
        )
        for wanted, pattern in {"date": _DATE, "timestamp": _TIMESTAMP}.items()
    ),
)
"""Functions of the schema: name, parameters, and what follows RETURNS. None calls another, so that views that use
them can be read under any search path."""

MOMENT = r"^\s*[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}(?:$|[\sT])|^\s*(?:epoch|-?infinity)\s*$"
TIME = r"^\s*[0-9]{1,2}:[0-9]{1,2}(?::[0-9]{1,2}(?:\.[0-9]*)?)?"
"""How the texts begin that are cast to a moment, and to a time of a day; the rest is looked at by the server."""

_LIMITS = {"TINYINT": 7, "SMALLINT": 15, "INT": 31, "BIGINT": 63, "INT128": 127}


def limits(kind: str) -> tuple[int, int] | None:
    """Return the least and the greatest value of a type of whole numbers; None for another type."""
    bits = _LIMITS.get(kind)
    return None if bits is None else (-(2**bits), 2**bits - 1)


_NAMES = {
    "b": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "B": (
        *("january", "february", "march", "april", "may", "june"),
        *("july", "august", "september", "october", "november", "december"),
    ),
    "a": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
    "A": ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"),
    "p": ("am", "pm"),
}
_NUMBERS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "f": 6, "g": 3, "j": 3}
_AS = {"B": "b", "g": "f", "a": "-", "A": "-"}
_PIECES = re.compile(r"%-?([A-Za-z%])|(\s+)|([^%\s]+)")


def strptime_pattern(pattern: str) -> tuple[str, str] | None:
    """Return a format of strptime as a regular expression, and which part of a time each of its groups is.

    None for a format with parts that are not known here.
    """
    found, parts = [r"^\s*"], ""
    for part, space, rest in _PIECES.findall(pattern):
        if part == "%":
            found.append("%")
        elif part in _NUMBERS:
            found.append(f"([0-9]{{1,{_NUMBERS[part]}}})")
            parts += _AS.get(part, part)
        elif part in _NAMES:
            found.append(f"({'|'.join(map(_either_case, _NAMES[part]))})")
            parts += _AS.get(part, part)
        elif part:
            return None
        else:
            found.append(r"\s+" if space else re.sub(r"([^\w])", r"\\\1", rest))
    return "".join([*found, r"\s*$"]), parts


def _either_case(name: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" for letter in name)
