"""The certificate: what was taken out, what was looked through, what is left, and what nobody here can reach."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

from profiles_pipeline.forgetting.published import TakenOut
from profiles_pipeline.forgetting.requests import Request
from profiles_pipeline.forgetting.tables import SHORT, Left

NOT_REACHED = (
    "the rows of the sources: they are yours, and are left out whenever they are read",
    "tables and files that somebody has made of what was built, and backups",
    "blocks that the database has freed and not written over yet (DuckDB: copy the file with COPY FROM DATABASE; "
    "PostgreSQL: VACUUM FULL), and what it keeps of the past by itself (Snowflake: Time Travel, Fail-safe)",
    "numbers that add up many people, in what was built before: later runs compute them without these",
    "what destinations have copied, as far as they do not act on the deletions",
)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done for a request.

    Attributes:
        seq_no: the run that was made without them; None where nothing had been built.
        taken: table -> rows that were taken out of it, published ones aside.
        published: what became of them at publishers.
        left: where anything is left.
        at: when it was looked, in UTC.
    """

    seq_no: int | None
    taken: Mapping[str, int]
    published: Sequence[TakenOut]
    left: Sequence[Left]
    at: datetime


def certificate(request: Request, project: str, done: Done) -> dict[str, object]:
    """Return what was done for a request of a project, as plain values. It names no identifier."""
    files = [folder for each in done.published for folder in each.files]
    return {
        "request": request.number,
        "project": project,
        "entity": request.entity,
        "reason": request.reason,
        "asked_at": _said(request.asked_at),
        "done_at": _said(done.at),
        "version": metadata.version("profiles-pipeline"),
        "ids": dict(sorted(Counter(each.type for each in request.ids).items())),
        "main_ids": len(request.main_ids),
        "rebuilt_as": done.seq_no,
        "rows": dict(sorted(done.taken.items())),
        "published": [
            {
                "publisher": each.publisher,
                "destination": each.destination,
                "rows": each.rows,
                "deletions": each.deletions,
                "handed_on": each.waits is None,
                "waits_for": each.waits,
                "sync": _of_sync(each),
                "still_to_do": each.duty,
            }
            for each in done.published
        ],
        "verified": not done.left,
        "left": [{"table": each.table, "column": each.column, "rows": each.rows} for each in done.left],
        "not_reached": [*NOT_REACHED, *(f"files in {folder}" for folder in files)],
    }


def _of_sync(taken: TakenOut) -> dict[str, object] | None:
    """Return how the sync went that was started for people; None where none was."""
    if taken.fetched is None:
        return None
    return {"id": taken.syncs[-1], "succeeded": taken.fetched.passed, "told": taken.fetched.description}


def state_of(published: Mapping[str, object]) -> str:
    """Return how far the deletions of a publisher have come, as a certificate has it, for people."""
    if not published["handed_on"]:
        return f"waiting: {published['waits_for']}"
    sync = published["sync"]
    if not isinstance(sync, dict):
        return "handed on"
    return "handed on and fetched" if sync["succeeded"] else f"handed on. {str(sync['told']).rstrip('.')}"


def write(folder: Path, found: Mapping[str, object]) -> tuple[Path, Path]:
    """Write a certificate as JSON and for people below a folder; return both files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / f"{found['request']}.json", folder / f"{found['request']}.md"
    for file, content in zip(files, (json.dumps(found, indent=2, ensure_ascii=False), page(found)), strict=True):
        unfinished = file.with_name(f".{file.name}")
        unfinished.write_text(f"{content.rstrip()}\n", encoding="utf-8")
        unfinished.replace(file)
    return files


def page(found: Mapping[str, object]) -> str:
    """Return a certificate as a page for people, in Markdown."""
    ids, rows = found["ids"], found["rows"]
    published, left, beyond = found["published"], found["left"], found["not_reached"]
    assert isinstance(ids, dict)
    assert isinstance(rows, dict)
    assert isinstance(published, list)
    assert isinstance(left, list)
    assert isinstance(beyond, list)
    numbers = ", ".join(f"{count} {id_type}" for id_type, count in ids.items())
    built = found["rebuilt_as"]
    lines = [
        f"# Forgotten: request {found['request']}",
        "",
        f"Project {found['project']}, entity {found['entity']}. Asked {found['asked_at']}, done {found['done_at']}, by",
        f"profiles_pipeline {found['version']}." + (f" Reason: {found['reason']}." if found["reason"] else ""),
        "",
        f"Identifiers: {numbers}. They are not named here; the list of who is left out has salted hashes of them.",
        f"What is shown now was built without them as seq_no {built}." if built else "Nothing had been built of them.",
        "",
        "## Taken out",
        "",
        *(_table(("table", "rows"), sorted(rows.items())) if rows else ["No rows of earlier runs."]),
        "",
        "## Published",
        "",
    ]
    for each in published:
        said = f"{each['deletions']} deletions, {state_of(each)}"
        lines.append(f"* {each['publisher']} ({each['destination']}): {said}.")
        lines.append(f"  Still to do: {each['still_to_do']}.")
    lines += [] if published else ["Nothing is published."]
    looked = f"identifiers of fewer than {SHORT} characters in columns of identifiers only"
    lines += ["", "## Looked for afterwards", ""]
    if left:
        lines += _table(("table", "column", "rows"), [tuple(each.values()) for each in left])
    else:
        lines.append(f"Nothing is left in any table of the project ({looked}).")
    lines += ["", "## Not reached", "", *(f"* {each}" for each in beyond)]
    return "\n".join(lines)


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        f"| {' | '.join(headings)} |",
        f"|{'---|' * len(headings)}",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
