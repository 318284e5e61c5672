"""
Records what other SDKs send, as test data: ``python tests/measure/capture/capture.py SDK_PYTHON NODE_FOLDER``.

*SDK_PYTHON* is an interpreter with ``segment-analytics-python`` and ``rudder-sdk-python`` installed. *NODE_FOLDER* is a folder in which
``npm install @segment/analytics-node`` was run. Nothing leaves this machine: a local server receives the requests.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
CAPTURED = HERE.parents[1] / "cases" / "recorded"
DEMO = HERE.parents[2] / "metarouter_intercom" / "_cli" / "demo_messages.jsonl"


class Recorder(BaseHTTPRequestHandler):
    """Records each body and answers like the servers of the SDKs."""

    posted: list[object] = []  # noqa: RUF012  # replaced before each run
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        self.posted.append(json.loads(content))
        answer = b'{"success": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def record(name: str, command: list[str], folder: Path | None = None) -> list[object]:
    """Run *command* with the address of the recorder as its last argument; store and return what it sends."""
    Recorder.posted = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        subprocess.run(
            [*command, f"http://127.0.0.1:{server.server_port}"], check=True, cwd=folder, timeout=60
        )
    finally:
        server.shutdown()
        server.server_close()
    batches = [body for body in Recorder.posted if isinstance(body, dict) and "batch" in body]
    CAPTURED.mkdir(exist_ok=True)
    (CAPTURED / f"{name}.json").write_text(json.dumps(batches, indent=1, ensure_ascii=False) + "\n")
    print(name, sum(len(body["batch"]) for body in batches), "messages")
    return batches


def main(sdk_python: str, node_folder: str) -> None:
    """Record all three SDKs, and write the file of the demo."""
    batches = record("segment-analytics-python", [sdk_python, str(HERE / "segment_python.py")])
    batches += record("rudder-sdk-python", [sdk_python, str(HERE / "rudder_python.py")])
    shutil.copy(HERE / "segment_node.mjs", Path(node_folder) / "segment_node.mjs")
    batches += record("segment-analytics-node", ["node", "segment_node.mjs"], Path(node_folder))
    DEMO.parent.mkdir(exist_ok=True)
    lines = [json.dumps(message, ensure_ascii=False) for body in batches for message in body["batch"]]
    DEMO.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
