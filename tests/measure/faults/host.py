"""
An application that uses one of the libraries, as a process of its own that can be killed, forked and ended.

Runs under any interpreter, so it imports nothing of this project but, for our own client, the library itself. It is told what to do by
one JSON argument and tells on its standard output, line by line, what it did: ``calling NUMBER INSTANT`` and, once the call returned, ``accepted NUMBER INSTANT``;
``sent``, ``log TEXT``, ``lost NUMBER`` (the library's own count), ``report JSON``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from datetime import datetime, timezone

# Each message has a second of its own, so that Intercom can tell every two of them apart.
BASE = 1_750_000_000
EVENT = "Step Taken"


# Each process numbers its messages from a multiple of this.
BLOCK = 100_000


def contact_of(number: int, contacts: int, is_apart: bool = False) -> str:
    """Return whose message has that number; when the processes are apart, each has contacts of its own."""
    own = number % BLOCK * 7 % contacts
    return f"person-{number // BLOCK}-{own}" if is_apart else f"person-{own}"


def is_identify(number: int, contacts: int) -> bool:
    """Tell whether the message with that number writes its contact: each contact's first, and then one in ten."""
    return number % BLOCK // contacts % 10 == 0


class Metarouter:
    """Our own client."""

    def __init__(self, address, settings):
        from metarouter_intercom import Client

        self._client = Client(api_key="sandbox-token", base_url=address, **settings)

    def send(self, number, user, is_identify):
        if is_identify:
            self._client.identify(user, {"step": number}, timestamp=BASE + number)
        else:
            self._client.track(user, EVENT, {"step": number}, timestamp=BASE + number)

    def flush(self):
        """Stay until nothing is left, also while credentials are held, which a flush does not wait for."""
        tick = threading.Event()
        while self._client.flush(1.0).pending:
            tick.wait(0.05)

    def close(self):
        self._client.close()

    def report(self):
        numbers = self._client.report()
        return {
            name: getattr(numbers, name) for name in ("accepted", "delivered", "pending", "dropped", "dead")
        }


class Segment:
    """segment-analytics-python, and what shares its interface."""

    def __init__(self, address, settings):
        from segment.analytics import Client

        self._client = Client("write-key", host=address, **settings)

    def send(self, number, user, is_identify):
        when = datetime.fromtimestamp(BASE + number, timezone.utc)
        if is_identify:
            self._client.identify(user, {"step": number}, timestamp=when)
        else:
            self._client.track(user, EVENT, {"step": number}, timestamp=when)

    def flush(self):
        self._client.flush()

    def close(self):
        self._client.flush()
        self._client.join()

    def report(self):
        return {}


class Rudder(Segment):
    """rudder-sdk-python."""

    def __init__(self, address, settings):
        from rudderstack.analytics import Client

        self._client = Client("write-key", host=address, **settings)


class Posthog(Segment):
    """posthog, whose calls have other names."""

    def __init__(self, address, settings):
        from posthog import Posthog as Client

        self._client = Client("write-key", host=address, disable_geoip=True, **settings)

    def send(self, number, user, is_identify):
        facts = {"distinct_id": user, "timestamp": datetime.fromtimestamp(BASE + number, timezone.utc)}
        if is_identify:
            self._client.set(properties={"step": number}, **facts)
        else:
            self._client.capture(EVENT, properties={"step": number}, **facts)

    def close(self):
        self._client.shutdown()


CLIENTS = {"metarouter": Metarouter, "segment": Segment, "rudder": Rudder, "posthog": Posthog}


def tell(*words) -> None:
    """Write one line at once: what was told before a kill has been told."""
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


class Telling(logging.Handler):
    """Tells what the library logs, and the number of messages it says are lost with the process."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            tell("log", record.levelname, record.getMessage().splitlines()[0][:200])
            if "lost" in record.getMessage() and hasattr(record, "pending"):
                tell("lost", record.pending)


def send_all(client, first: int, plan: dict) -> None:
    """Send the messages with the numbers from *first* on."""
    contacts, pause, is_apart = plan["contacts"], plan.get("pause", 0.0), plan.get("apart", plan["forks"] > 0)
    tick = threading.Event()
    for number in range(first, first + plan["count"]):
        user = contact_of(number, contacts, is_apart)
        tell("calling", number, repr(time.time()))
        client.send(number, user, is_identify(number, contacts))
        tell("accepted", number, repr(time.time()))
        if pause and number % 10 == 9:
            tick.wait(pause)
    tell("sent")


def end(client, how: str) -> None:
    """End the process the way the plan says."""
    if how == "close":
        client.flush()
        client.close()
        tell("report", json.dumps(client.report()))
    elif how == "flush":
        client.flush()
    elif how == "exit1":
        sys.exit(1)
    elif how in ("wait", "handler"):
        # Killed from outside; with a handler, as most servers have one, the interpreter ends in order.
        if how == "handler":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        tell("waiting")
        while True:
            signal.pause()


def main() -> None:
    """Do as the argument says."""
    plan = json.loads(sys.argv[1])
    logging.getLogger().addHandler(Telling())
    client = CLIENTS[plan["client"]](plan["address"], plan.get("settings", {}))
    forks = plan["forks"]
    tell("ready")
    if not forks:
        send_all(client, plan["first"], plan)
        end(client, plan["end"])
        return
    if plan.get("used"):
        # The parent's own use of the client, before the server forks its workers.
        send_all(client, plan["first"] + forks * BLOCK, plan | {"count": plan["contacts"]})
    children = []
    for number in range(forks):
        child = os.fork()
        if child == 0:
            send_all(client, plan["first"] + number * BLOCK, plan)
            end(client, plan["end"])
            return
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    end(client, plan["end"])


if __name__ == "__main__":
    main()
