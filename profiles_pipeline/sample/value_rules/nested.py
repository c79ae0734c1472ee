"""What paths, arrays and maps say about the values inside the columns."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from profiles_pipeline.sample.evidence import ELEMENT, STRONG
from profiles_pipeline.sample.pieces import around_in_url, around_part
from profiles_pipeline.sample.relations import NOTHING, Scope, Value
from profiles_pipeline.sample.value_clues import Rule, ValueClues, kind_of_type
from profiles_pipeline.sample.value_rules.texts import piece
from profiles_pipeline.sql.rewrites.semi_structured import schema_type


def _json_path(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    if isinstance(node.this, exp.ParseUrl):
        return piece(found, around_in_url(json_steps(node.expression)))
    return reader.step(found, json_steps(node.expression))


def _json_array(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    reader.vote(found, "json", STRONG)
    path = node.args.get("expression")
    array = reader.step(found, json_steps(path)) if path is not None else Value(found.slots)
    reader.step(array, [ELEMENT])
    return array


def _bracket(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    keys = node.expressions or [node.expression]
    if isinstance(node.this, exp.ParseUrl):
        return piece(found, around_in_url([keys[0].name]))
    if found.parts:
        number = int(keys[0].name) - (node.args.get("offset") or 0) if keys[0].is_int else 0
        return piece(found, around_part(found.around[0], number + 1))
    if found.kind == "number":  # a list that was made of numbers, such as one of percentiles
        return Value(kind="number")
    if isinstance(keys[0], exp.Literal) and keys[0].is_string:
        return reader.step(found, [str(keys[0].this)])
    return reader.element(found) if isinstance(keys[0], exp.Literal) or reader.ledger.structs else NOTHING


def _field(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    if isinstance(node.expression, exp.Identifier) and reader.ledger.structs:
        return Value(reader.ledger.member(found.slots, [node.expression.name]))
    reader.value(node.expression, scope)
    return NOTHING


def _exploded(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    return reader.element(found)


def _parse_json(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    reader.vote(found, "json", STRONG)
    return Value(found.slots)


def _typed_json(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = _parse_json(reader, node, scope)
    if isinstance(node.expression, exp.Literal):
        _of_type(reader, found, schema_type(node.expression.name))
    return found


def _of_type(reader: ValueClues, found: Value, data_type: exp.DataType) -> None:
    """Note what the type of a JSON value says about the values inside."""
    kind = kind_of_type(data_type)
    if kind != "json":
        reader.ledger.vote(found.slots, kind or "text", STRONG)
    for part in data_type.expressions:
        named = isinstance(part, exp.ColumnDef)
        inner = reader.step(found, [part.name if named else ELEMENT])
        _of_type(reader, inner, part.args["kind"] if named else part)


def _array(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    inner = Value(found.slots) if found.parts else reader.element(found)
    if isinstance(node, exp.ArrayContains):
        other = reader.value(node.expression, scope)
        if isinstance(other.literal, str):
            reader.like_text(inner.slots, other.literal)
        return Value(kind="boolean")
    reader.others(node, scope)
    return Value(kind="number") if isinstance(node, exp.ArraySize) else NOTHING


def _reduced(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """``aggregate(a, 0, (total, x) -> total + x)``: the elements are of the kind of the first total, unless they
    are made something else first."""
    start = reader.value(node.args.get("initial"), scope)
    element = reader.element(reader.value(node.this, scope))
    if _plainly_used(node.args.get("merge")):
        reader.alike(start, element)
    return Value(kind=start.kind)


def _of_elements(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """``array_max(a)`` and ``sort_array(a)``: one of the elements, or the array."""
    found = reader.value(node.this, scope)
    element = reader.element(found)
    return element if isinstance(node, exp.ArrayMax | exp.ArrayMin) else found


def _map_keys(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    reader.ledger.vote(reader.value(node.this, scope).slots, "map", STRONG)
    return NOTHING


def _each(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """``filter(a, x -> x > 1)``: what is said of x is said of any element."""
    body = node.args.get("expression")
    if isinstance(node, exp.Exists) and body is None:
        return reader.children(node, scope)
    found = reader.value(node.this, scope)
    if not isinstance(body, exp.Lambda) or len(body.expressions) != 1:
        return NOTHING
    said, name = exp.Paren(this=body.this.copy()), body.expressions[0].name.lower()
    for use in [one for one in said.find_all(exp.Identifier) if one.name.lower() == name]:
        use.replace(exp.Bracket(this=node.this.copy(), expressions=[exp.Literal.number(0)]))
    reader.value(said, scope)
    return found if isinstance(node, exp.ArrayFilter) else NOTHING


def _plainly_used(body: exp.Expr | None) -> bool:
    """Tell whether ``(total, x) -> total + x`` computes with x itself, not with what a function makes of it."""
    if not isinstance(body, exp.Lambda) or not body.expressions:
        return True
    name = body.expressions[-1].name.lower()
    uses = (use for use in body.this.find_all(exp.Identifier) if use.name.lower() == name)
    return all(isinstance(use.parent, exp.Binary | exp.Paren) for use in uses)


def json_steps(path: exp.Expr) -> list[str]:
    """Return the steps of a JSON path, those into an array as ELEMENT."""
    if not isinstance(path, exp.JSONPath):
        return [str(path.name)] if path.name else []
    steps = []
    for part in path.expressions:
        if isinstance(part, exp.JSONPathKey):
            steps.append(str(part.name))
        elif isinstance(part, exp.JSONPathSubscript | exp.JSONPathWildcard):
            steps.append(str(part.this) if isinstance(part.this, str) else ELEMENT)
    return steps[1:] if steps[:1] == ["$"] else steps


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.JSONExtract: _json_path,
    exp.JSONExtractScalar: _json_path,
    exp.JSONExtractArray: _json_array,
    exp.JSONValueArray: _json_array,
    exp.GetExtract: _bracket,
    exp.Bracket: _bracket,
    exp.ParseJSON: _parse_json,
    exp.FromJson: _typed_json,
    exp.Dot: _field,
    exp.Explode: _exploded,
    exp.ArraySize: _array,
    exp.ArrayContains: _array,
    exp.ArrayFilter: _each,
    exp.Transform: _each,
    exp.Exists: _each,
    exp.Reduce: _reduced,
    exp.ArrayMax: _of_elements,
    exp.ArrayMin: _of_elements,
    exp.SortArray: _of_elements,
    exp.MapKeys: _map_keys,
    exp.ArrayToString: _array,
    exp.ArrayDistinct: _array,
}
