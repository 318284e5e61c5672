"""``python -m metarouter_intercom.sandbox``: runs a local Intercom until you press Ctrl+C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from .server import Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox until a signal stops it; returns exit code 0."""
    parser = argparse.ArgumentParser(prog="python -m metarouter_intercom.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port; 0, the default, takes any free one")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; loopback by default")
    parser.add_argument("--token", default="sandbox-token", help="the access token that clients must send")
    parser.add_argument("--auto-attributes", action="store_true", help="create unknown custom attributes")
    parser.add_argument("--search-lag", type=float, default=20.0, help="seconds until searches see a write")
    parser.add_argument("--app-limit", type=int, default=1666, help="requests in ten seconds")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(
        port=options.port,
        host=options.host,
        token=options.token,
        auto_attributes=options.auto_attributes,
        search_lag=options.search_lag,
        app_limit=options.app_limit,
        workspace_limit=max(options.app_limit, 4166),
    ) as sandbox:
        sys.stdout.write(f"{sandbox.url} token {sandbox.token}\npages {sandbox.pages}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
