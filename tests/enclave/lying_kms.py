"""A KMS of the parent's making: TLS as good or bad as asked, answers as asked. It counts what reaches it."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]
"""(operation, members of the request) → (HTTP status, members of the answer)."""


class LyingKMS:
    """Where it listens, and the operations that reached it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.operations: list[str] = []


@contextmanager
def serve_lies(certificate: Path, answer: Answer) -> Iterator[LyingKMS]:
    """Serve on a free loopback port until the block ends."""
    lying = LyingKMS(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            lying.operations.append(operation)
            members = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, reply = answer(operation, members)
            body = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a refused handshake is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    lying.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield lying
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
