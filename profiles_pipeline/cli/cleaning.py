"""Does what ``profiles cleanup materials`` says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import typer

from profiles_pipeline import cleanup
from profiles_pipeline.cleanup import Fate, Rules
from profiles_pipeline.cli import values
from profiles_pipeline.cli.cleaning_commands import CleanupOptions
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.terminal import note, out, plural, print_document, print_table, say
from profiles_pipeline.errors import fail
from profiles_pipeline.queries.reading import open_for_reading


def _period(asked: CleanupOptions) -> timedelta | None:
    """Return how long to keep what is not needed, if that is given; a number alone counts days."""
    if sum(given is not None for given in (asked.retain, asked.hours, asked.milliseconds)) > 1:
        fail("options-clash", "the age of what is kept is given more than once", hint="--retain alone will do")
    if asked.hours is not None:
        return timedelta(hours=asked.hours)
    if asked.milliseconds is not None:
        return timedelta(milliseconds=asked.milliseconds)
    text = asked.retain
    if text is None:
        return None
    return timedelta(days=int(text)) if text.isdecimal() else values.duration(text, "--retain")


def clean(place: Place, asked: CleanupOptions) -> None:
    """Say what would be dropped and why, ask, and drop it."""
    if asked.views:
        message = "views stay, and with them what they read: --remove-latest-view-ptrs is not done here"
        fail("unsupported-option", message, hint="drop a view yourself; cleanup then takes what it alone has read")
    rules = Rules(_period(asked), asked.expired)
    project, output = place.open()
    with open_for_reading(project, output, "profiles cleanup", tell_waiting, asked.lock_timeout) as session:
        fates = cleanup.fates(session, rules)
    condemned = [fate for fate in fates if fate.dropped]
    if not asked.as_json:
        _say(fates, condemned)
    if asked.dry_run or not condemned:
        if asked.as_json:
            print_document(_document(fates, ()))
        return
    if not asked.yes:
        if asked.as_json:
            fail("no-answer", "with --json nobody is asked", hint="add -y, or --dry-run to see what would be dropped")
        if not typer.confirm(f"drop {plural(len(condemned), 'material')}?", err=True):
            note("nothing was dropped", style="yellow")
            return
    agreed = {fate.material.name for fate in condemned}
    done = cleanup.clean(project, output, rules, agreed, tell_waiting, asked.lock_timeout)
    if asked.as_json:
        print_document(_document(fates, done))
        return
    relations = sum(len(fate.material.relations) for fate in done)
    say(f"dropped {plural(len(done), 'material')} ({plural(relations, 'relation')})", style="bold green")


def _say(fates: Sequence[Fate], condemned: Sequence[Fate]) -> None:
    rows = [
        (
            f.material.name,
            f.material.path or "",
            f"{f.material.created:%Y-%m-%d}" if f.material.created else "",
            f.reason,
        )
        for f in condemned
    ]
    if rows:
        print_table(out(), ("to drop", "model", "built", "why"), rows)
    kept = len(fates) - len(condemned)
    say(f"{len(condemned):,} to drop, {kept:,} to keep; --json says why each is kept")


def _document(fates: Sequence[Fate], done: Sequence[Fate]) -> dict[str, object]:
    dropped = {fate.material.name for fate in done}
    return {
        "materials": [
            {
                "material": fate.material.name,
                "model": fate.material.path,
                "seq_no": fate.material.seq_no or None,
                "built_at": fate.material.created.isoformat() if fate.material.created else None,
                "relations": [relation.name for relation in fate.material.relations],
                "action": "drop" if fate.dropped else "keep",
                "reason": fate.reason,
                "dropped": fate.material.name in dropped,
            }
            for fate in fates
        ],
        "dropped": len(dropped),
    }
