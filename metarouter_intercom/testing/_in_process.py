"""A local Intercom in the process of the test: a real client and a strict workspace, without sockets, threads or waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .._client.client import Client
from ..errors import ConfigurationError
from ..messages._title import title_of
from ..sandbox import Workspace, WorkspaceTransport
from ._clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping


# Timeout of the last flush in seconds of the fake clock: longer than a message ever waits.
_FLUSH_TIMEOUT = 48 * 3600.0


class Session(NamedTuple):
    """
    A client with the workspace that it delivers to.

    Attributes:
        client: A real client.
        workspace: The local Intercom that it delivers to.
        clock: The clock of both; ``clock.advance(3600)`` lets an hour pass.
    """

    client: Client
    workspace: Workspace
    clock: FakeClock


def connect(workspace: Workspace, clock: FakeClock | None = None, **settings: Any) -> Client:
    """
    Make a client that delivers to *workspace* without a socket.

    Args:
        workspace: A local Intercom in this process.
        clock: The client's clock; back-off and other waits take no time. Give the workspace the same clock:
            ``Workspace(now=clock.now)``. By default a clock that starts now.
        settings: Settings of ``Client``. By default ``delivery`` is ``"inline"``: each call delivers its message, and raises
            ``DeliveryFailed`` if Intercom refuses it.

    Raises:
        ConfigurationError: A setting is wrong, or it is ``delivery="background"``, whose threads wait in real time.
    """
    if settings.get("delivery") == "background":
        raise ConfigurationError(
            "delivery: background threads wait in real time and do not follow a fake clock; use 'inline' or 'manual' in tests"
        )
    options = {"api_key": workspace.settings.token, "name": "testing", "delivery": "inline", **settings}
    return Client(
        clock=FakeClock(time.time()) if clock is None else clock,
        transport=WorkspaceTransport(workspace, token=options["api_key"], version=options.get("api_version")),
        **options,
    )


@contextmanager
def intercom(
    workspace: Workspace | None = None,
    clock: FakeClock | None = None,
    *,
    allow_dead_letters: bool = False,
    **settings: Any,
) -> Iterator[Session]:
    """
    Yield a client and the workspace that it delivers to, and close the client at the end.

    Args:
        workspace: By default an empty one, as strict as Intercom.
        clock: The clock of both; by default one that starts now.
        allow_dead_letters: Accept dead letters and pending messages at the end.
        settings: Settings of the client, as in ``connect``.

    Raises:
        AssertionError: At the end there are dead letters or pending messages, which are not in Intercom. A test that expects dead
            letters calls ``client.dead_letters.discard()``.
    """
    clock = FakeClock(time.time()) if clock is None else clock
    workspace = Workspace(now=clock.now) if workspace is None else workspace
    client = connect(workspace, clock, **settings)
    try:
        yield Session(client, workspace, clock)
    except BaseException:
        client.close(timeout=0)
        raise
    failure = undelivered(client)
    client.close(timeout=0)
    if failure is not None and not allow_dead_letters:
        raise AssertionError(failure)


def undelivered(client: Client) -> str | None:
    """
    Deliver what *client* still has to deliver, and describe the messages that did not arrive.

    Returns:
        A text that lists dead letters and pending messages; None if there are none.
    """
    if client.health().status != "closed":
        client.flush(timeout=_FLUSH_TIMEOUT)
    lines = [
        f"  {title_of(letter.message)}: {letter.reason}{_in_brackets(letter.answer)}"
        for letter in client.dead_letters
    ]
    pending = client.report().pending
    if pending:
        lines.append(f"  {pending} still pending: {client.health().reason or 'flush() was not called'}")
    if not lines:
        return None
    return "\n".join(
        [
            "messages did not reach Intercom:",
            *lines,
            "a test that expects this says so with client.dead_letters.discard()",
        ]
    )


def _in_brackets(answer: Mapping[str, Any] | None) -> str:
    values = [] if answer is None else [answer.get(name) for name in ("status", "code", "message")]
    text = " ".join(str(value) for value in values if value is not None)
    return f" ({text})" if text else ""


class IntercomTestMixin:
    """
    Adds ``self.intercom`` to test cases of ``unittest`` and Django; name it before ``TestCase`` in the bases of your class.

    Attributes:
        intercom: The ``Session``: ``self.intercom.client``, ``self.intercom.workspace``, ``self.intercom.clock``.
        intercom_settings: Settings of the client; set it on your class.
        allow_dead_letters: Set it to True on your class to accept dead letters and pending messages at the end of a test.
    """

    intercom: Session
    intercom_settings: Mapping[str, Any] = {}
    allow_dead_letters: bool = False

    def setUp(self) -> None:
        """Start the session before the test, and end it afterwards."""
        super().setUp()  # type: ignore[misc]  # TestCase has it, the base of the mixin has not
        context = intercom(allow_dead_letters=self.allow_dead_letters, **self.intercom_settings)
        self.intercom = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)  # type: ignore[attr-defined]  # as above
