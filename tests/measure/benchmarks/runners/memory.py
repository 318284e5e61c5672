"""How much memory buffered messages need: ``memory LIBRARY heap|resident NUMBER``; prints bytes."""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from tests.measure.benchmarks.samples import CONTEXT, EVENT, PROPERTIES, user_id

Call = Callable[[str, int], object]


def _properties(number: int) -> dict[str, object]:
    # Each message has its own text objects, as in real calls.
    return {**PROPERTIES, "report": f"Report {number}", "team": f"Team {number % 40}"}


def _context(number: int) -> dict[str, object]:
    return {**CONTEXT, "ip": f"192.0.2.{number % 256}"}


def _ours() -> Call:
    from metarouter_intercom import Client

    client = Client(api_key="benchmark", delivery="manual")
    return lambda user, number: client.track(user, EVENT, _properties(number), _context(number))


def _segment() -> Call:
    from segment.analytics.client import Client

    client = Client("benchmark", thread=0)
    return lambda user, number: client.track(user, EVENT, _properties(number), _context(number))


def _rudder() -> Call:
    from rudderstack.analytics.client import Client

    client = Client("benchmark", thread=0)
    return lambda user, number: client.track(user, EVENT, _properties(number), _context(number))


def _posthog() -> Call:
    from posthog import Posthog

    client = Posthog("benchmark", thread=0)
    return lambda user, number: client.capture(
        EVENT, distinct_id=user, properties={**_properties(number), **_context(number)}
    )


_LIBRARIES = {"ours": _ours, "segment": _segment, "rudder": _rudder, "posthog": _posthog}


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Buffer messages in a new process and print how much memory they need."""
    library, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    call = _LIBRARIES[library]()
    call(user_id(0), 0)
    gc.collect()
    if kind == "heap":
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
    else:
        before = _resident()
    for number in range(1, count):
        call(user_id(number % 1000), number)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0] if kind == "heap" else _resident()
    print(json.dumps(after - before), flush=True)
    os._exit(0)  # at a normal exit, peers would wait for a network that does not exist


if __name__ == "__main__":
    main()
