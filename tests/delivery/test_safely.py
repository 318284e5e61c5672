"""What other people's code raises ends neither a worker nor a half-done ``close`` (rule W9)."""

from __future__ import annotations

import io
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.safely import SafeLogger, mark_own_thread, reaches_caller, run_all
from metarouter_intercom.operations import DefaultTranslator
from metarouter_intercom.settings import Settings
from metarouter_intercom.testing import ScriptedTransport

from .._support.clients import DEADLINE, accept, background_client, in_thread, manual_client
from .._support.flow_driving import refusal


class _TimeLimit(BaseException):
    """What gevent and eventlet raise in a thread of theirs whose time is over."""


_ERRORS = [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit, _TimeLimit]


# --- who waits for an exception -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "in_main_thread", "in_a_thread"),
    [
        (RuntimeError, False, False),
        (GeneratorExit, False, False),
        (SystemExit, True, False),
        (KeyboardInterrupt, True, False),
        (_TimeLimit, True, True),
    ],
)
def test_only_what_a_host_waits_for_reaches_it(error, in_main_thread, in_a_thread):
    """W9: exits of signal handlers come in the main thread, time limits of the host in its threads; nothing reaches a thread of ours."""

    def in_own_thread():
        mark_own_thread()
        return reaches_caller(error())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: reaches_caller(error())).result() is in_a_thread
        assert pool.submit(in_own_thread).result() is False
    assert reaches_caller(error()) is in_main_thread


def test_all_steps_run_and_the_first_exit_is_raised_afterwards():
    """W9: a step that raises keeps no other step from running."""
    done, errors = [], []

    def step(number, error=None):
        done.append(number)
        if error is not None:
            raise error

    first, second = SystemExit(1), KeyboardInterrupt()
    with pytest.raises(SystemExit) as caught:
        run_all(
            [
                lambda: step(1, OSError()),
                lambda: step(2, first),
                lambda: step(3, second),
                lambda: step(4),
            ],
            errors.append,
        )

    assert caught.value is first
    assert (done, [type(error) for error in errors]) == ([1, 2, 3, 4], [OSError])


# --- logging ------------------------------------------------------------------------------------------------


class _Raising(logging.Handler):
    """A handler that raises, or whose filter does."""

    def __init__(self, error, *, in_filter=False):
        super().__init__()
        self._error = error
        if in_filter:
            self.addFilter(self._raise)

    def emit(self, record):
        self._raise(record)

    def _raise(self, record):
        raise self._error("odd")


class _Unprintable:
    def __str__(self):
        raise RuntimeError("odd")


@pytest.fixture
def raising_handler():
    """Return a function that gives the package's logger a handler that raises; it is removed at the end."""
    logger = logging.getLogger("metarouter_intercom")
    handlers = []

    def add(error, **options):
        handlers.append(_Raising(error, **options))
        logger.addHandler(handlers[-1])

    yield add
    for handler in handlers:
        logger.removeHandler(handler)


@pytest.mark.parametrize("raise_exceptions", [True, False])
@pytest.mark.parametrize("in_filter", [True, False])
@pytest.mark.parametrize("error", _ERRORS)
def test_logging_that_raises_costs_one_line(monkeypatch, raising_handler, error, in_filter, raise_exceptions):
    """W9: the lost line is reported on standard error under the same condition as the logging's own faults, without its arguments."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setattr(logging, "raiseExceptions", raise_exceptions)
    raising_handler(error, in_filter=in_filter)

    def log():
        mark_own_thread()
        for method in ("warning", "error", "exception"):
            getattr(SafeLogger("metarouter_intercom"), method)("connection %s: odd", "ann@example.com")

    in_thread(log).join(DEADLINE)

    line = f"metarouter_intercom: logging raised {error.__name__}; lost line: connection %s: odd\n"
    assert written.getvalue() == (3 * line if raise_exceptions else "")


def test_an_argument_that_cannot_be_printed_costs_one_line(monkeypatch, caplog):
    """W9: a value whose text raises does not reach the caller of the log."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)

    SafeLogger("metarouter_intercom").error("connection %s: odd", _Unprintable())
    monkeypatch.setattr("sys.stderr", None)
    SafeLogger("metarouter_intercom").error("connection %s: odd", _Unprintable())

    assert "lost line: connection %s: odd" in written.getvalue()


def test_a_log_line_names_the_place_that_wrote_it(caplog):
    """The record's file and function are those of the caller, not of the guard around the logger."""
    SafeLogger("metarouter_intercom").warning("connection %s: odd", "test")

    (record,) = caplog.records
    assert (record.module, record.funcName) == (
        "test_safely",
        "test_a_log_line_names_the_place_that_wrote_it",
    )


