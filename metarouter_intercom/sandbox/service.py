"""The workspace as several threads see it: a lock, the faults, and the sandbox's own addresses beside the API's."""

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
from .faults import NO_FAULTS, Fault, FaultCounter, Faults, read_faults
from .workspace import Workspace

CONTROL_ROOT = "_sandbox"
# What a client must say over HTTP; a header that is not there is one said badly.
_EXPECTED = {"authorization": "", "accept": "", "intercom-version": "", "content-type": ""}


class Meeting(NamedTuple):
    """What one request met: its answer (None when a fault leaves none), the fault, and the seconds it takes."""

    answer: Response | None
    fault: Fault | None
    delay: float


class Service:
    """
    A workspace shared by the threads of a server.

    Args:
        workspace: Where requests go.
        faults: What goes wrong from the start.
    """

    def __init__(self, workspace: Workspace, faults: Faults = NO_FAULTS) -> None:
        self.workspace = workspace
        self.lock = threading.RLock()
        self._counter = FaultCounter(faults)

    @property
    def faults(self) -> Faults:
        """What goes wrong now."""
        return self._counter.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self.lock:
            self._counter = FaultCounter(faults)

    def meet(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Meeting:
        """Let one API request meet its fault, or its answer, or both; names in *headers* are in small letters."""
        told = {**_EXPECTED, **headers}
        with self.lock:
            fault, delay = self._counter.next(method, path, self.workspace.now())
            if fault is None or fault.kind in ("lost", "truncated", "malformed"):
                answer = self.workspace.handle_bytes(method, path, told, content)
                return Meeting(None if fault is not None and fault.kind == "lost" else answer, fault, delay)
            if fault.kind == "status":
                refused = self.workspace.refuse(method, path, told, content, fault.status)
                return Meeting(refused, fault, delay)
        return Meeting(None, fault, delay)

    def control(self, method: str, path: str, content: bytes) -> Response:
        """
        Answer one of the sandbox's own addresses, for tests in other processes.

        ``GET /_sandbox/snapshot?without=last_seen_at``, ``/_sandbox/violations``, ``/_sandbox/requests``,
        ``/_sandbox/stats``, ``/_sandbox/faults``; ``POST /_sandbox/faults`` puts other faults in place.
        """
        place, _, query = path.partition("?")
        with self.lock:
            if method == "POST" and place == f"/{CONTROL_ROOT}/faults":
                return self._set_faults(content)
            if method == "GET":
                shown = self._show(place.removeprefix(f"/{CONTROL_ROOT}/"), parse_qs(query))
                if shown is not None:
                    return Response(200, shown)
        return Response(404, {"error": f"nothing at {method} {place}"})

    def _show(self, name: str, query: Mapping[str, list[str]]) -> JsonObject | None:
        if name == "snapshot":
            without = {field for text in query.get("without", []) for field in text.split(",")}
            return self.workspace.snapshot(without=without)
        if name == "violations":
            return {"violations": [_plain(one) for one in self.workspace.violations]}
        if name == "requests":
            return {"requests": [_plain(one) for one in self.workspace.requests]}
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
            given = json.loads(content or b"{}")
            if not isinstance(given, dict):
                raise ConfigurationError("faults: not an object; give the attributes of Faults")
            self.faults = read_faults(given, now=self.workspace.now())
        except ValueError as error:
            return Response(400, {"error": str(error)})
        return Response(200, {"faults": repr(self.faults)})


def is_api(path: str, headers: Mapping[str, str]) -> bool:
    """
    Tell whether a request is meant for Intercom's API rather than for the sandbox's own pages.

    The API's first path segments are its own, and whoever brings a token means the API whatever the path.
    """
    return path.partition("?")[0].split("/")[1] in ROOTS or "authorization" in headers


def is_control(path: str) -> bool:
    """Tell whether *path* is one of the sandbox's own addresses."""
    return path.startswith(f"/{CONTROL_ROOT}/")


def _plain(record: NamedTuple) -> JsonValue:
    shown: JsonValue = record._asdict()
    return shown
