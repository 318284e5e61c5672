"""``connect`` and ``check``: credentials are checked, stored so that only their owner can read them, and never printed."""

from __future__ import annotations

import json
import stat

import pytest

from metarouter_intercom._cli.connections import read_connections
from metarouter_intercom.sandbox import Sandbox, Workspace

_KEY = "a-secret-key-that-nobody-may-see"


@pytest.fixture
def sandbox():
    """A local Intercom whose key is recognised wherever it is printed."""
    with Sandbox(token=_KEY, region="EU", app_id="9iefb489", name="Example Shipping") as server:
        yield server


def _stored(tmp_path):
    return tmp_path / "config" / "metarouter-intercom" / "connections.json"


def test_it_asks_checks_and_stores(cli, sandbox, tmp_path):
    """`connect` asks for App/Source ID and key, checks them, and stores a connection that other commands use by name."""
    done = cli("connect", "--name", "live", "--base-url", sandbox.url, stdin=f"9iefb489\n{_KEY}\n")
    check = cli("check", "--connection", "live")

    assert (done.code, check.code) == (0, 0)
    assert "App/Source ID (empty to skip): " in done.err
    assert "connected to workspace Example Shipping (9iefb489), region eu" in done.out
    assert f"stored as 'live' in {_stored(tmp_path)}" in done.out
    assert check.out.startswith("ok: workspace Example Shipping (9iefb489)")
    assert _KEY not in done.out + done.err + check.out + check.err


def test_only_the_owner_can_read_the_stored_connections(cli, sandbox, tmp_path):
    """The file has mode 0600 and its folder 0700, even if they existed before with other modes."""
    path = _stored(tmp_path)
    path.parent.mkdir(parents=True, mode=0o755)
    path.write_text('{"old": {"api_key": "k", "region": "us"}}')
    path.chmod(0o644)

    cli("connect", "--api-key-stdin", "--base-url", sandbox.url, stdin=f"{_KEY}\n")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text()).keys() == {"old", "default"}
    assert [one.name for one in path.parent.iterdir()] == ["connections.json"]


def test_the_default_connection_is_used_without_a_name(cli, sandbox):
    """The connection stored as `default` is used if no name is given and the environment has no key; the environment wins."""
    cli("connect", "--api-key-stdin", "--base-url", sandbox.url, stdin=f"{_KEY}\n")

    assert cli("check").code == 0
    assert cli("check", INTERCOM_API_KEY="another", INTERCOM_BASE_URL=sandbox.url).code == 3


def test_printed_variables_contain_no_key(cli, sandbox, tmp_path):
    """`--print-env` stores nothing and prints lines in which only the key is missing."""
    done = cli("connect", "--print-env", "--api-key-stdin", "--base-url", sandbox.url, stdin=f"{_KEY}\n")

    assert done.code == 0
    assert done.err == "connected to workspace Example Shipping (9iefb489), region eu, as Ada Example\n"
    assert done.out.splitlines() == [
        "# export INTERCOM_API_KEY=<the key that you have just entered>",
        "export INTERCOM_APP_ID=9iefb489",
        "export INTERCOM_REGION=us",
        f"export INTERCOM_BASE_URL={sandbox.url}",
    ]
    assert not _stored(tmp_path).exists()


def test_check_prints_json(cli, sandbox):
    """`--json` prints the account as an object."""
    done = cli("check", "--json", INTERCOM_API_KEY=_KEY, INTERCOM_BASE_URL=sandbox.url)

    assert json.loads(done.out) == {
        "app_id": "9iefb489",
        "name": "Example Shipping",
        "region": "eu",
        "admin": "Ada Example",
    }


