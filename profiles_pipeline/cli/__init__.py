"""The command line, ``profiles``. Importing it loads neither a warehouse driver nor anything else that is slow."""

from profiles_pipeline.cli.entry import main

__all__ = ["main"]
