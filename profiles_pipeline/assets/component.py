"""A project as a Dagster component, for code locations that are made of ``defs.yaml`` files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from dagster.components.component_scaffolding import scaffold_component
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from dagster_shared.seven import load_module_object
from pydantic import BaseModel, Field

from profiles_pipeline.assets.definitions_builder import JOB_NAME, build_definitions
from profiles_pipeline.assets.translator import ModelProps, ProfilesTranslator
from profiles_pipeline.connections import find_output, stated_dialect
from profiles_pipeline.errors import fail
from profiles_pipeline.examples import EXAMPLES, copy_example
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.spec import PipelineSpec

DEFS_FILE = "defs.yaml"

Section = dict[str, Any]
"""A section of pipeline.yaml; its keys are checked like those of that file."""


class ScaffoldParams(BaseModel):
    """What `dg scaffold defs` can be told."""

    project: str | None = Field(
        default=None, description="Folder of a project that is there already; an example is copied when not given."
    )
    example: str = Field(default="quickstart", description=f"Which example to copy: {' or '.join(EXAMPLES)}.")


class ProfilesProjectScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a ``defs.yaml`` that loads and runs."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """Return what can be told."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Write the file, and copy an example beside the code of the Dagster project unless there is a project."""
        if request.params.project is not None:
            folder = Path(request.params.project).expanduser().resolve()
        else:
            folder = (request.project_root or request.target_path) / request.target_path.name
            copy_example(request.params.example, folder)
        scaffold_component(request, {"project": os.path.relpath(folder, request.target_path)})


def _template_vars(model: ModelProps) -> Mapping[str, object]:
    return {"model": model}


@dg.scaffold_with(ProfilesProjectScaffolder)
class ProfilesProjectComponent(dg.Component, dg.Model, dg.Resolvable):
    """The assets, checks, job, schedules and sensor of a RudderStack Profiles project.

    Besides what is listed here, every key of pipeline.yaml may be given; it takes the place of that section in the
    pipeline.yaml of the project. Override `get_asset_spec` to change how models look.
    """

    project: Annotated[str, Field(description="Folder of the project, from the folder of this file on.")]
    siteconfig: Annotated[str | None, Field(description="File with connections; the usual one when not set.")] = None
    target: Annotated[str | None, Field(description="Output of the connection; its default one when not set.")] = None
    job_name: Annotated[
        str, Field(description="Name of the job that builds everything; several projects need one each.")
    ] = JOB_NAME
    in_process: Annotated[
        bool, Field(description="Build in one process, as one DuckDB file wants it; false leaves the choice to others.")
    ] = True
    translator: Annotated[
        str | None, Field(description="Class that says what models look like, such as my_code.Translator.")
    ] = None
    translation: Annotated[
        TranslationFn[ModelProps] | None,
        TranslationFnResolver[ModelProps](template_vars_for_translation_fn=_template_vars),
        Field(description="Attributes of the assets, with `spec` and `model` to refer to."),
    ] = None
    incremental: Annotated[str | None, Field(description="auto, always or never.")] = None
    partitions: Annotated[Section | bool | None, Field(description="cadence, start and timezone; false for none.")] = (
        None
    )
    inputs: Annotated[Section | None, Field(description="How changes of each input are found.")] = None
    schedules: Annotated[Section | bool | None, Field(description="Whether there are any, and a cron.")] = None
    sensor: Annotated[Section | bool | None, Field(description="Whether there is one, interval and at_most.")] = None
    checks: Annotated[Section | None, Field(description="What may not happen to a result.")] = None
    retention: Annotated[Section | bool | None, Field(description="What of earlier runs stays; false keeps all.")] = (
        None
    )

    def get_asset_spec(self, model: ModelProps, spec: dg.AssetSpec) -> dg.AssetSpec:
        """Return the spec of a model, given the one that the translator makes of it."""
        return self.translation(spec, model) if self.translation else spec

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the project.

        Raises:
            ProjectError: the project, or what stands here, is wrong.
        """
        project = self.loaded(context.path)
        output = None
        if self.siteconfig or self.target:
            connection = project.project.spec.connection
            siteconfig = _from(context.path, self.siteconfig) if self.siteconfig else None
            output = find_output(project.folder, str(connection) if connection else None, siteconfig, self.target)
        return build_definitions(
            project,
            output=output,
            translator=self._translator(),
            executor=dg.in_process_executor if self.in_process else None,
            job_name=self.job_name,
        )

    def loaded(self, folder: Path) -> ProfilesProject:
        """Return the project, run as this component says, which stands in `folder`.

        Raises:
            ProjectError: the project, or what stands here, is wrong.
        """
        stated = {name: getattr(self, name) for name in PipelineSpec.model_fields if hasattr(self, name)}
        said = {name: value for name, value in stated.items() if value is not None}
        place = _from(folder, self.project)
        siteconfig = _from(folder, self.siteconfig) if self.siteconfig else None
        project = ProfilesProject.load(place, source_dialect=stated_dialect(place, siteconfig, self.target))
        return project.run_as(said, folder / DEFS_FILE)

    def _translator(self) -> ProfilesTranslator:
        made = _loaded(self.translator) if self.translator else ProfilesTranslator()
        component = self

        class Translator(ProfilesTranslator):
            def get_asset_spec(self, model: ModelProps) -> dg.AssetSpec:
                return component.get_asset_spec(model, made.get_asset_spec(model))

        return Translator()


def _loaded(name: str) -> ProfilesTranslator:
    module, _, attribute = name.rpartition(".")
    found = load_module_object(module, attribute) if module else None
    if not (isinstance(found, type) and issubclass(found, ProfilesTranslator)):
        hint = "name a subclass of profiles_pipeline.ProfilesTranslator"
        fail("bad-translator", f"translator '{name}' is no class of translators", hint=hint)
    return found()


def _from(folder: Path, path: str) -> Path:
    return (folder / Path(path).expanduser()).resolve()
