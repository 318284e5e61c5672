"""``connect`` and ``check``: ask Intercom whether the key works and opens the intended workspace."""

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
from .exit_codes import naming_address
from .formatting import echo
from .options import (
    REGIONS,
    api_version_option,
    base_url_option,
    connection_options,
    json_option,
    settings_of,
)


@click.command(short_help="Check a key and store it as a named connection.")
@click.option("--name", default="default", show_default=True, help="Name of the connection.")
@click.option("--app-id", metavar="ID", help="App/Source ID; you are asked for it if it is missing.")
@click.option(
    "--api-key-stdin", is_flag=True, help="Read the API key from standard input, do not ask for it."
)
@click.option("--region", type=REGIONS, default="us", show_default=True, help="Region of the workspace.")
@base_url_option
@api_version_option
@click.option(
    "--print-env",
    is_flag=True,
    help="Do not store the connection; print it as environment variables, without the key.",
)
def connect(
    *,
    name: str,
    app_id: str | None,
    api_key_stdin: bool,
    region: str,
    base_url: str | None,
    api_version: str | None,
    print_env: bool,
) -> None:
    """
    Check an App/Source ID and an API key, and store them as a named connection.

    The key is not shown while you type it, and is never printed. It is stored in a file that only you can read.
    """
    if app_id is None and not api_key_stdin:
        app_id = _prompt("App/Source ID (empty to skip)", default="", show_default=False) or None
    key = sys.stdin.readline().strip() if api_key_stdin else _prompt("API key", hide_input=True)
    options = {
        "api_key": key,
        "app_id": app_id,
        "region": region,
        "base_url": base_url,
        "api_version": api_version,
    }
    settings: dict[str, Any] = {field: value for field, value in options.items() if value is not None}
    account = _account(Settings(**settings))
    # With --print-env only the variables go to standard output, so that you can redirect them into a file.
    echo(f"connected to {_description(account)}", err=print_env)
    if print_env:
        click.echo("\n".join(_exports(account, region, base_url, api_version)))
        return
    path = write_connection(name, {**options, "app_id": app_id or account.app_id})
    echo(f"stored as {name!r} in {path}")


def _prompt(question: str, **options: Any) -> str:
    answer: str = click.prompt(question, err=True, **options)
    return answer.strip()


def _exports(account: Account, region: str, base_url: str | None, api_version: str | None) -> list[str]:
    lines = [
        "# export INTERCOM_API_KEY=<the key that you have just entered>",
        f"export INTERCOM_APP_ID={shlex.quote(account.app_id)}",
        f"export INTERCOM_REGION={region}",
    ]
    if base_url is not None:
        lines.append(f"export INTERCOM_BASE_URL={shlex.quote(base_url)}")
    if api_version is not None:
        lines.append(f"# no variable sets the API version: add --api-version {shlex.quote(api_version)}")
    return lines


@click.command(short_help="Ask Intercom whether the key works.")
@connection_options
@json_option
def check(as_json: bool, **options: Any) -> None:
    """Ask Intercom whether the key works in this region and for this App/Source ID."""
    account = _account(settings_of(**options))
    echo(json.dumps(account._asdict()) if as_json else f"ok: {_description(account)}")


def _account(settings: Settings) -> Account:
    with Client(settings) as client, naming_address(settings.address):
        return client.check()


def _description(account: Account) -> str:
    region = f", region {account.region}" if account.region else ""
    admin = f", as {account.admin}" if account.admin else ""
    return f"workspace {account.name or 'without a name'} ({account.app_id}){region}{admin}"
