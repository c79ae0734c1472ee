"""Relations made from values: FLATTEN, SPLIT_TO_TABLE and the column names of VALUES."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.errors import fail
from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.rewrites.row import Rewrite
from profiles_pipeline.sql.rewrites.semi_structured import parsed_json

_FLATTENED = """
    SELECT
      1 AS seq,
      CASE WHEN JSON_TYPE(:input) <> 'ARRAY' THEN e.key END AS key,
      e.fullkey AS path,
      CASE WHEN JSON_TYPE(:input) = 'ARRAY' THEN TRY_CAST(e.key AS BIGINT) END AS index,
      e.value AS value,
      :input AS this
    FROM JSON_EACH(:input) AS e
"""
_POSITIONS = ("input", "path", "outer")
_SPLIT = """
    SELECT
      1 AS seq,
      GENERATE_SUBSCRIPTS(STR_SPLIT(:text, :separator), 1) AS index,
      UNNEST(STR_SPLIT(:text, :separator)) AS value
"""


def _unpacked(node: exp.Expr) -> exp.Expr:
    call = node.this
    if isinstance(call, exp.Explode):
        arguments = _arguments(call)
        query = build(_FLATTENED, input=_input(arguments))
        outer = isinstance(arguments.get("outer"), exp.Boolean) and arguments["outer"].this
    elif isinstance(call, exp.SplitToTable):
        query, outer = build(_SPLIT, text=call.this, separator=call.expression), False
    else:
        return node
    alias = exp.TableAlias(this=exp.to_identifier(node.alias or "flattened"))
    relation = exp.Subquery(this=query, alias=alias)
    if not isinstance(node.parent, exp.Join):
        return relation
    _join_outer(node.parent, bool(outer))
    return exp.Lateral(this=exp.Subquery(this=query), alias=alias.copy())


def _arguments(call: exp.Explode) -> dict[str, exp.Expr]:
    found: dict[str, exp.Expr] = {}
    for position, argument in enumerate((call.this, *call.expressions)):
        if isinstance(argument, exp.Kwarg):
            found[argument.this.name.lower()] = argument.expression
        elif position < len(_POSITIONS):
            found[_POSITIONS[position]] = argument
    if "recursive" in found and found["recursive"] != exp.false():
        fail("sql-untranslatable", "flatten(recursive => true) cannot be translated to duckdb")
    return found


def _input(arguments: dict[str, exp.Expr]) -> exp.Expr:
    value = parsed_json(arguments["input"])
    path = arguments.get("path")
    if path is None:
        return value
    steps = [exp.JSONPathRoot(), *(exp.JSONPathKey(this=key) for key in path.name.split("."))]
    return exp.JSONExtract(this=value, expression=exp.JSONPath(expressions=steps))


def _join_outer(join: exp.Join, outer: bool) -> None:
    if outer or join.side:
        join.set("side", "LEFT")
        join.set("kind", None)
        join.set("on", join.args.get("on") or exp.true())


def _value_columns(node: exp.Expr) -> exp.Expr:
    alias = node.args.get("alias")
    in_from = isinstance(node.parent, exp.From | exp.Join)
    if not in_from or (alias is not None and alias.args.get("columns")):
        return node
    first = node.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = [exp.to_identifier(f"column{number}") for number in range(1, width + 1)]
    name = alias.this if alias is not None else exp.to_identifier("values_")
    node.set("alias", exp.TableAlias(this=name, columns=columns))
    return node


def _nearest_match(node: exp.Expr) -> exp.Expr:
    """``asof join u match_condition (t.x >= u.x) on ...``: rows without a match stay, with NULLs."""
    match = node.args.get("match_condition")
    if match is None:
        return node
    node.set("match_condition", None)
    node.set("side", "LEFT")
    node.set("on", exp.and_(node.args.get("on"), match.unnest()))
    return node


ROWS: tuple[Rewrite, ...] = (
    Rewrite("flatten", "snowflake", "duckdb", (exp.Lateral, exp.TableFromRows), _unpacked),
    Rewrite("asof-join", "snowflake", "duckdb", (exp.Join,), _nearest_match),
    Rewrite("values-columns", "snowflake", "duckdb", (exp.Values,), _value_columns),
)
