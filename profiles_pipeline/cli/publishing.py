"""Does what ``profiles publish`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from profiles_pipeline.cli.faults import failure, from_here, say_error
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.terminal import note, out, print_document, print_table, say
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import ProfilesError, as_value, fail
from profiles_pipeline.events import Report
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.publish import publishing
from profiles_pipeline.publish.delivery import Delivered
from profiles_pipeline.publish.difference import Difference
from profiles_pipeline.publish.ledger import Counts
from profiles_pipeline.publish.publishing import Outcome

_HEADINGS = ("publisher", "destination", "inserted", "updated", "deleted", "unchanged", "rejected")
_OPERATIONS = {"I": "insert", "U": "update", "D": "delete"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which publishers to use, as it is typed."""

    names: tuple[str, ...]
    everything: bool
    approve: bool = False
    lock_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class HandedOn:
    """What publishers have done, and why others could not."""

    outcomes: tuple[Outcome, ...] = ()
    failures: tuple[ProfilesError, ...] = ()

    @property
    def documents(self) -> list[dict[str, object]]:
        """All of it as plain values."""
        return [*map(of_outcome, self.outcomes), *map(failure, self.failures)]

    def show(self) -> None:
        """Print what was published."""
        show_outcomes(self.outcomes)

    def leave_if_failed(self, place: Place) -> None:
        """Say what failed, and raise Exit if anything did."""
        for error in self.failures:
            say_error(error, place.folder)
        if self.failures:
            raise typer.Exit(max(error.exit_code for error in self.failures))


def chosen(project: ProfilesProject, asked: Asked) -> tuple[str, ...]:
    """Return the names of the publishers asked for.

    Raises:
        ProjectError: there is none of a name, or none is named.
    """
    known = [publisher.name for publisher in project.publishers]
    if asked.everything and known:
        return tuple(known)
    if not asked.names:
        hint = (
            f"name one, or all with --all: {', '.join(known)}"
            if known
            else "docs/publishing.md shows how to declare one"
        )
        fail("no-publisher", "no publisher is named" if known else "the project has no publishers", hint=hint)
    return tuple(publishing.find_publisher(project, name).name for name in asked.names)


def show_plan(place: Place, asked: Asked, as_json: bool) -> None:
    """Print what publishers would write."""
    project, output = place.open()
    documents = []
    for name in chosen(project, asked):
        with publishing.preview(project, output, name, tell_waiting, asked.lock_timeout) as found:
            documents.append(_of_difference(found))
            if not as_json:
                _show_difference(found)
    if as_json:
        print_document(documents)


def publish(place: Place, asked: Asked, as_json: bool) -> None:
    """Publish by each publisher in turn, and say what was done.

    Raises:
        Exit: one of them failed, which has been said; the others were used.
    """
    project, output = place.open()
    done = attempt(project, output, chosen(project, asked), asked)
    if as_json:
        print_document(done.documents)
    else:
        done.show()
    done.leave_if_failed(place)


def after_run(project: ProfilesProject, output: Output, done: Report, lock_timeout: float | None) -> HandedOn:
    """Publish by every publisher what a run has finished; nothing of one that is not complete."""
    if done.failed:
        return HandedOn()
    asked = Asked((), everything=True, lock_timeout=lock_timeout)
    return attempt(project, output, [publisher.name for publisher in project.publishers], asked)


def attempt(project: ProfilesProject, output: Output, names: Sequence[str], asked: Asked) -> HandedOn:
    """Publish by each of these, whatever becomes of the others; return what was done and what failed."""
    outcomes, failures = [], []
    for name in names:
        try:
            made = publishing.publish(
                project, output, name, approve=asked.approve, observe=tell_waiting, timeout=asked.lock_timeout
            )
            outcomes.append(made)
        except ProfilesError as error:
            failures.append(as_value(error))
    return HandedOn(tuple(outcomes), tuple(failures))


