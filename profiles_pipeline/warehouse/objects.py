"""Lets DuckDB read objects of a store by the file systems of Arrow, for which no extension has to be downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.arrow import ArrowFSWrapper

from profiles_pipeline.spec.stores import SCHEME, StoreCredential, StoreError, bucket_of, open_bucket, reason


class ObjectStore(AbstractFileSystem):  # type: ignore[misc]
    """The objects of all buckets, for reading. Each bucket is logged in to when it is first asked for."""

    protocol = SCHEME.removesuffix("://")
    cachable = False

    def __init__(self, credentials: Callable[[], Sequence[StoreCredential]]) -> None:
        super().__init__()
        self._credentials = credentials
        self._buckets: dict[str, ArrowFSWrapper] = {}
        self._states: dict[str, str | StoreError] = {}

    def info(self, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return name, size, type and time of an object."""
        found: dict[str, Any] = self._bucket(path).info(self._strip_protocol(path), **options)
        return found

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:  # noqa: ANN401
        """Return what lies directly below a path."""
        found: list[Any] = self._bucket(path).ls(self._strip_protocol(path), detail=detail, **options)
        return found

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:  # noqa: ANN401
        """Return an object, opened for reading."""
        if mode != "rb":
            raise PermissionError(f"{path} is opened for reading only")
        return self._bucket(path).open(self._strip_protocol(path), mode, **options)

    def modified(self, path: str) -> datetime:
        """Return when an object was last written."""
        found: datetime = self.info(path)["mtime"]
        return found

    def state(self, address: str) -> str:
        """Return another text when the objects that match an address may be others than before. Looks there once.

        Raises:
            StoreError: there is none, or the store refuses.
        """
        if address not in self._states:
            try:
                self._states[address] = self._state(address)
            except StoreError as error:
                self._states[address] = error
        known = self._states[address]
        if isinstance(known, StoreError):
            raise known
        return known

    def _state(self, address: str) -> str:
        try:
            plain = self._strip_protocol(address)
            self._bucket(plain)  # what is wrong with its credentials would pass for an empty bucket in what follows
            paths = sorted(self.glob(plain)) if any(mark in plain for mark in "*?[") else [plain]
            found = [(item["name"], item["size"], str(item["mtime"])) for item in map(self.info, paths)]
        except FileNotFoundError:
            found = []
        except OSError as error:
            raise StoreError(reason(error)) from error
        if not found:
            raise StoreError("there is no such object")
        return repr(found)

    def _bucket(self, path: str) -> ArrowFSWrapper:
        name = bucket_of(self._strip_protocol(path))
        if name not in self._buckets:
            self._buckets[name] = ArrowFSWrapper(open_bucket(name, self._credentials()))
        return self._buckets[name]
