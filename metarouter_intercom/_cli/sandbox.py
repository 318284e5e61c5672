"""``sandbox``: serve a local Intercom with its People pages until interrupted."""

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


@click.command(short_help="Serve a local Intercom with pages to look at.")
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
@json_option
def sandbox(port: int, host: str, token: str, seed: bool, auto_attributes: bool, as_json: bool) -> None:
    """
    Serve a local Intercom for development, with pages to look at.

    It refuses what Intercom refuses. Everything is forgotten when it ends (Ctrl-C).
    """
    from ..sandbox import Sandbox
    from ..sandbox.samples import add_samples

    server = Sandbox(port=port, host=host, token=token, auto_attributes=auto_attributes)
    if seed:
        add_samples(server.workspace)
    with listening(server), until_interrupted():
        click.echo(json.dumps({"url": server.url, "token": token}) if as_json else _words(server))
    if not as_json:
        click.echo("stopped")


def listening(server: Sandbox) -> Sandbox:
    """
    Start *server*, which is closed by leaving its ``with``.

    Raises:
        Failed: The address cannot be had.
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
    """Return the address of the list of people, or of one person; or what is missing for the pages."""
    if not find_spec("flask"):
        return 'the pages need Flask: pip install "metarouter-intercom[sandbox]"'
    return server.pages if name is None else server.page_of(name)


def _words(server: Sandbox) -> str:
    return (
        f"a local Intercom at {server.url}  (Ctrl-C ends)\n"
        f"  look at it:  {people_page(server)}\n"
        f"  send to it:  export INTERCOM_BASE_URL={server.url} INTERCOM_API_KEY={server.token}"
    )
