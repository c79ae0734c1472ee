"""Components found in SQL, as where no row may leave the warehouse, against those found in memory, on DuckDB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from profiles_pipeline_tests.bench.agreement import Difference
from profiles_pipeline_tests.bench.cases import script
from profiles_pipeline_tests.bench.measure import Case, measure
from profiles_pipeline_tests.bench.workspace import Workspace

IN_SQL = "components in SQL"
IN_MEMORY = "components in memory"
CHAIN = "components in SQL, a chain of 100,000 in order"

MOST_ROUNDS, MOST_ROUNDS_OF_CHAIN = 8, 20
CHAIN_LENGTH = 100_000


def contractions(work: Workspace) -> Sequence[Case]:
    """The graph of the events, whose edges the script by hand leaves, and the graph that is hardest for its size."""
    graph, chain = work.folder / "graph.npy", work.folder / "chain.npy"
    measure(script("handwritten", work.events, work.folder / "graph.duckdb", graph), work.home)
    work.remove("graph.duckdb")
    numbers = np.arange(CHAIN_LENGTH, dtype=np.int64)
    np.save(chain, np.stack([numbers[:-1], numbers[1:]]))
    return (
        Case(IN_SQL, script("contracted", graph, "sql", work.folder / "in_sql.npy", str(MOST_ROUNDS))),
        Case(IN_MEMORY, script("contracted", graph, "memory", work.folder / "in_memory.npy")),
        Case(CHAIN, script("contracted", chain, "sql", work.folder / "chained.npy", str(MOST_ROUNDS_OF_CHAIN))),
    )


def disagreements(work: Workspace) -> list[Difference]:
    """Return whether the two ways put other nodes together, and whether the chain is anything but one."""
    one, other = (np.load(work.folder / f"{name}.npy") for name in ("in_sql", "in_memory"))
    pairs, ones, others = (len(np.unique(labels, axis=0)) for labels in (np.stack([one, other], axis=1), one, other))
    found = []
    if not pairs == ones == others:
        found.append(Difference("components", f"{ones} in SQL, {others} in memory, {pairs} of both"))
    if len(np.unique(np.load(work.folder / "chained.npy"))) != 1:
        found.append(Difference("chain", "is not one component"))
    return found
