"""Models of a project as Dagster assets.

Start with `build_definitions`; subclass `ProfilesTranslator` to change how models look.
"""

from profiles_pipeline.assets.assets import build_assets
from profiles_pipeline.assets.definitions_builder import build_definitions
from profiles_pipeline.assets.resource import ProfilesDuckDBResource, ProfilesResource
from profiles_pipeline.assets.snowflake import snowflake_output
from profiles_pipeline.assets.specs import build_asset_specs
from profiles_pipeline.assets.translator import Feature, ModelProps, ProfilesTranslator, PublisherProps

__all__ = [
    "Feature",
    "ModelProps",
    "ProfilesDuckDBResource",
    "ProfilesResource",
    "ProfilesTranslator",
    "PublisherProps",
    "build_asset_specs",
    "build_assets",
    "build_definitions",
    "snowflake_output",
]
