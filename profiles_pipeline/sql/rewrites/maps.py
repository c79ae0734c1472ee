"""Maps, and functions over the pairs of maps and arrays."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.rewrites.row import Rewrite, named

_MAP_OF_TEXT = """
    MAP_FROM_ENTRIES(
      LIST_TRANSFORM(
        STR_SPLIT(:text, :between),
        LAMBDA pair : ROW(
          SPLIT_PART(pair, :within, 1),
          CASE WHEN CONTAINS(pair, :within) THEN SUBSTRING(pair, STRPOS(pair, :within) + LENGTH(:within)) END
        )
      )
    )
"""
_KEPT = "MAP_FROM_ENTRIES(LIST_FILTER(MAP_ENTRIES(:map), LAMBDA entry : :kept))"
_UNIQUE = """
    LIST_FILTER(
      :pairs,
      LAMBDA pair_here, pair_number : NOT STRUCT_EXTRACT_AT(pair_here, 1) IS NULL AND NOT LIST_CONTAINS(
        LIST_TRANSFORM(
          LIST_SLICE(:pairs, pair_number + 1, LEN(:pairs)), LAMBDA pair_later : STRUCT_EXTRACT_AT(pair_later, 1)
        ),
        STRUCT_EXTRACT_AT(pair_here, 1)
      )
    )
"""
_ZIPPED = "LIST_TRANSFORM(LIST_ZIP(:a, :b), LAMBDA pair : :made)"


def unique_pairs(pairs: exp.Expr) -> exp.Expr:
    """Return a list of pairs without those whose key comes once more later, or is NULL.

    Of a map with such pairs DuckDB and other warehouses make an error, or each something else.
    """
    return build(_UNIQUE, pairs=pairs)


def _map_of_pairs(node: exp.Expr) -> exp.Expr:
    """``map_from_entries(collect_list(struct(k, v)))``"""
    return exp.MapFromEntries(this=unique_pairs(node.this))


def _map_of_text(node: exp.Expr) -> exp.Expr:
    """``str_to_map('a=1;b', ';', '=')``: a key without a value has NULL."""
    return build(_MAP_OF_TEXT, text=node.this, between=node.args["pair_delim"], within=node.args["key_value_delim"])


def _over_pairs(node: exp.Expr) -> exp.Expr:
    """``map_filter(m, (k, v) -> v > 1)``, ``zip_with(a, b, (x, y) -> x + y)``: DuckDB's lambdas have one element."""
    body = node.expressions[-1] if node.expressions else None
    if not isinstance(body, exp.Lambda) or len(body.expressions) != 2:
        return node
    if named(node, "MAP_FILTER") and len(node.expressions) == 2:
        return build(_KEPT, map=node.expressions[0], kept=_in_terms_of(body, "entry.key", "entry.value"))
    if named(node, "ZIP_WITH") and len(node.expressions) == 3:
        a, b, _ = node.expressions
        return build(_ZIPPED, a=a, b=b, made=_in_terms_of(body, "pair[1]", "pair[2]"))
    return node


def _in_terms_of(body: exp.Lambda, first: str, second: str) -> exp.Expr:
    """Return what a lambda of two parameters gives, written with other expressions for these."""
    written = dict(zip((name.name.lower() for name in body.expressions), (first, second), strict=True))
    said = exp.Paren(this=body.this.copy())
    for use in [name for name in said.find_all(exp.Identifier) if name.name.lower() in written]:
        if not isinstance(use.parent, exp.Dot) or use.arg_key == "this":  # the other is a field of that name
            use.replace(build(written[use.name.lower()]))
    return said


ROWS: tuple[Rewrite, ...] = (
    Rewrite("map-of-pairs", "databricks", "duckdb", (exp.MapFromEntries,), _map_of_pairs),
    Rewrite("str-to-map", "databricks", "duckdb", (exp.StrToMap,), _map_of_text),
    Rewrite("lambda-over-pairs", "databricks", "duckdb", (exp.Anonymous,), _over_pairs),
)
