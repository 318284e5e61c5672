"""``sandbox``: serve a local Intercom with its People pages until interrupted."""

from __future__ import annotations

import signal
import threading

import click


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8123, show_default=True, help="0 takes any free port."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Loopback unless others on the network shall reach it.",
)
@click.option("--token", default="sandbox-token", show_default=True, help="The access token to accept.")
@click.option("--seed", is_flag=True, help="Begin with sample people, companies and events.")
@click.option(
    "--auto-attributes",
    is_flag=True,
    help="Make custom attributes that are not known; Intercom itself refuses them.",
)
def sandbox(port: int, host: str, token: str, seed: bool, auto_attributes: bool) -> None:
    """
    Serve a local Intercom for development, with pages to look at.

    It refuses what Intercom refuses. Everything is forgotten when it ends (Ctrl-C).
    """
    from ..sandbox import Sandbox
    from ..sandbox.samples import add_samples

    server = Sandbox(port=port, host=host, token=token, auto_attributes=auto_attributes)
    if seed:
        add_samples(server.workspace)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with server:
        click.echo(f"a local Intercom at {server.url}")
        click.echo(f"  look at it:  {server.url}/people")
        click.echo(f"  send to it:  export INTERCOM_BASE_URL={server.url} INTERCOM_API_KEY={token}")
        stop.wait()
    click.echo("stopped")
