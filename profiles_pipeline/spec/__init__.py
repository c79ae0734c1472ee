"""The project as written: YAML of any dialect in, one typed shape out, every part with its place."""

from profiles_pipeline.spec.lift import Note
from profiles_pipeline.spec.load import Loaded, connection_of, load_project, load_whole_project, read_whole_project
from profiles_pipeline.spec.model import ProjectSpec, Text
from profiles_pipeline.spec.pipeline import PipelineSpec, PlacedPipeline, read_pipeline, read_stated
from profiles_pipeline.spec.siteconfig import (
    ConnectionOutput,
    DuckDBOutput,
    PostgresOutput,
    SiteConfig,
    SnowflakeOutput,
    load_siteconfig,
)

__all__ = [
    "ConnectionOutput",
    "DuckDBOutput",
    "Loaded",
    "Note",
    "PipelineSpec",
    "PlacedPipeline",
    "PostgresOutput",
    "ProjectSpec",
    "SiteConfig",
    "SnowflakeOutput",
    "Text",
    "connection_of",
    "load_project",
    "load_siteconfig",
    "load_whole_project",
    "read_pipeline",
    "read_stated",
    "read_whole_project",
]
