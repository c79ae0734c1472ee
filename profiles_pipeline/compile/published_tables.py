"""The relations of a publisher in SQL: making them, and writing a difference into them. No table is ever replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlglot import exp

from profiles_pipeline.compile.publishing import Shape
from profiles_pipeline.compile.rows import col, text
from profiles_pipeline.destinations import Published
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.sql import build


def create_table(publisher: Publisher, table: exp.Table, shape: Shape, of_hashes: str = "") -> exp.Expr:
    """Return the statement that makes the table of a publisher, empty. It is never one that replaces it.

    Args:
        publisher: the publisher.
        table: its table.
        shape: the columns beside its own.
        of_hashes: what the warehouse is to be told of a column with hashes.
    """
    columns = [
        (publisher.key_column, "VARCHAR NOT NULL"),
        *((name, type_name) for name, type_name in shape.types.items()),
        ("row_hash", "VARCHAR"),
        ("published_at", "TIMESTAMP"),
        ("main_id", "VARCHAR"),
        *([("deleted_at", "TIMESTAMP")] if publisher.deletes == "soft" else []),
    ]
    made = _create(table, columns)
    if of_hashes:
        for column in made.find_all(exp.ColumnDef):
            if column.name == "row_hash":
                column.append("constraints", exp.ColumnConstraint(kind=exp.var(of_hashes)))
    return made


def create_changes(changes: exp.Table) -> exp.Expr:
    """Return the statement that makes the table of the changes of a publisher."""
    return _create(
        changes,
        [
            ("seq", "BIGINT NOT NULL"), ("publication", "BIGINT NOT NULL"), ("op", "VARCHAR NOT NULL"),
            ("key", "VARCHAR NOT NULL"), ("main_id", "VARCHAR"), ("main_id_before", "VARCHAR"),
            ("changed_columns", "VARCHAR"), ("published_at", "TIMESTAMP NOT NULL"),
        ],
    )  # fmt: skip


def create_rejects(rejects: exp.Table) -> exp.Expr:
    """Return the statement that makes the table of the rows that a destination does not take."""
    return _create(rejects, [("key", "VARCHAR"), ("main_id", "VARCHAR"), ("reason", "VARCHAR"), ("seq_no", "BIGINT")])


def _create(table: exp.Table, columns: Iterable[tuple[str, str]]) -> exp.Expr:
    definitions = [
        exp.ColumnDef(
            this=exp.to_identifier(name, quoted=True),
            kind=exp.DataType.build(spelled.removesuffix(" NOT NULL"), dialect="duckdb"),
            constraints=[exp.ColumnConstraint(kind=exp.NotNullColumnConstraint())]
            if spelled.endswith("NOT NULL")
            else [],
        )
        for name, spelled in columns
    ]
    return exp.Create(this=exp.Schema(this=table.copy(), expressions=definitions), kind="TABLE", exists=True)


def add_column(table: exp.Table, name: str, type_name: str) -> exp.Expr:
    """Return the statement that adds a column, which is NULL for every row."""
    added = build(f"ALTER TABLE :table ADD COLUMN :name {type_name}", table=table, name=name)
    return added


def comment_on(table: exp.Table, comment: str) -> exp.Expr:
    """Return the statement that puts a comment on a table."""
    return exp.Comment(this=table.copy(), kind="TABLE", expression=text(comment))


def merge(
    publisher: Publisher,
    table: exp.Table,
    delta: exp.Table,
    shape: Shape,
    at: exp.Expr,
    changed: Collection[str] | None = None,
) -> exp.Expr:
    """Return the statement that merges the delta into the table; it touches no other row.

    Args:
        publisher: the publisher.
        table: its table.
        delta: what has to be written.
        shape: the columns of the table.
        at: when it is published.
        changed: the columns in which rows differ that are updated, `main_id` among them; no others are written.
            None for any.
    """
    soft = publisher.deletes == "soft"
    marks = shape.marks or soft
    columns = [*shape.types, "row_hash", "main_id"]
    written = columns if marks or changed is None else [c for c in columns if c in changed or c == "row_hash"]
    sets = [exp.EQ(this=exp.column(c, quoted=True), expression=col(c, "d")) for c in written]
    sets.append(exp.EQ(this=exp.column("published_at", quoted=True), expression=at.copy()))
    inserted = [exp.column(c, quoted=True) for c in (publisher.key_column, *columns, "published_at")]
    values = [col(c, "d") for c in ("publish_key", *columns)] + [at.copy()]
    removed: exp.Expr = exp.var("DELETE")
    deleted_at = exp.column("deleted_at", quoted=True)
    if soft:
        removed = exp.Update(expressions=[*(one.copy() for one in sets), exp.EQ(this=deleted_at, expression=at.copy())])
    if marks:
        sets.append(exp.EQ(this=deleted_at.copy(), expression=exp.null()))
    insert = exp.Insert(this=exp.Tuple(expressions=inserted), expression=exp.Tuple(expressions=values))
    whens = [
        exp.When(matched=True, condition=build("d.publish_op = 'D'"), then=removed),
        exp.When(matched=True, then=exp.Update(expressions=sets)),
        exp.When(matched=False, then=insert),
    ]
    return exp.Merge(
        this=exp.alias_(table.copy(), "t", table=True),
        using=exp.alias_(delta.copy(), "d", table=True),
        on=build("t.:key = d.publish_key", key=publisher.key_column),
        whens=exp.Whens(expressions=whens),
    )


def add_changes(changes: exp.Table, delta: exp.Table, publication: int, after: int, at: exp.Expr) -> exp.Expr:
    """Return the statement that adds a publication to the changes, numbered from `after` on."""
    return build(
        """
        INSERT INTO :changes
        SELECT :after + ROW_NUMBER() OVER (ORDER BY publish_key), :publication, publish_op, publish_key, main_id,
            main_id_before, changed_columns, :at
        FROM :delta
        """,
        changes=changes,
        after=exp.convert(after),
        publication=exp.convert(publication),
        at=at,
        delta=delta,
    )


def add_everybody(
    changes: exp.Table, delta: exp.Table, published: Published, publication: int, after: int, at: exp.Expr
) -> exp.Expr:
    """Return the statement that adds a publication to the changes by which a destination begins anew: everybody who is
    in the table, once that is merged into, is inserted, after whom the delta deletes.
    """
    return build(
        """
        INSERT INTO :changes
        SELECT :after + ROW_NUMBER() OVER (ORDER BY op, publish_key), :publication, op, publish_key, main_id,
            main_id_before, CAST(NULL AS VARCHAR), :at
        FROM (
            SELECT publish_op AS op, publish_key, main_id, main_id_before FROM :delta WHERE publish_op = 'D'
            UNION ALL SELECT 'I', :key, main_id, CAST(NULL AS VARCHAR) FROM :table WHERE NOT row_hash IS NULL
        ) AS c
        """,
        changes=changes,
        delta=delta,
        table=published.table,
        key=exp.column(published.key, quoted=True),
        after=exp.convert(after),
        publication=exp.convert(publication),
        at=at,
    )


def trim_changes(changes: exp.Table, before: exp.Expr, arrived: int) -> exp.Expr:
    """Return the statement that takes old changes out, but for those that have not arrived.

    Args:
        changes: the table of the changes.
        before: the moment before which they are old.
        arrived: number of the last change that is known to have arrived.
    """
    return build(
        "DELETE FROM :changes WHERE published_at < :before AND seq <= :arrived",
        changes=changes,
        before=before,
        arrived=exp.convert(arrived),
    )


def rejects_of(publisher: Publisher, schema: str) -> exp.Table:
    """Return the table of the rows that the destination does not take."""
    return exp.table_(f"{publisher.name}__rejects", db=schema, quoted=True)


def clear_rejects(rejects: exp.Table, seq_no: int, people: exp.Table | None) -> list[exp.Expr]:
    """Return the statements that forget the rows that were not taken the last time.

    Args:
        rejects: the table of them.
        seq_no: the run that is published; of the rows that stay, it is what they are as of.
        people: table with the main ids of those who were compared; None for everybody.
    """
    if people is None:
        return [build("DELETE FROM :rejects WHERE TRUE", rejects=rejects)]
    return [
        build("DELETE FROM :rejects WHERE main_id IN (SELECT main_id FROM :people)", rejects=rejects, people=people),
        build("UPDATE :rejects SET seq_no = :n WHERE seq_no <> :n", rejects=rejects, n=exp.convert(seq_no)),
    ]


def add_rejects(rejects: exp.Table, desired: exp.Table, seq_no: int) -> exp.Expr:
    """Return the statement that notes the rows that the destination does not take; those without a key are counted."""
    return build(
        """
        INSERT INTO :rejects SELECT publish_key, main_id, publish_reason, CAST(:n AS BIGINT) FROM :desired
        WHERE NOT publish_reason IS NULL AND NOT publish_key IS NULL
        """,
        rejects=rejects,
        n=exp.convert(seq_no),
        desired=desired,
    )


def dead_letters_of(publisher: Publisher, schema: str) -> exp.Table:
    """Return the table of the changes that a server refused for good."""
    return exp.table_(f"{publisher.name}__dead_letters", db=schema, quoted=True)


def create_dead_letters(letters: exp.Table) -> exp.Expr:
    """Return the statement that makes the table of the changes that a server refused for good."""
    return _create(
        letters,
        [
            ("seq", "BIGINT NOT NULL"), ("publication", "BIGINT NOT NULL"), ("op", "VARCHAR"), ("key", "VARCHAR"),
            ("status", "BIGINT"), ("answer", "VARCHAR"), ("refused_at", "TIMESTAMP"),
        ],
    )  # fmt: skip


def outbox_query(relations: Published, after: int, size: int) -> exp.Expr:
    """Return the query of the next changes after one, in order, with the rows as they are now.

    Its columns: ``seq``, ``op``, ``key``, ``row_hash`` and those of the properties.
    """
    return build(
        """
        SELECT c.seq, c.op, c.key, t.row_hash, :columns FROM :changes AS c
        LEFT JOIN :table AS t ON t.:key = c.key AND c.op <> 'D'
        WHERE c.seq > :after ORDER BY c.seq LIMIT :size
        """,
        columns=[col(item.column, "t") for item in relations.properties],
        changes=relations.changes,
        table=relations.table,
        key=relations.key,
        after=exp.convert(after),
        size=exp.convert(size),
    )
