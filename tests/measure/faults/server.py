"""
The far end as a process of its own: Intercom's sandbox for our client, a plain receiver for the others, with the same faults.

Takes one JSON command a line on its standard input, answers each with one JSON line, and ends with its input.
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

    def __init__(self, choices):
        self._sandbox = Sandbox(workspace=Workspace(**choices), app=_no_pages)

    def start(self):
        return self._sandbox.start().url

    def close(self):
        self._sandbox.close()

    def set_faults(self, faults):
        self._sandbox.faults = faults

    def show(self):
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
    """A server that takes batches as the collecting services do, and remembers the numbers it was sent."""

    def __init__(self, choices):
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
        self._server = _PatientServer(("127.0.0.1", self._port), Handler)
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

    def show(self):
        with self._lock:
            return {"numbers": list(self._numbers), "handled": self._requests}

    def meet(self, path, content, now):
        """Let one request meet its fault, and apply it unless the fault forbids it."""
        with self._lock:
            fault, _ = self._counter.next("POST", path, now)
            self._requests += 1
            if fault is None or fault.kind in ("lost", "truncated", "malformed"):
                for item in json.loads(content).get("batch", []):
                    facts = item.get("traits") or item.get("$set") or item.get("properties") or {}
                    facts = facts if "step" in facts else item.get("context", {}).get("traits", facts)
                    facts = facts if "step" in facts else item.get("properties", {}).get("$set", facts)
                    if "step" in facts:
                        self._numbers.append(facts["step"])
            return fault

    def hang(self):
        """Let the time of a hanging request pass."""
        self._ending.wait(self._counter.faults.hang_seconds)


class _PatientServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Pass over applications that were killed in the middle of a request; tell everything else."""
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
        fault = self.owner.meet(self.path, content, time.time())
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
        """Nothing is logged."""


def _in_two_seconds():
    import time

    return int(time.time()) + 2


def main() -> None:
    """Serve until the input ends."""
    import time

    kind, choices = sys.argv[1], json.loads(sys.argv[2])
    server = {"intercom": Intercom, "receiver": Receiver}[kind](choices)
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
            answer = server.show()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
