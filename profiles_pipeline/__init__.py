"""Customer 360 engine: RudderStack Profiles YAML projects run on an embedded warehouse, each model a Dagster asset."""

__version__ = "0.1.0"
