"""``python -m metarouter_intercom.sandbox``: serve a local Intercom until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from .server import Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Serve; the exit code is 0 after an interrupt."""
    parser = argparse.ArgumentParser(prog="python -m metarouter_intercom.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes any free port")
    parser.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise")
    parser.add_argument("--token", default="sandbox-token", help="the access token to accept")
    parser.add_argument("--auto-attributes", action="store_true", help="make unknown custom attributes")
    parser.add_argument("--app-limit", type=int, default=1666, help="requests in a window of ten seconds")
    chosen = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(
        port=chosen.port,
        host=chosen.host,
        token=chosen.token,
        auto_attributes=chosen.auto_attributes,
        app_limit=chosen.app_limit,
        workspace_limit=max(chosen.app_limit, 4166),
    ) as sandbox:
        sys.stdout.write(f"{sandbox.url} token {sandbox.token}\npages {sandbox.pages}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
