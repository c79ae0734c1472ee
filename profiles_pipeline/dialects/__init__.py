"""Dialects as data, and the rendering of trees. No input or output happens here."""

from profiles_pipeline.dialects.capabilities import KNOWN, Capabilities, capabilities
from profiles_pipeline.dialects.folding import lower_case, upper_case
from profiles_pipeline.dialects.render import (
    Texts,
    canonical_type,
    helper_statements,
    identifier,
    literal,
    literal_tree,
    render,
    spelled,
    unsupported,
)

__all__ = [
    "KNOWN",
    "Capabilities",
    "Texts",
    "canonical_type",
    "capabilities",
    "helper_statements",
    "identifier",
    "literal",
    "literal_tree",
    "lower_case",
    "render",
    "spelled",
    "unsupported",
    "upper_case",
]
