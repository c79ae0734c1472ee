"""From a project as written to a project in which every name has been found."""

from profiles_pipeline.resolve.build import resolve
from profiles_pipeline.resolve.model import Project

__all__ = ["Project", "resolve"]
