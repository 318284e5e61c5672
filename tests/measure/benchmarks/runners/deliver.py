"""Delivering with and without seconds of their own for events: ``deliver BUFFER SPREADING ADDRESS``."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path

from tests.measure.benchmarks.runners.rounds import serve_rounds
from tests.measure.benchmarks.samples import mixed

_SAMPLES = 6_000
_BEGIN = 1_700_000_000


def main() -> None:
    """Run rounds of deliveries; the result of a round is the processor time of one message in microseconds."""
    from metarouter_intercom import Client

    buffer, spreading, address = sys.argv[1:4]
    client = Client(
        api_key="benchmark",
        base_url=address,
        delivery="manual",
        spool=str(Path(tempfile.mkdtemp()) / "spool.db") if buffer == "spool" else None,
        spread_events=spreading == "on",
    )
    messages = zip(itertools.count(_BEGIN), itertools.cycle(mixed(_SAMPLES)))

    def run_round(size: int) -> float:
        for second, message in itertools.islice(messages, size):
            client.send({**message, "timestamp": second, "messageId": None})
        started = time.process_time_ns()
        client.flush()
        return (time.process_time_ns() - started) / size / 1000

    serve_rounds(run_round)


if __name__ == "__main__":
    main()
