"""Kills a run right before one of its statements, for one statement after the other; the next run must mend it.

    python -m profiles_pipeline_tests.law.kills HISTORY EVERY [--committing]

The last run of a kept history, which goes on from those before, is killed before every EVERY-th statement that it sends
to the warehouse. Each time everything is put back to where it was, the run is killed, made again, and compared with a
full rebuild. With `--committing`, nothing is taken back that was made or done before a definition, as on servers that
commit there. It is a program of its own since it forks: nothing may have opened a warehouse before.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline import increments
from profiles_pipeline.warehouse.duckdb_warehouse import DuckDBWarehouse
from profiles_pipeline_tests.law import projects
from profiles_pipeline_tests.law.check import compare, rebuilt
from profiles_pipeline_tests.law.committing import committing
from profiles_pipeline_tests.law.histories import Step, Tables, replay
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.place import Place, Relations
from profiles_pipeline_tests.law.projects import Shape


def forked(work: Callable[[], object]) -> int:
    """Do some work in a process of its own; return the signal that killed it, 0 when it came to its end.

    Raises:
        RuntimeError: it failed.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("a part of the work failed; what it said is above")
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def kill_before(number: int | None, counted: Path | None = None) -> None:
    """Let this process be killed before the statement of this number; without one, write down how many there are."""
    real, seen = DuckDBWarehouse._run, [0]

    def counting(self: DuckDBWarehouse, work: Callable[[], object], statement: str) -> object:
        seen[0] += 1
        if seen[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        if counted is not None:
            counted.write_text(str(seen[0]))
        return real(self, work, statement)

    DuckDBWarehouse._run = counting  # type: ignore[method-assign,assignment]


@dataclass(frozen=True)
class Sweep:
    """The last run of a history, everything before it done: `state` is a copy of the place as it is then."""

    root: Path
    place: Place
    step: Step
    shape: Shape
    tables: Tables

    def run(self) -> Relations:
        """Make the run and return what it built."""
        return self.place.built(self.place.run(projects.load(self.shape, self.root), self.step.end))

    def go_back(self) -> None:
        """Put everything back to where it was before the run."""
        folder = self.place.file.parent
        shutil.rmtree(folder)
        shutil.copytree(self.root / "state", folder)

    def is_mended(self, number: int, expected: Relations) -> bool:
        """Kill the run before a statement; True when the next one leads to what is expected."""
        self.go_back()
        assert forked(lambda: (kill_before(number), self.run())) == signal.SIGKILL
        try:
            forked(lambda: compare(f"after a kill before statement {number}", expected, self.run()))
        except RuntimeError:
            return False
        return True


def main(name: str, every: int, commits: bool) -> int:
    """Sweep the last run of a history; say what came of it and return how many points are not mended."""
    increments.was_built_before = lambda *_: True  # type: ignore[assignment]  # every run but the first goes on
    way = committing() if commits else nullcontext()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, way:
        root, history = Path(folder), HISTORIES[name]
        place = Place(root / "place", history.layout)
        *earlier, (step, shape, tables) = replay(history)
        for before, its_shape, its_tables in earlier:
            place.write(its_tables)
            forked(Sweep(root, place, before, its_shape, its_tables).run)
        place.write(tables)
        shutil.copytree(root / "place", root / "state")
        sweep, counted, result = Sweep(root, place, step, shape, tables), root / "counted", root / "result"
        forked(lambda: (kill_before(None, counted), sweep.run()))
        forked(lambda: result.write_bytes(pickle.dumps(rebuilt(shape, tables, step, history, root))))
        expected, statements = pickle.loads(result.read_bytes()), int(counted.read_text())
        points = range(1, statements + 1, every)
        broken = [number for number in points if not sweep.is_mended(number, expected)]
    print(f"killed at {len(points)} of {statements} statements; not mended after: {broken or 'none'}")
    return len(broken)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1], int(sys.argv[2]), "--committing" in sys.argv), 100))
