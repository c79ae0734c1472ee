"""An S3 server on this machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from moto.server import ThreadedMotoServer
from pyarrow.fs import S3FileSystem

KEYS = {"access_key": "key", "secret_key": "secret"}


@contextmanager
def s3_server(objects: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of a server that has these objects, by ``bucket/key``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        store = S3FileSystem(
            **KEYS, region="us-east-1", endpoint_override=f"http://{host}:{port}", allow_bucket_creation=True
        )
        for path, text in objects.items():
            put(store, path, text)
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def put(store: S3FileSystem, path: str, text: str) -> None:
    """Put an object, and its bucket."""
    store.create_dir(path.partition("/")[0])
    with store.open_output_stream(path) as stream:
        stream.write(text.encode())
