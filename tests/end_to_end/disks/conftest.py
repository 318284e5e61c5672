"""A client with a spool whose deliveries wait until the test lets them go, and what Intercom was sent."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict

import pytest

from metarouter_intercom import Client
from metarouter_intercom.plugins import Response

# Only a failing test ever waits so long.
DEADLINE = 60.0


class Wire:
    """
    A transport that answers when it is told to.

    Attributes:
        seen: Number of an event -> how often it was sent.
        order: Id of a person -> the numbers of his events, as they were sent.
    """

    def __init__(self):
        self.seen = Counter()
        self.order = defaultdict(list)
        self._is_asked = threading.Event()
        self._may_answer = threading.Event()

    def send(self, request):
        self._is_asked.set()
        self._may_answer.wait(DEADLINE)
        if request.path == "/events":
            number = request.body["metadata"]["number"]
            self.seen[number] += 1
            self.order[request.body["user_id"]].append(number)
        return Response(202, {"type": "user", "id": "1"}, {})

    def close(self):
        pass

    def wait_for_request(self):
        """Return when a delivery has begun."""
        assert self._is_asked.wait(DEADLINE)

    def answer(self):
        """Let all requests be answered from now on."""
        self._may_answer.set()


class Stand:
    """A client over a spool at *path*, and what it reported."""

    def __init__(self, path, **choices):
        self.path = path
        self.wire = Wire()
        self._pause = threading.Event()
        self.errors = []
        self.client = Client(
            api_key="test",
            transport=self.wire,
            spool=path,
            on_error=lambda error, messages: self.errors.append(str(error)),
            **{"flush_interval": 0.01} | choices,
        )

    @property
    def folder(self):
        """Of the journals."""
        return self.path.parent / f"{self.path.name}-intake"

    def track(self, *numbers, **properties):
        """Track one event for each number, of a few people."""
        for number in numbers:
            self.client.track(f"u{number % 7}", "Happened", {"number": number, **properties})

    def assert_delivered(self, count):
        """Assert that the events 0 to *count* were sent once each, those of each person in their order."""
        assert dict(self.wire.seen) == dict.fromkeys(range(count), 1)
        assert all(numbers == sorted(numbers) for numbers in self.wire.order.values())

    def wait_until(self, holds):
        """Return when *holds* returns True."""
        ends_at = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < ends_at
            self._pause.wait(0.02)


@pytest.fixture
def make_stand(tmp_path):
    """Return a function that makes a stand; all clients are closed afterwards."""
    made = []

    def make(path=None, **choices):
        if path is None:
            (tmp_path / "folder").mkdir(exist_ok=True)
            path = tmp_path / "folder" / "analytics.spool"
        made.append(Stand(path, **choices))
        return made[-1]

    yield make
    for stand in made:
        stand.wire.answer()
        stand.client.close(1)
