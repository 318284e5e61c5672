"""Intercom inside the test's own process: a real client on a strict workspace, without a socket, a thread or a wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .._client.client import Client
from ..errors import ConfigurationError
from ..sandbox import Workspace, WorkspaceTransport
from ._clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping


# Seconds of a fake clock for the last flush: longer than any wait of a message.
_PATIENCE = 48 * 3600.0


class Session(NamedTuple):
    """
    What a test works with.

    Attributes:
        client: A real client.
        workspace: The Intercom that it delivers to.
        clock: The time of both; ``clock.advance(3600)`` lets an hour pass.
    """

    client: Client
    workspace: Workspace
    clock: FakeClock


def connect(workspace: Workspace, clock: FakeClock | None = None, **settings: Any) -> Client:
    """
    Make a client that delivers into *workspace*, with no socket between.

    Args:
        workspace: The Intercom in this process.
        clock: The client's time; back-off and waits pass at once. Give the workspace the same one: ``Workspace(now=clock.now)``. One
            that begins now when it is not given.
        settings: As of ``Client``. ``delivery`` is ``"inline"`` unless given: the call itself delivers, and raises ``DeliveryFailed``.

    Raises:
        ConfigurationError: A setting is wrong, or ``delivery="background"``: threads rest in real time.
    """
    if settings.get("delivery") == "background":
        raise ConfigurationError(
            "delivery: threads rest in real time, whatever a fake clock says; use 'inline' or 'manual' in tests"
        )
    given = {"api_key": workspace.settings.token, "name": "testing", "delivery": "inline", **settings}
    return Client(
        clock=FakeClock(time.time()) if clock is None else clock,
        transport=WorkspaceTransport(workspace, token=given["api_key"], version=given.get("api_version")),
        **given,
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
    Give a client and the workspace that it delivers to, and close the client in the end.

    Args:
        workspace: An empty one with Intercom's own strictness when it is not given.
        clock: The time of both; one that begins now when it is not given.
        allow_dead_letters: Say nothing about messages that were given up.
        settings: Of the client, as in ``connect``.

    Raises:
        AssertionError: In the end, when messages were given up or are still pending: they are not in Intercom, though nobody may have
            noticed. ``client.dead_letters.discard()`` says that a test expected them.
    """
    clock = FakeClock(time.time()) if clock is None else clock
    workspace = Workspace(now=clock.now) if workspace is None else workspace
    client = connect(workspace, clock, **settings)
    try:
        yield Session(client, workspace, clock)
    except BaseException:
        client.close(timeout=0)
        raise
    told = undelivered(client)
    client.close(timeout=0)
    if told is not None and not allow_dead_letters:
        raise AssertionError(told)


def undelivered(client: Client) -> str | None:
    """
    Deliver what *client* still has, and return words about what it gave up or could not deliver.

    Returns:
        None when everything is in Intercom, or had nothing to do there.
    """
    if client.health().status != "closed":
        client.flush(timeout=_PATIENCE)
    lines = [
        f"  {_title(letter.message)}: {letter.reason}{_told(letter.answer)}" for letter in client.dead_letters
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


def _title(message: Mapping[str, Any]) -> str:
    names = ("type", "event", "groupId", "userId", "anonymousId")
    return " ".join(str(message[name]) for name in names if message.get(name) is not None)


def _told(answer: Mapping[str, Any] | None) -> str:
    facts = [] if answer is None else [answer.get(name) for name in ("status", "code", "message")]
    told = " ".join(str(fact) for fact in facts if fact is not None)
    return f" ({told})" if told else ""


class IntercomTestMixin:
    """
    Brings ``self.intercom`` to the test cases of ``unittest`` and Django: write it before ``TestCase``.

    Attributes:
        intercom: The ``Session``: ``self.intercom.client``, ``self.intercom.workspace``, ``self.intercom.clock``.
        intercom_settings: Of the client; set it on your class.
        allow_dead_letters: Set it to True on your class to accept messages that were given up.
    """

    intercom: Session
    intercom_settings: Mapping[str, Any] = {}
    allow_dead_letters: bool = False

    def setUp(self) -> None:
        """Make the session before the test, and end it after."""
        super().setUp()  # type: ignore[misc]  # TestCase has it, the mixin's own base has not
        context = intercom(allow_dead_letters=self.allow_dead_letters, **self.intercom_settings)
        self.intercom = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)  # type: ignore[attr-defined]  # as above