def test_ctrl_c_during_a_log_line_reaches_the_main_thread(raising_handler):
    """W9: an exit that a signal handler raised while the host's main thread logs is not swallowed."""
    raising_handler(KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt):
        SafeLogger("metarouter_intercom").error("connection %s: odd", "test")


# --- whatever is raised, wherever: nothing is lost, doubled or stuck ------------------------------------------


class _Parts:
    """
    A client's parts, of which one raises at every other chance.

    Attributes:
        sent: The events that Intercom accepted.
        ends: Message id -> outcomes, as the last after-hook was told.
    """

    def __init__(self, place, error, times):
        self._place = place
        self._error = error
        self._left = times
        self._lock = threading.Lock()
        self.sent = []
        self.ends = {}
        self._translate = DefaultTranslator(Settings(api_key="key"))

    def _may_raise(self, place):
        with self._lock:
            raises = place == self._place and self._left > 0
            self._left -= raises
        if raises:
            raise self._error("odd")

    def answer(self, request):
        self._may_raise("transport")
        if request.body["event_name"] == "Refused":
            return refusal(400)
        self.sent.append(request.body["metadata"]["number"])
        return accept(request)

    def translate(self, message):
        self._may_raise("translator")
        return self._translate(message)

    def before(self, message):
        self._may_raise("before")
        return message

    def after(self, delivery):
        self._may_raise("after")

    def note(self, delivery):
        with self._lock:
            self.ends.setdefault(delivery.message["messageId"], []).append(delivery.outcome)

    def on_error(self, error, messages):
        self._may_raise("on_error")

    def options(self):
        return {
            "translator": self.translate,
            "before": [self.before],
            "after": [self.after, self.note],
            "on_error": self.on_error,
        }


