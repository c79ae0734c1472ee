"""Lets ``python -m profiles_pipeline`` do what ``profiles`` does."""

from profiles_pipeline.cli import main

if __name__ == "__main__":
    main()
