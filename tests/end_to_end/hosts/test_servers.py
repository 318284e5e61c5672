"""Real WSGI and ASGI servers: what their workers accept arrives once, and they end in time (rules W3, W8)."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from .conftest import WSGI_APP

_REQUESTS = 12
# A worker that ends may flush for exit_timeout seconds, and everything else is quick.
_IN_TIME = 20.0


def _free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def _needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def _gunicorn(*options):
    return (
        "-m",
        "gunicorn",
        "--log-level",
        "warning",
        "--bind",
        "127.0.0.1:{port}",
        *options,
        "app:application",
    )


_SERVERS = {
    "gunicorn sync": ("gunicorn", _gunicorn("--workers", "2")),
    "gunicorn sync preload": ("gunicorn", _gunicorn("--workers", "2", "--preload")),
    "gunicorn gthread": ("gunicorn", _gunicorn("--threads", "2")),
    "gunicorn gevent": ("gunicorn gevent", _gunicorn("-k", "gevent")),
    "gunicorn gevent preload": ("gunicorn gevent", _gunicorn("-k", "gevent", "--workers", "2", "--preload")),
    "waitress": ("waitress", ("-m", "waitress", "--listen=127.0.0.1:{port}", "app:application")),
}


@pytest.mark.parametrize("name", _SERVERS)
def test_a_wsgi_server_with_a_client_of_the_module(host, name):
    """W3, W8: each message of each worker arrives once, and the server ends in time."""
    packages, command = _SERVERS[name]
    for package in packages.split():
        pytest.importorskip(package, reason=f"{package} is not installed")
    host.write(WSGI_APP)
    port = _free_port()

    process = host.start(sys.executable, *(part.format(port=port) for part in command))
    host.request(port, _REQUESTS)
    if name.startswith("gunicorn"):
        host.wait_for_workers(2 if "--workers" in command else 1)
    # waitress ends by Ctrl-C; Python has no exit handlers for SIGTERM.
    seconds = host.stop(process, signal.SIGINT if name == "waitress" else signal.SIGTERM)

    assert len(set(host.numbers)) == len(host.numbers) == _REQUESTS, host.output
    assert host.repeated == 0
    assert seconds < _IN_TIME


def _uwsgi():
    return shutil.which("uwsgi", path=str(Path(sys.executable).parent)) or shutil.which("uwsgi")


@pytest.mark.skipif(_uwsgi() is None, reason="uwsgi is not installed")
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--enable-threads",),
        ("--master", "--processes", "2"),
        ("--master", "--lazy-apps", "--threads", "2"),
    ],
    ids=" ".join,
)
def test_uwsgi_with_and_without_threads(host, options):
    """W8: uWSGI's workers deliver in threads, or after each request if it runs none, and they end in time."""
    host.write(WSGI_APP)
    port = _free_port()

    process = host.start(
        _uwsgi(),
        "--http-socket",
        f"127.0.0.1:{port}",
        "--module",
        "app",
        "--die-on-term",
        "--need-app",
        *options,
    )
    host.request(port, _REQUESTS)
    # uWSGI runs no exit handlers in a worker that is still busy with its last request when the signal comes.
    host.wait_for_events(_REQUESTS)
    seconds = host.stop(process, signal.SIGTERM)

    assert len(set(host.numbers)) == len(host.numbers) == _REQUESTS, host.output
    assert host.repeated == 0
    assert "egmentation" not in host.output
    assert seconds < _IN_TIME


@_needs("uvicorn")
def test_uvicorn_raises_its_signal_again_and_the_spool_keeps_all(host):
    """W8: uvicorn ends by SIGTERM past the exit handlers; what was not sent by then stays in the spool for the next process."""
    host.write(
        """
        client = make(spool="a.spool", flush_interval=3600.0)


        async def application(scope, receive, send):
            if scope["type"] == "http":
                track(client)
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"x"})
        """
    )
    port = _free_port()

    process = host.start(
        sys.executable, "-m", "uvicorn", "--lifespan", "off", "--port", str(port), "app:application"
    )
    host.request(port, _REQUESTS)
    host.stop(process, signal.SIGTERM)
    host.run("client = make(spool='a.spool')\nclient.flush(30)\nclient.close(5)\n")

    assert len(set(host.numbers)) == len(host.numbers) == _REQUESTS, host.output
