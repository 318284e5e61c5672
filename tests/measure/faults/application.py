"""
An application that uses one of the libraries, in a process that a run can kill, fork and end.

It runs in any interpreter, so it imports nothing of this project except, for our client, the library itself. Its argument is a plan as JSON.
It writes what it does to standard output, one line each: ``ready``, ``calling NUMBER TIME``, ``accepted NUMBER TIME`` after the call
returned, ``sent``, ``waiting``, ``log TEXT``, ``lost NUMBER`` (as counted by the library), ``report JSON``.
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

# Message NUMBER has the timestamp BASE + NUMBER: Intercom tells two events apart by their second.
BASE = 1_750_000_000
EVENT = "Step Taken"


# Each process numbers its messages from a multiple of this number.
BLOCK = 100_000


def contact_of(number: int, contacts: int, is_apart: bool = False) -> str:
    """Return the contact of message *number*; if *is_apart*, each process has its own contacts."""
    own = number % BLOCK * 7 % contacts
    return f"person-{number // BLOCK}-{own}" if is_apart else f"person-{own}"


def is_identify(number: int, contacts: int) -> bool:
    """Tell whether message *number* is an identify: the first message of each contact is, and one in ten of the rest."""
    return number % BLOCK // contacts % 10 == 0


class Metarouter:
    """Our own client."""

    def __init__(self, address, settings):
        from metarouter_intercom import Client

        after = [_exit_now] if settings.pop("hook_exits", False) else []
        self._client = Client(api_key="sandbox-token", base_url=address, after=after, **settings)

    def send(self, number, user, is_identify):
        if is_identify:
            self._client.identify(user, {"step": number}, timestamp=BASE + number)
        else:
            self._client.track(user, EVENT, {"step": number}, timestamp=BASE + number)

    def flush(self):
        """Flush until nothing is pending, also while the key is refused: a single flush does not wait for that."""
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


def _exit_now(delivery):
    """End the thread that calls this hook, as code does that was written for a script."""
    sys.exit(f"told of {delivery.outcome}")


class Segment:
    """segment-analytics-python, and base of libraries with the same interface."""

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
    """posthog, whose methods have other names."""

    def __init__(self, address, settings):
        from posthog import Posthog as Client

        self._client = Client("write-key", host=address, disable_geoip=True, **settings)

    def send(self, number, user, is_identify):
        options = {"distinct_id": user, "timestamp": datetime.fromtimestamp(BASE + number, timezone.utc)}
        if is_identify:
            self._client.set(properties={"step": number}, **options)
        else:
            self._client.capture(EVENT, properties={"step": number}, **options)

    def close(self):
        self._client.shutdown()


CLIENTS = {"metarouter": Metarouter, "segment": Segment, "rudder": Rudder, "posthog": Posthog}


def write_line(*words) -> None:
    """Write one line without buffering, so that a kill does not lose it."""
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


class LogLines(logging.Handler):
    """Writes the log of the library, and how many messages it reports as lost at the end of the process."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            write_line("log", record.levelname, record.getMessage().splitlines()[0][:200])
            if "lost" in record.getMessage() and hasattr(record, "pending"):
                write_line("lost", record.pending)


def send_all(client, first: int, plan: dict) -> None:
    """Send the messages of the plan, with numbers from *first*."""
    contacts, pause, is_apart = plan["contacts"], plan.get("pause", 0.0), plan.get("apart", plan["forks"] > 0)
    tick = threading.Event()
    for number in range(first, first + plan["count"]):
        user = contact_of(number, contacts, is_apart)
        # The monotonic clock is the same in all processes of a machine, whatever happens to the wall clock.
        write_line("calling", number, repr(time.monotonic()))
        client.send(number, user, is_identify(number, contacts))
        write_line("accepted", number, repr(time.monotonic()))
        if pause and number % 10 == 9:
            tick.wait(pause)
    write_line("sent" if first == plan["first"] else "warm")


def end(client, how: str) -> None:
    """End the process as *how* says."""
    if how == "close":
        client.flush()
        client.close()
        write_line("report", json.dumps(client.report()))
    elif how == "flush":
        client.flush()
    elif how == "soak":
        client.flush()
        write_line("flushed")
        sys.stdin.readline()
        client.close()
        write_line("report", json.dumps(client.report()))
    elif how == "only_close":
        client.close()
        write_line("report", json.dumps(client.report()))
    elif how == "exit1":
        sys.exit(1)
    elif how in ("wait", "handler"):
        # Another process sends a signal. With a handler, which most servers have, the interpreter exits normally.
        if how == "handler":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        write_line("waiting")
        while True:
            signal.pause()


def main() -> None:
    """Run the plan in the argument."""
    plan = json.loads(sys.argv[1])
    logging.getLogger().addHandler(LogLines())
    client = CLIENTS[plan["client"]](plan["address"], plan.get("settings", {}))
    if plan.get("patched"):
        # Too late for whoever took its locks at import, and what servers do that load the application first.
        from gevent import monkey

        monkey.patch_all()
    forks = plan["forks"]
    write_line("ready")
    if plan.get("soak"):
        # What a client holds when it has delivered something is what it may hold at the end.
        send_all(client, plan["first"] + BLOCK, plan | {"count": plan["contacts"], "pause": 0.0})
        client.flush()
        write_line("waiting")
        sys.stdin.readline()
    if not forks:
        send_all(client, plan["first"], plan)
        end(client, plan["end"])
        return
    if plan.get("used"):
        # The parent uses the client before it forks.
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