@pytest.mark.parametrize(
    ("arguments", "key", "expected"),
    [
        ((), "wrong-key", "copy the access token of your app from Intercom's Developer Hub"),
        (("--app-id", "other"), _KEY, "use that workspace's own token, or correct app_id"),
        ((), "", "api_key: missing or blank"),
        (("--base-url", "ftp://example.com"), _KEY, "use one like https://host"),
    ],
    ids=["key", "app", "blank", "scheme"],
)
def test_wrong_credentials_are_one_line(cli, sandbox, tmp_path, arguments, key, expected):
    """Wrong credentials give one line with a remedy and exit code 3; nothing is stored and no key is printed."""
    done = cli("connect", "--api-key-stdin", "--base-url", sandbox.url, *arguments, stdin=f"{key}\n")

    assert done.code == 3
    assert done.err.count("\n") == 1
    assert expected in done.err
    assert not _stored(tmp_path).exists()
    assert _KEY not in done.out + done.err


class _Older(Workspace):
    """Has no API version that the library asks for."""

    def handle_bytes(self, method, path, headers, content):
        return super().handle_bytes(method, path, {**headers, "intercom-version": "9.99"}, content)


def test_a_refused_api_version_is_one_line(cli):
    """If Intercom refuses the API version, one line names the setting and the remedy; exit code 3."""
    with Sandbox(workspace=_Older()) as old:
        done = cli("check", INTERCOM_API_KEY=old.token, INTERCOM_BASE_URL=old.url)

    assert done.code == 3
    assert done.err.count("\n") == 1
    assert "api_version: Intercom refused the version '2.16'" in done.err


def test_no_network_is_one_line(cli):
    """If nobody answers, one line says what to check; exit code 4."""
    with Sandbox() as gone:
        url = gone.url

    done = cli("check", INTERCOM_API_KEY=_KEY, INTERCOM_BASE_URL=url)

    assert done.code == 4
    assert done.err.count("\n") == 1
    assert "check the network, a proxy (HTTPS_PROXY), and the address or region" in done.err
    assert done.err.startswith(f"metarouter-intercom: {url}: no connection to Intercom (")
    assert done.err.count("(") == 2  # the kind of error, and HTTPS_PROXY


def test_an_address_that_is_not_intercoms_is_one_line(cli, sandbox):
    """An answer that is not Intercom's gives one line with a remedy; exit code 4."""
    done = cli("check", INTERCOM_API_KEY=_KEY, INTERCOM_BASE_URL=f"{sandbox.url}/elsewhere")

    assert done.code == 4
    assert "check that" in done.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("check",), "no API key: set INTERCOM_API_KEY, or run `metarouter-intercom connect` once"),
        (("check", "-c", "live"), "(stored: none); run connect --name live"),
    ],
)
def test_a_missing_connection_is_one_line(cli, arguments, expected):
    """Without a key, or with a name that is not stored, one line says how to connect."""
    done = cli(*arguments)

    assert done.code == 3
    assert done.err.count("\n") == 1
    assert expected in done.err


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_connections_file_is_one_line(cli, tmp_path, content):
    """A connections file that cannot be read gives one line with its path; exit code 5."""
    _stored(tmp_path).parent.mkdir(parents=True)
    _stored(tmp_path).write_text(content)

    done = cli("check")

    assert done.code == 5
    assert done.err.count("\n") == 1
    assert str(_stored(tmp_path)) in done.err


def test_unknown_entries_of_the_connections_file_are_ignored(tmp_path, monkeypatch):
    """Entries that are no part of a connection do not become settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    _stored(tmp_path).parent.mkdir(parents=True)
    _stored(tmp_path).write_text('{"default": {"api_key": "k", "app_id": null, "colour": "red"}, "odd": 3}')

    assert read_connections() == {"default": {"api_key": "k"}}


def test_ctrl_d_at_a_prompt_ends_the_command(cli):
    """Ctrl-D at a prompt counts as an interrupt: exit code 130, no traceback."""
    done = cli("connect", stdin="")

    assert done.code == 130
    assert done.err.endswith("metarouter-intercom: interrupted\n")
