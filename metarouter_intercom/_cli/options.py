"""Options that several commands share, and the settings they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import ConfigurationError
from ..settings import Settings
from .connections import path_of_store, read_connections

_Command = TypeVar("_Command", bound=Callable[..., Any])


def connection_options(command: _Command) -> _Command:
    """Add ``--connection``, ``--region``, ``--app-id`` and ``--base-url``."""
    for option in (
        click.option(
            "--base-url", metavar="URL", help="Address of a sandbox or proxy instead of Intercom's."
        ),
        click.option("--app-id", metavar="ID", help="App/Source ID that the key must belong to."),
        click.option("--region", type=click.Choice(["us", "eu", "au"]), help="Where the workspace lives."),
        click.option("-c", "--connection", metavar="NAME", help="A connection stored by `connect`."),
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON for machines.")


def settings_of(
    connection: str | None, region: str | None, app_id: str | None, base_url: str | None, **more: Any
) -> Settings:
    """
    Return the settings of a connection: options, then the named connection, then the environment, then the stored ``default``.

    Raises:
        ConfigurationError: There is no API key anywhere, or no such connection.
    """
    given = {"region": region, "app_id": app_id, "base_url": base_url}
    chosen = {name: value for name, value in given.items() if value is not None} | more
    if connection is None and has_key():
        return Settings.from_env(**chosen)
    stored = read_connections()
    name = connection or "default"
    if name not in stored:
        raise ConfigurationError(_nothing_stored(connection, sorted(stored)))
    options: dict[str, Any] = {**stored[name], "name": name, **chosen}
    return Settings(**options)


def has_key() -> bool:
    """Tell whether the environment holds an API key."""
    return bool(os.environ.get("INTERCOM_API_KEY") or os.environ.get("INTERCOM_ACCESS_TOKEN"))


def _nothing_stored(connection: str | None, known: list[str]) -> str:
    names = ", ".join(known) or "none"
    if connection is not None:
        return f"connection: {connection!r} is not stored in {path_of_store()} (stored: {names}); run connect --name {connection}"
    return (
        "no API key: set INTERCOM_API_KEY, or run `metarouter-intercom connect` once, or name a stored connection "
        f"with --connection (stored: {names})"
    )
