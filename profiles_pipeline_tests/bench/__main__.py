"""Runs the bench and prints its table. See the package."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from profiles_pipeline_tests.bench import cases, contraction, daily, on_postgres, publishing, report, sessions
from profiles_pipeline_tests.bench.agreement import Difference
from profiles_pipeline_tests.bench.measure import Case, Usage, in_turns, median
from profiles_pipeline_tests.bench.workspace import Workspace, shop_events, workspace


@dataclass(frozen=True)
class Group:
    """Cases that are measured in turns, what has to agree afterwards, and what has to run meanwhile."""

    cases: tuple[Callable[[Workspace], Sequence[Case]], ...]
    disagreements: Callable[[Workspace], list[Difference]] = lambda _: []
    around: Callable[[Workspace], AbstractContextManager[None]] = lambda _: nullcontext()


GROUPS = {
    "runs": Group((cases.whole_runs, cases.stitchings, cases.feature_runs), cases.disagreements),
    "commands": Group((cases.small_commands,)),
    "contraction": Group((contraction.contractions,), contraction.disagreements),
    "daily": Group((daily.daily_runs,), daily.disagreements),
    "postgres": Group((on_postgres.runs,), on_postgres.disagreements, on_postgres.server),
    "publish": Group((publishing.publish_runs,), publishing.disagreements),
    "sessions": Group((sessions.session_runs,), sessions.disagreements),
}
"""What can be asked for."""


def main() -> int:
    """Measure, print and return 0; 1 when results differ, since then the ratios mean nothing."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure the engine against its floors.")
    parser.add_argument("--events", type=int, default=10_000_000, help="events in the shop (default %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each process (default %(default)s)")
    parser.add_argument("--data", type=Path, help="folder with the three tables (default: made once, below .bench/)")
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    parser.add_argument("--only", choices=GROUPS, action="append", help="measure only this; may be repeated")
    asked = parser.parse_args()
    console = Console()
    with (
        console.status("") as status,
        workspace(shop_events(asked.events, asked.data, status.update)) as work,
        ExitStack() as around,
    ):
        chosen = [GROUPS[name] for name in asked.only or GROUPS]
        for group in chosen:
            around.enter_context(group.around(work))
        found = {name: usages for group in chosen for name, usages in measured(work, group, asked.runs, status.update)}
        status.update("comparing the results")
        differing = [difference for group in chosen for difference in group.disagreements(work)]
    medians = {name: median(usages) for name, usages in found.items()}
    shown = report.figures(medians)
    report.show(medians, shown, console)
    if asked.json:
        content = {
            "events": asked.events,
            "runs": {name: [asdict(usage) for usage in usages] for name, usages in found.items()},
            "figures": [asdict(figure) for figure in shown],
            "differences": [asdict(difference) for difference in differing],
        }
        asked.json.write_text(json.dumps(content, indent=2), encoding="utf-8")
    for difference in differing:
        console.print(f"[red]results differ:[/] {difference.relation}: {difference.message}")
    if not differing:
        console.print("All results are the same, cell by cell.")
    return 1 if differing else 0


def measured(work: Workspace, group: Group, runs: int, say: Callable[[str], None]) -> Iterable[tuple[str, list[Usage]]]:
    """Return what each process of a group used, run by run."""
    found: dict[str, list[Usage]] = {}
    for made in group.cases:
        found |= in_turns(made(work), runs, work.home, say)
    return found.items()


if __name__ == "__main__":
    sys.exit(main())
