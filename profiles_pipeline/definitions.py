"""The code location of one project, for ``dagster dev -m profiles_pipeline.definitions``.

The project is the one `PROFILES_PROJECT_DIR` names, else the one in the current directory, else a copy of the web shop
example that is made there once. `PROFILES_SITECONFIG` and `PROFILES_TARGET` choose where it is built.
"""

import logging
import os
from pathlib import Path

import dagster as dg

from profiles_pipeline.assets import ProfilesResource, build_definitions
from profiles_pipeline.examples import copy_example
from profiles_pipeline.warehouse.lock import hold

PROJECT_VARIABLE = "PROFILES_PROJECT_DIR"
SITECONFIG_VARIABLE = "PROFILES_SITECONFIG"
TARGET_VARIABLE = "PROFILES_TARGET"

PROJECT_FILE = "pb_project.yaml"
EXAMPLES_FOLDER = ".profiles_example"
EXAMPLE = "ecommerce"


def project_folder() -> Path:
    """Return the folder of the project to show; it exists."""
    named = os.environ.get(PROJECT_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    here = Path.cwd()
    return here if (here / PROJECT_FILE).is_file() else example_folder(here)


def example_folder(parent: Path) -> Path:
    """Return the copy of the example below `parent`; it is made when it is not there yet."""
    folder = parent / EXAMPLES_FOLDER / EXAMPLE
    folder.parent.mkdir(parents=True, exist_ok=True)
    with hold(folder, "copying the example project"):
        if not (folder / PROJECT_FILE).is_file():
            copy_example(EXAMPLE, folder)
            (folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")
            message = "no project in %s and %s is not set: copied the example project to %s"
            logging.getLogger("dagster.profiles").warning(message, parent, PROJECT_VARIABLE, folder)
    return folder


defs: dg.Definitions = build_definitions(
    project_folder(),
    resource=ProfilesResource(
        siteconfig=os.environ.get(SITECONFIG_VARIABLE) or None, target=os.environ.get(TARGET_VARIABLE) or None
    ),
)
