"""Publishing in SQL: what is to be there, how it differs from what is there, and how the difference is written.

Everything is in the canonical dialect and independent of the destination. The table of a publisher is made once, never
replaced, and merged into: a row is touched only where something that is published of it has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from sqlglot import exp

from profiles_pipeline.compile.published_types import check_types, kind_of, published_value
from profiles_pipeline.compile.rows import col, text
from profiles_pipeline.compile.statement import beside
from profiles_pipeline.destinations import Published
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.sql import build

HASH_VERSION = 1
"""Of the recipe of `row_hash`; another one would make every row look changed by hand."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a published table beside its key, and where they come from.

    Attributes:
        sources: column -> type of the values that it gets, as the source has them.
        types: column -> type that it is published as, those that it had before included.
        marks: the table says when rows were deleted, ``deleted_at``; such rows are there for nobody.
    """

    sources: Mapping[str, str]
    types: Mapping[str, str]
    marks: bool = False

    @property
    def retired(self) -> tuple[str, ...]:
        """Columns that nothing is published in any more."""
        return tuple(name for name in self.types if name not in self.sources)


def source_query(
    publisher: Publisher,
    relations: Mapping[str, exp.Table],
    without: Collection[str] = frozenset(),
    only: exp.Table | None = None,
) -> exp.Expr:
    """Return the query of what a publisher reads: columns ``publish_key``, ``main_id`` and those of its properties.

    Args:
        publisher: the publisher.
        relations: path of a model that it reads -> its material.
        without: main ids of people who are left out.
        only: table with the main ids of those who are read, ``main_id``; None for everybody.
    """
    main_id = publisher.entity.id_column
    columns = [col(item.column, "f") for item in publisher.properties]
    query = exp.select(exp.alias_(col(main_id, "f"), "main_id")).from_(_as(relations[publisher.source], "f"))
    if publisher.stitcher is None:
        query = query.select(exp.alias_(col(publisher.key, "f"), "publish_key"))
    else:
        ids = _ids(publisher, beside(relations[publisher.stitcher], "_mappings"), only)
        on = build("g.main_id = f.:id", id=main_id)
        query = query.select("g.other_id AS publish_key").join(
            exp.alias_(exp.Subquery(this=ids), "g", table=True), on=on
        )
    if publisher.cohort is not None:
        members = exp.alias_(relations[publisher.cohort].copy(), "m", table=True)
        query = query.join(members, on=build("m.:id = f.:id", id=main_id))
    if without:
        listed = [text(each) for each in sorted(without)]
        query = query.where(build("NOT f.:id IN (:without)", id=main_id, without=listed))
    if only is not None:
        query = query.where(build("f.:id IN (SELECT main_id FROM :only)", id=main_id, only=only))
    return query.select(*columns)


def _ids(publisher: Publisher, mappings: exp.Table, only: exp.Table | None) -> exp.Expr:
    """Return the ids that get a row: all of a type, or for each person the one that was seen first, or last."""
    meant = build("other_id_type = :type", type=text(publisher.key))
    if only is not None:
        meant = exp.and_(meant, build("main_id IN (SELECT main_id FROM :only)", only=only))
    if publisher.fan_out == "all":
        return build("SELECT other_id, main_id FROM :m WHERE :meant", m=mappings, meant=meant)
    order = {"latest": "valid_at DESC NULLS LAST", "oldest": "first_seen_at NULLS LAST"}[publisher.fan_out]
    return build(
        f"""
        SELECT other_id, main_id FROM (
            SELECT other_id, main_id, ROW_NUMBER() OVER (PARTITION BY main_id ORDER BY {order}, other_id) AS place
            FROM :m WHERE :meant
        ) AS ranked WHERE place = 1
        """,
        m=mappings,
        meant=meant,
    )


def desired_query(publisher: Publisher, source: exp.Expr, key_type: str, shape: Shape) -> exp.Expr:
    """Return the query of what is to be published: ``publish_key``, ``main_id``, each column in its type, and
    ``publish_reason``.

    The reason says why a row is not published; it is NULL for one that is.

    Raises:
        ProjectError: the destination refuses the type of the key or of a property.
    """
    check_types(publisher, key_type, shape.sources, shape.types)
    contract = publisher.destination.contract
    values = [
        exp.alias_(published_value(publisher, name, of, shape.types[name]), name, quoted=True)
        for name, of in shape.sources.items()
    ]
    rows = build(
        "SELECT CAST(publish_key AS VARCHAR) AS publish_key, main_id, :values FROM :source AS s",
        values=values,
        source=source,
    )
    if not values:
        rows = build("SELECT CAST(publish_key AS VARCHAR) AS publish_key, main_id FROM :source AS s", source=source)
    reasons = exp.Case().when(build("publish_key IS NULL"), text("no key"))
    rule = contract.key
    too_short = build("LENGTH(publish_key) < :n", n=exp.convert(rule.shortest))
    reasons = reasons.when(too_short if rule.shortest > 1 else build("publish_key = ''"), text("key too short"))
    if rule.longest is not None:
        reasons = reasons.when(build("LENGTH(publish_key) > :n", n=exp.convert(rule.longest)), text("key too long"))
    if rule.refused:
        refused = exp.In(
            this=build("LOWER(TRIM(publish_key))"), expressions=[text(word) for word in sorted(rule.refused)]
        )
        reasons = reasons.when(refused, text("key stands for nobody"))
    return build("SELECT d.*, :reason AS publish_reason FROM :rows AS d", reason=reasons, rows=rows)


def row_hash(types: Mapping[str, str], alias: str) -> exp.Expr:
    """Return the hash of the published columns of a row of `alias`: 64 bits of an MD5, in hexadecimal.

    It tells whether a row still is what was published; what has changed is found by comparing values. It is the hash of
    ``<name>=<length>:<value>`` for each column that is not NULL, in the order of the names: NULL is not the empty text,
    a value does not move to another column unseen, and a new column without values changes nothing.
    """
    parts = [
        build(
            "COALESCE(:name || LENGTH(CAST(:c AS VARCHAR)) || ':' || CAST(:c AS VARCHAR) || ';', '')",
            name=text(f"{name}="),
            c=col(name, alias),
        )
        for name in sorted(types)
    ]
    return build("LEFT(MD5(:all), 16)", all=_joined([text(f"v{HASH_VERSION};"), *parts]))


def _joined(parts: Sequence[exp.Expr]) -> exp.Expr:
    """Return the concatenation of texts."""
    return reduce(lambda left, right: exp.DPipe(this=left, expression=right, safe=True), parts)


def delta_query(publisher: Publisher, desired: exp.Table, table: exp.Expr, shape: Shape) -> exp.Expr:
    """Return the query of what has to be written: a row per key that is new, changed or gone.

    Its columns: ``publish_key``, ``publish_op`` (I, U or D), ``main_id``, ``main_id_before``, the published columns,
    ``row_hash``, ``changed_columns`` (their names) and ``by_hand`` (the row there is not what was published).
    """
    key = publisher.key_column
    compared = {name: _wanted(name, shape) for name in shape.types}
    differs = [
        build("NOT (:d IS NOT DISTINCT FROM :p)", d=wanted, p=col(name, "p")) for name, wanted in compared.items()
    ]
    marks = shape.marks or publisher.deletes == "soft"
    absent = build("p.:key IS NULL" + (" OR p.deleted_at IS NOT NULL" if marks else ""), key=key)
    is_gone = exp.condition("d.publish_key IS NULL" + (" AND p.deleted_at IS NULL" if marks else ""))
    if publisher.deletes == "keep":
        is_gone = exp.false()
    is_there = build(
        "NOT d.publish_key IS NULL AND (:absent OR :differs)",
        absent=absent,
        differs=exp.or_(*differs) if differs else exp.false(),
    )
    changed = [
        build("CASE WHEN :differs THEN :name ELSE '' END", differs=one, name=text(f",{name}"))
        for name, one in zip(compared, differs, strict=True)
    ]
    return build(
        """
        SELECT COALESCE(d.publish_key, p.:key) AS publish_key,
            CASE WHEN d.publish_key IS NULL THEN 'D' WHEN :absent THEN 'I' ELSE 'U' END AS publish_op,
            d.main_id AS main_id, p.main_id AS main_id_before, :values,
            CASE WHEN NOT d.publish_key IS NULL THEN :hash END AS row_hash,
            CASE WHEN NOT d.publish_key IS NULL AND NOT (:absent) THEN SUBSTRING(:changed, 2) END AS changed_columns,
            NOT p.:key IS NULL AND NOT (:absent) AND NOT (p.row_hash IS NOT DISTINCT FROM :published_hash) AS by_hand
        FROM (SELECT * FROM :desired WHERE publish_reason IS NULL) AS d FULL JOIN :table AS p ON p.:key = d.publish_key
        WHERE (:is_gone) OR (:is_there)
        """,
        key=key,
        absent=absent,
        values=[exp.alias_(wanted, name, quoted=True) for name, wanted in compared.items()]
        or [exp.alias_(exp.null(), "nothing")],
        hash=_hash_of(compared),
        changed=_joined([text(""), *changed]),
        published_hash=row_hash(shape.types, "p"),
        desired=desired,
        table=table,
        is_gone=is_gone,
        is_there=is_there,
    )


def _hash_of(compared: Mapping[str, exp.Expr]) -> exp.Expr:
    """Return the hash of a row as it will be: columns that nothing is published in are NULL, and say nothing."""
    return row_hash({name: "" for name, wanted in compared.items() if isinstance(wanted, exp.Column)}, "d")


def _wanted(name: str, shape: Shape) -> exp.Expr:
    if name in shape.sources:
        return col(name, "d")
    return exp.cast(exp.null(), exp.DataType.build(shape.types[name], dialect="duckdb"))


def relations_of(publisher: Publisher, schema: str, types: Mapping[str, str] | None = None) -> Published:
    """Return the relations of a publisher, as its destination sees them.

    Args:
        publisher: the publisher.
        schema: the output schema.
        types: column -> type that it is published as, where that is known.
    """
    known = types or {}
    return Published(
        table=exp.table_(publisher.name, db=schema, quoted=True),
        changes=exp.table_(f"{publisher.name}__changes", db=schema, quoted=True),
        key=publisher.key_column,
        properties=tuple(replace(p, kind=kind_of(known[p.column])) if known else p for p in publisher.properties),
        options=publisher.options,
    )


def _as(relation: exp.Table, name: str) -> exp.Expr:
    return exp.alias_(relation.copy(), name, table=True)
