"""The command line, called as its own tests call it."""

from profiles_pipeline_tests.cli.conftest import call, home

__all__ = ["call", "home"]
