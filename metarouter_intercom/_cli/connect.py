"""``connect`` and ``check``: whether the credentials open the workspace that is meant."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import click

from .._client.client import Client
from .._intercom.account import Account
from ..settings import Settings
from .connections import write_connection
from .formatting import echo
from .options import connection_options, json_option, settings_of


@click.command(short_help="Check a key and store it as a named connection.")
@click.option("--name", default="default", show_default=True, help="The connection's name.")
@click.option("--app-id", metavar="ID", help="App/Source ID; asked for when it is not given.")
@click.option("--api-key-stdin", is_flag=True, help="Read the API key from standard input instead of asking.")
@click.option(
    "--region",
    type=click.Choice(["us", "eu", "au"]),
    default="us",
    show_default=True,
    help="Where the workspace lives.",
)
@click.option("--base-url", metavar="URL", help="Address of a sandbox or proxy instead of Intercom's.")
@click.option(
    "--print-env", is_flag=True, help="Store nothing; print lines for the environment, without the key."
)
def connect(
    name: str, app_id: str | None, api_key_stdin: bool, region: str, base_url: str | None, print_env: bool
) -> None:
    """
    Check an App/Source ID and an API key, and store them as a named connection.

    The key is asked for without being shown and is never printed. It is stored in a file that only you can read.
    """
    if app_id is None and not api_key_stdin:
        app_id = _asked("App/Source ID (empty to skip)", default="", show_default=False) or None
    key: str = _from_stdin() if api_key_stdin else _asked("API key", hide_input=True)
    facts = {"api_key": key, "app_id": app_id, "region": region, "base_url": base_url}
    given: dict[str, Any] = {field: value for field, value in facts.items() if value is not None}
    account = _ask(Settings(**given))
    # What is printed for the environment is all that goes to standard output, so that it can go into a file.
    echo(f"connected to {_words(account)}", err=print_env)
    if print_env:
        click.echo("\n".join(_lines(account, region, base_url)))
        return
    path = write_connection(name, {**facts, "app_id": app_id or account.app_id})
    echo(f"stored as {name!r} in {path}")


def _asked(question: str, **how: Any) -> str:
    answer: str = click.prompt(question, err=True, **how)
    return answer.strip()


def _from_stdin() -> str:
    return sys.stdin.readline().strip()


def _lines(account: Account, region: str, base_url: str | None) -> list[str]:
    lines = [
        "# export INTERCOM_API_KEY=<the key that you have just entered>",
        f"export INTERCOM_APP_ID={shlex.quote(account.app_id)}",
    ]
    lines.append(f"export INTERCOM_REGION={region}")
    if base_url is not None:
        lines.append(f"export INTERCOM_BASE_URL={shlex.quote(base_url)}")
    return lines


@click.command(short_help="Ask Intercom whether the key works.")
@connection_options
@json_option
def check(as_json: bool, **options: Any) -> None:
    """Ask Intercom whether the key works, in this region, for this App/Source ID."""
    account = _ask(settings_of(**options))
    echo(json.dumps(account._asdict()) if as_json else f"ok: {_words(account)}")


def _ask(settings: Settings) -> Account:
    with Client(settings) as client:
        return client.check()


def _words(account: Account) -> str:
    place = f", region {account.region}" if account.region else ""
    admin = f", as {account.admin}" if account.admin else ""
    return f"workspace {account.name or 'without a name'} ({account.app_id}){place}{admin}"
