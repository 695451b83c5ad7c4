"""A service that has nothing to tell, at once: both pages ask it, so that neither waits for it."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(BaseHTTPRequestHandler):
    """Every class is empty, and every line is added."""

    protocol_version = "HTTP/1.1"

    def _answer(self, body: bytes) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer(b'{"results": []}')

    def do_POST(self) -> None:
        self._answer(b'{"objectId": "1"}')

    def log_message(self, *_words: object) -> None:
        """Nobody reads it."""


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 8001), Service).serve_forever()
