"""What depends on what, down to single vars, and the order that follows.

Dependencies come from reading the texts, never from the order of declaration. Var tables are cut into parts only
where a model in between needs some vars of a table to make rows for others of the same table.
"""

from profiles_pipeline.enable import Node
from profiles_pipeline.graph.model import Graph
from profiles_pipeline.graph.order import build, with_open_cohorts, without_input_vars
from profiles_pipeline.graph.paths import locate

__all__ = ["Graph", "Node", "build", "locate", "with_open_cohorts", "without_input_vars"]
