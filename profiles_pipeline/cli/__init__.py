"""The command line, ``profiles``. Importing it loads neither a warehouse driver nor anything else that is slow."""

from profiles_pipeline.cli.app import app, main

__all__ = ["app", "main"]
