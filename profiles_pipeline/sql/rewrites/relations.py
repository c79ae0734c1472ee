"""Relations made from values: FLATTEN, SPLIT_TO_TABLE, UNNEST and the column names of VALUES."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.grammars import StrtokSplitToTable
from profiles_pipeline.sql.rewrites.row import Rewrite
from profiles_pipeline.sql.rewrites.semi_structured import parsed_json

_FLATTENED = """
    SELECT
      1 AS seq,
      CASE WHEN JSON_TYPE(:input) <> 'ARRAY' THEN e.key END AS key,
      :place AS path,
      CASE WHEN JSON_TYPE(:input) = 'ARRAY' THEN TRY_CAST(e.key AS BIGINT) END AS index,
      e.value AS value,
      :input AS this
    FROM JSON_EACH(:input) AS e
"""
# Each value at any depth, before what is inside it; the path to an element of an array ends with a bracket.
_FLATTENED_DEEP = """
    SELECT
      1 AS seq,
      CASE WHEN e.fullkey NOT LIKE '%]' THEN e.key END AS key,
      :place AS path,
      CASE WHEN e.fullkey LIKE '%]' THEN TRY_CAST(e.key AS BIGINT) END AS index,
      e.value AS value,
      JSON_EXTRACT(:input, e.path) AS this
    FROM JSON_TREE(:input) AS e
    WHERE e.parent IS NOT NULL
"""
_STEP_INTO = """REGEXP_REPLACE(SUBSTRING(e.fullkey, 2), '[.]"((?:[^"\\\\]|\\\\.)*)"', '[''\\1'']', 'g')"""
_STEP = f"LTRIM({_STEP_INTO}, '.')"
_POSITIONS = ("input", "path", "outer", "recursive")
_SPLIT = "SELECT 1 AS seq, GENERATE_SUBSCRIPTS(:parts, 1) AS index, UNNEST(:parts) AS value"
_PARTS = "STR_SPLIT(:text, :marks)"
_WORDS = """
    LIST_FILTER(
      STR_SPLIT(TRANSLATE(:text, :marks, REPEAT(LEFT(:marks, 1), LENGTH(:marks))), LEFT(:marks, 1)),
      LAMBDA word : word <> ''
    )
