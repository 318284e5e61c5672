"""Memory that buffered messages take: ``memory WHO heap|resident NUMBER``; prints bytes."""

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


def _facts(at: int) -> dict[str, object]:
    # Each message brings texts of its own, as requests do.
    return {**PROPERTIES, "report": f"Report {at}", "team": f"Team {at % 40}"}


def _context(at: int) -> dict[str, object]:
    return {**CONTEXT, "ip": f"192.0.2.{at % 256}"}


def _ours() -> Call:
    from metarouter_intercom import Client

    client = Client(api_key="benchmark", delivery="manual")
    return lambda user, at: client.track(user, EVENT, _facts(at), _context(at))


def _segment() -> Call:
    from segment.analytics.client import Client

    client = Client("benchmark", thread=0)
    return lambda user, at: client.track(user, EVENT, _facts(at), _context(at))


def _rudder() -> Call:
    from rudderstack.analytics.client import Client

    client = Client("benchmark", thread=0)
    return lambda user, at: client.track(user, EVENT, _facts(at), _context(at))


def _posthog() -> Call:
    from posthog import Posthog

    client = Posthog("benchmark", thread=0)
    return lambda user, at: client.capture(EVENT, distinct_id=user, properties={**_facts(at), **_context(at)})


_WHO = {"ours": _ours, "segment": _segment, "rudder": _rudder, "posthog": _posthog}


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Buffer messages in a fresh process and tell what they take."""
    who, way, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    call = _WHO[who]()
    call(user_id(0), 0)
    gc.collect()
    if way == "heap":
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
    else:
        before = _resident()
    for at in range(1, number):
        call(user_id(at % 1000), at)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0] if way == "heap" else _resident()
    print(json.dumps(after - before), flush=True)
    os._exit(0)  # peers would wait for a network that is not there


if __name__ == "__main__":
    main()
