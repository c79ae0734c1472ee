"""A real HTTP server with the calls that start and watch syncs of Reverse ETL, which misbehaves as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from profiles_pipeline_tests.publish.own_server import listening

TOKEN = "a-service-access-token"
CONNECTION = "2aBcD"


@dataclass
class Api:
    """The server.

    Attributes:
        starts: the statuses with which calls to start are answered, in order; 200 when there are none left.
        states: what is told of a sync, question by question; the last one again and again.
        calls: method, path, token and content of each call.
    """

    port: int = 0
    starts: list[int] = field(default_factory=list)
    states: list[dict[str, object]] = field(default_factory=lambda: [{"status": "succeeded"}])
    calls: list[tuple[str, str, str, object]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2"

    @property
    def started(self) -> int:
        return sum(method == "POST" for method, *_ in self.calls)


@contextmanager
def serving() -> Iterator[Api]:
    """Run the server in a thread of this process until the block ends."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._note(content)
            status = api.starts.pop(0) if api.starts else 200
            self._answer(status, {"syncId": f"sync{api.started}"})

        def do_GET(self) -> None:
            self._note(None)
            self._answer(200, api.states.pop(0) if len(api.states) > 1 else api.states[0])

        def _note(self, content: object) -> None:
            api.calls.append((self.command, self.path, self.headers["Authorization"], content))

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with listening(Handler) as api.port:
        yield api
