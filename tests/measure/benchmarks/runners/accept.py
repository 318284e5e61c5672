"""What one call costs the caller while a background thread sends what was accepted: ``accept LIBRARY ADDRESS``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.measure.benchmarks.runners.rounds import serve_rounds
from tests.measure.benchmarks.samples import CONTEXT, EVENT, PROPERTIES, user_id

Call = Callable[[str], object]
Flush = Callable[[], object]

_PEOPLE = 500


def _ours(address: str) -> tuple[Call, Flush]:
    from metarouter_intercom import Client

    client = Client(api_key="benchmark", base_url=address)
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _spool(address: str) -> tuple[Call, Flush]:
    from metarouter_intercom import Client

    file = Path(tempfile.mkdtemp()) / "spool.db"
    client = Client(api_key="benchmark", base_url=address, spool=str(file))
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _segment(address: str) -> tuple[Call, Flush]:
    from segment.analytics.client import Client

    client = Client("benchmark", host=address)
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _rudder(address: str) -> tuple[Call, Flush]:
    from rudderstack.analytics.client import Client

    client = Client("benchmark", host=address)
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _posthog(address: str) -> tuple[Call, Flush]:
    from posthog import Posthog

    client = Posthog("benchmark", host=address)
    properties = {**PROPERTIES, **CONTEXT}
    return lambda user: client.capture(EVENT, distinct_id=user, properties=properties), client.flush


def _sentry(address: str) -> tuple[Call, Flush]:
    import sentry_sdk

    sentry_sdk.init(dsn=address.replace("://", "://benchmark@") + "/1", enable_logs=True)
    attributes = {**PROPERTIES, **CONTEXT}
    return lambda user: sentry_sdk.logger.info(
        EVENT, attributes={"user": user, **attributes}
    ), sentry_sdk.flush


_LIBRARIES = {
    "ours": _ours,
    "spool": _spool,
    "segment": _segment,
    "rudder": _rudder,
    "posthog": _posthog,
    "sentry": _sentry,
}


def main() -> None:
    """Run rounds of timed calls; a round ends after everything buffered was sent."""
    call, flush = _LIBRARIES[sys.argv[1]](sys.argv[2])
    users = [user_id(number) for number in range(_PEOPLE)]

    def run_round(size: int) -> dict[str, float]:
        clock = time.perf_counter_ns
        spent: list[int] = []
        started = time.thread_time_ns()
        for number in range(size):
            user = users[number * 7 % _PEOPLE]
            before = clock()
            call(user)
            spent.append(clock() - before)
        used = time.thread_time_ns() - started
        flush()
        return {"call": median(spent) / 1000, "thread": used / size / 1000}

    serve_rounds(run_round)


if __name__ == "__main__":
    main()
