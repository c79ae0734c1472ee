"""Options that several commands share. Names with two words can be written with a dash or an underscore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[
    Path,
    typer.Option(
        "--project", "-p", help="Project folder: the one that holds pb_project.yaml.", show_default="this folder"
    ),
]
Siteconfig = Annotated[
    Path | None,
    typer.Option("--siteconfig", "-c", help="File with the connections.", show_default="~/.pb/siteconfig.yaml"),
]
Target = Annotated[
    str | None,
    typer.Option("--target", "-t", help="Output of the connection to use.", show_default="the connection's own"),
]
BeginTime = Annotated[
    str | None,
    typer.Option("--begin-time", "--begin_time", metavar="TIME", help="Rows before this moment do not count."),
]
EndTime = Annotated[
    str | None,
    typer.Option(
        "--end-time",
        "--end_time",
        metavar="TIME",
        help="Everything is as of this moment: 2023-01-02, 2023-01-02T12:00:00Z or unix seconds. No zone means UTC.",
        show_default="now",
    ),
]
EndTimeOffset = Annotated[
    str | None,
    typer.Option(
        "--end-time-offset", "--end_time_offset", metavar="DURATION", help="End that long before now: 45m, 1h30m, 2d."
    ),
]
ModelRefs = Annotated[
    list[str] | None,
    typer.Option(
        "--model-refs",
        "--model_refs",
        "-m",
        metavar="PATH",
        help="Build only this model or var, and what it depends on. Repeat it, or separate with commas.",
    ),
]
SeqNo = Annotated[
    str | None,
    typer.Option(
        "--seq-no", "--seq_no", "-seq_no", metavar="N|latest|new", help="Time context to continue, repeat or look at."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Build again what is complete already.")]
LockTimeout = Annotated[
    float | None,
    typer.Option(
        "--lock-timeout",
        "--lock_timeout",
        metavar="SECONDS",
        min=0,
        help="Wait at most this long for another run to finish; 0 does not wait.",
        show_default="no limit",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but problems.")]
