"""Labels the components of numbered edges in an empty DuckDB, in SQL alone or in memory, and does nothing else.

    python -m profiles_pipeline_tests.bench.contracted EDGES sql|memory LABELS [MOST_ROUNDS]

EDGES is a NumPy file of shape (2, edges). LABELS is made: the labels of the nodes, in their order. Fails where it
takes contraction more than MOST_ROUNDS rounds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlglot import exp

from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.identity import contraction, in_memory
from profiles_pipeline.sql import build
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings

STEP = SolveComponents(
    edges=build("SELECT a, b FROM edges"),
    nodes=build("SELECT COUNT(*) FROM nodes"),
    vertices=exp.to_table("nodes"),
    result=exp.to_table("labels"),
    title="connected components",
)


def main(edges: str, way: str, labels: str, most_rounds: str = "") -> None:
    """Label the nodes, print how many rounds it took if in rounds, and write the labels."""
    ends = np.load(edges)
    nodes = np.arange(int(ends.max()) + 1, dtype=np.int64)
    with connect(DuckDBSettings(path=MEMORY), purpose="bench") as warehouse:
        for name, rows in {"edges": {"a": ends[0], "b": ends[1]}, "nodes": {"node": nodes}}.items():
            with warehouse.arrow_relation("given", pa.table(rows)):
                warehouse.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
        if way == "sql":
            rounds = contraction.solve(warehouse, STEP).rounds
            print(f"{rounds} rounds")
            if most_rounds and rounds > int(most_rounds):
                sys.exit(f"{rounds} rounds are more than {most_rounds}")
        else:
            in_memory.solve(warehouse, STEP)
        found = warehouse.fetch_arrow("SELECT component FROM labels ORDER BY node")
    np.save(Path(labels), found.column("component").to_numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
