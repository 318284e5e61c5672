"""``demo``: captured messages of real SDKs through the client into a local Intercom (or the real one), and what stands there then."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import IO, TYPE_CHECKING

import click

from .._client.client import Client
from .._delivery.http.transport import HttpTransport
from .._types import JsonObject, JsonValue
from ..errors import RejectedMessage
from ..plugins import Delivery
from ..settings import Settings
from .exit_codes import ExitCode, Failed
from .formatting import echo, is_complete, number_of, report_lines, title_of
from .message_files import Found, read_messages
from .options import has_key
from .people import find_people, show_people
from .sandbox import listening, people_page
from .signals import until_interrupted

if TYPE_CHECKING:
    from ..sandbox import Sandbox

# Seconds that an event waits for its contact: here nobody else brings it.
_PATIENCE = 1.0

# What a reason means, for somebody who meets it for the first time.
_REASONS = {
    "event_filtered": "events_allow or events_deny leaves it out",
    "no_identity": "it carries neither a user id nor an e-mail",
    "not_selected": "its integrations object leaves Intercom out",
    "nothing_to_merge": "an alias merges a lead into a user, and there is no such lead",
    "page_off": "page views are no events unless page_events is set",
    "screen_off": "screen views are no events unless screen_events is set",
}


@click.command(short_help="Send messages of real SDKs to a local Intercom and show what comes of them.")
@click.argument("file", type=click.Path(allow_dash=True), required=False)
@click.option("--yes", is_flag=True, help="Do not ask before sending to the real Intercom.")
@click.option("--keep-open", is_flag=True, help="Leave the local Intercom running, to look at its pages.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Of the local Intercom; any free one when it is not given.",
)
def demo(file: str | None, yes: bool, keep_open: bool, port: int) -> int:
    """
    Send captured messages of real SDKs (or FILE) and show the people, companies and histories that come of them.

    Starts a local Intercom. With INTERCOM_API_KEY set it sends to that workspace instead, after asking.
    """
    outcomes = _Outcomes()
    with ExitStack() as stack:
        server = None if has_key() else stack.enter_context(_local_intercom(port))
        settings = _real_settings(yes) if server is None else _local_settings(server)
        client = stack.enter_context(Client(settings, after=[outcomes]))
        account = client.check()
        echo(f"connected to {account.name or 'a workspace'} ({account.app_id}) at {settings.address}")
        names, number = _send(client, _messages(stack, file), file or "the demo's messages")
        report = client.flush(60)
        echo(f"{number_of(number, 'message')} sent\n")
        transport = stack.enter_context(closing(HttpTransport(settings)))
        show_people(find_people(transport, names))
        outcomes.show()
        echo("Report")
        echo("\n".join(f"  {line}" for line in report_lines(report)))
        if keep_open and server is not None:
            _keep_open(server, names)
    return ExitCode.DONE if is_complete(report) else ExitCode.INCOMPLETE


def _real_settings(yes: bool) -> Settings:
    settings = Settings.from_env(name="demo", missing_contact_wait=_PATIENCE)
    what = f"INTERCOM_API_KEY is set: this writes people, companies and events to the workspace behind {settings.address}"
    if yes:
        echo(what)
    elif not sys.stdin.isatty():
        raise Failed(f"{what}; say --yes, or unset INTERCOM_API_KEY to use a local Intercom", ExitCode.USAGE)
    else:
        click.confirm(f"{what}.\nGo on?", abort=True)
    return settings


def _local_intercom(port: int) -> Sandbox:
    from ..sandbox import Sandbox

    return listening(Sandbox(port=port))


def _local_settings(server: Sandbox) -> Settings:
    return Settings(api_key=server.token, base_url=server.url, name="demo", missing_contact_wait=_PATIENCE)


def _messages(stack: ExitStack, file: str | None) -> Iterable[Found]:
    if file == "-":
        return read_messages(sys.stdin.buffer)
    if file is not None:
        return read_messages(stack.enter_context(open(file, "rb")))
    stream = stack.enter_context(files("metarouter_intercom").joinpath("_cli/demo_messages.jsonl").open("rb"))
    return _moved_to_now(stream)


def _moved_to_now(stream: IO[bytes]) -> Iterator[Found]:
    """Yield the captured messages as if the last one had just been sent: Intercom lists the events of 90 days."""
    captured = list(read_messages(stream))
    instants = {
        found.line: datetime.fromisoformat(_timestamp(found).replace("Z", "+00:00")) for found in captured
    }
    shift = datetime.now(timezone.utc) - max(instants.values()) - timedelta(seconds=1)
    for found in captured:
        moved = (instants[found.line] + shift).isoformat()
        yield found._replace(message={**(found.message or {}), "timestamp": moved})


def _timestamp(found: Found) -> str:
    return str((found.message or {})["timestamp"])


def _send(client: Client, messages: Iterable[Found], file: str) -> tuple[list[str], int]:
    """Send the messages; return the user ids in them (the e-mails where there is none), each once, and how many were accepted."""
    people: dict[str, None] = {}
    number = 0
    for found in messages:
        if found.message is None:
            echo(f"{found.where(file)}: {found.fault}", err=True)
            continue
        try:
            client.send(found.message)
        except RejectedMessage as error:
            for one in error.problems:
                echo(f"{found.where(file, one.path)}: {one.fault}; {one.remedy}", err=True)
            continue
        number += 1
        name = found.message.get("userId") or _email(found.message)
        if name is not None:
            people[str(name)] = None
    return list(people), number


def _email(message: JsonObject) -> JsonValue:
    traits = message.get("traits")
    return traits.get("email") if message.get("type") == "identify" and isinstance(traits, dict) else None


class _Outcomes:
    """Keeps what was skipped, noted or given up, for a person to read."""

    def __init__(self) -> None:
        self._ended: dict[str, list[str]] = {}
        self._notes: list[str] = []

    def __call__(self, delivery: Delivery) -> None:
        title = title_of(delivery.message)
        if delivery.outcome != "delivered":
            reason = delivery.reason or "unknown"
            meaning = _REASONS.get(reason)
            head = f"{delivery.outcome}, {reason}" + (f": {meaning}" if meaning else "")
            self._ended.setdefault(head, []).append(title)
        self._notes += [f"{title}: {note.path}: {note.reason} (rule {note.rule})" for note in delivery.notes]

    def show(self) -> None:
        """Print them."""
        echo("What was skipped, and why")
        for head in sorted(self._ended):
            echo(f"  {head}")
            echo("\n".join(f"    {title}" for title in sorted(self._ended[head])))
        echo("" if self._ended else "  nothing\n")
        echo("What was changed or left out, and why")
        echo("\n".join(f"  {line}" for line in sorted(self._notes) or ["nothing"]) + "\n")


def _keep_open(server: Sandbox, names: list[str]) -> None:
    with until_interrupted():
        echo("\nThe local Intercom keeps running (Ctrl-C ends)")
        echo(f"  people:      {people_page(server)}")
        if names:
            echo(f"  one person:  {people_page(server, names[0])}")
    echo("stopped")
