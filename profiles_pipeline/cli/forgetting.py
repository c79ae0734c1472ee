"""Does what ``profiles forget`` says."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from profiles_pipeline.cli.entry import INTERRUPTED
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.forget_commands import ForgetOptions
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.progress import watching
from profiles_pipeline.cli.terminal import err, note, out, plural, print_document, print_table, say
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import RunError, WarehouseError, fail
from profiles_pipeline.forgetting import certificate as certificates
from profiles_pipeline.forgetting import forgetting
from profiles_pipeline.forgetting.forgetting import Asked, Foreseen, Forgotten
from profiles_pipeline.forgetting.requests import Request, Requests
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.reading import open_for_reading


def forget(place: Place, asked: ForgetOptions) -> None:
    """Forget people, show what forgetting them would do, take it back, or list who was forgotten."""
    project, output = place.open()
    if asked.listed:
        _list(project, output, asked)
        return
    whom = Asked(tuple(asked.ids or ()), asked.entity, asked.reason, asked.unknown)
    if not whom.ids and not (asked.resume and not asked.plan and not asked.undo):
        fail("no-id", "nobody is named", hint="--id TYPE:VALUE, such as --id email:ann@example.com")
    if whom.ids and asked.resume:
        fail("option-clash", "--resume goes on with what was asked before", hint="leave out --id, or --resume")
    if asked.undo:
        _undo(project, output, whom, asked)
        return
    if whom.ids and not _is_agreed(project, output, whom, asked):
        return
    try:
        with watching(err(), quiet=asked.as_json) as seen:
            done = forgetting.forget(
                project, output, whom if whom.ids else None, seen.observe, asked.lock_timeout, accept=asked.accept
            )
    except (RunError, WarehouseError):
        note(f"profiles forget --resume{place.options} goes on with what was written down", style="yellow")
        raise
    except KeyboardInterrupt:
        note(f"interrupted; profiles forget --resume{place.options} goes on with what was written down", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    _conclude(place, done, asked)


def _is_agreed(project: ProfilesProject, output: Output, whom: Asked, asked: ForgetOptions) -> bool:
    """Show whom it is about, and ask; return whether to go on."""
    with open_for_reading(project, output, "profiles forget --plan", tell_waiting, asked.lock_timeout) as session:
        foreseen = forgetting.foresee(session, whom)
    ids = forgetting.ids_of(foreseen.people)
    if asked.plan and asked.as_json:
        print_document(_of_foreseen(foreseen))
    elif not asked.as_json:
        _show_foreseen(foreseen)
    if asked.plan:
        return False
    if not ids or asked.yes:
        return True
    if asked.as_json:
        fail("no-answer", "with --json nobody is asked", hint="add -y, or --plan to see whom it is about")
    if not typer.confirm(f"forget {plural(len(ids), 'identifier')}, for good?", err=True):
        note("nobody was forgotten", style="yellow")
        return False
    return True


def _show_foreseen(found: Foreseen) -> None:
    for request in found.known:
        say(f"forgotten already, by request {request.number}", style="yellow")
    ids = forgetting.ids_of(found.people)
    if not ids:
        return
    print_table(out(), ("id type", "id"), [(each.type, each.value) for each in ids])
    say(f"{plural(len(found.people.main_ids), 'main id')}: {', '.join(sorted(found.people.main_ids)) or 'none'}")
    for publisher, rows in found.rows.items():
        say(f"published by {publisher}: {plural(rows, 'row')}")
    say(f"{plural(found.runs, 'run')} to be looked through; the last one is made again without them", style="dim")


def _of_foreseen(found: Foreseen) -> dict[str, object]:
    return {
        "status": "planned",
        "entity": found.people.entity.name,
        "ids": [{"type": each.type, "value": each.value} for each in forgetting.ids_of(found.people)],
        "main_ids": sorted(found.people.main_ids),
        "published": found.rows,
        "runs": found.runs,
        "forgotten_by": [each.number for each in found.known],
    }


def _conclude(place: Place, done: Sequence[Forgotten], asked: ForgetOptions) -> None:
    """Say what was done; leave with 1 where anything is left."""
    if asked.as_json:
        print_document([each.certificate for each in done])
    elif not done:
        say("there was nothing to do")
    for each in () if asked.as_json else done:
        _show(each)
    if any(not each.is_verified for each in done) and not asked.accept:
        hint = f"profiles forget --resume{place.options} looks again, --accept closes the request as it is"
        note(f"something is left, and the request stays open: {hint}", style="yellow")
        raise typer.Exit(1)
    if failed := sorted({name for each in done for name in each.failed_syncs}):
        names = ", ".join(failed)
        note(f"the destination of {names} has not fetched the deletions: start its sync again there", style="yellow")
        raise typer.Exit(1)


def _show(done: Forgotten) -> None:
    found = done.certificate
    rows, published, left = found["rows"], found["published"], found["left"]
    assert isinstance(rows, dict)
    assert isinstance(published, list)
    assert isinstance(left, list)
    say(f"{done.request.number}: {plural(done.request.count, 'identifier')} of {done.request.entity}")
    say(f"  {plural(sum(rows.values()), 'row')} taken out of {plural(len(rows), 'table')} of earlier runs")
    for each in published:
        state = certificates.state_of(each)
        say(f"  {each['publisher']}: {plural(each['deletions'], 'deletion')}, {state}; {each['still_to_do']}")
    if left:
        print_table(out(), ("left in table", "column", "rows"), [tuple(map(str, each.values())) for each in left])
    else:
        say("  verified: nothing is left in any table of the project", style="green")
    say(f"  certificate: {', '.join(from_here(file) for file in done.files)}")


def _undo(project: ProfilesProject, output: Output, whom: Asked, asked: ForgetOptions) -> None:
    taken_back = forgetting.undo(project, output, whom, tell_waiting, asked.lock_timeout)
    if asked.as_json:
        print_document([_of_request(each) for each in taken_back])
        return
    for each in taken_back:
        say(f"{each.number}: {plural(each.count, 'identifier')} of {each.entity} will be read again by the next run")
    say("what was taken out of earlier runs does not come back", style="dim")


def _list(project: ProfilesProject, output: Output, asked: ForgetOptions) -> None:
    with open_for_reading(project, output, "profiles forget --list", tell_waiting, asked.lock_timeout) as session:
        found = Requests(session).all()
    if asked.as_json:
        print_document([_of_request(each) for each in found])
    elif not found:
        say("nobody was forgotten")
    else:
        rows = [(e.number, e.entity, str(e.count), _state(e), e.reason or "") for e in found]
        print_table(out(), ("request", "entity", "ids", "state", "reason"), rows, right=("ids",))


def _state(request: Request) -> str:
    if request.undone_at is not None:
        return f"taken back {request.undone_at:%Y-%m-%d}"
    if request.done_at is None:
        return "open: profiles forget --resume"
    verified = request.certificate is not None and request.certificate["verified"]
    return f"done {request.done_at:%Y-%m-%d}, {'verified' if verified else 'something is left'}"


def _of_request(request: Request) -> dict[str, object]:
    return {
        "request": request.number,
        "entity": request.entity,
        "ids": request.count,
        "reason": request.reason,
        "asked_at": f"{request.asked_at.isoformat()}Z",
        "done_at": f"{request.done_at.isoformat()}Z" if request.done_at else None,
        "undone_at": f"{request.undone_at.isoformat()}Z" if request.undone_at else None,
        "certificate": request.certificate,
    }
