"""What a host that configures logging in its usual way shows of our lines (rule W5); each host is a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

_SECRETS = ("token-of-nobody", "ann@example.com", "very-private")

# How each host sets up logging, as its own start does it; what the package needs is the first word.
_HOSTS = {
    "nothing": "",
    "basicConfig": "import logging; logging.basicConfig()",
    "django": """
        from django.conf import settings
        settings.configure(DEBUG=False)
        import django; django.setup()
    """,
    "django debug": """
        from django.conf import settings
        settings.configure(DEBUG=True)
        import django; django.setup()
    """,
    "flask": """
        from flask import Flask
        Flask("host").logger.warning("the host itself")
    """,
    "gunicorn": """
        from gunicorn.config import Config
        from gunicorn.glogging import Logger
        Logger(Config())
    """,
    "uvicorn": """
        import uvicorn
        uvicorn.Config("host:app")
    """,
    "celery": """
        from celery import Celery
        Celery("host").log.setup()
    """,
}

_CALLS = """
from metarouter_intercom import Client
from metarouter_intercom.plugins import Response

class Says:
    def __init__(self, status, code):
        self.answer = Response(status, {"errors": [{"code": code, "message": "ann@example.com"}]}, {"x-request-id": "r-7"})
    def send(self, request):
        return self.answer
    def close(self):
        pass

def client(status, code):
    return Client(api_key="token-of-nobody", name="crm", delivery="manual", transport=Says(status, code), on_invalid="log")

one = client(422, "parameter_invalid")
one.identify("ann@example.com", {"email": "ann@example.com", "plan": "very-private"})
one.track("ann@example.com", "", {"plan": "very-private"})
one.flush()
other = client(401, "token_revoked")
other.track("u1", "Signed Up", {"plan": "very-private"})
other.flush()
"""


@pytest.mark.parametrize("host", _HOSTS)
def test_losses_and_refusals_are_seen(host, tmp_path):
    """W5: whoever configures nothing for us still sees rejections, dead letters and refused credentials, and no customer's value."""
    module = host.partition(" ")[0]
    if module not in ("nothing", "basicConfig"):
        pytest.importorskip(module)
    script = tmp_path / "host.py"
    script.write_text(textwrap.dedent(_HOSTS[host]) + _CALLS, encoding="utf-8")

    shown = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True
    )

    lines = (shown.stdout + shown.stderr).splitlines()
    assert [line for line in lines if "connection crm: a message was rejected" in line]
    dead = [line for line in lines if "connection crm: a message became a dead letter" in line]
    assert len(dead) == 1
    assert "status 422, code parameter_invalid, request id r-7" in dead[0]
    refused = [line for line in lines if "connection crm: Intercom refuses the credentials" in line]
    assert len(refused) == 1
    assert "status 401, code token_revoked, request id r-7" in refused[0]
    assert [secret for secret in _SECRETS if secret in shown.stdout + shown.stderr] == []
