"""Object stores: how to log in to the bucket of an ``s3://`` address, and how to bring what lies there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AliasChoices, ConfigDict, Field, SecretStr

from profiles_pipeline.errors import ProfilesError
from profiles_pipeline.spec.model import Spec, Text
from profiles_pipeline.spec.secrets import Secret

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

SCHEME = "s3://"
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60
_ATTEMPTS = 2


class StoreError(ProfilesError):
    """An object store refused, did not answer, or has no such object; says so in one sentence."""


class StoreCredential(Spec):
    """How to log in to a store. Without keys it is what the environment or ``~/.aws`` says.

    Attributes:
        bucket: the only bucket it is for; None when it is for all.
        endpoint: address of a server that is not Amazon's.
        role_arn: a role to take on.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, arbitrary_types_allowed=True)

    bucket: Text | None = None
    endpoint: Text | None = None
    region: Text | None = None
    access_key: Secret | None = Field(None, validation_alias=AliasChoices("access_key", "access_key_id"))
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    role_arn: Text | None = None


def is_object(address: str) -> bool:
    """Tell whether an address names an object in a store."""
    return address.startswith(SCHEME)


def bucket_of(address: str) -> str:
    """Return the bucket in ``s3://bucket/key`` or ``bucket/key``."""
    return address.removeprefix(SCHEME).partition("/")[0]


def open_bucket(bucket: str, credentials: Sequence[StoreCredential]) -> S3FileSystem:
    """Return the store of a bucket, to be logged in to with the first of the credentials that is for it.

    Raises:
        StoreError: half of a key is missing.
    """
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem  # noqa: PLC0415 - takes a while to load

    own = next((c for c in credentials if c.bucket == bucket), None)
    found = own or next((c for c in credentials if c.bucket is None), StoreCredential())
    if (found.access_key is None) != (found.secret_access_key is None):
        raise StoreError("its credential has one of access_key and secret_access_key, which go together")
    return S3FileSystem(
        access_key=_revealed(found.access_key),
        secret_key=_revealed(found.secret_access_key),
        session_token=_revealed(found.session_token),
        role_arn=str(found.role_arn) if found.role_arn else None,
        region=str(found.region) if found.region else None,
        endpoint_override=str(found.endpoint) if found.endpoint else None,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_ANSWER_SECONDS,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


def bring(address: str, target: Path, credentials: Sequence[StoreCredential]) -> None:
    """Copy every object below ``s3://bucket/folder`` into the folder `target`, which is made.

    Raises:
        StoreError: there is nothing, or the store refuses.
    """
    from pyarrow.fs import FileSelector, FileType  # noqa: PLC0415 - takes a while to load

    root = address.removeprefix(SCHEME).rstrip("/")
    try:
        store = open_bucket(bucket_of(root), credentials)
        listed = store.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
        files = [item.path for item in listed if item.type == FileType.File]
        if not files:
            raise StoreError("there is nothing at this address")
        for path in files:
            file = target / path.removeprefix(f"{root}/")
            if not file.resolve().is_relative_to(target.resolve()):
                raise StoreError(f"the object '{path}' would be written outside of the folder")
            file.parent.mkdir(parents=True, exist_ok=True)
            with store.open_input_stream(path) as stream:
                file.write_bytes(stream.read())
    except OSError as error:
        raise StoreError(reason(error)) from error


def reason(error: OSError) -> str:
    """Return what a store says, in one line."""
    return " ".join(str(error).split()).rstrip(".")


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
