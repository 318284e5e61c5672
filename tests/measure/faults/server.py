"""
The server of a run, in a separate process: the sandbox for our client, a simple receiver for the other libraries, with the same faults.

Reads one JSON command per line from standard input, answers each with one line of JSON, and ends when its input ends.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from metarouter_intercom.sandbox import Sandbox, Workspace
from metarouter_intercom.sandbox.faults import NO_FAULTS, Fault, FaultCounter, read_faults

_HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


class Intercom:
    """The sandbox."""

    def __init__(self, options):
        self._sandbox = Sandbox(workspace=Workspace(**options), app=_no_pages)

    def start(self):
        return self._sandbox.start().url

    def close(self):
        self._sandbox.close()

    def set_faults(self, faults):
        self._sandbox.faults = faults

    def state(self):
        service, workspace = self._sandbox.service, self._sandbox.workspace
        with service.lock:
            return {
                **workspace.snapshot(without={"last_seen_at"}),
                "repeated": workspace.repeated_events,
                "handled": workspace.handled,
                "refused": [record.at for record in workspace.requests if record.status == 429],
                "windows": dict(workspace.rate.admitted),
            }


def _no_pages(environ, start_response):
    start_response("404 Not Found", [("Content-Length", "0")])
    return [b""]


class Receiver:
    """A server that accepts batches like the servers of the other libraries, and records the numbers of the messages."""

    def __init__(self, _options):
        self._lock = threading.Lock()
        self._counter = FaultCounter(NO_FAULTS)
        self._numbers = []
        self._requests = 0
        self._port = 0
        self._server = None
        self._ending = threading.Event()

    def start(self):
        receiver = self

        class Handler(_Handler):
            owner = receiver

        self._ending.clear()
        self._server = _QuietServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self._port}"

    def close(self):
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def set_faults(self, faults):
        with self._lock:
            self._counter = FaultCounter(faults)

    def state(self):
        with self._lock:
            return {"numbers": list(self._numbers), "handled": self._requests}

    def receive(self, path, content, now):
        """Return the fault of one request, and record its messages unless the fault prevents that."""
        with self._lock:
            fault, _ = self._counter.next("POST", path, now)
            self._requests += 1
            if fault is None or fault.kind in ("lost", "truncated", "malformed"):
                for item in json.loads(content).get("batch", []):
                    number = _number_of(item)
                    if number is not None:
                        self._numbers.append(number)
            return fault

    def hang(self):
        """Wait as long as a hanging request does."""
        self._ending.wait(self._counter.faults.hang_seconds)


def _number_of(item):
    """Return the number of a message: each library puts its traits and properties elsewhere."""
    properties = item.get("properties") or {}
    for values in (
        item.get("traits"),
        item.get("$set"),
        properties,
        item.get("context", {}).get("traits"),
        properties.get("$set"),
    ):
        if values and "step" in values:
            return values["step"]
    return None


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Ignore applications that were killed during a request; report every other error."""
        if not isinstance(sys.exc_info()[1], (OSError, json.JSONDecodeError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    owner: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        import time

        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        fault = self.owner.receive(self.path, content, time.time())
        self._answer(fault)

    def _answer(self, fault: Fault | None):
        kind = None if fault is None else fault.kind
        if kind == "status":
            extra = {"X-RateLimit-Reset": str(_in_two_seconds()), "Retry-After": "2"}
            self._write(
                fault.status, b'{"code": "fault", "message": "fault"}', extra if fault.status == 429 else {}
            )
        elif kind == "html":
            self._write(502, _HTML, {"Content-Type": "text/html"})
        elif kind == "malformed":
            self._write(200, b"{not json", {})
        elif kind == "truncated":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"succ')
            self.close_connection = True
        elif kind in ("lost", "reset", "hang"):
            if kind == "hang":
                self.owner.hang()
            self.close_connection = True
        else:
            self._write(200, b'{"success": true, "status": "Ok"}', {})

    def _write(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Log nothing."""


def _in_two_seconds():
    import time

    return int(time.time()) + 2


def main() -> None:
    """Serve until the input ends."""
    import time

    kind, options = sys.argv[1], json.loads(sys.argv[2])
    server = {"intercom": Intercom, "receiver": Receiver}[kind](options)
    answer = {"address": server.start()}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        command = json.loads(line)
        answer = {}
        if command["do"] == "faults":
            server.set_faults(read_faults(command["faults"], now=time.time()))
        elif command["do"] == "start":
            server.start()
        elif command["do"] == "close":
            server.close()
        else:
            answer = server.state()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
