"""Fixtures that run commands in this process, without the stored connections and the environment of the machine."""

from __future__ import annotations

from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from metarouter_intercom._cli.commands import run
from metarouter_intercom.sandbox import Sandbox


class Done(NamedTuple):
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(tmp_path):
    """Run a command; keyword arguments become environment variables."""

    def call(*arguments, stdin=None, **environ):
        unset = dict.fromkeys(
            (
                "INTERCOM_API_KEY",
                "INTERCOM_ACCESS_TOKEN",
                "INTERCOM_APP_ID",
                "INTERCOM_REGION",
                "INTERCOM_BASE_URL",
            )
        )
        command = click.Command("command", callback=lambda: run([str(one) for one in arguments]))
        done = CliRunner().invoke(
            command,
            [],
            input=stdin,
            env={
                **unset,
                "XDG_CONFIG_HOME": str(tmp_path / "config"),
                "XDG_STATE_HOME": str(tmp_path.parent / f"{tmp_path.name}-state"),
                **environ,
            },
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return Done(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def sandbox():
    """A local Intercom on a port of its own."""
    with Sandbox(app_limit=10**6, workspace_limit=10**6) as server:
        yield server


@pytest.fixture
def connected(cli, sandbox):
    """Run a command with the sandbox's key in the environment."""

    def call(*arguments, **more):
        return cli(*arguments, INTERCOM_API_KEY=sandbox.token, INTERCOM_BASE_URL=sandbox.url, **more)

    return call
