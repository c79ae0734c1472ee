"""What a project has to say otherwise when it lies elsewhere: the relative paths that lead out of its folder."""

from __future__ import annotations

import os
from pathlib import Path

from profiles_pipeline.spec.fetch import is_local
from profiles_pipeline.spec.lift.rewrite import Log, Rewrite, map_items
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import NOWHERE, PlacedList, PlacedMap


def seen_from(folder: Path, destination: Path) -> Rewrite:
    """Return the step that makes a project of `folder`, copied to `destination`, read the same packages and folders."""

    def step(project: PlacedMap, log: Log) -> PlacedMap:
        folders = project.get("model_folders")
        if isinstance(folders, PlacedList):
            items = PlacedList(folders.span)
            for item, span in folders.placed_items():
                items.add(moved(item, log), span)
            project = project.with_value("model_folders", items)
        return map_items(project, "packages", package, log)

    def package(item: PlacedMap, log: Log) -> PlacedMap:
        return item.with_value("url", moved(item["url"], log)) if "url" in item else item

    def moved(path: object, log: Log) -> object:
        if not isinstance(path, Text) or not is_local(path):
            return path
        target = Path(os.path.normpath(folder / path))
        if Path(path).is_absolute() or path.startswith("~") or target.is_relative_to(folder):
            return path
        new = Path(os.path.relpath(target, destination)).as_posix()
        if new == path:
            return path
        log.add(path.span or NOWHERE, f"'{path}' became '{new}', as seen from {destination}")
        return Text(new, path.span, path.block)

    return step