"""
_STRUCTS = "SELECT UNNEST(:array, max_depth := 2)"  # the fields of each struct as columns; of anything else, itself
_ELEMENTS = "SELECT UNNEST(:array) AS :element"
_POSITIONED = "SELECT GENERATE_SUBSCRIPTS(:array, 1) - 1 AS :position, UNNEST(:array) AS :element"
_OFFSET = "GENERATE_SUBSCRIPTS(:array, 1) - 1"


def _unpacked(node: exp.Expr) -> exp.Expr:
    call = node.this
    if isinstance(call, exp.Explode):
        arguments = _arguments(call)
        flattened = _FLATTENED_DEEP if _is_set(arguments, "recursive") else _FLATTENED
        query = build(flattened, input=_input(arguments), place=_place(arguments.get("path")))
        outer = _is_set(arguments, "outer")
    elif isinstance(call, exp.SplitToTable):
        parts = build(_WORDS if isinstance(call, StrtokSplitToTable) else _PARTS, text=call.this, marks=call.expression)
        query, outer = build(_SPLIT, parts=parts), False
    else:
        return node
    alias = exp.TableAlias(this=exp.to_identifier(node.alias or "flattened"))
    relation = exp.Subquery(this=query, alias=alias)
    if not isinstance(node.parent, exp.Join):
        return relation
    _join_outer(node.parent, outer)
    return exp.Lateral(this=exp.Subquery(this=query), alias=alias.copy())


def _viewed(node: exp.Expr) -> exp.Expr:
    """``lateral view outer posexplode(a) e as pos, x``: positions count from 0, OUTER keeps rows without elements."""
    call, alias, outer = node.this, node.args.get("alias"), bool(node.args.get("outer"))
    names = [name.name for name in alias.columns] if isinstance(alias, exp.TableAlias) else []
    if isinstance(call, exp.Posexplode) and len(names) in (0, 2):
        position, element = names or ("pos", "col")
        query = build(_POSITIONED, array=call.this, position=position, element=element)
    elif isinstance(call, exp.Explode) and outer and len(names) < 2:
        query = build(_ELEMENTS, array=call.this, element=names[0] if names else "col")
    else:
        return node
    called = exp.TableAlias(this=exp.to_identifier(node.alias)) if node.alias else None
    join = exp.Join(this=exp.Lateral(this=exp.Subquery(this=query), alias=called), kind="CROSS")
    _join_outer(join, outer)
    return join


def _arguments(call: exp.Explode) -> dict[str, exp.Expr]:
    found: dict[str, exp.Expr] = {}
    for position, argument in enumerate((call.this, *call.expressions)):
        if isinstance(argument, exp.Kwarg):
            found[argument.this.name.lower()] = argument.expression
        elif position < len(_POSITIONS):
            found[_POSITIONS[position]] = argument
    return found


def _is_set(arguments: dict[str, exp.Expr], name: str) -> bool:
    found = arguments.get(name)
    return isinstance(found, exp.Boolean) and bool(found.this)


def _place(path: exp.Expr | None) -> exp.Expr:
    """Return how an element is reached from what was unpacked: ``a``, ``[0]``, ``['a b']``, behind the path to it."""
    return build(_STEP) if path is None or not path.name else build(f":path || {_STEP_INTO}", path=path)


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


def _fields(node: exp.Expr) -> exp.Expr:
    """``FROM UNNEST(a)``: the fields of its structs are columns, and offsets count from 0."""
    if not isinstance(node.parent, exp.From | exp.Join) or len(node.expressions) != 1:
        return node
    array, name, offset = node.expressions[0], alias_of_unnest(node), node.args.get("offset")
    if not yields_columns(node):
        if not offset:
            return node
        query = build(_ELEMENTS, array=array, element=name)
    else:
        query = build(_STRUCTS, array=array)
    if isinstance(offset, exp.Identifier):
        query.append("expressions", exp.alias_(build(_OFFSET, array=array.copy()), offset))
    alias = exp.TableAlias(this=exp.to_identifier(name)) if name else None
    return exp.Subquery(this=query, alias=alias)


def alias_of_unnest(node: exp.Expr) -> str:
    """Return the name that ``UNNEST(a) AS name`` gives each element, or an empty text."""
    alias = node.args.get("alias")
    names = (*alias.columns, alias.this) if isinstance(alias, exp.TableAlias) else ()
    return next((name.name for name in names if name is not None), "")


def yields_columns(node: exp.Expr) -> bool:
    """Return whether an UNNEST of BigQuery can be of structs only: fields of its elements are used, or at least the
    elements are nowhere used as they are."""
    name, select = alias_of_unnest(node).lower(), node.find_ancestor(exp.Select)
    if not name or select is None:
        return True
    uses = [column for column in select.find_all(exp.Column) if column.parts[0].name.lower() == name]
    return any(len(column.parts) > 1 for column in uses) or not (uses or select.is_star)


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


def _by_number(node: exp.Expr) -> exp.Expr:
    """``select $1 from values (...)``, ``select t.$1 from (...) t``: a column of the only relation by its number."""
    number = node.this if isinstance(node, exp.Column) else node
    if not isinstance(number, exp.Parameter) or isinstance(node.parent, exp.Column) or not number.name.isdigit():
        return node
    select = node.find_ancestor(exp.Select)
    return exp.PositionalColumn(this=number.this) if select is not None and not select.args.get("joins") else node


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
    Rewrite("lateral-view", "databricks", "duckdb", (exp.Lateral,), _viewed),
    Rewrite("unnest-fields", "bigquery", "duckdb", (exp.Unnest,), _fields),
    Rewrite("asof-join", "snowflake", "duckdb", (exp.Join,), _nearest_match),
    Rewrite("numbered-column", "snowflake", "duckdb", (exp.Parameter, exp.Column), _by_number),
    Rewrite("values-columns", "snowflake", "duckdb", (exp.Values,), _value_columns),
)
