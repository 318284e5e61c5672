"""A transport that hands each request to a workspace in this process. It knows no socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.plugins import Request, Response

from .faults import MALFORMED, NO_FAULTS, STRANGER, FaultCounter, Faults, page_of
from .workspace import Workspace


class WorkspaceTransport:
    """
    Sends requests to a workspace in this process. Thread-safe.

    Bodies are written as JSON and read again, so that a body that HTTP could not carry fails here too.

    Args:
        workspace: Answers the requests.
        token: The access token to send; None sends the workspace's own.
        version: The API version to name; None names the workspace's default.
        faults: What goes wrong. A request that meets ``hang`` fails at once.
        sleep: Waits for the seconds that *faults* delay a response; None does not wait.
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
        Send *request* and return the response.

        Raises:
            ReadFailed: A fault leaves no response. The workspace may have applied the request.
            ValueError: The body contains NaN or an infinity, which JSON does not have.
            TypeError: The body contains an object that JSON does not have.
        """
        content = b"" if request.body is None else json.dumps(request.body, allow_nan=False).encode()
        headers = {**self._headers, **{name.lower(): value for name, value in request.headers.items()}}
        with self._lock:
            fault, delay = self._counter.next(request.method, request.path, self.workspace.now())
            if delay > 0 and self._sleep is not None:
                self._sleep(delay)
            if fault is not None:
                if fault.kind == "status":
                    return self.workspace.refuse(request.method, request.path, headers, content, fault.status)
                if fault.kind == "html":
                    return Response(
                        fault.page_status, page_of(fault.page_status), {"content-type": "text/html"}
                    )
                if fault.kind == "stranger":
                    return Response(200, STRANGER)
                if fault.kind in ("reset", "hang"):
                    raise ReadFailed(f"sandbox fault: {fault.kind}")
            response = self.workspace.handle_bytes(request.method, request.path, headers, content)
        if fault is not None and fault.kind == "malformed":
            return Response(response.status, MALFORMED, response.headers)
        if fault is not None:
            raise ReadFailed(f"sandbox fault: {fault.kind}")
        return response

    def close(self) -> None:
        """Do nothing: the transport has no connection to close."""
