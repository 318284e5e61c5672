"""The caller's cost of one call while what was accepted is sent in the background: ``accept WHO ADDRESS``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.measure.benchmarks.contestants.turns import take_turns
from tests.measure.benchmarks.samples import CONTEXT, EVENT, PROPERTIES, user_id

Call = Callable[[str], object]
Drain = Callable[[], object]

_PEOPLE = 500


def _ours(address: str) -> tuple[Call, Drain]:
    from metarouter_intercom import Client

    client = Client(api_key="benchmark", base_url=address)
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _spool(address: str) -> tuple[Call, Drain]:
    from metarouter_intercom import Client

    file = Path(tempfile.mkdtemp()) / "spool.db"
    client = Client(api_key="benchmark", base_url=address, spool=str(file))
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _segment(address: str) -> tuple[Call, Drain]:
    from segment.analytics.client import Client

    client = Client("benchmark", host=address)
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _rudder(address: str) -> tuple[Call, Drain]:
    from rudderstack.analytics.client import Client

    client = Client("benchmark", host=address)
    return lambda user: client.track(user, EVENT, PROPERTIES, CONTEXT), client.flush


def _posthog(address: str) -> tuple[Call, Drain]:
    from posthog import Posthog

    client = Posthog("benchmark", host=address)
    properties = {**PROPERTIES, **CONTEXT}
    return lambda user: client.capture(EVENT, distinct_id=user, properties=properties), client.flush


def _sentry(address: str) -> tuple[Call, Drain]:
    import sentry_sdk

    sentry_sdk.init(dsn=address.replace("://", "://benchmark@") + "/1", enable_logs=True)
    facts = {**PROPERTIES, **CONTEXT}
    return lambda user: sentry_sdk.logger.info(EVENT, attributes={"user": user, **facts}), sentry_sdk.flush


_WHO = {
    "ours": _ours,
    "spool": _spool,
    "segment": _segment,
    "rudder": _rudder,
    "posthog": _posthog,
    "sentry": _sentry,
}


def main() -> None:
    """Do rounds of calls, each with the instants around it; what is buffered is sent before a round ends."""
    call, drain = _WHO[sys.argv[1]](sys.argv[2])
    users = [user_id(at) for at in range(_PEOPLE)]

    def play(number: int) -> dict[str, float]:
        clock = time.perf_counter_ns
        spent: list[int] = []
        begun = time.thread_time_ns()
        for at in range(number):
            user = users[at * 7 % _PEOPLE]
            before = clock()
            call(user)
            spent.append(clock() - before)
        used = time.thread_time_ns() - begun
        drain()
        return {"call": median(spent) / 1000, "thread": used / number / 1000}

    take_turns(play)


if __name__ == "__main__":
    main()
