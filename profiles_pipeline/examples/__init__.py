"""Projects that come with the package: a quickstart with five people and a web shop of any size."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

EXAMPLES = ("quickstart", "ecommerce")


def copy_example(name: str, destination: Path, end: datetime | None = None) -> list[Path]:
    """Copy a shipped project into `destination` and give back its files, sorted.

    Afterwards the folder is complete: project, models and, under `data/`, the rows. Those of `quickstart` are
    shipped, those of `ecommerce` are generated.

    Args:
        name: one of EXAMPLES.
        destination: a folder that is empty or does not exist.
        end: where the generated events end; None for the midnight before now (UTC), so that "the last 7 days" are full.

    Raises:
        ValueError: no example has that name.
        FileExistsError: the destination exists and is not an empty folder.
    """
    if name not in EXAMPLES:
        raise ValueError(f"no example is called {name!r}; there are {', '.join(EXAMPLES)}")
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FileExistsError(f"{destination} exists and is not an empty folder")
    shutil.copytree(Path(__file__).parent / name, destination, dirs_exist_ok=True)
    if name == "ecommerce":
        # Imported here because numpy and pyarrow take longer to load than the rest of the command line together.
        from profiles_pipeline.examples.ecommerce_data import generate  # noqa: PLC0415

        generate(destination / "data", end=end or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
    return sorted(path for path in destination.rglob("*") if path.is_file())
