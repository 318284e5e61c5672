"""One run of ``dead-letters retry``: accepts the dead letters again, waits for the deliveries, and says for what it waits."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .._client.client import Client
from .._delivery.buffers.spool import SpoolBuffer
from .._delivery.credentials import fingerprint_of
from .._delivery.workspace import OTHER_WORKSPACE
from ..errors import ConfigurationError
from .exit_codes import naming_address
from .formatting import echo, number_of
from .meter import Bar, Budget, ObservedTransport, clock_time, make_bar, time_left
from .other_workspaces import left_to_deliver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._client.dead_letters import Retried
    from .._delivery.report import Health, RateBudget, Report
    from ..settings import Settings

# Seconds between two looks at the deliveries.
_POLL_SECONDS = 0.25


class Retry:
    """
    Retries dead letters of one spool.

    Args:
        settings: Of the connection, with the mapping that the spool keeps.
        hide_bar: Show no progress bar.
    """

    def __init__(self, settings: Settings, *, hide_bar: bool) -> None:
        assert settings.spool is not None
        self._settings = settings
        self._hide_bar = hide_bar
        self._told: str | None = None
        # Without a mapping of its own, so that settings of one command do not become those of the application.
        self._buffer = SpoolBuffer(
            settings.spool,
            limit=settings.messages_kept,
            dead_letters=settings.dead_letters_kept,
            sync=settings.spool_sync,
            credentials=fingerprint_of(settings),
        )

    def run(self, ids: Sequence[int] | None, reason: str | None, timeout: float) -> tuple[Retried, Report]:
        """
        Accept them and wait, for at most *timeout* seconds, until all messages of the spool are settled.

        Raises:
            ConfigurationError: The key is refused, or opens another workspace than the one that they are for.
            Failed: Intercom does not answer.
        """
        with closing(ObservedTransport(self._settings)) as transport:
            client = Client(self._settings, buffer=self._buffer, transport=transport)
            try:
                # Check the key first: with a refused key the messages would only leave the dead letters and wait in the spool.
                with naming_address(self._settings.address):
                    _check(client)
                number = client.dead_letters.retry(ids, reason=reason)
                self._wait(client, transport, int(number), timeout)
            except BaseException:
                client.close(0)
                raise
            return number, client.close(0)

    def _wait(self, client: Client, transport: ObservedTransport, number: int, timeout: float) -> None:
        began_at, requests_before = time.monotonic(), transport.sent
        budget = Budget(self._settings.rate_limit_share)
        with closing(make_bar(number, hide=self._hide_bar)) as bar:
            while (left := began_at + timeout - time.monotonic()) > 0:
                report = client.flush(min(left, _POLL_SECONDS))
                waiting = left_to_deliver(client, report)
                done = max(0, number - waiting)
                rate = client.stats().rate
                seconds = time_left(
                    waiting,
                    per_second=done / max(0.001, time.monotonic() - began_at),
                    requests_each=(transport.sent - requests_before) / max(1, done),
                    budget=budget,
                    rate=rate,
                    now=time.time(),
                )
                bar.left = clock_time(seconds)
                bar.update(max(0, done - bar.n))
                if not waiting:
                    return
                contacts = self._buffer.workspaces().missing_contacts()
                wait = self._settings.missing_contact_wait
                self._tell(bar, why_waiting(client.health(), rate, contacts, wait))

    def _tell(self, bar: Bar, why: str | None) -> None:
        if why is None or why == self._told:
            return
        self._told = why
        with bar.external_write_mode():
            echo(f"waiting: {why}", err=True)


def why_waiting(
    health: Health, rate: RateBudget, contacts: tuple[int, float | None], wait: float
) -> str | None:
    """
    Return for what the deliveries wait; None when nothing holds them up.

    Args:
        health: The client's.
        rate: The client's.
        contacts: How many messages wait for their contact, and since when the first one does.
        wait: Seconds for which a message waits for its contact.
    """
    if health.status == "held" and health.reason != OTHER_WORKSPACE:
        return f"Intercom refuses the key or the API version ({health.reason})"
    if health.status == "failing":
        return f"Intercom does not answer ({health.reason})"
    if rate.remaining == 0 and rate.reset is not None:
        return f"the rate limit of {rate.limit} requests is used up until {_clock_time(rate.reset)}"
    number, since = contacts
    if since is not None:
        messages = number_of(number, "message waits for its contact", "messages wait for their contacts")
        return f"{messages}, the first one until {_clock_time(since + wait)}"
    return None


def _check(client: Client) -> None:
    """Check the key; messages that wait for another workspace are no reason to keep this one's dead letters."""
    try:
        client.check()
    except ConfigurationError:
        if client.health().reason != OTHER_WORKSPACE:
            raise


def _clock_time(instant: float) -> str:
    return datetime.fromtimestamp(instant, timezone.utc).strftime("%H:%M:%SZ")
