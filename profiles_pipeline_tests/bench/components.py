"""Finds the connected components of numbered edges with scipy and does nothing else.

    python -m profiles_pipeline_tests.bench.components EDGES

EDGES is a NumPy file of shape (2, edges): the two ends of each edge, numbered from 0.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def main() -> None:
    """Print how many components there are."""
    one, other = np.load(sys.argv[1])
    nodes = int(max(one.max(), other.max())) + 1
    matrix = coo_matrix((np.ones(one.size, dtype=np.int8), (one, other)), shape=(nodes, nodes))
    print(connected_components(matrix, directed=False)[0])


if __name__ == "__main__":
    main()