@pytest.mark.parametrize("times", [4, 10_000])
@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize("place", ["after", "on_error", "translator", "log"])
def test_whatever_a_hook_or_plugin_raises_delivery_goes_on(monkeypatch, raising_handler, place, error, times):
    """W9: four times or for ever, every message ends exactly once, is counted and reported, and none is sent twice."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    if place == "log":
        raising_handler(error)
    parts = _Parts(place, error, times)
    client = background_client(ScriptedTransport(parts.answer), **parts.options())
    ids = [
        client.track(f"u-{number % 5}", "Refused" if number % 4 == 3 else "Seen", {"number": number})
        for number in range(20)
    ]

    report = client.flush(DEADLINE)
    health = client.health()
    client.close(DEADLINE)

    assert report.pending == 0
    assert report.delivered + sum(report.dead.values()) == report.accepted == 20
    assert sorted(parts.ends) == sorted(ids)
    assert {len(outcomes) for outcomes in parts.ends.values()} == {1}
    assert len(set(parts.sent)) == len(parts.sent) == report.delivered
    if place != "translator":
        assert report.dead == {"http_400": 5}
    if place in ("after", "on_error"):
        assert health.workers.last_fault.startswith(f"{error.__name__} in ")
    assert (health.status, health.workers.threads > 0) == ("ok", True)


class _Faulty(MemoryBuffer):
    """A buffer one of whose methods raises the first time, before or after it did its work."""

    def fail_in(self, method, error, *, before):
        self._may_fail = [(method, error, before)]

    def _call(self, method, call):
        fault = self._may_fail.pop() if self._may_fail and self._may_fail[0][0] == method else None
        if fault is not None and fault[2]:
            raise fault[1]("odd")
        answer = call()
        if fault is not None:
            raise fault[1]("odd")
        return answer

    def settle(self, claim, settlements, *, now):
        self._call("settle", lambda: super(_Faulty, self).settle(claim, settlements, now=now))

    def next_due_at(self, *, now):
        return self._call("next_due_at", lambda: super(_Faulty, self).next_due_at(now=now))

    def claim(self, *, now, limit):
        return self._call("claim", lambda: super(_Faulty, self).claim(now=now, limit=limit))


@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize(
    ("method", "before"), [("settle", True), ("settle", False), ("next_due_at", True), ("claim", True)]
)
def test_a_buffer_that_raises_loses_and_doubles_nothing(method, before, error):
    """W9: when a replaced buffer raises, before or after it settled for example, each message is sent and reported once."""
    buffer = _Faulty(limit=100, dead_letters=100)
    buffer.fail_in(method, error, before=before)
    parts = _Parts("nowhere", error, 0)
    client = background_client(ScriptedTransport(parts.answer), buffer=buffer, workers=1, after=[parts.note])
    ids = [client.track(f"u-{number % 2}", "Seen", {"number": number}) for number in range(6)]
    report = client.flush(DEADLINE)
    health = client.health()
    client.close(DEADLINE)

    assert (report.delivered, report.pending) == (6, 0)
    assert sorted(parts.sent) == list(range(6))
    assert parts.ends == {message_id: ["delivered"] for message_id in ids}
    assert health.workers.last_fault == f"{error.__name__} in a worker"


@pytest.mark.parametrize("error", _ERRORS)
def test_a_transport_that_raises_costs_the_message_a_turn(error):
    """W9: the message is tried again later as after any unexpected error, and the other messages are delivered meanwhile."""
    parts = _Parts("transport", error, 1)
    others = threading.Event()

    def answer(request):
        response = parts.answer(request)
        if len(parts.sent) == 4:
            others.set()
        return response

    client = background_client(ScriptedTransport(answer), workers=1, after=[parts.note])
    for number in range(5):
        client.track(f"u-{number}", "Seen", {"number": number})

    assert others.wait(DEADLINE)
    health, report = client.health(), client.report()
    client.close(0)

    assert (report.pending, report.dead) == (1, {})
    assert sorted(parts.sent) == [1, 2, 3, 4]
    assert health.workers.last_fault == f"{error.__name__} in a delivery"
    assert health.workers.faults == 1


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_before_hook_that_raises_in_a_thread_of_the_host_costs_its_message(error):
    """W9, P1: the message becomes a dead letter, the call does not raise, and the next message is accepted."""
    parts = _Parts("before", error, 1)
    client = manual_client(ScriptedTransport(parts.answer), **parts.options())
    raised = []

    def call():
        for number in range(2):
            try:
                client.track("u-1", "Seen", {"number": number})
            except BaseException as error:
                raised.append(error)

    in_thread(call).join(DEADLINE)

    assert raised == []
    assert client.flush().dead == {"plugin_failed": 1}
    assert parts.sent == [1]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, _TimeLimit])
@pytest.mark.parametrize("place", ["after", "on_error"])
def test_an_exit_in_the_main_thread_reaches_the_caller_after_the_reports(place, error):
    """W9: a flush in the main thread raises what a signal handler may have raised, and every settled message is counted and told before."""
    parts = _Parts(place, error, 1)
    client = manual_client(ScriptedTransport(parts.answer), **parts.options())
    ids = [client.track("u-1", "Refused", {"number": number}) for number in range(3)]

    with pytest.raises(error):
        client.flush()

    assert client.report().dead == {"http_400": 3}
    assert parts.ends == {message_id: ["dead"] for message_id in ids}
    assert client.flush().pending == 0


# --- closing ------------------------------------------------------------------------------------------------


class _Closing(MemoryBuffer):
    """A buffer that notes whether it was closed, and raises if the test wants that."""

    error = None
    is_closed = False

    def close(self):
        self.is_closed = True
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize("place", ["transport", "buffer", "log"])
def test_close_releases_everything(monkeypatch, raising_handler, caplog, place, error):
    """W9: whether telling or releasing fails, every part is released and ``close`` returns; in a thread of the host nothing is raised."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    transport = ScriptedTransport(lambda request: refusal(500))
    closed = []

    def close():
        closed.append(True)
        if place == "transport":
            raise error("odd")

    transport.close = close
    buffer = _Closing(limit=10, dead_letters=10)
    buffer.error = error("odd") if place == "buffer" else None
    client = background_client(transport, buffer=buffer)
    client.track("u-1", "Seen")
    if place == "log":
        raising_handler(error)
    raised = []

    def close_client():
        try:
            client.close(0.0)
        except BaseException as error:
            raised.append(type(error))

    in_thread(close_client).join(DEADLINE)

    assert (closed, buffer.is_closed, client.health().status) == ([True], True, "closed")
    assert raised == ([_TimeLimit] if error is _TimeLimit and place != "log" else [])
    assert not [one for one in threading.enumerate() if one.name.startswith("metarouter-intercom-default-")]
    assert client.close(0.0).accepted == 1


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_log_handler_that_raises_does_not_hide_what_is_lost(monkeypatch, raising_handler, error):
    """W9, W2: messages that are lost with the memory are counted and told one by one, although the log line about them fails."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    raising_handler(error)
    dropped = []
    client = manual_client(
        ScriptedTransport(lambda request: refusal(503)),
        on_drop=lambda message, reason: dropped.append(reason),
    )
    for number in range(3):
        client.track(f"u-{number}", "Seen")

    in_thread(lambda: client.close(0.0)).join(DEADLINE)

    assert dropped == ["closed"] * 3
    assert client.report().dropped == {"closed": 3}
