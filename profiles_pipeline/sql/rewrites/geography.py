"""Geography: a point is a struct of two numbers in degrees, a distance goes along the surface of a sphere."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import typed
from profiles_pipeline.sql.rewrites.numbers import in_floating_point
from profiles_pipeline.sql.rewrites.row import Rewrite, named

_DIALECTS = ("snowflake", "bigquery")
_RADIUS_IN_KILOMETRES = exp.Literal.number(6371)
_RADIUS_IN_METRES = exp.Literal.number(6371010)
_ALONG_SPHERE = """
    2 * :radius * ASIN(SQRT(
      POWER(SIN(RADIANS(:lat2 - :lat1) / 2), 2)
      + COS(RADIANS(:lat1)) * COS(RADIANS(:lat2)) * POWER(SIN(RADIANS(:lng2 - :lng1) / 2), 2)
    ))
"""
_POINT = """
    CASE
      WHEN NOT :longitude IS NULL AND NOT :latitude IS NULL THEN {'longitude': :longitude, 'latitude': :latitude}
    END
"""
_MADE_HERE = "point"
"""In the meta of a point that the text itself makes, so that its coordinates need not be taken out of it again."""


def _haversine(node: exp.Expr) -> exp.Expr:
    if not named(node, "HAVERSINE") or len(node.expressions) != 4:
        return node
    lat1, lng1, lat2, lng2 = node.expressions
    made = build(_ALONG_SPHERE, radius=_RADIUS_IN_KILOMETRES, lat1=lat1, lng1=lng1, lat2=lat2, lng2=lng2)
    return typed(made, exp.DType.DOUBLE)


def _point(longitude: exp.Expr, latitude: exp.Expr) -> exp.Expr:
    made = build(_POINT, longitude=in_floating_point(longitude), latitude=in_floating_point(latitude))
    made.meta[_MADE_HERE] = True
    return made


def _coordinate(name: str, point: exp.Expr) -> exp.Expr:
    """Return the ``longitude`` or ``latitude`` of a point, in degrees."""
    if point.meta.get(_MADE_HERE):
        members: list[exp.PropertyEQ] = point.args["ifs"][0].args["true"].expressions
        found = next(member.expression for member in members if member.name == name)
    else:
        found = build("STRUCT_EXTRACT(:point, :name)", point=point, name=exp.Literal.string(name))
    return typed(found, exp.DType.DOUBLE)


def _metres(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    lat1, lat2 = (_coordinate("latitude", point) for point in (one, other))
    lng1, lng2 = (_coordinate("longitude", point) for point in (one, other))
    made = build(_ALONG_SPHERE, radius=_RADIUS_IN_METRES, lat1=lat1, lng1=lng1, lat2=lat2, lng2=lng2)
    return typed(made, exp.DType.DOUBLE)


def _called(node: exp.Expr) -> exp.Expr:
    """``st_geogpoint(x, y)``, ``st_x(p)``, ``st_y(p)``, ``st_dwithin(p, q, metres)``"""
    arguments = node.expressions
    match node.name.upper(), len(arguments):
        case (("ST_GEOGPOINT" | "ST_MAKEPOINT" | "ST_POINT"), 2):
            return _point(*arguments)
        case "ST_X", 1:
            return _coordinate("longitude", arguments[0])
        case "ST_Y", 1:
            return _coordinate("latitude", arguments[0])
        case "ST_DWITHIN", 3:
            within = build(":distance <= :most", distance=_metres(*arguments[:2]), most=arguments[2])
            return typed(exp.Paren(this=within), exp.DType.BOOLEAN)
    return node


ROWS: tuple[Rewrite, ...] = (
    Rewrite("haversine", "snowflake", "duckdb", (exp.Anonymous,), _haversine),
    *(
        Rewrite("point", s, "duckdb", (exp.StPoint,), lambda node: _point(node.this, node.expression))
        for s in _DIALECTS
    ),
    *(
        Rewrite("distance", s, "duckdb", (exp.StDistance,), lambda node: _metres(node.this, node.expression))
        for s in _DIALECTS
    ),
    *(Rewrite("geography", s, "duckdb", (exp.Anonymous,), _called) for s in _DIALECTS),
)
