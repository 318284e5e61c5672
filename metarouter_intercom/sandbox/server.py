"""The sandbox as a server in a thread of this process: its address, its start and its end. It knows no HTTP and no endpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, final
from urllib.parse import quote

from metarouter_intercom.errors import ConfigurationError

from ._serving.http_server import SandboxServer
from ._serving.wsgi import WsgiApp
from .faults import NO_FAULTS, Faults
from .service import Service
from .workspace import Workspace

_CLOSE_TIMEOUT = 5.0


@final
class Sandbox:
    """
    A local Intercom that listens on a port from ``start`` to ``close``; use it with ``with``.

    Args:
        port: The port; 0 takes any free one.
        host: The address to listen on. Keep it a loopback address unless other machines must reach the sandbox.
        workspace: Answers the requests; None makes one from *choices*.
        faults: What goes wrong; assign ``faults`` to change it later.
        app: A WSGI application for the paths that are not the API's; None shows the sandbox's pages.
        choices: Attributes of ``WorkspaceSettings``.

    Raises:
        ConfigurationError: Both a workspace and choices are given.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        workspace: Workspace | None = None,
        faults: Faults = NO_FAULTS,
        app: WsgiApp | None = None,
        **choices: Any,
    ) -> None:
        if workspace is not None and choices:
            raise ConfigurationError(
                "sandbox: both a workspace and choices given; give the choices to the workspace"
            )
        self.workspace = Workspace(**choices) if workspace is None else workspace
        self.service = Service(self.workspace, faults)
        self.host = host
        self._port = port
        self._app = app
        self._server: SandboxServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens on; before ``start`` the port that was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """The address for a client's ``base_url``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._port}"

    @property
    def pages(self) -> str:
        """The address of the People page, to open in a browser."""
        return f"{self.url}/ui/people"

    def page_of(self, name: str) -> str:
        """Return the address of a person's page; *name* is the external id, the e-mail or the Intercom id."""
        return f"{self.pages}/{quote(name, safe='')}"

    @property
    def token(self) -> str:
        """The access token that clients must send."""
        return self.workspace.settings.token

    @property
    def faults(self) -> Faults:
        """What goes wrong now; assign to change it."""
        return self.service.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.service.faults = faults

    def start(self) -> Sandbox:
        """Begin to listen. After ``close`` you can start again, with the same port and the same workspace."""
        if self._server is not None:
            return self
        self._server = SandboxServer((self.host, self._port), self.service, self._app or _pages(self.service))
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="intercom-sandbox", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening and close every connection; new connections are refused."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is None or thread is None:
            return
        server.shutdown()
        server.server_close()
        server.close_connections(timeout=_CLOSE_TIMEOUT)
        thread.join(_CLOSE_TIMEOUT)

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def _pages(service: Service) -> WsgiApp:
    """Return the pages. They are made on the first request for one, so that tests of the API alone do not import Flask."""
    apps: list[WsgiApp] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with service.lock:
            if not apps:
                from .web import create_app

                try:
                    apps.append(create_app(service))
                except ConfigurationError as error:
                    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
                    return [f"{error}\n".encode()]
        return apps[0](environ, start_response)

    return app
