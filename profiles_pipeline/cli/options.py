"""Options that several commands share. Names with two words can be written with a dash or an underscore.

A command takes options that belong together as one dataclass, whose fields are the options; `spread` makes it so.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

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
Passcode = Annotated[
    str | None,
    typer.Option("--passcode", metavar="CODE", help="Code of a second factor, for one login to Snowflake."),
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
PartitionKey = Annotated[
    str | None,
    typer.Option(
        "--partition",
        metavar="KEY",
        help="Build one partition, such as the day 2024-01-31: as of its end, or of now while it is open.",
    ),
]
PartitionRange = Annotated[
    str | None,
    typer.Option(
        "--partition-range",
        "--partition_range",
        metavar="A...B",
        help="Bring partitions A to B up to date in one run, which is as of the end of B.",
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
RebaseIncremental = Annotated[
    bool,
    typer.Option(
        "--rebase-incremental",
        "--rebase_incremental",
        help="Build in full what would go on from an earlier state of itself; with --force also what is complete.",
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked for, as it is typed."""

    begin_time: BeginTime = None
    end_time: EndTime = None
    end_time_offset: EndTimeOffset = None
    partition: PartitionKey = None
    partition_range: PartitionRange = None
    model_refs: ModelRefs = None
    seq_no: SeqNo = None
    rebase_incremental: RebaseIncremental = False
    lock_timeout: LockTimeout = None


AssumeInputs = Annotated[
    bool,
    typer.Option(
        "--assume-all-inputs-exist",
        "--assume_all_inputs_exist",
        help="Do not look for the inputs, and connect to no warehouse: names stand in the SQL as they are written.",
    ),
]


Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        min=1,
        metavar="N",
        help="Build up to N models that do not need each other at once, where the warehouse takes several statements "
        "at a time. DuckDB builds one by one, with every core.  [default: 1]",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Ways:
    """How a run goes about its work, as it is typed."""

    force: Force = False
    concurrency: Concurrency = None
    ignore_model_errors: Annotated[
        bool,
        typer.Option(
            "--ignore-model-errors",
            "--ignore_model_errors",
            help="After an error go on with what does not depend on the model that failed.",
        ),
    ] = False
    write_output_csv: Annotated[
        Path | None,
        typer.Option(
            "--write-output-csv",
            "--write_output_csv",
            metavar="FOLDER",
            help="Write what was built as CSV files as well, one for each plain name; rows of inputs are left out.",
        ),
    ] = None
    mock_material_run: Annotated[
        bool,
        typer.Option(
            "--mock-material-run",
            "--mock_material_run",
            help="Write the SQL that would be run and say what it would build; send nothing to the warehouse.",
        ),
    ] = False
    assume_all_inputs_exist: AssumeInputs = False
    publish: Annotated[
        bool, typer.Option("--publish", help="When all is built, publish by every publisher of pipeline.yaml.")
    ] = False


@dataclass(frozen=True, slots=True)
class Style:
    """How to speak of a run, and whether to tell Dagster of it."""

    tell_dagster: Annotated[
        bool,
        typer.Option(
            "--report/--no-report", help="Tell the project's Dagster instance, after the run, what was built."
        ),
    ] = True
    quiet: Quiet = False
    as_json: Json = False


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has an option for each field of the dataclasses that the given one takes."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}

    @functools.wraps(command)
    def called(**given: object) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    def parameters() -> Iterator[inspect.Parameter]:
        for parameter in inspect.signature(command).parameters.values():
            group = groups.get(parameter.name)
            if group is None:
                yield parameter.replace(annotation=hints[parameter.name])
                continue
            typed = get_type_hints(group, include_extras=True)
            for field in fields(group):
                annotation = typed[field.name]
                yield parameter.replace(name=field.name, default=field.default, annotation=annotation)

    spread_out = tuple(parameters())
    called.__signature__ = inspect.Signature(spread_out)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in spread_out}
    return called
