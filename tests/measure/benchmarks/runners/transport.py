"""Requests one after the other on one connection: ``transport LIBRARY ADDRESS``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.measure.benchmarks.runners.rounds import serve_rounds

_PATH = "/contacts"
_BODY: dict[str, Any] = {
    "role": "user",
    "external_id": "user-00001",
    "email": "person1@example.com",
    "name": "Ada Example",
    "last_seen_at": 1772352000,
    "custom_attributes": {"plan": "pro", "logins": 12, "address_city": "Bremen", "newsletter": True},
}
_HEADERS = {
    "Authorization": "Bearer benchmark",
    "Intercom-Version": "2.16",
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "benchmark",
}


def _ours(address: str) -> Callable[[], object]:
    from metarouter_intercom._delivery.http.transport import HttpTransport
    from metarouter_intercom.plugins import Request
    from metarouter_intercom.settings import Settings

    transport = HttpTransport(Settings(api_key="benchmark", base_url=address))
    return lambda: transport.send(Request("POST", _PATH, _BODY))


def _urllib3(address: str) -> Callable[[], object]:
    import urllib3

    pool = urllib3.PoolManager()
    content, url = _encoded(), address + _PATH
    return lambda: pool.request("POST", url, body=content, headers=_HEADERS).data


def _session(address: str) -> Callable[[], object]:
    import requests

    session = requests.Session()
    content, url = _encoded(), address + _PATH
    return lambda: session.post(url, data=content, headers=_HEADERS).content


def _contacts(address: str) -> Callable[[], object]:
    from intercom import CreateContactRequestWithEmail, Intercom

    client = Intercom(token="benchmark", base_url=address)
    return lambda: client.contacts.create(
        request=CreateContactRequestWithEmail(
            email="person1@example.com",
            name="Ada Example",
            custom_attributes=_BODY["custom_attributes"],
        )
    )


def _events(address: str) -> Callable[[], object]:
    from intercom import CreateDataEventRequestWithUserId, Intercom

    client = Intercom(token="benchmark", base_url=address)
    return lambda: client.events.create(
        request=CreateDataEventRequestWithUserId(
            user_id="user-00001",
            event_name="Report Exported",
            created_at=1772352000,
            metadata={"format": "pdf", "team": "Finance"},
        )
    )


def _encoded() -> bytes:
    return json.dumps(_BODY, separators=(",", ":")).encode()


_LIBRARIES = {
    "ours": _ours,
    "urllib3": _urllib3,
    "session": _session,
    "contacts": _contacts,
    "events": _events,
}


def main() -> None:
    """Run rounds of requests; the result of a round is its requests per second."""
    send = _LIBRARIES[sys.argv[1]](sys.argv[2])

    def run_round(size: int) -> float:
        started = time.perf_counter()
        for _ in range(size):
            send()
        return size / (time.perf_counter() - started)

    serve_rounds(run_round)


if __name__ == "__main__":
    main()
