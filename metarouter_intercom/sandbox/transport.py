"""The workspace without a network: a transport that hands each request to the model itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.plugins import Request, Response

from .faults import MALFORMED, NO_FAULTS, FaultCounter, Faults
from .workspace import Workspace

_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class WorkspaceTransport:
    """
    Sends requests to a workspace in this process; thread-safe.

    Bodies go through JSON, so that what could not be sent over the network cannot be sent here either.

    Args:
        workspace: Where requests go.
        token: What to authorize with; the workspace's own token when None.
        version: The API version to name; the workspace's default when None.
        faults: What goes wrong; a hanging request fails at once, since nobody waits here.
        sleep: Waits for the latency of *faults*; None does not wait.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        token: str | None = None,
        version: str | None = None,
        faults: Faults = NO_FAULTS,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.workspace = workspace
        self._headers = {
            "authorization": f"Bearer {workspace.settings.token if token is None else token}",
            "intercom-version": workspace.settings.default_version if version is None else version,
            "accept": "application/json",
            "content-type": "application/json",
        }
        self._counter = FaultCounter(faults)
        self._sleep = sleep
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        """
        Hand *request* over and return the answer.

        Raises:
            ReadFailed: A fault took the answer; the request may have been applied.
            ValueError: The body holds what JSON cannot: NaN, infinities.
            TypeError: The body holds what JSON cannot: other objects.
        """
        content = b"" if request.body is None else json.dumps(request.body, allow_nan=False).encode()
        given = {name.lower(): value for name, value in request.headers.items()}
        headers = {**self._headers, **given}
        with self._lock:
            fault, delay = self._counter.next(request.method, request.path, self.workspace.now())
            if delay > 0 and self._sleep is not None:
                self._sleep(delay)
            if fault is not None:
                if fault.kind == "status":
                    return self.workspace.refuse(request.method, request.path, headers, content, fault.status)
                if fault.kind == "html":
                    return Response(502, _HTML, {"content-type": "text/html"})
                if fault.kind in ("reset", "hang"):
                    raise ReadFailed(f"sandbox fault: {fault.kind}")
            answer = self.workspace.handle_bytes(request.method, request.path, headers, content)
        if fault is not None and fault.kind == "malformed":
            return Response(answer.status, MALFORMED, answer.headers)
        if fault is not None:
            raise ReadFailed(f"sandbox fault: {fault.kind}")
        return answer

    def close(self) -> None:
        """Nothing is held; there is nothing to release."""
