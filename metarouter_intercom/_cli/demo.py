"""``demo``: send messages captured from real SDKs to a local Intercom (or a real one), and show what is in it afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import IO, TYPE_CHECKING

import click

from .._client.client import Client
from .._types import JsonObject, JsonValue
from ..errors import RejectedMessage
from ..messages._title import title_of
from ..plugins import Delivery
from ..settings import Settings
from .exit_codes import ExitCode, Failed, naming_address
from .file_entries import FileEntry
from .formatting import echo, is_complete, number_of, report_lines
from .message_files import read_messages
from .options import has_key
from .people import RecordingTransport, find_people, show_people
from .sandbox import listening, people_page
from .signals import until_interrupted

if TYPE_CHECKING:
    from ..sandbox import Sandbox

# Seconds that an event waits for its contact; short, because nobody else creates contacts meanwhile.
_CONTACT_WAIT = 1.0

# Reason of a skip -> its meaning.
_MEANINGS = {
    "event_filtered": "the setting events_allow or events_deny leaves it out",
    "no_identity": "it has neither a user id nor an email address",
    "not_selected": "its integrations object leaves Intercom out",
    "nothing_to_merge": "an alias merges a lead into a user, and there is no such lead",
    "page_off": "page calls become events only if page_events is set",
    "screen_off": "screen calls become events only if screen_events is set",
}


@click.command(short_help="Send sample messages to a local Intercom and show the result.")
@click.argument("file", type=click.Path(allow_dash=True), required=False)
@click.option("--yes", is_flag=True, help="Do not ask before sending to a real workspace.")
@click.option(
    "--keep-open", is_flag=True, help="Leave the local Intercom running, so that you can open its web pages."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the local Intercom; any free port by default.",
)
def demo(*, file: str | None, yes: bool, keep_open: bool, port: int) -> int:
    """
    Send messages captured from real SDKs (or the messages in FILE) and show the resulting people, companies and events.

    The messages go to a local Intercom. If INTERCOM_API_KEY is set, they go to that workspace instead, after you confirm.
    """
    outcomes = _Outcomes()
    with ExitStack() as stack:
        server = None if has_key() else stack.enter_context(_local_intercom(port))
        settings = _real_settings(yes) if server is None else _local_settings(server)
        transport = stack.enter_context(closing(RecordingTransport(settings)))
        client = stack.enter_context(Client(settings, after=[outcomes], transport=transport))
        with naming_address(settings.address):
            account = client.check()
        echo(f"connected to {account.name or 'a workspace'} ({account.app_id}) at {settings.address}")
        names, number = _send(client, _messages(stack, file), file or "the demo's messages")
        report = client.flush(60)
        echo(f"{number_of(number, 'message')} sent\n")
        show_people(find_people(transport, names, transport.contacts))
        outcomes.show()
        echo("Report")
        echo("\n".join(f"  {line}" for line in report_lines(report)))
        if keep_open and server is not None:
            _keep_open(server, names)
    return ExitCode.DONE if is_complete(report) else ExitCode.INCOMPLETE


def _real_settings(yes: bool) -> Settings:
    settings = Settings.from_env(name="demo", enabled=True, missing_contact_wait=_CONTACT_WAIT)
    warning = f"INTERCOM_API_KEY is set: this writes people, companies and events to the workspace at {settings.address}"
    if yes:
        echo(warning)
    elif not sys.stdin.isatty():
        raise Failed(
            f"{warning}; add --yes, or unset INTERCOM_API_KEY to use a local Intercom", ExitCode.USAGE
        )
    else:
        click.confirm(f"{warning}.\nContinue?", abort=True)
    return settings


def _local_intercom(port: int) -> Sandbox:
    from ..sandbox import Sandbox

    # The demo shows at once what was written; Intercom's lists show it a while later.
    return listening(Sandbox(port=port, search_lag=0.0))


def _local_settings(server: Sandbox) -> Settings:
    return Settings(
        api_key=server.token, base_url=server.url, name="demo", missing_contact_wait=_CONTACT_WAIT
    )


def _messages(stack: ExitStack, file: str | None) -> Iterable[FileEntry]:
    if file == "-":
        return read_messages(sys.stdin.buffer)
    if file is not None:
        return read_messages(stack.enter_context(open(file, "rb")))
    stream = stack.enter_context(files("metarouter_intercom").joinpath("_cli/demo_messages.jsonl").open("rb"))
    return _moved_to_now(stream)


def _moved_to_now(stream: IO[bytes]) -> Iterator[FileEntry]:
    """Yield the captured messages with times that end now, because Intercom only lists the events of the last 90 days."""
    captured = list(read_messages(stream))
    times = {
        entry.line: datetime.fromisoformat(_timestamp(entry).replace("Z", "+00:00")) for entry in captured
    }
    shift = datetime.now(timezone.utc) - max(times.values()) - timedelta(seconds=1)
    for entry in captured:
        moved = (times[entry.line] + shift).isoformat()
        yield entry._replace(message={**(entry.message or {}), "timestamp": moved})


def _timestamp(entry: FileEntry) -> str:
    return str((entry.message or {})["timestamp"])


def _send(client: Client, messages: Iterable[FileEntry], file: str) -> tuple[list[str], int]:
    """Send the messages; return each person's user id (or email address, without a user id) once, and how many messages were accepted."""
    people: dict[str, None] = {}
    number = 0
    for entry in messages:
        if entry.message is None:
            echo(f"{entry.where(file)}: {entry.fault}", err=True)
            continue
        try:
            client.send(entry.message)
        except RejectedMessage as error:
            for one in error.problems:
                echo(f"{entry.where(file, one.path)}: {one.fault}; {one.remedy}", err=True)
            continue
        number += 1
        name = entry.message.get("userId") or _email(entry.message)
        if name is not None:
            people[str(name)] = None
    return list(people), number


def _email(message: JsonObject) -> JsonValue:
    traits = message.get("traits")
    return traits.get("email") if message.get("type") == "identify" and isinstance(traits, dict) else None


class _Outcomes:
    """An after-hook that collects the skips, dead letters and notes, to print them at the end."""

    def __init__(self) -> None:
        self._titles: dict[str, list[str]] = {}
        self._notes: list[str] = []

    def __call__(self, delivery: Delivery) -> None:
        title = title_of(delivery.message)
        if delivery.outcome != "delivered":
            reason = delivery.reason or "unknown"
            meaning = _MEANINGS.get(reason)
            heading = f"{delivery.outcome}, {reason}" + (f": {meaning}" if meaning else "")
            self._titles.setdefault(heading, []).append(title)
        self._notes += [f"{title}: {note.path}: {note.reason} (rule {note.rule})" for note in delivery.notes]

    def show(self) -> None:
        """Print them."""
        echo("What was skipped, and why")
        for heading in sorted(self._titles):
            echo(f"  {heading}")
            echo("\n".join(f"    {title}" for title in sorted(self._titles[heading])))
        echo("" if self._titles else "  nothing\n")
        echo("What was changed or left out, and why")
        echo("\n".join(f"  {line}" for line in sorted(self._notes) or ["nothing"]) + "\n")


def _keep_open(server: Sandbox, names: list[str]) -> None:
    with until_interrupted():
        echo("\nThe local Intercom is still running (Ctrl-C stops it)")
        echo(f"  people:      {people_page(server)}")
        if names:
            echo(f"  one person:  {people_page(server, names[0])}")
    echo("stopped")
