"""Files of a publication: folders that are complete once their manifest is there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from sqlglot import exp

from profiles_pipeline.compile.published_types import kind_of
from profiles_pipeline.compile.publishing import relations_of
from profiles_pipeline.destinations.files import operation_column
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Problem, RunError
from profiles_pipeline.publish.ledger import Publication
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build

if TYPE_CHECKING:
    from profiles_pipeline.destinations import Published

MANIFEST = "_manifest.json"
_WORDS = {"I": "INSERT", "U": "UPDATE", "D": "DELETE"}


def write_files(session: Session, publisher: Publisher, publication: Publication) -> tuple[str, ...]:
    """Write what a publication has: everything there is, what changed, or both; return the names of the folders.

    A folder that has its manifest is left as it is; one without is of a run that was interrupted, and is made anew.

    Raises:
        RunError: a file cannot be written. What is there without a manifest is nothing to be read.
    """
    root = session.project.folder / Path(str(publisher.options["path"])).expanduser()
    contents = publisher.options["contents"]
    assert isinstance(contents, tuple)
    name = f"{publication.number:06}_seq_no_{publication.seq_no}"
    written = []
    try:
        for content in contents:
            folder = root / publisher.name / content / name
            if not (folder / MANIFEST).is_file():
                _write_folder(session, publisher, publication, content, folder)
            written.append(str(folder))
    except OSError as error:
        message = f"'{publisher.name}' cannot write {error.filename}: {error.strerror}"
        hint = f"mend that and run `profiles publish {publisher.name}` again: what is missing is written then"
        problem = Problem("cannot-write", message, publisher.span, hint)
        raise RunError(problem, publisher.path, publication.seq_no) from error
    return tuple(written)


def _write_folder(session: Session, publisher: Publisher, publication: Publication, content: str, folder: Path) -> None:
    table = _rows(session, publisher, publication, content)
    partial = folder.with_name(f".{folder.name}.partial")
    for leftover in (partial, folder):
        if leftover.exists():
            shutil.rmtree(leftover)
    partial.mkdir(parents=True)
    files = []
    for stem, part in _parts(table, int(str(publisher.options["rows_per_file"]))):
        formats = publisher.options["formats"]
        assert isinstance(formats, tuple)
        for extension in formats:
            file = partial / f"{publisher.name}_{stem}.{extension}"
            _write(part, file)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            files.append({"name": file.name, "rows": part.num_rows, "bytes": file.stat().st_size, "sha256": digest})
    os.replace(partial, folder)
    manifest = {
        "project": session.project.name,
        "publisher": publisher.name,
        "contents": content,
        "publication": publication.number,
        "seq_no": publication.seq_no,
        "end_time": f"{publication.end:%Y-%m-%dT%H:%M:%SZ}",
        "published_at": f"{publication.published_at.isoformat(timespec='microseconds')}Z",
        "key": publisher.key_column,
        "columns": [{"name": field.name, "type": str(field.type)} for field in table.schema],
        "rows": table.num_rows,
        "inserted": publication.counts.inserted,
        "updated": publication.counts.updated,
        "deleted": publication.counts.deleted,
        "hash_version": publication.hash_version,
        "files": files,
    }
    unfinished = folder / f".{MANIFEST}"
    unfinished.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, folder / MANIFEST)


def _parts(table: pyarrow.Table, size: int) -> Iterator[tuple[str, pyarrow.Table]]:
    """Yield the files of a table, one at least, with what tells their names apart."""
    for number, start in enumerate(range(0, max(table.num_rows, 1), size), start=1):
        yield f"{number:05}", table.slice(start, size)


def _write(table: pyarrow.Table, file: Path) -> None:
    if file.suffix == ".parquet":
        pyarrow.parquet.write_table(table, file)
    else:  # texts are quoted and NULL is not, so that NULL and the empty text stay apart
        pyarrow.csv.write_csv(table, file, pyarrow.csv.WriteOptions(quoting_style="needed"))


def _rows(session: Session, publisher: Publisher, publication: Publication, content: str) -> pyarrow.Table:
    """Return what a folder holds, ordered by key; columns have the names that the destination knows them by."""
    relations = relations_of(publisher, session.output.schema)
    query = full_query(relations) if content == "full" else delta_query(relations, publication.number)
    found = session.warehouse.fetch_arrow(render(query, session.warehouse.dialect))
    names = [publisher.key_column, *(item.name for item in publisher.properties)]
    kinds = ["VARCHAR", *(publication.columns[item.column] for item in publisher.properties)]
    columns = [_typed(found.column(n), kind) for n, kind in enumerate(kinds)]
    if content == "delta":
        words = publisher.options["operations"] == "word"
        letters = found.column(len(names)).to_pylist()
        names.insert(0, operation_column(publisher.options))
        columns.insert(0, pyarrow.array([_WORDS[str(o)] if words else str(o) for o in letters], pyarrow.string()))
    return pyarrow.table(columns, names=names)


def full_query(relations: Published) -> exp.Expr:
    """Return the query of all rows that are there."""
    return build(
        "SELECT :columns FROM :table AS t WHERE NOT t.row_hash IS NULL ORDER BY :key",
        columns=_columns(relations),
        table=relations.table,
        key=exp.column(relations.key, table="t", quoted=True),
    )


def delta_query(relations: Published, publication: int) -> exp.Expr:
    """Return the query of the changes of the newest publication, with the rows as they are now; ``op`` comes last."""
    columns = [exp.column("key", table="c"), *_columns(relations)[1:]]
    return build(
        """
        SELECT :columns, c.op FROM :changes AS c LEFT JOIN :table AS t ON t.:key = c.key AND c.op <> 'D'
        WHERE c.publication = :number ORDER BY c.seq
        """,
        columns=columns,
        changes=relations.changes,
        table=relations.table,
        key=relations.key,
        number=exp.convert(publication),
    )


def _columns(relations: Published) -> list[exp.Expr]:
    names = [relations.key, *(item.column for item in relations.properties)]
    return [exp.column(name, table="t", quoted=True) for name in names]


_ARROW: Mapping[str, pyarrow.DataType] = {
    "text": pyarrow.string(),
    "integer": pyarrow.int64(),
    "float": pyarrow.float64(),
    "boolean": pyarrow.bool_(),
    "date": pyarrow.date32(),
    "timestamp": pyarrow.timestamp("us"),
}


def _typed(values: pyarrow.ChunkedArray, type_name: str) -> pyarrow.ChunkedArray:
    """Return a column in the type that it is published as; times are said to be UTC."""
    kind = kind_of(type_name)
    if kind == "decimal":
        precision, _, scale = type_name.partition("(")[2].rstrip(")").partition(",")
        return values.cast(pyarrow.decimal128(int(precision), int(scale or 0)))
    cast = values.cast(_ARROW[kind])
    return pyarrow.compute.assume_timezone(cast, "UTC") if kind == "timestamp" else cast
