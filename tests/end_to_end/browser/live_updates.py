"""Sends real messages to a sandbox while one of its pages is open, and waits until the page shows them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import TracebackType

from selenium.webdriver import Chrome

from metarouter_intercom import Client
from metarouter_intercom.sandbox import Sandbox

from .chromium import texts, until

_BEGINNING = datetime.now(timezone.utc) - timedelta(hours=1)


class Arrivals:
    """
    Sends messages through its own client and waits until the open page shows them.

    Attributes:
        number: How many times messages have arrived.
        client: The client that sends them.
    """

    def __init__(self, driver: Chrome, sandbox: Sandbox) -> None:
        self.number = 0
        self._driver = driver
        self._sandbox = sandbox
        self.client = Client(
            api_key=sandbox.token, base_url=sandbox.url, name="arrivals", workers=1, missing_contact_wait=1.0
        )

    def __enter__(self) -> Arrivals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def arrive(self) -> None:
        """Send a new person in the company c-new, a new company for u-1 and an event of u-1."""
        self.number += 1
        self.client.identify(f"new-{self.number}", {"name": f"Newcomer {self.number}"})
        self.client.group(f"new-{self.number}", "c-new")
        self.client.group("u-1", f"c-{self.number}", {"name": f"Venture {self.number}"})
        # Like Intercom, the sandbox does not store a second event with the same name in the same second.
        at = _BEGINNING + timedelta(seconds=self.number)
        self.client.track("u-1", "Arrived", {"number": self.number}, timestamp=at)
        self.show()

    def identify(self, user_id: str, **traits: object) -> None:
        """Send traits and wait until the page shows them."""
        self.client.identify(user_id, traits)
        self.show()

    def show(self) -> None:
        """Deliver the messages and wait until the open page shows them; the page's timer is not waited for."""
        report = self.client.flush(30)
        assert (report.pending, report.dead) == (0, {}), report
        until(self._driver, self._has_followed)

    def _has_followed(self) -> bool:
        # The page asks for updates at once when it becomes visible again.
        self._driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
        return texts(self._driver, "#nav .count")[2] == f"{self._sandbox.workspace.handled:,}"
