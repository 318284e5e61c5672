"""``demo``: captured messages of real SDKs through the client into a local Intercom (or the real one), and what stands there then."""

from __future__ import annotations

import os
from contextlib import ExitStack
from importlib.resources import files
from typing import IO, BinaryIO

import click

from .._client import Client
from ..errors import RejectedMessage
from ..plugins import Delivery
from ..settings import Settings
from ._errors import ExitCode
from ._input import read_messages
from ._look import show_people
from ._words import is_complete, report_lines


@click.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--yes", is_flag=True, help="Do not ask before sending to the real Intercom.")
@click.option("--keep-open", is_flag=True, help="Leave the local Intercom running, to look at its pages.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Of the local Intercom; any free one when it is not given.",
)
def demo(file: BinaryIO | None, yes: bool, keep_open: bool, port: int) -> int:
    """
    Send captured messages of real SDKs (or FILE) and show the people, companies and histories that come of them.

    Starts a local Intercom. With INTERCOM_API_KEY set it sends to that workspace instead, after asking.
    """
    outcomes = _Outcomes()
    with ExitStack() as stack:
        settings = _real_settings(yes)
        if settings is None:
            settings = _local_settings(stack, port)
        client = stack.enter_context(Client(settings, after=[outcomes]))
        account = client.check()
        click.echo(f"connected to {account.name} ({account.app_id}) at {settings.address}\n")
        stream = file or stack.enter_context(
            files("metarouter_intercom").joinpath("_demo/messages.jsonl").open("rb")
        )
        people = _send(client, stream)
        report = client.flush(60)
        show_people(client.settings, people)
        outcomes.show()
        click.echo("\n".join(report_lines(report)))
        if keep_open:
            click.echo(f"\nlook at the pages: {settings.address}/people  (Ctrl-C ends)")
            _wait()
    return ExitCode.DONE if is_complete(report) else ExitCode.INCOMPLETE


def _real_settings(yes: bool) -> Settings | None:
    if not (os.environ.get("INTERCOM_API_KEY") or os.environ.get("INTERCOM_ACCESS_TOKEN")):
        return None
    settings = Settings.from_env(name="demo", missing_contact_wait=5.0)
    click.echo(
        f"INTERCOM_API_KEY is set: this writes invented people to the workspace behind {settings.address}."
    )
    if not yes:
        click.confirm("Go on?", abort=True)
    return settings


def _local_settings(stack: ExitStack, port: int) -> Settings:
    from ..sandbox import Sandbox

    sandbox = stack.enter_context(Sandbox(port=port))
    return Settings(api_key=sandbox.token, base_url=sandbox.url, name="demo", missing_contact_wait=5.0)


def _send(client: Client, stream: IO[bytes]) -> list[str]:
    """Send the messages and return the user ids in them, each once."""
    people: dict[str, None] = {}
    number = 0
    for found in read_messages(stream):
        if found.message is None:
            click.echo(f"line {found.line}: {found.fault}", err=True)
            continue
        try:
            client.send(found.message)
        except RejectedMessage as error:
            click.echo(f"line {found.line}: {error}", err=True)
            continue
        number += 1
        if found.message.get("userId"):
            people[str(found.message["userId"])] = None
    click.echo(f"{number} messages sent\n")
    return list(people)


class _Outcomes:
    """Keeps what was skipped, noted or given up, for a person to read."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __call__(self, delivery: Delivery) -> None:
        message = delivery.message
        about = " ".join(str(message[name]) for name in ("type", "event", "userId") if message.get(name))
        if delivery.outcome != "delivered":
            self._lines.append(f"  {delivery.outcome}: {about}: {delivery.reason}")
        self._lines += [
            f"  note: {about}: {note.path}: {note.reason} ({note.rule})" for note in delivery.notes
        ]

    def show(self) -> None:
        """Print them."""
        click.echo("What was skipped or noted, and why")
        click.echo("\n".join(self._lines or ["  nothing"]) + "\n")


def _wait() -> None:
    import threading

    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("stopped")
