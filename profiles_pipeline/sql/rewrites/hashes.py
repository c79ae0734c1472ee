"""Hash functions. What the functions of other warehouses give is computed where it is published how; where only
distinctness matters, a part of MD5 stands in: the same for the same values, in every run, but not the same number."""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import ANY, STANDS_IN, Rewrite, cast, named

_STAND_INS = ("XXHASH64", "CHECKSUM")
_BYTES = "LIST_TRANSFORM(REGEXP_EXTRACT_ALL(HEX(:text), '..'), LAMBDA h : CAST('0x' || h AS UHUGEINT))"
_UNSIGNED = "CASE WHEN :seed < 0 THEN CAST(:seed AS HUGEINT) + 18446744073709551616 ELSE :seed END"
_FNV = f"""
    LIST_TRANSFORM(
      [LIST_REDUCE(
        {_BYTES}, LAMBDA h, b : (XOR(h, b) * 1099511628211) % 18446744073709551616, CAST(:start AS UHUGEINT)
      )],
      LAMBDA h : CAST(CASE WHEN h < 9223372036854775808 THEN CAST(h AS HUGEINT)
                           ELSE CAST(h AS HUGEINT) - 18446744073709551616 END AS BIGINT)
    )[1]
"""
_FNV_START = exp.Literal.number(14695981039346656037)
_CRC = f"""
    XOR(
      LIST_REDUCE(
        {_BYTES.replace("UHUGEINT", "BIGINT")},
        LAMBDA c, b : LIST_REDUCE(
          RANGE(8), LAMBDA r, i : XOR(r >> 1, CASE WHEN r & 1 = 1 THEN 3988292384 ELSE 0 END), XOR(c, b)
        ),
        4294967295
      ),
      4294967295
    )
"""
_IN_64_BITS = "CAST(CAST(MD5_NUMBER_LOWER(:text) AS HUGEINT) - 9223372036854775808 AS BIGINT)"
_IN_31_BITS = "CAST(MD5_NUMBER_LOWER(:text) % 2147483648 AS INT)"


def _text(node: exp.Expr) -> exp.Expr:
    return node if kind(node) == "text" else cast(node, exp.DType.VARCHAR)


def _fnv(node: exp.Expr) -> exp.Expr:
    """``fnv_hash(x, seed)``, exact for texts; of other values Redshift takes the bytes, not those of their texts."""
    if not named(node, "FNV_HASH") or len(node.expressions) not in (1, 2):
        return node
    value, *seeds = node.expressions
    start = build(_UNSIGNED, seed=seeds[0]) if seeds else _FNV_START
    return typed(build(_FNV, text=_text(value), start=start), exp.DType.BIGINT)


def _crc(node: exp.Expr) -> exp.Expr:
    return build(_CRC, text=_text(node.expressions[0])) if named(node, "CRC32") and len(node.expressions) == 1 else node


def _crc_number(node: exp.Expr) -> exp.Expr:
    made = _crc(node)
    return node if made is node else typed(made, exp.DType.BIGINT)


def _crc_text(node: exp.Expr) -> exp.Expr:
    made = _crc(node)
    if made is node:
        return node
    return typed(build("LPAD(LOWER(TO_HEX(:crc)), 8, '0')", crc=made), exp.DType.VARCHAR)


def _stand_in(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.FarmFingerprint) and not named(node, *_STAND_INS):
        return node
    text = reduce(_joined, map(_part, node.expressions)) if len(node.expressions) > 1 else _text(node.expressions[0])
    small = named(node, "CHECKSUM")
    made = typed(build(_IN_31_BITS if small else _IN_64_BITS, text=text), exp.DType.INT if small else exp.DType.BIGINT)
    made.meta[STANDS_IN] = "farm_fingerprint" if isinstance(node, exp.FarmFingerprint) else node.name.lower()
    return made


def _part(value: exp.Expr) -> exp.Expr:
    """Return one of several values as a text that says how long it is, so that ``'a', 'bc'`` is not ``'ab', 'c'``."""
    return build("COALESCE(LENGTH(:text) || ':' || :text, '-')", text=_text(value))


def _joined(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return build(":left || :right", left=left, right=right)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("fnv-hash", ANY, "duckdb", (exp.Anonymous,), _fnv),
    Rewrite("crc32", "databricks", "duckdb", (exp.Anonymous,), _crc_number),
    Rewrite("crc32", "redshift", "duckdb", (exp.Anonymous,), _crc_text),
    Rewrite("stand-in-hash", ANY, "duckdb", (exp.Anonymous, exp.FarmFingerprint), _stand_in),
)
