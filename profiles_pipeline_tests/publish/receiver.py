"""A real HTTP server that takes batches, and misbehaves as it is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from profiles_pipeline_tests.publish.own_server import listening

SECRET = "not-so-secret"


@dataclass
class Receiver:
    """The server.

    Attributes:
        answer: number of the request and its body -> status, headers and seconds to wait before the answer; headers
            may say of the body of the answer what it is not.
        pause: seconds between the bytes of the body of an answer.
        requests: idempotency key, body and time of each request, refused ones included.
        taken: the changes of all batches that were answered with 200, in order.
    """

    port: int = 0
    answer: Callable[[int, dict[str, object]], tuple[int, dict[str, str], float]] = lambda *_: (200, {}, 0)
    requests: list[tuple[str, dict[str, object], float]] = field(default_factory=list)
    taken: list[dict[str, object]] = field(default_factory=list)
    forged: int = 0
    pause: float = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/profiles"

    @property
    def keys(self) -> list[str]:
        return [key for key, _, _ in self.requests]


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Run the server in a thread of this process until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = json.loads(body)
            receiver.requests.append((self.headers["Idempotency-Key"], content, time.monotonic()))
            receiver.forged += not _is_signed(self.headers["X-Profiles-Signature"], body)
            status, headers, wait = receiver.answer(len(receiver.requests), content)
            time.sleep(wait)
            if status == 200:
                receiver.taken += content["changes"]
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if headers.keys().isdisjoint(("Content-Length", "Transfer-Encoding")):
                    self.send_header("Content-Length", "8")
                self.end_headers()
                for byte in b"{      }":
                    time.sleep(receiver.pause)
                    self.wfile.write(bytes([byte]))
            except ConnectionError:
                self.close_connection = True  # the sender has given up waiting

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with listening(Handler, port) as receiver.port:
        yield receiver


def _is_signed(signature: str, body: bytes) -> bool:
    stated = dict(part.split("=") for part in signature.split(","))
    expected = hmac.new(SECRET.encode(), f"{stated['t']}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(stated["v1"], expected) and abs(time.time() - int(stated["t"])) < 60
