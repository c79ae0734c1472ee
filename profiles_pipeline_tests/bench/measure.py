"""Runs a command as a process of its own and says what it used."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from profiles_pipeline_tests.bench.workspace import Workspace


@dataclass(frozen=True)
class Usage:
    """What a process used: seconds of wall and CPU (user and system) time, and its largest resident size in bytes."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Case:
    """A command to measure; `prepare` puts everything in its place before each run and is not measured."""

    name: str
    command: Sequence[str]
    prepare: Callable[[], object] = lambda: None


def measure(command: Sequence[str], home: Path) -> Usage:
    """Run a command to its end and return what it used.

    `home` becomes its home folder, so that no connection or instance of the person at the machine is used. Bytecode
    may be written: without it every start of a large package compiles it again.

    Raises:
        RuntimeError: it did not end well; with the end of what it said.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"HOME": str(home)}
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            text = said.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{text[-4000:]}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def apart(work: Callable[[Workspace], object], workspace: Workspace) -> None:
    """Do something in a process of its own: a process begins with the resident size of the one that starts it, so that
    whatever this one takes would count for all that are measured later.

    Raises:
        RuntimeError: it did not end well; what went wrong is on standard error.
    """
    process = get_context("spawn").Process(target=work, args=(workspace,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{work.__name__} ended with {process.exitcode}")


def in_turns(cases: Sequence[Case], runs: int, home: Path, say: Callable[[str], None]) -> Mapping[str, list[Usage]]:
    """Measure every case once per round, `runs` rounds; return name -> what each of its runs used."""
    found: dict[str, list[Usage]] = {case.name: [] for case in cases}
    for number in range(1, runs + 1):
        for case in cases:
            say(f"{case.name}, run {number} of {runs}")
            case.prepare()
            found[case.name].append(measure(case.command, home))
    return found


def median(usages: Sequence[Usage]) -> Usage:
    """Return the medians of wall time, CPU time and memory, each for itself."""
    return Usage(
        statistics.median(u.wall for u in usages),
        statistics.median(u.cpu for u in usages),
        int(statistics.median(u.memory for u in usages)),
    )
