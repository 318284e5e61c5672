"""Real messages that arrive in a sandbox while a page of it is open, one after the other, each shown before the next is sent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import TracebackType

from selenium.webdriver import Chrome

from metarouter_intercom import Client
from metarouter_intercom.sandbox import Sandbox

from .browsing import texts, until

_BEGINNING = datetime.now(timezone.utc) - timedelta(hours=1)


class Arrivals:
    """
    Sends messages through a client of its own, and waits until the open page shows them.

    Attributes:
        number: How many times messages have arrived.
        client: Who sends them.
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
        """Let a new person in the company c-new, a new company with u-1 in it and an event of u-1 arrive, and the page show them."""
        self.number += 1
        self.client.identify(f"new-{self.number}", {"name": f"Newcomer {self.number}"})
        self.client.group(f"new-{self.number}", "c-new")
        self.client.group("u-1", f"c-{self.number}", {"name": f"Venture {self.number}"})
        # Two events with one name in one second would be one event.
        at = _BEGINNING + timedelta(seconds=self.number)
        self.client.track("u-1", "Arrived", {"number": self.number}, timestamp=at)
        self.show()

    def identify(self, user_id: str, **traits: object) -> None:
        """Let traits arrive, and the page show them."""
        self.client.identify(user_id, traits)
        self.show()

    def show(self) -> None:
        """Deliver what was sent, and wait until the open page has followed; its own timer need not be waited for."""
        report = self.client.flush(30)
        assert (report.pending, report.dead) == (0, {}), report
        until(self._driver, self._has_followed)

    def _has_followed(self) -> bool:
        # The page looks at once when it becomes visible again.
        self._driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
        return texts(self._driver, "#nav .count")[2] == f"{self._sandbox.workspace.handled:,}"