def show_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print what was published, and what there is to know of it."""
    if not outcomes:
        return
    rows = [(o.publisher.name, o.publisher.destination.name, *_cells(o.counts)) for o in outcomes]
    print_table(out(), _HEADINGS, rows, right=_HEADINGS[2:])
    for outcome in outcomes:
        _show_outcome(outcome)


def _show_outcome(outcome: Outcome) -> None:
    name = outcome.publisher.name
    if outcome.publication is None and outcome.delivered == Delivered():
        say(f"{name}: nothing has changed, nothing was written")
    elif outcome.publication is None:
        say(f"{name}: nothing has changed since the last publication, of which a part had not arrived yet")
    else:
        told = f"publication {outcome.publication.number} of seq_no {outcome.seq_no} in {outcome.relation}"
        say(f"{name}: {told}", style="green")
    _show_delivered(outcome)
    if outcome.publication is not None and outcome.publication.number == 1:
        say(f"{name}: next, {outcome.publisher.destination.next_step}")
        if outcome.mapping:
            say(outcome.mapping, style="dim")


def _show_delivered(outcome: Outcome) -> None:
    name, done = outcome.publisher.name, outcome.delivered
    for folder in done.files:
        say(f"{name}: wrote {from_here(Path(folder))}")
    if done.batches:
        say(f"{name}: {done.rows:,} changes arrived in {done.batches:,} batches")
    if done.dead:
        note(
            f"{name}: {done.dead:,} changes were refused for good: see {name}__dead_letters",
            style="yellow",
        )
    for sync in done.syncs:
        say(f"{name}: started sync {sync}")
    for check in outcome.checks:
        if not check.passed:
            note(f"{name}: {check.description}", style="yellow")


def of_outcome(outcome: Outcome) -> dict[str, object]:
    """Return what was published as plain values."""
    made = outcome.publication
    return {
        "publisher": outcome.publisher.name,
        "destination": outcome.publisher.destination.name,
        "status": "published" if made else "unchanged",
        "publication": made.number if made else None,
        "seq_no": outcome.seq_no,
        "relation": outcome.relation,
        **_counts(outcome.counts),
        "guards": [{"name": c.name, "passed": c.passed, "description": c.description} for c in outcome.checks],
        "files": list(outcome.delivered.files),
        "batches": outcome.delivered.batches,
        "dead_letters": outcome.delivered.dead,
        "syncs": list(outcome.delivered.syncs),
        "mapping": outcome.mapping,
    }


def _show_difference(found: Difference) -> None:
    publisher = found.publisher
    print_table(
        out(), _HEADINGS, [(publisher.name, publisher.destination.name, *_cells(found.counts))], right=_HEADINGS[2:]
    )
    say(f"as of {found.window.end:%Y-%m-%dT%H:%M:%SZ}, seq_no {found.window.seq_no}; the table has {found.rows:,} rows")
    if found.anew:
        say("the destination is another one than before" + (", and is given everybody" * found.tells_everybody))
    if found.missing and found.is_there:
        say(f"new columns: {', '.join(found.missing)}")
    if retired := [name for name in found.shape.retired if found.last and name in found.last.columns]:
        say(f"no longer published, their columns stay and are emptied: {', '.join(retired)}")
    for op, key, changed in found.sample:
        say(f"  {_OPERATIONS[op]} {key}{f': {changed}' if changed else ''}", style="dim")
    if len(found.sample) < found.counts.operations:
        say(f"  and {found.counts.operations - len(found.sample):,} more", style="dim")
    for guard in found.guards:
        if guard.told:
            say(f"guard {guard.name}: {guard.told}", style="bold yellow")
    if found.tripped:
        say("would not be published without --approve; nothing was written", style="yellow")
    else:
        say("nothing was written")


def _of_difference(found: Difference) -> dict[str, object]:
    return {
        "publisher": found.publisher.name,
        "destination": found.publisher.destination.name,
        "status": "planned",
        "seq_no": found.window.seq_no,
        "rows": found.rows,
        **_counts(found.counts),
        "new_columns": list(found.missing),
        "new_destination": found.anew,
        "sample": [{"operation": _OPERATIONS[op], "key": key, "changed": changed} for op, key, changed in found.sample],
        "guards": [{"name": g.name, "passed": not g.told, "told": g.told} for g in found.guards],
    }


def _counts(counts: Counts) -> dict[str, object]:
    return {name: getattr(counts, name) for name in _HEADINGS[2:]}


def _cells(counts: Counts) -> tuple[str, ...]:
    return tuple(f"{getattr(counts, name):,}" for name in _HEADINGS[2:])
