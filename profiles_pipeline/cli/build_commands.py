"""The commands that check, plan, compile and build a project."""

from __future__ import annotations

from typing import Annotated

import typer

from profiles_pipeline.cli import options as o
from profiles_pipeline.cli.faults import reported
from profiles_pipeline.cli.place import Place


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (validate, plan, compile_, run):
        app.command(command.__name__.rstrip("_"))(o.spread(command))


def validate(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[access]", help="Try the rights of the connection instead.", show_default=False),
    ] = None,
    *,
    place: Place,
    lock_timeout: o.LockTimeout = None,
    as_json: o.Json = False,
) -> None:
    """Check a project without building anything.

    Reads all of its files and reports every problem at once, with file, line and column. When its inputs can be found,
    every statement is also tried on empty tables with their columns, so that a misspelled column or a wrong type shows
    up now and not in the middle of a run.

    `profiles validate access` tries the rights of the connection: it connects, reads a row of each input, and makes and
    drops a table in the output schema. A line says how each went, and the exit code is 1 if one failed.

    \b
    Examples:
      profiles validate
      profiles validate -p shop --json
      profiles validate -p shop -t prod     against the columns of the production warehouse
      profiles validate access -t prod      may we read and write there?
    """
    with reported(place.folder, as_json):
        from profiles_pipeline.cli import planning, trying  # noqa: PLC0415

        if what is None:
            planning.validate(place, lock_timeout, as_json)
        else:
            trying.validate_access(place, what, lock_timeout, as_json)


def plan(
    *,
    place: Place,
    asked: o.Asked,
    force: o.Force = False,
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
    with reported(place.folder, as_json):
        from profiles_pipeline.cli import planning, running  # noqa: PLC0415

        planning.show_plan(place, running.run_options(asked, force), as_json)


def compile_(
    *,
    place: Place,
    asked: o.Asked,
    assume_all_inputs_exist: o.AssumeInputs = False,
    concurrency: o.Concurrency = None,
    as_json: o.Json = False,
) -> None:
    """Write the SQL of a project to files and run none of it.

    The files lie in output/<target>/seq_no/0/compile: number 0 stands for SQL that belongs to no run. With --seq-no N
    they lie in the folder of that run. No warehouse is needed: inputs that are not found keep the names that the
    project gives them. With --assume-all-inputs-exist none is even looked for.

    \b
    Examples:
      profiles compile
      profiles compile --assume-all-inputs-exist        without any connection
      profiles compile -m models/user_profile --end-time 2024-01-01
    """
    with reported(place.folder, as_json):
        from profiles_pipeline.cli import planning, running  # noqa: PLC0415

        if concurrency is not None:
            running.remark_on_concurrency("nothing is built")
        planning.compile_sql(place, running.run_options(asked), as_json, assume_all_inputs_exist)


def run(
    *,
    place: Place,
    asked: o.Asked,
    ways: o.Ways,
    style: o.Style,
) -> None:
    """Build a project.

    Every model is built in order and checked before it counts. The views with the plain names of the models move to the
    new results together, at the very end; when something fails they stay where they were. What was built until then is
    kept: run again, and it continues there. The number to continue with (seq_no) is the first thing that is printed.

    \b
    Examples:
      profiles run                                        everything, as of now
      profiles run --end-time 2024-01-01                  everything, as of that moment
      profiles run --partition 2024-01-31                 as of the end of a day
      profiles run --partition-range 2024-01-01...2024-01-31   a month of days in one run
      profiles run -m models/user_profile                 one model and what it depends on
      profiles run -m user/n_orders,user/revenue          the models that hold two vars
      profiles run --seq-no 4                             continue or repeat run 4; what is unchanged is reused
      profiles run --seq-no latest --force                build the last run again
      profiles run --json | jq .models                    for programs
      profiles run -t prod --concurrency 4                models side by side, on a server
      profiles run --ignore-model-errors                  whatever can be built; exit code 1 if something could not
      profiles run --write-output-csv results             the results as files, too
      profiles run --publish                              and hand the profiles on; nothing is published otherwise
      profiles run --mock-material-run                    what would be sent to the warehouse, as files
    """
    with reported(place.folder, style.as_json):
        from profiles_pipeline.cli import planning, running  # noqa: PLC0415

        options = running.run_options(asked, ways.force, ways.ignore_model_errors, ways.concurrency or 1)
        if ways.mock_material_run:
            planning.compile_sql(place, options, style.as_json, ways.assume_all_inputs_exist)
        elif ways.assume_all_inputs_exist:
            running.refuse_to_assume()
        else:
            running.run_project(place, options, style, ways.write_output_csv, publish=ways.publish)
