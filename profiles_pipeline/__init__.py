"""Customer 360 engine: RudderStack Profiles YAML projects run on an embedded warehouse, each model a Dagster asset.

The public names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # that of typing is slow to import, and every command begins here
if TYPE_CHECKING:
    from profiles_pipeline.assets import ProfilesTranslator, build_definitions
    from profiles_pipeline.assets.component import ProfilesProjectComponent
    from profiles_pipeline.project import ProfilesProject

__version__ = "0.1.0"

__all__ = ["ProfilesProject", "ProfilesProjectComponent", "ProfilesTranslator", "build_definitions"]

_HOMES = {
    "ProfilesProject": "profiles_pipeline.project",
    "ProfilesProjectComponent": "profiles_pipeline.assets.component",
    "ProfilesTranslator": "profiles_pipeline.assets",
    "build_definitions": "profiles_pipeline.assets",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        import importlib  # noqa: PLC0415 - no command needs it

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'profiles_pipeline' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})  # Dagster looks here for components
