"""``sandbox``: serve a local Intercom and its web pages until interrupted; ``demo`` starts it the same way."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from .exit_codes import ExitCode, Failed
from .options import json_option
from .signals import until_interrupted

if TYPE_CHECKING:
    from ..sandbox import Sandbox


@click.command(short_help="Run a local Intercom with web pages.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8123,
    show_default=True,
    help="Port to listen on; 0 takes any free port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; by default only this machine can reach it.",
)
@click.option("--token", default="sandbox-token", show_default=True, help="Access token to accept.")
@click.option("--seed", is_flag=True, help="Start with sample people, companies and events.")
@click.option(
    "--auto-attributes",
    is_flag=True,
    help="Create unknown custom attributes; Intercom itself refuses them.",
)
@click.option(
    "--search-lag",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    help="Seconds until searches and lists of people see a write, as in Intercom; 0 shows it at once.",
)
@json_option
def sandbox(
    *,
    port: int,
    host: str,
    token: str,
    seed: bool,
    auto_attributes: bool,
    search_lag: float,
    as_json: bool,
) -> None:
    """
    Run a local Intercom for development, with web pages that show its contents.

    It refuses what Intercom refuses. Ctrl-C stops it; nothing is saved.
    """
    from ..sandbox import Sandbox
    from ..sandbox.samples import add_samples

    server = Sandbox(
        port=port, host=host, token=token, auto_attributes=auto_attributes, search_lag=search_lag
    )
    if seed:
        add_samples(server.workspace)
    with listening(server), until_interrupted():
        click.echo(json.dumps({"url": server.url, "token": token}) if as_json else _addresses(server))
    if not as_json:
        click.echo("stopped")


def listening(server: Sandbox) -> Sandbox:
    """
    Start *server* and return it; leaving its ``with`` closes it.

    Raises:
        Failed: It cannot listen on its address.
    """
    try:
        return server.start()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Failed(
            f"cannot listen on {server.host} port {server.port} ({reason}); choose another --port",
            ExitCode.USAGE,
        ) from None


def people_page(server: Sandbox, name: str | None = None) -> str:
    """Return the address of the list of people, or of the person *name*; without Flask, a text that says how to install it."""
    if not find_spec("flask"):
        return 'the pages need Flask: pip install "metarouter-intercom[sandbox]"'
    return server.pages if name is None else server.page_of(name)


def _addresses(server: Sandbox) -> str:
    return (
        f"local Intercom at {server.url}  (Ctrl-C stops it)\n"
        f"  look at it:  {people_page(server)}\n"
        f"  send to it:  export INTERCOM_BASE_URL={server.url} INTERCOM_API_KEY={server.token}"
    )
