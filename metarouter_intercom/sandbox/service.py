"""A workspace for the threads of a server: a lock, the faults, and the sandbox's own addresses. It knows no socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs

from metarouter_intercom._types import JsonObject, JsonValue
from metarouter_intercom.errors import ConfigurationError
from metarouter_intercom.plugins import Response

from ._routes import ROOTS
from .faults import NO_FAULTS, STRANGER, Fault, FaultCounter, Faults, read_faults
from .workspace import Workspace

CONTROL_ROOT = "_sandbox"
# Headers that a client must send over HTTP. An empty one makes the workspace treat it as missing.
_EMPTY_HEADERS = {"authorization": "", "accept": "", "intercom-version": "", "content-type": ""}


class ServiceResponse(NamedTuple):
    """
    What one API request gets.

    Attributes:
        response: The workspace's response; None when a fault leaves none.
        fault: The request's fault; None without one.
        delay: Seconds that the response takes.
    """

    response: Response | None
    fault: Fault | None
    delay: float


class Service:
    """
    A workspace that the threads of a server share. Thread-safe.

    Args:
        workspace: Answers the requests.
        faults: What goes wrong; assign ``faults`` to change it later.
    """

    def __init__(self, workspace: Workspace, faults: Faults = NO_FAULTS) -> None:
        self.workspace = workspace
        self.lock = threading.RLock()
        self._counter = FaultCounter(faults)

    @property
    def faults(self) -> Faults:
        """What goes wrong now; assigning begins to count requests anew."""
        return self._counter.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self.lock:
            self._counter = FaultCounter(faults)

    def respond(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> ServiceResponse:
        """Answer one API request, or let its fault happen; names in *headers* are in lower case."""
        all_headers = {**_EMPTY_HEADERS, **headers}
        with self.lock:
            fault, delay = self._counter.next(method, path, self.workspace.now())
            if fault is None or fault.kind in ("lost", "truncated", "malformed"):
                response = self.workspace.handle_bytes(method, path, all_headers, content)
                is_lost = fault is not None and fault.kind == "lost"
                return ServiceResponse(None if is_lost else response, fault, delay)
            if fault.kind == "status":
                refused = self.workspace.refuse(method, path, all_headers, content, fault.status)
                return ServiceResponse(refused, fault, delay)
            if fault.kind == "stranger":
                return ServiceResponse(Response(200, STRANGER), fault, delay)
        return ServiceResponse(None, fault, delay)

    def control(self, method: str, path: str, content: bytes) -> Response:
        """
        Answer one of the sandbox's own addresses, which let another process read and steer the sandbox.

        ``GET /_sandbox/snapshot?without=last_seen_at``, ``/_sandbox/violations``, ``/_sandbox/requests``,
        ``/_sandbox/stats``, ``/_sandbox/faults``; ``POST /_sandbox/faults`` sets the faults.
        """
        address, _, query = path.partition("?")
        with self.lock:
            if method == "POST" and address == f"/{CONTROL_ROOT}/faults":
                return self._set_faults(content)
            if method == "GET":
                body = self._control_body(address.removeprefix(f"/{CONTROL_ROOT}/"), parse_qs(query))
                if body is not None:
                    return Response(200, body)
        return Response(404, {"error": f"nothing at {method} {address}"})

    def _control_body(self, name: str, query: Mapping[str, list[str]]) -> JsonObject | None:
        if name == "snapshot":
            without = {field for text in query.get("without", []) for field in text.split(",")}
            return self.workspace.snapshot(without=without)
        if name == "violations":
            return {"violations": [_as_json(violation) for violation in self.workspace.violations]}
        if name == "requests":
            return {"requests": [_as_json(exchange) for exchange in self.workspace.requests]}
        if name == "stats":
            windows: list[JsonValue] = [
                {"window": number, "requests": count}
                for number, count in self.workspace.rate.admitted.items()
            ]
            return {
                "handled": self.workspace.handled,
                "repeated_events": self.workspace.repeated_events,
                "violations": len(self.workspace.violations),
                "windows": windows,
            }
        if name == "faults":
            return {"faults": repr(self.faults)}
        return None

    def _set_faults(self, content: bytes) -> Response:
        try:
            values = json.loads(content or b"{}")
            if not isinstance(values, dict):
                raise ConfigurationError("faults: not an object; give the attributes of Faults")
            self.faults = read_faults(values, now=self.workspace.now())
        except ValueError as error:
            return Response(400, {"error": str(error)})
        return Response(200, {"faults": repr(self.faults)})


def is_api(path: str, headers: Mapping[str, str]) -> bool:
    """
    Whether a request is for Intercom's API rather than for the sandbox's pages.

    It is when its path begins with a segment of the API's, or when it has an ``Authorization`` header.
    """
    return path.partition("?")[0].split("/")[1] in ROOTS or "authorization" in headers


def is_control(path: str) -> bool:
    """Whether *path* is one of the sandbox's own addresses, ``/_sandbox/...``."""
    return path.startswith(f"/{CONTROL_ROOT}/")


def _as_json(record: NamedTuple) -> JsonValue:
    value: JsonValue = record._asdict()
    return value
