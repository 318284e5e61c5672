"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from .._client.mapping_settings import parse_setting
from ..errors import ConfigurationError
from ..settings import Settings
from .connections import connections_path, read_connections

_Command = TypeVar("_Command", bound=Callable[..., Any])

REGIONS = click.Choice(["us", "eu", "au"])

base_url_option = click.option(
    "--base-url", metavar="URL", help="Address of a sandbox or proxy to use instead of Intercom's."
)

api_version_option = click.option(
    "--api-version", metavar="VERSION", help="Version of Intercom's API to ask for, for example 2.16."
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")


def connection_options(command: _Command) -> _Command:
    """Add ``--connection``, ``--region``, ``--app-id``, ``--base-url`` and ``--api-version``."""
    for option in (
        api_version_option,
        base_url_option,
        click.option("--app-id", metavar="ID", help="App/Source ID of the workspace that the key must open."),
        click.option("--region", type=REGIONS, help="Region of the workspace."),
        click.option("-c", "--connection", metavar="NAME", help="Use a connection stored by `connect`."),
    ):
        command = option(command)
    return command


def setting_option(command: _Command) -> _Command:
    """Add ``--setting NAME=VALUE``, which may be given several times."""
    return click.option(
        "--setting",
        "overrides",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_parsed_settings,
        help="Setting of the mapping, such as page_events='Viewed {name} Page'; may be given several times.",
    )(command)


def _parsed_settings(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, Any]:
    try:
        return dict(parse_setting(text) for text in texts)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


def settings_of(
    *,
    connection: str | None,
    region: str | None,
    app_id: str | None,
    base_url: str | None,
    api_version: str | None = None,
    beneath: Mapping[str, Any] | None = None,
    **more: Any,
) -> Settings:
    """
    Return the settings of a connection: options first, then the named connection, the environment, the stored ``default``.

    Args:
        connection: Name of a stored connection.
        region, app_id, base_url, api_version: Options of the command line.
        beneath: Settings that count unless an option says otherwise.
        more: Settings of the command itself.

    Raises:
        ConfigurationError: No API key is set anywhere, or there is no such connection.
    """
    options = {"region": region, "app_id": app_id, "base_url": base_url, "api_version": api_version}
    given = {name: value for name, value in options.items() if value is not None}
    chosen: dict[str, Any] = {**(beneath or {}), **given, **more}
    if connection is None and has_key():
        # INTERCOM_ENABLED is for apps. Who types a command wants it to be done.
        more_settings: dict[str, Any] = {"enabled": True, **chosen}
        return Settings.from_env(**more_settings)
    stored = read_connections()
    name = connection or "default"
    if name not in stored:
        raise ConfigurationError(_not_stored(connection, sorted(stored)))
    settings: dict[str, Any] = {**stored[name], "name": name, **chosen}
    return Settings(**settings)


def has_key() -> bool:
    """Tell whether the environment contains an API key."""
    return bool(os.environ.get("INTERCOM_API_KEY") or os.environ.get("INTERCOM_ACCESS_TOKEN"))


def _not_stored(connection: str | None, stored: list[str]) -> str:
    names = ", ".join(stored) or "none"
    if connection is not None:
        return (
            f"connection: {connection!r} is not stored in {connections_path()} (stored: {names}); "
            f"run connect --name {connection}"
        )
    return (
        "no API key: set INTERCOM_API_KEY, or run `metarouter-intercom connect` once, or name a stored connection "
        f"with --connection (stored: {names})"
    )
