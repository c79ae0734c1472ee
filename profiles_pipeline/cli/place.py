"""The project a command is about, and where it is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from profiles_pipeline.cli import options as o
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.garbage import spare_what_is_loaded

if TYPE_CHECKING:
    from profiles_pipeline.connections import Output
    from profiles_pipeline.project import ProfilesProject


@dataclass(frozen=True, slots=True)
class Place:
    """What the options ``--project``, ``--siteconfig``, ``--target`` and ``--passcode`` say."""

    folder: o.Project = Path(".")
    siteconfig: o.Siteconfig = None
    target: o.Target = None
    passcode: o.Passcode = None

    def open(self) -> tuple[ProfilesProject, Output]:
        """Return the project and the output it is built in.

        Raises:
            ProjectError: there is no project, it is wrong, or it cannot be built there.
        """
        project, output = self.read()
        if project.errors:
            raise ProjectError(project.errors)
        return project, output

    def read(self) -> tuple[ProfilesProject, Output]:
        """Return what is sound of the project, with what is wrong in it, and the output it is built in.

        Raises:
            ProjectError: nothing of the project can be read, or it cannot be built there.
        """
        # These load everything that reads and compiles projects, which `profiles --help` has no use for.
        from profiles_pipeline import spec  # noqa: PLC0415
        from profiles_pipeline.connections import find_output, with_passcode  # noqa: PLC0415
        from profiles_pipeline.project import ProfilesProject  # noqa: PLC0415

        folder = self.folder.expanduser().absolute()
        siteconfig = self.siteconfig.expanduser().absolute() if self.siteconfig else None
        try:
            output = find_output(folder, spec.connection_of(folder), siteconfig, self.target)
        except ProjectError as error:
            raise ProjectError([*error.problems, *ProfilesProject.read(folder).errors]) from error
        if self.passcode is not None:
            output = with_passcode(output, self.passcode)
        project = ProfilesProject.read(folder, source_dialect=output.dialect, siteconfig=siteconfig)
        spare_what_is_loaded()
        said = "; ".join(filter(None, (output.notice, project.dialect_note)))
        return project, replace(output, notice=said or None)

    @property
    def options(self) -> str:
        """The options that lead another command to the same place, with a blank in front; empty for the defaults.

        A passcode is good once, and a secret.
        """
        given = {"-p": self.folder if self.folder != Path(".") else None, "-c": self.siteconfig, "-t": self.target}
        return "".join(f" {name} {_shell(str(value))}" for name, value in given.items() if value is not None)


def _shell(text: str) -> str:
    import shlex  # noqa: PLC0415 - only needed for hints

    return shlex.quote(text)
