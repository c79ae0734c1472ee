"""Does what ``profiles show funnel`` says: prints how many got to each stage, or writes a page with a drawing."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import jinja2

from profiles_pipeline.cli import values
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.planning import tell_waiting
from profiles_pipeline.cli.terminal import out, print_document, print_table, say
from profiles_pipeline.errors import fail
from profiles_pipeline.funnels import ReachedStage, drawing
from profiles_pipeline.queries.funnel import Funnel, funnels

_HEADINGS = ("stage", "sessions", "visitors", "of the first", "of the one before", "after, on average")


def show(place: Place, model: str | None, seq_no: str | None, file: Path | None, as_json: bool) -> None:
    """Print the funnels asked for; with a file, write a page about the only one."""
    number = values.seq_no(seq_no)
    if number == "new":
        fail("bad-seq-no", "--seq-no: this looks at what was built", hint="write a number or latest")
    found = funnels(*place.open(), model, number, tell_waiting)
    if file is not None:
        if len(found) > 1:
            names = ", ".join(funnel.path for funnel in found)
            fail("bad-call", "one file cannot hold several funnels", hint=f"choose one with -m: {names}")
        _write(file.expanduser(), found[0])
    if as_json:
        print_document([asdict(funnel) for funnel in found])
        return
    for funnel in found:
        say(funnel.path, style="bold")
        print_table(out(), _HEADINGS, rows_of(funnel))
    if file is not None:
        say(f"wrote {from_here(file)}")


def rows_of(funnel: Funnel) -> list[tuple[str, ...]]:
    """Return what a table says of a funnel, stage by stage."""
    first = funnel.stages[0].sessions
    before = [first, *(stage.sessions for stage in funnel.stages)]
    return [
        (
            stage.name,
            f"{stage.sessions:,}",
            f"{stage.visitors:,}",
            _share(stage.sessions, first),
            _share(stage.sessions, previous),
            _soon(stage),
        )
        for previous, stage in zip(before, funnel.stages, strict=False)
    ]


def page(funnel: Funnel) -> str:
    """Return the page about a funnel: styles and the drawing inside, nothing fetched."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = files("profiles_pipeline.cli").joinpath("funnel_page.html.jinja").read_text(encoding="utf-8")
    picture = drawing(funnel.name, funnel.stages)
    return environment.from_string(text).render(funnel=funnel, rows=rows_of(funnel), drawing=picture)


def _write(file: Path, funnel: Funnel) -> None:
    try:
        file.write_text(page(funnel), encoding="utf-8")
    except OSError as error:
        fail("cannot-write", f"cannot write {file}: {error.strerror}", hint="choose another file with -o")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _soon(stage: ReachedStage) -> str:
    return "-" if stage.mean_seconds is None else f"{stage.mean_seconds:,.0f} s"
