"""The project a command is about, and where it is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profiles_pipeline.connections import Output
    from profiles_pipeline.project import ProfilesProject


@dataclass(frozen=True, slots=True)
class Place:
    """What the options ``--project``, ``--siteconfig`` and ``--target`` say."""

    folder: Path
    siteconfig: Path | None = None
    target: str | None = None

    def open(self) -> tuple[ProfilesProject, Output]:
        """Return the project and the output it is built in.

        Raises:
            ProjectError: there is no project, it is wrong, or it cannot be built there.
        """
        # These load everything that reads and compiles projects, which `profiles --help` has no use for.
        from profiles_pipeline import spec  # noqa: PLC0415
        from profiles_pipeline.connections import find_output  # noqa: PLC0415
        from profiles_pipeline.project import ProfilesProject  # noqa: PLC0415

        folder = self.folder.expanduser().absolute()
        connection = spec.load_project(folder).spec.connection
        siteconfig = self.siteconfig.expanduser().absolute() if self.siteconfig else None
        output = find_output(folder, connection, siteconfig, self.target)
        return ProfilesProject.load(folder, source_dialect=output.dialect), output

    @property
    def options(self) -> str:
        """The options that lead another command to the same place, with a blank in front; empty for the defaults."""
        given = {"-p": self.folder if self.folder != Path(".") else None, "-c": self.siteconfig, "-t": self.target}
        return "".join(f" {name} {_shell(str(value))}" for name, value in given.items() if value is not None)


def _shell(text: str) -> str:
    import shlex  # noqa: PLC0415 - only needed for hints

    return shlex.quote(text)
