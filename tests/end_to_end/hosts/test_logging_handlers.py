"""A logging handler that calls the client makes no loop (W8)."""

from __future__ import annotations

import pytest

_HANDLER = """
class Calling(logging.Handler):
    def emit(self, record):
        client.track(PERSON, "Logged", {"number": os.getpid() * 1000 + next(_numbers), "line": record.name})


root = logging.getLogger()
root.setLevel("DEBUG")
"""
_DIRECT = "root.addHandler(Calling())"
_QUEUED = """
import logging.handlers, queue

lines = queue.SimpleQueue()
root.addHandler(logging.handlers.QueueHandler(lines))
listener = logging.handlers.QueueListener(lines, Calling())
listener.start()
"""


@pytest.mark.parametrize("delivery", ["background", "inline"])
@pytest.mark.parametrize("handlers", [_DIRECT, _QUEUED], ids=["direct", "queued"])
def test_what_this_package_logs_is_not_fed_back(host, handlers, delivery):
    """W8: one line of the app causes one message; what the client, urllib3 and hooks log on its way causes none."""
    output = host.run(
        f"""
        def note(delivery):
            logging.getLogger("app.hook").info("delivered")
        client = make(delivery={delivery!r}, after=[note])
        """
        + "\n".join(f"        {line}" for line in (_HANDLER + handlers).splitlines())
        + """
        logging.getLogger("app").info("one line")
        if "listener" in globals():
            deadline = time.monotonic() + 30
            while client.report().dropped.get("log_feedback", 0) == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            listener.stop()
        client.flush(30)
        dropped = client.report().dropped["log_feedback"]
        client.close(30)
        print("dropped", dropped)
        """
    )

    assert len(host.numbers) == (1 if handlers is _DIRECT else len(host.numbers)), output
    # Before the listener's thread is recognised, a few lines get through; each of them would cause the next for ever.
    assert 1 <= len(host.numbers) <= 10
    assert "dropped" in output


def test_hooks_may_call_the_client(host):
    """P2: a hook that calls the client itself, and not through a logging handler, is no feedback."""
    host.run(
        """
        def note(delivery):
            if delivery.message["event"] == "Happened":
                client.track(PERSON, "Followed", {"number": 1}, timestamp=1_100_000_000)

        client = make(after=[note])
        track(client)
        client.flush(30)
        client.close(30)
        """
    )

    assert len(host.numbers) == 2
