"""The commands that check, plan, compile and build a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place

_HERE = Path(".")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (validate, plan, compile_, run):
        app.command(command.__name__.rstrip("_"))(command)


def validate(
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    lock_timeout: o.LockTimeout = None,
    as_json: o.Json = False,
) -> None:
    """Check a project without building anything.

    Reads all of its files and reports every problem at once, with file, line and column. When its inputs can be found,
    every statement is also tried on empty tables with their columns, so that a misspelled column or a wrong type shows
    up now and not in the middle of a run.

    \b
    Examples:
      profiles validate
      profiles validate -p shop --json
      profiles validate -p shop -t prod     against the columns of the production warehouse
    """
    place = Place(project, siteconfig, target)
    with reported(project, as_json):
        from profiles_pipeline.cli import planning  # noqa: PLC0415

        planning.validate(place, lock_timeout, as_json)


def plan(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    begin_time: o.BeginTime = None,
    end_time: o.EndTime = None,
    end_time_offset: o.EndTimeOffset = None,
    model_refs: o.ModelRefs = None,
    seq_no: o.SeqNo = None,
    force: o.Force = False,
    lock_timeout: o.LockTimeout = None,
    as_json: o.Json = False,
) -> None:
    """Show what the next run would build, and why.

    It is the plan that `profiles run` executes when it is given the same options; nothing is built or recorded.

    \b
    Examples:
      profiles plan
      profiles plan -m models/user_profile
      profiles plan --seq-no latest --json
    """
    place = Place(project, siteconfig, target)
    with reported(project, as_json):
        from profiles_pipeline.cli import planning, running  # noqa: PLC0415

        asked = running.Asked(begin_time, end_time, end_time_offset, model_refs, seq_no, force, lock_timeout)
        planning.show_plan(place, asked, as_json)


def compile_(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    begin_time: o.BeginTime = None,
    end_time: o.EndTime = None,
    end_time_offset: o.EndTimeOffset = None,
    model_refs: o.ModelRefs = None,
    seq_no: o.SeqNo = None,
    lock_timeout: o.LockTimeout = None,
    as_json: o.Json = False,
) -> None:
    """Write the SQL of a project to files and run none of it.

    The files lie in output/<target>/seq_no/0/compile: number 0 stands for SQL that belongs to no run. With --seq-no N
    they lie in the folder of that run. No warehouse is needed: inputs that are not found keep the names that the
    project gives them.

    \b
    Examples:
      profiles compile
      profiles compile -m models/user_profile --end-time 2024-01-01
    """
    place = Place(project, siteconfig, target)
    with reported(project, as_json):
        from profiles_pipeline.cli import planning, running  # noqa: PLC0415

        asked = running.Asked(begin_time, end_time, end_time_offset, model_refs, seq_no, False, lock_timeout)
        planning.compile_sql(place, asked, as_json)


def run(  # noqa: PLR0913 - a parameter for each option
    *,
    project: o.Project = _HERE,
    siteconfig: o.Siteconfig = None,
    target: o.Target = None,
    begin_time: o.BeginTime = None,
    end_time: o.EndTime = None,
    end_time_offset: o.EndTimeOffset = None,
    model_refs: o.ModelRefs = None,
    seq_no: o.SeqNo = None,
    force: o.Force = False,
    lock_timeout: o.LockTimeout = None,
    dagster: Annotated[
        bool,
        typer.Option(
            "--report/--no-report", help="Tell the project's Dagster instance, after the run, what was built."
        ),
    ] = True,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
) -> None:
    """Build a project.

    Every model is built in order and checked before it counts. The views with the plain names of the models move to the
    new results together, at the very end; when something fails they stay where they were. What was built until then is
    kept: run again, and it continues there. The number to continue with (seq_no) is the first thing that is printed.

    \b
    Examples:
      profiles run                                        everything, as of now
      profiles run --end-time 2024-01-01                  everything, as of that moment
      profiles run -m models/user_profile                 one model and what it depends on
      profiles run -m user/n_orders,user/revenue          the models that hold two vars
      profiles run --seq-no 4                             continue or repeat run 4; what is unchanged is reused
      profiles run --seq-no latest --force                build the last run again
      profiles run --json | jq .models                    for programs
    """
    place = Place(project, siteconfig, target)
    with reported(project, as_json):
        from profiles_pipeline.cli import running  # noqa: PLC0415

        asked = running.Asked(begin_time, end_time, end_time_offset, model_refs, seq_no, force, lock_timeout)
        running.run_project(place, asked, running.Style(as_json, quiet, dagster))
