"""Where a bench keeps its things: the events, made once, and projects that are set up anew for each run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import profiles_pipeline
from profiles_pipeline.examples.ecommerce_data import generate

ROOT = Path(__file__).resolve().parents[2] / ".bench"
EXAMPLE = Path(profiles_pipeline.__file__).parent / "examples" / "ecommerce"
END_TIME = "2025-01-01T00:00:00Z"


@dataclass(frozen=True)
class Workspace:
    """A folder for one bench and the folder with the events."""

    folder: Path
    events: Path

    @property
    def home(self) -> Path:
        """Home folder of the processes that are measured."""
        return self.folder / "home"

    def project(self, name: str, left_out: tuple[str, ...] = ("pipeline.yaml",)) -> Path:
        """Set up the e-commerce example over the events, with nothing built yet; return its folder.

        Args:
            name: what to call it.
            left_out: files that it does without; what is in pipeline.yaml is measured by itself.
        """
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", ".profiles", "output", *left_out))
        (folder / "data").symlink_to(self.events, target_is_directory=True)
        return folder

    def copy(self, name: str, fresh: str) -> None:
        """Replace the project or file `fresh` by a copy of `name`."""
        self.remove(fresh)
        source = self.folder / name
        if source.is_dir():
            shutil.copytree(source, self.folder / fresh, symlinks=True)
        else:
            shutil.copyfile(source, self.folder / fresh)

    def remove(self, name: str) -> None:
        """Remove a file or folder if it is there."""
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)


def warehouse_of(project: Path) -> Path:
    """Return the DuckDB file of a project that is built on the embedded default."""
    return project / ".profiles" / "warehouse.duckdb"


def shop_events(events: int, folder: Path | None, say: Callable[[str], None]) -> Path:
    """Return the folder with `events` events; they are made unless `folder`, or else the cache, has them.

    The events are whole once their folder has its final name.
    """
    found = (folder or ROOT / f"events-{events}").resolve()
    if not found.exists():
        say(f"{events} events are made once, in {found}")
        unfinished = found.with_name(f"{found.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        generate(unfinished, events)
        unfinished.rename(found)
    return found


@contextmanager
def workspace(events: Path) -> Iterator[Workspace]:
    """Yield an empty workspace over the events in a folder; it is gone when the block ends."""
    ROOT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=ROOT, ignore_cleanup_errors=True) as folder:
        (Path(folder) / "home").mkdir()
        yield Workspace(Path(folder), events)
