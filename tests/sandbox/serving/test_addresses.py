"""The sandbox's own addresses, its mounted pages, and how it is started."""

from __future__ import annotations

import subprocess
import sys

import pytest
import urllib3

from metarouter_intercom.errors import ConfigurationError
from metarouter_intercom.sandbox import Sandbox, Workspace

from ..api_calls import HEADERS, ask


def test_other_processes_can_read_the_workspace(sandbox, pool):
    """Snapshot, violations, requests and counts can be read over HTTP."""
    ask(pool, sandbox, "POST", "/contacts", {"external_id": "u1", "last_seen_at": 5})
    ask(pool, sandbox, "POST", "/contacts", {"zodiac": "fish"})

    def look(name: str) -> dict[str, object]:
        return pool.request("GET", f"{sandbox.url}/_sandbox/{name}").json()

    assert look("snapshot") == sandbox.workspace.snapshot()
    assert look("snapshot?without=last_seen_at")["contacts"]["u1"]["fields"] == {}
    assert [one["rule"] for one in look("violations")["violations"]] == ["missing_field"]
    assert [one["status"] for one in look("requests")["requests"]] == [200, 400]
    stats = look("stats")
    assert (stats["handled"], stats["repeated_events"], stats["violations"]) == (2, 0, 1)
    assert sum(window["requests"] for window in stats["windows"]) == 2
    assert pool.request("GET", f"{sandbox.url}/_sandbox/zodiac").status == 404
    assert pool.request("PUT", f"{sandbox.url}/_sandbox/faults").status == 404


def test_faults_are_set_over_http(sandbox, pool):
    """Valid faults take effect, and invalid ones get an error text."""
    place = f"{sandbox.url}/_sandbox/faults"

    assert pool.request("POST", place, json={"outage": 503, "outage_for": 60}).status == 200
    assert "outage=Fault(kind='status', status=503)" in pool.request("GET", place).json()["faults"]
    assert ask(pool, sandbox, "GET", "/me").status == 503
    for bad in (b"[]", b"{", b'{"zodiac": 1}'):
        assert pool.request("POST", place, body=bad).status == 400
    assert pool.request("POST", place).status == 200
    assert ask(pool, sandbox, "GET", "/me").status == 200


def test_other_names_of_this_host_are_refused(sandbox, pool):
    """A request for a website's name or a malformed name cannot read the workspace."""
    for host in ("evil.example.com", "["):
        answer = pool.request("GET", f"{sandbox.url}/_sandbox/snapshot", headers={"Host": host})
        assert answer.status == 403
    assert pool.request("GET", f"{sandbox.url}/_sandbox/stats", headers={"Host": "localhost:1"}).status == 200


def test_a_token_means_the_api(sandbox, pool):
    """A request with a token goes to the API, and without one an unknown path goes to the pages."""
    assert ask(pool, sandbox, "GET", "/zodiac").json()["type"] == "error.list"
    assert pool.request("GET", f"{sandbox.url}/", redirect=False).headers["Location"] == "/ui/people"


def page(environ, start_response):
    """A WSGI application that shows what it was asked, in pieces."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"<")
    names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_X_COLOUR", "SERVER_NAME")
    return (part.encode() for part in ("", " ".join(environ[name] for name in names), ">"))


def test_an_application_can_be_mounted(pool):
    """A given application gets the paths that are not the API's, and its response of unknown length is sent in chunks."""
    with Sandbox(app=page) as sandbox:
        answer = pool.request("GET", f"{sandbox.url}/people/%C3%BC?q=1", headers={"X-Colour": "red"})
        posted = pool.request("POST", f"{sandbox.url}/people", body=b"x", headers={"X-Colour": "blue"})
        head = pool.request("HEAD", f"{sandbox.url}/people", headers={"X-Colour": "red"})

    assert answer.data == "<GET /people/\xc3\xbc q=1 red 127.0.0.1>".encode()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert posted.data == b"<POST /people  blue 127.0.0.1>"
    assert head.data == b""


def test_a_workspace_can_be_brought_along():
    """A sandbox takes either a workspace or the settings of one."""
    workspace = Workspace(token="mine")

    assert Sandbox(workspace=workspace).token == "mine"
    with pytest.raises(ConfigurationError, match="both"):
        Sandbox(workspace=workspace, token="other")


def test_pages_have_addresses(sandbox, pool):
    """page_of returns the address of a person's page for any id, whatever characters it contains."""
    made = ask(pool, sandbox, "POST", "/contacts", {"external_id": "a/b?c#ü", "name": "Ada"})

    answers = [pool.request("GET", sandbox.page_of(one)) for one in ("a/b?c#ü", made.json()["id"])]

    assert sandbox.pages == f"{sandbox.url}/ui/people"
    assert [answer.data.count(b"<h1><bdi>Ada</bdi></h1>") for answer in answers] == [1, 1]


def test_ipv6_addresses_are_bracketed(pool):
    """The address of an IPv6 host has brackets, and the sandbox answers there if the machine has IPv6."""
    assert Sandbox(host="::1", port=8080).url == "http://[::1]:8080"
    try:
        sandbox = Sandbox(host="::1").start()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with sandbox:
        assert ask(pool, sandbox, "GET", "/me").status == 200


def test_an_application_that_fails_closes_the_connection(pool, capfd):
    """The server prints the error of an application and answers the next request."""

    def broken(environ, start_response):
        raise ValueError("the page is broken")

    with Sandbox(app=broken) as sandbox:
        with pytest.raises(urllib3.exceptions.HTTPError):
            pool.request("GET", f"{sandbox.url}/people")
        assert ask(pool, sandbox, "GET", "/me").status == 200
    assert "the page is broken" in capfd.readouterr().err


def test_the_module_serves_until_a_signal(pool):
    """It prints its address, its token and the pages' address, and exits with 0 on a signal."""
    command = [sys.executable, "-m", "metarouter_intercom.sandbox", "--token", "mine", "--auto-attributes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url, _, token = process.stdout.readline().split()
        _, pages = process.stdout.readline().split()
        headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        status = pool.request("GET", f"{url}/me", headers=headers).status
        shown = pool.request("GET", pages).status
        process.terminate()
        process.stdout.read()

    assert (status, shown, token, process.returncode) == (200, 200, "mine", 0)
